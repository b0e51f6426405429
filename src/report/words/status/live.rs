//! All environments on the screen, drawn anew with each change.

use jiff::Timestamp;

use super::{WORKLOADS, block, blocks, counts, head, workload_rows};
use crate::{
    model::{EnvironmentStatus, Event, StatusEvent},
    report::{
        layout::{Cell, Row},
        style::Line,
        words::{Part, State, View},
    },
};

/// Every environment as it was told last, and when.
#[derive(Default)]
struct Screen {
    environments: Vec<(Timestamp, EnvironmentStatus)>,
    ended: bool,
}

pub(in crate::report::words) fn open(at: Timestamp, event: &StatusEvent) -> Option<Box<dyn Part>> {
    let mut screen = Screen::default();
    screen.take(at, event);
    Some(Box::new(screen))
}

impl Screen {
    fn take(&mut self, at: Timestamp, event: &StatusEvent) {
        let (StatusEvent::Environment { status, .. } | StatusEvent::Gone { status }) = event;
        let known = self.environments.iter().position(|(_, known)| known.is_same_place(status));
        match (event, known) {
            (StatusEvent::Gone { .. }, Some(known)) => _ = self.environments.remove(known),
            (StatusEvent::Gone { .. }, None) => {}
            (StatusEvent::Environment { status, .. }, Some(known)) => {
                self.environments[known] = (at, EnvironmentStatus::clone(status));
            }
            (StatusEvent::Environment { status, .. }, None) => {
                self.environments.push((at, EnvironmentStatus::clone(status)));
                // their answers come in any order
                self.environments.sort_by_key(|(_, status)| status.rank);
            }
        }
    }

    fn blocks(&self, now: Timestamp, block: fn(&EnvironmentStatus, i64) -> Vec<Row>) -> Vec<Row> {
        let elapsed = |at: Timestamp| now.duration_since(at).as_secs().max(0);
        blocks(self.environments.iter().map(|(at, status)| block(status, elapsed(*at))))
    }
}

/// Without what is as it should be.
fn short_block(status: &EnvironmentStatus, elapsed: i64) -> Vec<Row> {
    let mut rows = head(status, elapsed);
    let (well, others): (Vec<_>, Vec<_>) =
        status.workloads.iter().partition(|workload| matches!(workload.verdict, "ready" | "assumed"));
    rows.extend(others.into_iter().flat_map(|workload| workload_rows(workload, elapsed)));
    if !well.is_empty() {
        let name = Cell::keep(Line::new().dim(counts::many(well.len(), "workload"))).gap(3);
        rows.push(Row::new([name, Cell::keep(Line::new().good("ready"))]).indent(4).group(WORKLOADS));
    }
    rows
}

impl Part for Screen {
    fn on(&mut self, at: Timestamp, event: &Event) -> bool {
        let Event::Status(event) = event else { return false };
        self.take(at, event);
        true
    }

    fn overtaken(&mut self, by: Option<&Event>) {
        // what was true last is the answer of the run
        self.ended |= by.is_none();
    }

    fn state(&self) -> State {
        State::Running
    }

    fn rows(&self, view: &View) -> Vec<Row> {
        if self.ended {
            return Vec::new();
        }
        let mut rows = self.blocks(view.now, block);
        if rows.len() > view.rows {
            rows = self.blocks(view.now, short_block);
        }
        let hidden = rows.len().saturating_sub(view.rows);
        if hidden > 0 {
            rows.truncate(view.rows.saturating_sub(1));
            rows.push(Row::text(Line::new().dim(format!("and {} more", counts::many(hidden + 1, "line")))));
        }
        rows
    }
}
