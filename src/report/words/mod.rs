//! The words for what happens, a file a phase: `plain` writes them as they come, `live` keeps a [`Part`] of each phase
//! that is under way and says the rest at once.

mod apply;
mod build;
mod counts;
mod environments;
mod history;
mod lock;
mod note;
mod outcome;
mod plan;
mod problem;
mod push;
mod rollout;
mod source;
mod status;
mod switch;
mod within;

use jiff::Timestamp;

pub(super) use outcome::{Shown, answer, ending};
pub(super) use problem::sentence;

use super::{
    layout::{Cell, Row},
    style::{Line, Sign},
};
use crate::model::Event;

/// How much a remark matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Only with `-v`.
    Detail,
    Normal,
    /// Also with `-q`.
    Attention,
}

/// What is said of one event.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// The phase: `image`, `apply`, `rollout`.
    pub(super) step: &'static str,
    pub(super) sign: Sign,
    pub(super) weight: Weight,
    pub(super) text: Line,
}

impl Said {
    pub(super) fn new(step: &'static str, sign: Sign, text: impl Into<Line>) -> Self {
        Self { step, sign, weight: Weight::Normal, text: text.into() }
    }

    pub(super) fn detail(self) -> Self {
        Self { weight: Weight::Detail, ..self }
    }

    pub(super) fn attention(self) -> Self {
        Self { weight: Weight::Attention, ..self }
    }
}

/// How far a part of the live view is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    /// It collapses and is not drawn again.
    Finished,
}

/// What a part is drawn for.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) now: Timestamp,
    /// The sign of what is not finished: pending, or failed when the run has ended.
    pub(super) unfinished: Sign,
    /// Rows it may take; what matters least is left out.
    pub(super) rows: usize,
}

/// A phase that is under way in the live view.
pub(super) trait Part: Send {
    /// True where the event was of this part.
    fn on(&mut self, at: Timestamp, event: &Event) -> bool;
    /// An event of another part came, or the run has ended: a part that has nothing to wait for ends here.
    fn overtaken(&mut self, _by: Option<&Event>) {}
    fn state(&self) -> State;
    /// Rows that share their columns; one line once it is finished.
    fn rows(&self, view: &View) -> Vec<Row>;
}

/// What is said of an event that no part takes, and of every event in plain.
pub(super) fn said(event: &Event) -> Vec<Said> {
    match event {
        Event::Source(event) => source::said(event),
        Event::Build(event) => build::said(event),
        Event::Push(event) => push::said(event),
        Event::Lock(event) => lock::said(event),
        Event::Apply(event) => apply::said(event),
        Event::Rollout(event) => rollout::said(event),
        Event::Switch(event) => switch::said(event),
        Event::Status(event) => status::said(event),
        Event::Note(note) => note::said(note),
        Event::Within(within) => within::said(within),
    }
}

/// The part that an event opens, where it opens one.
pub(super) fn open(at: Timestamp, event: &Event) -> Option<Box<dyn Part>> {
    match event {
        Event::Source(event) => source::open(event),
        Event::Build(event) => build::open(at, event),
        Event::Push(event) => push::open(at, event),
        Event::Lock(event) => lock::open(at, event),
        Event::Apply(event) => apply::open(at, event),
        Event::Rollout(event) => rollout::open(at, event),
        Event::Switch(event) => switch::open(at, event),
        Event::Status(event) => status::open(at, event),
        Event::Note(_) => None,
        Event::Within(within) => within::open(at, within),
    }
}

/// The start of a line of the live view: sign and phase.
fn lead(sign: Sign, step: &'static str) -> [Cell; 2] {
    [Cell::keep(sign.line()).least(1).gap(1), Cell::keep(step).least(8).gap(1)]
}

/// The said as a row of the live view.
pub(super) fn live_row(said: &Said) -> Row {
    let [sign, step] = lead(said.sign, said.step);
    Row::new([sign, step, Cell::wrap(said.text.clone())])
}
