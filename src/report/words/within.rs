//! What happens in one of several clusters: the words of its phase, with the context before them.

use jiff::Timestamp;

use super::{Part, Said, State, View};
use crate::{
    model::{Event, Within},
    report::{
        layout::{Cell, Row},
        style::Line,
    },
};

pub(super) fn said(within: &Within) -> Vec<Said> {
    let led = |said: Said| Said { text: Line::new().dim(format!("{}: ", within.context)).join(said.text), ..said };
    super::said(&within.event).into_iter().map(led).collect()
}

/// The part of a phase in this cluster.
struct InContext {
    context: String,
    part: Box<dyn Part>,
}

pub(super) fn open(at: Timestamp, within: &Within) -> Option<Box<dyn Part>> {
    let part = super::open(at, &within.event)?;
    Some(Box::new(InContext { context: within.context.clone(), part }))
}

impl InContext {
    fn of<'e>(&self, event: &'e Event) -> Option<&'e Event> {
        match event {
            Event::Within(within) if within.context == self.context => Some(&within.event),
            _ => None,
        }
    }
}

impl Part for InContext {
    fn on(&mut self, at: Timestamp, event: &Event) -> bool {
        self.of(event).is_some_and(|event| self.part.on(at, event))
    }

    fn overtaken(&mut self, by: Option<&Event>) {
        match by {
            // what happens in another cluster says nothing about this one, unless this one led and is done
            Some(event) => self.part.overtaken(Some(self.of(event).unwrap_or(event))),
            None => self.part.overtaken(None),
        }
    }

    fn state(&self) -> State {
        self.part.state()
    }

    fn rows(&self, view: &View) -> Vec<Row> {
        let lead = || Cell::keep(Line::new().dim(&self.context)).gap(1);
        self.part.rows(view).into_iter().map(|row| row.led_by(lead())).collect()
    }
}
