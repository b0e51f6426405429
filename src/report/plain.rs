//! A line for each change: for CI logs and pipes.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    Reporter,
    closing::{self, Streams},
    layout::{Cell, Row},
    repeats::Repeats,
    style::Line,
    words::{Said, Weight},
};
use crate::model::{Outcome, Stamped};

/// Columns of the phase.
const STEP: usize = 9;

pub(crate) struct Plain {
    pub(super) streams: Streams,
    pub(super) zone: TimeZone,
    /// What weighs less is not said.
    pub(super) least: Weight,
    spoken: bool,
    repeats: Repeats,
}

impl Plain {
    pub(super) fn new(streams: Streams, zone: TimeZone, least: Weight) -> Self {
        Self { streams, zone, least, spoken: false, repeats: Repeats::default() }
    }

    fn row(&self, at: Timestamp, said: &Said) -> Row {
        let time = at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string();
        let time = Cell::keep(Line::new().dim(time)).gap(1);
        Row::new([time, Cell::keep(said.step).least(STEP).gap(1), Cell::wrap(said.text.clone())])
    }
}

impl Reporter for Plain {
    fn on(&mut self, stamped: &Stamped) {
        for said in self.repeats.said(&stamped.event).iter().filter(|said| said.weight >= self.least) {
            let row = self.row(stamped.at, said);
            self.streams.story.rows(&[row]);
            self.spoken = true;
        }
    }

    fn tick(&mut self, _: Timestamp) {}

    fn ask(&mut self, question: &str) {
        closing::ask(&mut self.streams, question);
    }

    fn is_heard(&self) -> bool {
        self.streams.story.is_open()
    }

    fn finish(&mut self, outcome: &Outcome) {
        closing::close(&mut self.streams, outcome, self.spoken);
    }
}
