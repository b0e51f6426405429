//! Travis CI (docs.travis-ci.com, "Environment Variables").

use crate::model::{CiFacts, PullRequest, Variables};

use super::{ReadFile, commit, differ, first, is, pull_request_number, text};

/// `TRAVIS_BRANCH` is the target of a pull request, and the tag on a tag build.
pub(super) fn facts(variables: &Variables, _: ReadFile<'_>) -> Option<CiFacts> {
    if !is(variables, "TRAVIS", "true") {
        return None;
    }
    let git_tag = first(variables, &["TRAVIS_TAG"]);
    let pull_request = pull_request_number(variables, "TRAVIS_PULL_REQUEST").map(|number| PullRequest {
        number: Some(number),
        source_branch: text(variables, "TRAVIS_PULL_REQUEST_BRANCH"),
        head: variables.sourced("TRAVIS_PULL_REQUEST_SHA"),
        url: None,
        from_fork: differ(variables.get("TRAVIS_PULL_REQUEST_SLUG"), variables.get("TRAVIS_REPO_SLUG")),
    });
    Some(CiFacts {
        system: "travis",
        branch: match (&pull_request, &git_tag) {
            (Some(_), _) => first(variables, &["TRAVIS_PULL_REQUEST_BRANCH"]),
            (None, Some(_)) => None,
            (None, None) => first(variables, &["TRAVIS_BRANCH"]),
        },
        commit: commit(variables, &["TRAVIS_COMMIT"]),
        git_tag,
        default_branch: None,
        pull_request,
        run_url: first(variables, &["TRAVIS_BUILD_WEB_URL", "TRAVIS_JOB_WEB_URL"]),
        user: None,
        ..CiFacts::default()
    })
}
