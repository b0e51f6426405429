//! Buildkite (buildkite.com/docs/pipelines/configure/environment-variables).

use crate::model::{CiFacts, PullRequest, Variables};

use super::{ReadFile, commit, differ, first, is, pull_request_number};

/// `BUILDKITE_BRANCH` is the source of a pull request (`owner:branch` from a fork), and the tag on a tag build.
pub(super) fn facts(variables: &Variables, _: ReadFile<'_>) -> Option<CiFacts> {
    if !is(variables, "BUILDKITE", "true") {
        return None;
    }
    let git_tag = first(variables, &["BUILDKITE_TAG"]);
    let branch = if git_tag.is_some() { None } else { first(variables, &["BUILDKITE_BRANCH"]) };
    let pull_request = pull_request_number(variables, "BUILDKITE_PULL_REQUEST").map(|number| PullRequest {
        number: Some(number),
        source_branch: branch.as_ref().map(|branch| branch.value.clone()),
        head: None,
        url: None,
        from_fork: from_fork(variables),
    });
    Some(CiFacts {
        system: "buildkite",
        branch,
        commit: commit(variables, &["BUILDKITE_COMMIT"]),
        git_tag,
        default_branch: first(variables, &["BUILDKITE_PIPELINE_DEFAULT_BRANCH"]),
        pull_request,
        run_url: first(variables, &["BUILDKITE_BUILD_URL"]),
        user: first(variables, &["BUILDKITE_BUILD_CREATOR", "BUILDKITE_BUILD_AUTHOR"]),
        ..CiFacts::default()
    })
}

/// One is `git@host:owner/name.git`, the other `git://host/owner/name.git`: compared by host and path.
fn from_fork(variables: &Variables) -> bool {
    let of = |name| variables.get(name).map(repository);
    differ(of("BUILDKITE_PULL_REQUEST_REPO").as_deref(), of("BUILDKITE_REPO").as_deref())
}

fn repository(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    rest.trim_end_matches('/').trim_end_matches(".git").replacen(':', "/", 1).to_lowercase()
}
