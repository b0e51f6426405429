//! What the live view shows, without a terminal: parts that are under way, and rows that are settled for good.

use jiff::Timestamp;

use super::{
    layout::{Paper, Row, typeset},
    style::{Line, Sign},
    words::{self, Part, State, View, Weight},
};
use crate::model::Stamped;

/// The live view's state.
pub(crate) struct Board {
    parts: Vec<Box<dyn Part>>,
    /// What weighs less is not said.
    least: Weight,
}

/// Rows a part has at least, however many there are.
const FEWEST_ROWS: usize = 3;

impl Board {
    pub(super) fn new(least: Weight) -> Self {
        Self { parts: Vec::new(), least }
    }

    /// Blocks of rows that are settled by this event, in their order.
    pub(super) fn on(&mut self, stamped: &Stamped) -> Vec<Vec<Row>> {
        let (at, event) = (stamped.at, &stamped.event);
        let taken = self.parts.iter_mut().position(|part| part.on(at, event));
        for (number, part) in self.parts.iter_mut().enumerate() {
            if Some(number) != taken {
                part.overtaken(Some(event));
            }
        }
        let mut settled = Vec::new();
        let opened = if taken.is_none() { words::open(at, event) } else { None };
        self.settle(at, &mut settled);
        match (taken, opened) {
            (Some(_), _) => {}
            (None, Some(part)) => {
                self.parts.push(part);
                self.settle(at, &mut settled);
            }
            (None, None) => {
                let said = words::said(event);
                settled.extend(
                    said.iter().filter(|said| said.weight >= self.least).map(|said| vec![words::live_row(said)]),
                );
            }
        }
        settled
    }

    fn settle(&mut self, now: Timestamp, settled: &mut Vec<Vec<Row>>) {
        let view = View { now, unfinished: Sign::Pending, rows: usize::MAX };
        let finished = self.parts.iter().filter(|part| part.state() == State::Finished);
        settled.extend(finished.map(|part| part.rows(&view)));
        self.parts.retain(|part| part.state() != State::Finished);
    }

    /// What is under way, as it is drawn now on so many rows.
    pub(super) fn frame(&self, paper: &Paper, rows: usize, now: Timestamp) -> Vec<Line> {
        let mut share = (rows / self.parts.len().max(1)).max(FEWEST_ROWS);
        loop {
            let view = View { now, unfinished: Sign::Pending, rows: share };
            let mut lines: Vec<Line> = self.parts.iter().flat_map(|part| typeset(&part.rows(&view), paper)).collect();
            let excess = lines.len().saturating_sub(rows);
            if excess == 0 || share == FEWEST_ROWS {
                lines.truncate(rows);
                return lines;
            }
            // a reason that takes several lines takes the room of what matters less
            share = share.saturating_sub(excess.div_ceil(self.parts.len())).max(FEWEST_ROWS);
        }
    }

    /// The run has ended: what is still under way stays as it is, under this sign.
    pub(super) fn end(&mut self, now: Timestamp, unfinished: Sign) -> Vec<Vec<Row>> {
        for part in &mut self.parts {
            part.overtaken(None);
        }
        let view = View { now, unfinished, rows: usize::MAX };
        self.parts.drain(..).map(|part| part.rows(&view)).collect()
    }
}
