//! Drone (docs.drone.io/pipeline/environment/reference).

use crate::model::{CiFacts, PullRequest, Variables};

use super::{ReadFile, branch, commit, first, is, tag, text};

/// `DRONE_BRANCH` is the target of a pull request, and on a tag build a tag, in full. Whether a pull request comes from
/// a fork is not told, so each may.
pub(super) fn facts(variables: &Variables, _: ReadFile<'_>) -> Option<CiFacts> {
    if !is(variables, "DRONE", "true") {
        return None;
    }
    let git_tag = first(variables, &["DRONE_TAG"]).map(tag);
    let pull_request = text(variables, "DRONE_PULL_REQUEST").map(|number| PullRequest {
        number: Some(number),
        source_branch: text(variables, "DRONE_SOURCE_BRANCH"),
        head: None,
        url: None,
        from_fork: true,
    });
    Some(CiFacts {
        system: "drone",
        branch: match (&pull_request, &git_tag) {
            (Some(_), _) => first(variables, &["DRONE_SOURCE_BRANCH"]),
            (None, Some(_)) => None,
            (None, None) => first(variables, &["DRONE_COMMIT_BRANCH", "DRONE_BRANCH"])
                .filter(|found| !found.value.starts_with("refs/tags/"))
                .map(branch),
        },
        commit: commit(variables, &["DRONE_COMMIT_SHA", "DRONE_COMMIT"]),
        git_tag: git_tag.or_else(|| super::named(first(variables, &["DRONE_BRANCH"]), "refs/tags/")),
        default_branch: first(variables, &["DRONE_REPO_BRANCH"]),
        pull_request,
        run_url: first(variables, &["DRONE_BUILD_LINK"]),
        user: first(variables, &["DRONE_BUILD_TRIGGER", "DRONE_COMMIT_AUTHOR"]),
        ..CiFacts::default()
    })
}
