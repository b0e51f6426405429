//! Google Cloud Build (cloud.google.com/build, "Substitute variable values"): nothing is in the environment unless the
//! build's `env` maps substitutions into it, by the same names.

use crate::model::{CiFacts, PullRequest, Variables};

use super::{ReadFile, commit, differ, first, text};

pub(super) fn facts(variables: &Variables, _: ReadFile<'_>) -> Option<CiFacts> {
    let build = variables.sourced("BUILD_ID");
    let mapped = build.is_some() && first(variables, &["PROJECT_ID", "COMMIT_SHA", "TRIGGER_NAME"]).is_some();
    if !mapped && variables.get("BUILDER_OUTPUT").is_none() {
        return None;
    }
    let git_tag = first(variables, &["TAG_NAME"]);
    let number = text(variables, "_PR_NUMBER");
    let branch = match (&number, &git_tag) {
        (Some(_), _) => first(variables, &["_HEAD_BRANCH"]),
        (None, Some(_)) => None,
        (None, None) => first(variables, &["BRANCH_NAME"]),
    };
    let pull_request = number.map(|number| PullRequest {
        number: Some(number),
        source_branch: branch.as_ref().map(|branch| branch.value.clone()),
        head: None,
        url: None,
        from_fork: from_fork(variables),
    });
    let project = variables.get("PROJECT_ID");
    let run_url = build.zip(project).map(|(build, project)| {
        build.map(|build| format!("https://console.cloud.google.com/cloud-build/builds/{build}?project={project}"))
    });
    Some(CiFacts {
        system: "cloud-build",
        branch,
        commit: commit(variables, &["COMMIT_SHA", "REVISION_ID"]),
        git_tag,
        default_branch: None,
        pull_request,
        run_url,
        user: None,
        ..CiFacts::default()
    })
}

/// `_HEAD_REPO_URL` is the source's; `REPO_FULL_NAME` is `owner/name` of ours.
fn from_fork(variables: &Variables) -> bool {
    let head = variables.get("_HEAD_REPO_URL").map(|url| {
        let bare = url.trim_end_matches('/').trim_end_matches(".git");
        bare.rsplit('/').take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("/")
    });
    differ(head.as_deref(), variables.get("REPO_FULL_NAME"))
}
