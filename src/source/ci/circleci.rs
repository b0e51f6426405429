//! CircleCI (circleci.com/docs/variables).

use crate::model::{CiFacts, PullRequest, Variables};

use super::{ReadFile, commit, first, is, text};

/// `CIRCLE_PULL_REQUEST` is also set on the push of a branch for which a pull request happens to be open, `master` with
/// a merge back included: only a fork's build is a pull request's here, and its branch is `pull/N`.
pub(super) fn facts(variables: &Variables, _: ReadFile<'_>) -> Option<CiFacts> {
    if !is(variables, "CIRCLECI", "true") {
        return None;
    }
    let branch = first(variables, &["CIRCLE_BRANCH"]);
    let number = text(variables, "CIRCLE_PR_NUMBER").or_else(|| {
        let number = branch.as_ref()?.value.strip_prefix("pull/")?;
        number.bytes().all(|b| b.is_ascii_digit()).then(|| number.to_owned())
    });
    Some(CiFacts {
        system: "circleci",
        commit: commit(variables, &["CIRCLE_SHA1"]),
        git_tag: first(variables, &["CIRCLE_TAG"]),
        default_branch: None,
        pull_request: number.map(|number| PullRequest {
            number: Some(number),
            source_branch: branch.as_ref().map(|branch| branch.value.clone()),
            head: None,
            url: text(variables, "CIRCLE_PULL_REQUEST"),
            from_fork: true,
        }),
        branch,
        run_url: first(variables, &["CIRCLE_BUILD_URL"]),
        user: first(variables, &["CIRCLE_USERNAME"]),
        ..CiFacts::default()
    })
}
