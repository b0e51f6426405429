//! The environments of an app.

use super::counts;
use crate::{
    model::{EnvironmentEntry, Environments, short_age},
    report::{
        layout::{Cell, Row},
        style::Line,
    },
};

/// The group of rows that share columns.
const ENVIRONMENTS: usize = 30;

pub(super) fn rows(found: &Environments) -> Vec<Row> {
    let mut rows = vec![Row::text(Line::new().strong(&found.app))];
    let contexts = found.environments.iter().any(|entry| entry.context != found.environments[0].context);
    for entry in &found.environments {
        rows.push(row(entry, contexts));
        rows.extend(entry.problem.iter().map(|problem| {
            Row::text(Line::new().attention(problem.code).plain(format!(": {}", problem.text))).indent(4)
        }));
    }
    rows
}

fn row(entry: &EnvironmentEntry, contexts: bool) -> Row {
    let mut cells =
        vec![Cell::cut(Line::new().strong(&entry.environment)).gap(3), Cell::cut(entry.namespace.as_str()).gap(3)];
    if contexts {
        cells.push(Cell::cut(Line::new().dim(entry.context.as_deref().unwrap_or_default())).gap(3));
    }
    cells.extend([
        Cell::cut(entry.tag.as_deref().unwrap_or_default()).gap(3),
        Cell::keep(Line::new().dim(entry.age.map(short_age).unwrap_or_default())).gap(3),
        Cell::wrap(remark(entry)),
    ]);
    Row::new(cells).indent(2).group(ENVIRONMENTS)
}

/// The colour that serves, or until when it is there.
fn remark(entry: &EnvironmentEntry) -> Line {
    let line = Line::new();
    if entry.problem.is_some() {
        return line.attention("unknown");
    }
    let line = match (&entry.tag, &entry.color) {
        (None, _) => line.dim("not deployed"),
        (Some(_), Some(color)) => line.plain("-> ").good(color),
        (Some(_), None) => line,
    };
    let gap = if line.is_empty() { "" } else { " · " };
    match entry.expires_in {
        _ if entry.leaving => line.dim(gap).attention("is being deleted"),
        Some(left) if left <= 0 => line.dim(gap).attention("expired"),
        Some(left) => line.dim(format!("{gap}expires in {}", counts::whole(left as f64))),
        None => line,
    }
}
