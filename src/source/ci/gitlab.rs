//! GitLab CI (docs.gitlab.com, "Predefined CI/CD variables reference").

use crate::model::{CiFacts, PullRequest, Variables};

use super::{ReadFile, commit, differ, first, is, text};

pub(super) fn facts(variables: &Variables, _: ReadFile<'_>) -> Option<CiFacts> {
    if !is(variables, "GITLAB_CI", "true") {
        return None;
    }
    let branch =
        ["CI_COMMIT_BRANCH", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME"];
    Some(CiFacts {
        system: "gitlab",
        branch: first(variables, &branch),
        commit: commit(variables, &["CI_COMMIT_SHA"]),
        git_tag: first(variables, &["CI_COMMIT_TAG"]),
        default_branch: first(variables, &["CI_DEFAULT_BRANCH"]),
        pull_request: merge_request(variables).or_else(|| external(variables)),
        run_url: first(variables, &["CI_PIPELINE_URL", "CI_JOB_URL"]),
        user: first(variables, &["GITLAB_USER_LOGIN"]),
        ..CiFacts::default()
    })
}

fn merge_request(variables: &Variables) -> Option<PullRequest> {
    Some(PullRequest {
        number: Some(text(variables, "CI_MERGE_REQUEST_IID")?),
        source_branch: text(variables, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
        head: variables.sourced("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"),
        url: variables
            .get("CI_MERGE_REQUEST_PROJECT_URL")
            .zip(variables.get("CI_MERGE_REQUEST_IID"))
            .map(|(project, number)| format!("{project}/-/merge_requests/{number}")),
        from_fork: differ(
            variables.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID"),
            variables.get("CI_MERGE_REQUEST_PROJECT_ID"),
        ),
    })
}

/// A pull request of GitHub or Bitbucket, built in GitLab.
fn external(variables: &Variables) -> Option<PullRequest> {
    Some(PullRequest {
        number: Some(text(variables, "CI_EXTERNAL_PULL_REQUEST_IID")?),
        source_branch: text(variables, "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME"),
        head: variables.sourced("CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA"),
        url: None,
        from_fork: differ(
            variables.get("CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY"),
            variables.get("CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY"),
        ),
    })
}
