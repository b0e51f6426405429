//! One deploy at a time.

use jiff::Timestamp;

use super::{Part, Said, State, View, counts, lead};
use crate::{
    model::{Event, LockEvent},
    report::{
        layout::{Cell, Row},
        style::{Line, Sign},
    },
};

const STEP: &str = "lock";

pub(super) fn said(event: &LockEvent) -> Vec<Said> {
    vec![match event {
        LockEvent::Waiting { holder, since } => Said::new(STEP, Sign::Pending, waiting(holder, *since)),
        LockEvent::Taken { waited } if *waited < 1.0 => Said::new(STEP, Sign::Done, "taken").detail(),
        LockEvent::Taken { waited } => Said::new(STEP, Sign::Done, taken(*waited, None)),
        LockEvent::Released => Said::new(STEP, Sign::None, "let go").detail(),
    }]
}

fn waiting(holder: &str, since: Option<Timestamp>) -> Line {
    let line = Line::new().attention("waiting").plain(format!(" for {holder}"));
    match since {
        Some(since) => line.dim(since.strftime(", since %Y-%m-%d %H:%M UTC").to_string()),
        None => line,
    }
}

fn taken(waited: f64, holder: Option<&str>) -> Line {
    let holder = holder.map_or_else(String::new, |holder| format!(" for {holder}"));
    Line::new().plain("taken").dim(format!(" (waited {}{holder})", counts::whole(waited)))
}

/// A lock that another holds.
struct Wait {
    since: Timestamp,
    holder: String,
    held_since: Option<Timestamp>,
    waited: Option<f64>,
}

pub(super) fn open(at: Timestamp, event: &LockEvent) -> Option<Box<dyn Part>> {
    let LockEvent::Waiting { holder, since } = event else { return None };
    Some(Box::new(Wait { since: at, holder: holder.clone(), held_since: *since, waited: None }))
}

impl Part for Wait {
    fn on(&mut self, _: Timestamp, event: &Event) -> bool {
        match event {
            Event::Lock(LockEvent::Waiting { holder, since }) => {
                self.holder.clone_from(holder);
                self.held_since = *since;
            }
            Event::Lock(LockEvent::Taken { waited }) => self.waited = Some(*waited),
            _ => return false,
        }
        true
    }

    fn state(&self) -> State {
        if self.waited.is_some() { State::Finished } else { State::Running }
    }

    fn rows(&self, view: &View) -> Vec<Row> {
        let (sign, text) = match self.waited {
            Some(waited) => (Sign::Done, taken(waited, Some(&self.holder))),
            None => {
                let elapsed = counts::whole(counts::between(self.since, view.now));
                (view.unfinished, waiting(&self.holder, self.held_since).dim(format!("   {elapsed}")))
            }
        };
        let [sign, step] = lead(sign, STEP);
        vec![Row::new([sign, step, Cell::wrap(text)])]
    }
}
