//! Woodpecker (woodpecker-ci.org/docs/usage/environment).

use crate::model::{CiFacts, PullRequest, Variables};

use super::{ReadFile, commit, first, is, text};

/// It shares names with GitLab; `CI_COMMIT_BRANCH` is the target of a pull request. Whether that comes from a fork is not
/// told, so each may.
pub(super) fn facts(variables: &Variables, _: ReadFile<'_>) -> Option<CiFacts> {
    if !is(variables, "CI", "woodpecker") {
        return None;
    }
    let git_tag = first(variables, &["CI_COMMIT_TAG"]);
    let pull_request = text(variables, "CI_COMMIT_PULL_REQUEST").map(|number| PullRequest {
        number: Some(number),
        source_branch: text(variables, "CI_COMMIT_SOURCE_BRANCH"),
        head: None,
        url: None,
        from_fork: true,
    });
    Some(CiFacts {
        system: "woodpecker",
        branch: match (&pull_request, &git_tag) {
            (Some(_), _) => first(variables, &["CI_COMMIT_SOURCE_BRANCH"]),
            (None, Some(_)) => None,
            (None, None) => first(variables, &["CI_COMMIT_BRANCH"]),
        },
        commit: commit(variables, &["CI_COMMIT_SHA"]),
        git_tag,
        default_branch: first(variables, &["CI_REPO_DEFAULT_BRANCH"]),
        pull_request,
        run_url: first(variables, &["CI_PIPELINE_URL"]),
        user: first(variables, &["CI_PIPELINE_AUTHOR", "CI_COMMIT_AUTHOR"]),
        ..CiFacts::default()
    })
}
