//! GitHub Actions (docs.github.com, "Variables reference" and "Events that trigger workflows").

use serde_json::Value;

use crate::model::{CiFacts, Origin, PullRequest, Sourced, Variables};

use super::{ReadFile, commit, differ, first, is, named, text};

const EVENT: &str = "GITHUB_EVENT_PATH";

pub(super) fn facts(variables: &Variables, read: ReadFile<'_>) -> Option<CiFacts> {
    if !is(variables, "GITHUB_ACTIONS", "true") {
        return None;
    }
    let event: Value =
        variables.get(EVENT).and_then(read).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let pull_request = pull_request(variables, &event);
    let source = pull_request.as_ref().and_then(|_| variables.sourced("GITHUB_HEAD_REF"));
    let reference = variables.sourced("GITHUB_REF");
    Some(CiFacts {
        system: "github",
        branch: match pull_request {
            Some(_) => source,
            None => named(reference.clone(), "refs/heads/"),
        },
        commit: commit(variables, &["GITHUB_SHA"]),
        git_tag: if pull_request.is_some() { None } else { named(reference, "refs/tags/") },
        default_branch: at(&event, "/repository/default_branch")
            .map(|branch| Sourced::new(branch.to_owned(), Origin::Variable(EVENT.into()))),
        pull_request,
        run_url: run_url(variables),
        user: first(variables, &["GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"]),
        ..CiFacts::default()
    })
}

/// The head's commit stands only in the event file, and whether it is a fork's too.
fn pull_request(variables: &Variables, event: &Value) -> Option<PullRequest> {
    let source_branch = text(variables, "GITHUB_HEAD_REF");
    let in_event = event.get("pull_request").filter(|found| found.is_object());
    if source_branch.is_none() && in_event.is_none() {
        return None;
    }
    let from = |pointer| in_event.and_then(|found| at(found, pointer));
    Some(PullRequest {
        number: in_event.and_then(|found| found.get("number")).map(Value::to_string),
        source_branch: source_branch.or_else(|| from("/head/ref").map(str::to_owned)),
        head: from("/head/sha").map(|sha| Sourced::new(sha.to_owned(), Origin::Variable(EVENT.into()))),
        url: from("/html_url").map(str::to_owned),
        from_fork: differ(from("/head/repo/full_name"), from("/base/repo/full_name")),
    })
}

fn run_url(variables: &Variables) -> Option<Sourced<String>> {
    let server = variables.get("GITHUB_SERVER_URL")?;
    let repository = variables.get("GITHUB_REPOSITORY")?;
    let run = variables.sourced("GITHUB_RUN_ID")?;
    Some(run.map(|run| format!("{server}/{repository}/actions/runs/{run}")))
}

fn at<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer).and_then(Value::as_str)
}
