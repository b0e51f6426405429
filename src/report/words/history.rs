//! What was deployed before, a line a deploy.

use crate::{
    model::{Commit, DeployHistory, PastDeploy, PullRequestRef, RecordState, short_age},
    report::{
        layout::{Cell, Row},
        style::Line,
    },
};

/// Rows that share columns.
const DEPLOYS: usize = 13;

pub(super) fn rows(history: &DeployHistory) -> Vec<Row> {
    let place = Line::new().strong(&history.app).dim(" · ").strong(&history.environment);
    let place = place.dim(" · ").plain(format!("namespace {}", history.namespace));
    let place = history.context.iter().fold(place, |place, context| place.dim(format!(" · context {context}")));
    let mut rows = vec![Row::text(place)];
    rows.extend(history.deploys.iter().map(deploy));
    if history.deploys.is_empty() {
        rows.push(Row::text(Line::new().dim("no deploy yet")).indent(2));
    }
    rows
}

/// `* 8  back to 6  2 h ago  master-fc598063  alice  "Fix the cart"`
fn deploy(deploy: &PastDeploy) -> Row {
    let mark = if deploy.current { Line::new().good("*") } else { Line::new().plain(" ") };
    let subject = deploy.commit.as_ref().map(|commit| format!("\"{}\"", commit.subject)).unwrap_or_default();
    Row::new([
        Cell::keep(mark).gap(0),
        Cell::keep(format!("{:>3}", deploy.revision)),
        Cell::keep(state(deploy)),
        Cell::keep(Line::new().dim(short_age(deploy.age))),
        Cell::cut(version(deploy)),
        Cell::cut(deploy.by.as_str()),
        Cell::optional(Line::new().dim(subject)),
    ])
    .indent(1)
    .group(DEPLOYS)
}

/// How it ended; of a rollback, where it went back to.
fn state(deploy: &PastDeploy) -> Line {
    let back = deploy.source.map(|source| format!("back to {source}"));
    let line = back.as_ref().map_or_else(Line::new, |back| Line::new().plain(format!("{back} ")));
    match (deploy.state, back) {
        (RecordState::Succeeded, None) => line.good("succeeded"),
        (RecordState::Succeeded, Some(back)) => Line::new().good(back),
        (RecordState::Failed, _) => line.failed("failed"),
        (RecordState::Running, _) => line.attention("not ended"),
        (RecordState::Superseded, _) => line.dim("gave way"),
    }
}

/// The tag, the commit where the tag does not say it, the pull request, and the colour.
fn version(deploy: &PastDeploy) -> String {
    let commit = deploy.commit.as_ref().map(Commit::short).filter(|commit| !deploy.tag.contains(commit));
    let commit = commit.map(|commit| format!(" {commit}")).unwrap_or_default();
    let request = deploy.pull_request.as_ref().and_then(PullRequestRef::short);
    let request = request.map(|request| format!(" {request}")).unwrap_or_default();
    let color = deploy.color.as_ref().map(|color| format!(" {color}")).unwrap_or_default();
    format!("{}{commit}{request}{color}", deploy.tag)
}
