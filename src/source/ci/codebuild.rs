//! AWS CodeBuild (docs.aws.amazon.com/codebuild, "Environment variables in build environments").

use crate::model::{CiFacts, PullRequest, Variables};

use super::{ReadFile, commit, first, named, text};

/// A build started by hand has the branch, if any, only in `CODEBUILD_SOURCE_VERSION`. Whether a pull request comes from a
/// fork is not told, so each may.
pub(super) fn facts(variables: &Variables, _: ReadFile<'_>) -> Option<CiFacts> {
    variables.get("CODEBUILD_BUILD_ID")?;
    let head = first(variables, &["CODEBUILD_WEBHOOK_HEAD_REF"]);
    let version = first(variables, &["CODEBUILD_SOURCE_VERSION"]);
    let branch = named(head.clone(), "refs/heads/").or_else(|| named(version.clone(), "refs/heads/"));
    let pull_request = number(variables).map(|number| PullRequest {
        number: Some(number),
        source_branch: branch.as_ref().map(|branch| branch.value.clone()),
        head: None,
        url: None,
        from_fork: true,
    });
    Some(CiFacts {
        system: "codebuild",
        branch,
        commit: commit(variables, &["CODEBUILD_RESOLVED_SOURCE_VERSION"]),
        git_tag: if pull_request.is_some() {
            None
        } else {
            named(head, "refs/tags/").or_else(|| named(version, "refs/tags/"))
        },
        default_branch: None,
        pull_request,
        run_url: first(variables, &["CODEBUILD_BUILD_URL"]),
        user: first(variables, &["CODEBUILD_INITIATOR"]),
        ..CiFacts::default()
    })
}

fn number(variables: &Variables) -> Option<String> {
    if variables.get("CODEBUILD_WEBHOOK_EVENT") == Some("PULL_REQUEST_MERGED") {
        return None;
    }
    ["CODEBUILD_WEBHOOK_TRIGGER", "CODEBUILD_SOURCE_VERSION"]
        .iter()
        .find_map(|name| text(variables, name)?.strip_prefix("pr/").map(str::to_owned))
}
