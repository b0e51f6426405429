//! The live view on a terminal: indicatif draws, the board says what.
//!
//! The cursor is never hidden and the terminal's mode never changed, so that there is nothing to restore after a kill.

use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::{
    Reporter,
    board::Board,
    closing::{self, Streams},
    layout::Row,
    style::Sign,
};
use crate::model::{Exit, Outcome, Stamped};

/// True while something is drawn that the next word must not be written into.
static DRAWN: AtomicBool = AtomicBool::new(false);

/// Steps the cursor off the drawing: for a panic or a second interrupt, when nothing else is sure.
pub(super) fn drawn() -> bool {
    DRAWN.swap(false, Ordering::SeqCst)
}

/// Drawings a second at most.
const RATE: u8 = 20;

pub(crate) struct Live {
    streams: Streams,
    board: Board,
    screen: MultiProgress,
    /// The one bar, whose message is the frame; none while nothing is under way.
    bar: Option<ProgressBar>,
    frame: String,
    now: Timestamp,
    spoken: bool,
}

impl Live {
    pub(super) fn new(streams: Streams, board: Board, now: Timestamp) -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(RATE));
        Self { streams, board, screen, bar: None, frame: String::new(), now, spoken: false }
    }

    fn settle(&mut self, blocks: &[Vec<Row>]) {
        for block in blocks {
            let lines = self.streams.story.typeset(block);
            // indicatif leaves out a line that is empty
            let lines: Vec<&str> = lines.iter().map(|line| if line.is_empty() { " " } else { line.as_str() }).collect();
            // a terminal that is gone has nobody to tell
            let _ = self.screen.println(lines.join("\n"));
            self.spoken = true;
        }
    }

    fn draw(&mut self) {
        let paper = self.streams.story.paper();
        // the last row is the cursor's
        let rows = self.streams.story.columns.size().1.saturating_sub(1).max(1);
        let lines = self.board.frame(&paper, rows, self.now);
        let frame: Vec<String> = lines.iter().map(|line| line.paint(self.streams.story.colour)).collect();
        let frame = frame.join("\n");
        if frame != self.frame {
            self.show(&frame);
            self.frame = frame;
        }
    }

    fn show(&mut self, frame: &str) {
        if frame.is_empty() {
            self.clear();
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = self.screen.add(ProgressBar::new_spinner());
            bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar
        });
        bar.set_message(frame.to_owned());
        bar.tick();
        DRAWN.store(true, Ordering::SeqCst);
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
        self.frame.clear();
        DRAWN.store(false, Ordering::SeqCst);
    }
}

impl Reporter for Live {
    fn on(&mut self, stamped: &Stamped) {
        self.now = stamped.at;
        let settled = self.board.on(stamped);
        if !settled.is_empty() {
            self.settle(&settled);
        }
        self.draw();
    }

    fn tick(&mut self, now: Timestamp) {
        self.now = now;
        self.draw();
    }

    fn ask(&mut self, question: &str) {
        self.clear();
        closing::ask(&mut self.streams, question);
    }

    fn finish(&mut self, outcome: &Outcome) {
        self.clear();
        let sign = if matches!(outcome.exit, Exit::Done | Exit::Changes) { Sign::None } else { Sign::Failed };
        let settled = self.board.end(self.now, sign);
        for block in &settled {
            self.streams.story.rows(block);
            self.spoken = true;
        }
        closing::close(&mut self.streams, outcome, self.spoken);
    }
}
