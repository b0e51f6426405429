//! Bitbucket Pipelines (support.atlassian.com, "Variables and secrets").

use crate::model::{CiFacts, PullRequest, Variables};

use super::{ReadFile, commit, first, text};

/// A fork's pull request runs in the fork's own pipelines, with its own secrets: none is seen here as a fork's.
pub(super) fn facts(variables: &Variables, _: ReadFile<'_>) -> Option<CiFacts> {
    let number = variables.sourced("BITBUCKET_BUILD_NUMBER")?;
    let branch = first(variables, &["BITBUCKET_BRANCH"]);
    let run_url = variables
        .get("BITBUCKET_REPO_FULL_NAME")
        .map(|name| number.map(|number| format!("https://bitbucket.org/{name}/pipelines/results/{number}")));
    Some(CiFacts {
        system: "bitbucket",
        commit: commit(variables, &["BITBUCKET_COMMIT"]),
        git_tag: first(variables, &["BITBUCKET_TAG"]),
        default_branch: None,
        pull_request: text(variables, "BITBUCKET_PR_ID").map(|number| PullRequest {
            number: Some(number),
            source_branch: branch.as_ref().map(|branch| branch.value.clone()),
            head: None,
            url: variables
                .get("BITBUCKET_REPO_FULL_NAME")
                .zip(variables.get("BITBUCKET_PR_ID"))
                .map(|(name, number)| format!("https://bitbucket.org/{name}/pull-requests/{number}")),
            from_fork: false,
        }),
        branch,
        run_url,
        user: None,
        ..CiFacts::default()
    })
}
