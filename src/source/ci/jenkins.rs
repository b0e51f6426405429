//! Jenkins (multibranch pipelines: branch-api plugin; others: git plugin).

use crate::model::{CiFacts, PullRequest, Sourced, Variables};

use super::{ReadFile, branch, commit, first, is, text};

/// In a multibranch job `BRANCH_NAME` is `PR-12` for a pull request and the tag on a tag build; elsewhere there is only
/// `GIT_BRANCH`, with the remote's name before it.
pub(super) fn facts(variables: &Variables, _: ReadFile<'_>) -> Option<CiFacts> {
    first(variables, &["JENKINS_URL", "JENKINS_HOME"])?;
    let git_tag = first(variables, &["TAG_NAME"]);
    let pull_request = text(variables, "CHANGE_ID").map(|number| PullRequest {
        number: Some(number),
        source_branch: text(variables, "CHANGE_BRANCH"),
        head: None,
        url: text(variables, "CHANGE_URL"),
        from_fork: variables.get("CHANGE_FORK").is_some(),
    });
    let name = first(variables, &["BRANCH_NAME"]);
    let default_branch = if is(variables, "BRANCH_IS_PRIMARY", "true") { name.clone() } else { None };
    Some(CiFacts {
        system: "jenkins",
        branch: match (&pull_request, &git_tag) {
            (Some(_), _) => first(variables, &["CHANGE_BRANCH"]),
            (None, Some(_)) => None,
            (None, None) => name.or_else(|| of_git_plugin(variables)),
        },
        commit: commit(variables, &["GIT_COMMIT"]),
        git_tag,
        default_branch,
        pull_request,
        run_url: first(variables, &["BUILD_URL"]),
        user: first(variables, &["BUILD_USER_ID", "CHANGE_AUTHOR"]),
        ..CiFacts::default()
    })
}

fn of_git_plugin(variables: &Variables) -> Option<Sourced<String>> {
    if let Some(local) = first(variables, &["GIT_LOCAL_BRANCH"]) {
        return Some(local);
    }
    let found = branch(first(variables, &["GIT_BRANCH"])?);
    match found.value.as_str() {
        "detached" | "HEAD" => None,
        _ => Some(found.map(|value| match value.strip_prefix("origin/") {
            Some(bare) => bare.to_owned(),
            None => value,
        })),
    }
}
