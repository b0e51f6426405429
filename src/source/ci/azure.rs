//! Azure Pipelines (learn.microsoft.com, "Use predefined variables").

use crate::model::{CiFacts, PullRequest, Sourced, Variables};

use super::{ReadFile, branch, commit, first, is, named, text};

/// `BUILD_SOURCEBRANCHNAME` is only the last part of a branch and is left alone; the pull request's source comes with or
/// without `refs/heads/`.
pub(super) fn facts(variables: &Variables, _: ReadFile<'_>) -> Option<CiFacts> {
    if !is(variables, "TF_BUILD", "true") {
        return None;
    }
    let source = first(variables, &["SYSTEM_PULLREQUEST_SOURCEBRANCH"]).map(branch);
    let reference = first(variables, &["BUILD_SOURCEBRANCH"]);
    let number = text(variables, "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER")
        .or_else(|| text(variables, "SYSTEM_PULLREQUEST_PULLREQUESTID"));
    let is_pull_request = number.is_some() || is(variables, "BUILD_REASON", "PullRequest");
    let pull_request = is_pull_request.then(|| PullRequest {
        number,
        source_branch: source.as_ref().map(|source| source.value.clone()),
        head: variables.sourced("SYSTEM_PULLREQUEST_SOURCECOMMITID"),
        url: None,
        from_fork: !is(variables, "SYSTEM_PULLREQUEST_ISFORK", "false"),
    });
    Some(CiFacts {
        system: "azure",
        branch: if is_pull_request { source } else { named(reference.clone(), "refs/heads/") },
        commit: commit(variables, &["BUILD_SOURCEVERSION"]),
        git_tag: if is_pull_request { None } else { named(reference, "refs/tags/") },
        default_branch: None,
        pull_request,
        run_url: run_url(variables),
        user: first(variables, &["BUILD_REQUESTEDFOR"]),
        ..CiFacts::default()
    })
}

fn run_url(variables: &Variables) -> Option<Sourced<String>> {
    let collection =
        variables.get("SYSTEM_COLLECTIONURI").or_else(|| variables.get("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"))?;
    let project = variables.get("SYSTEM_TEAMPROJECT")?;
    let build = variables.sourced("BUILD_BUILDID")?;
    let collection = collection.trim_end_matches('/');
    Some(build.map(|build| format!("{collection}/{}/_build/results?buildId={build}", project.replace(' ', "%20"))))
}
