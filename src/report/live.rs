//! The live view on a terminal: the board says what, the screen draws it.

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};

use super::{
    Reporter,
    board::Board,
    closing::{self, Streams},
    layout::Row,
    screen::{Screen, TAKE_BACK},
    sink::is_in_foreground,
    style::{Line, Sign},
};
use crate::model::{Exit, Outcome, Stamped};

/// True while something is drawn that the next word must not be written into.
static DRAWN: AtomicBool = AtomicBool::new(false);

/// What goes before the last word of a panic or a second interrupt, when nothing else is sure.
pub(super) fn take_back() -> &'static str {
    if DRAWN.swap(false, Ordering::SeqCst) { TAKE_BACK } else { "" }
}

/// Between two frames, where only what is under way has changed.
const REST: SignedDuration = SignedDuration::from_millis(50);
/// Who hears nothing for so long was stopped, perhaps.
const STOPPED: SignedDuration = SignedDuration::from_millis(500);
/// So long nothing is drawn then, until it is known whether others have written on the terminal.
const DOUBT: SignedDuration = SignedDuration::from_secs(1);

pub(crate) struct Live {
    streams: Streams,
    board: Board,
    screen: Screen,
    now: Timestamp,
    drawn: Timestamp,
    spoken: bool,
    /// Settled, and not written yet.
    held: Vec<Vec<Row>>,
    /// Nothing is drawn before.
    doubted: Timestamp,
}

impl Live {
    /// `breaks_lines`: the terminal breaks lines that are too long for it when it becomes narrower.
    pub(super) fn new(streams: Streams, board: Board, now: Timestamp, breaks_lines: bool) -> Self {
        Self {
            streams,
            board,
            screen: Screen::new(breaks_lines),
            now,
            drawn: Timestamp::MIN,
            spoken: false,
            held: Vec::new(),
            doubted: Timestamp::MIN,
        }
    }

    fn pass(&mut self, now: Timestamp) {
        if now.duration_since(self.now) > STOPPED {
            self.doubted = now + DOUBT;
        }
        self.now = now;
    }

    /// Lines of the story, and the frame below them.
    fn draw(&mut self) {
        if self.now < self.doubted {
            return;
        }
        let settled = std::mem::take(&mut self.held);
        let story: Vec<String> = settled.iter().flat_map(|block| self.streams.story.typeset(block)).collect();
        let story: String = story.iter().map(|line| format!("{line}\n")).collect();
        let paper = self.streams.story.paper();
        // the last row is the cursor's
        let rows = self.streams.story.columns.size().1.saturating_sub(1).max(1);
        // all ages count on in the same moment, once a second
        let now = Timestamp::from_second(self.now.as_second()).unwrap_or(self.now);
        let is_ours = is_in_foreground();
        let frame = if is_ours { self.board.frame(&paper, rows, now) } else { Vec::new() };
        if !is_ours {
            self.screen.leave();
        }
        self.show(&story, &frame);
        self.spoken |= !story.is_empty();
        self.drawn = self.now;
    }

    fn show(&mut self, story: &str, frame: &[Line]) {
        let looks = (self.streams.story.columns.size().0, self.streams.story.colour);
        if let Some(text) = self.screen.draw(story, frame, looks) {
            self.streams.story.write(&text);
        }
        DRAWN.store(!self.screen.is_empty(), Ordering::SeqCst);
    }
}

impl Reporter for Live {
    fn on(&mut self, stamped: &Stamped) {
        self.pass(stamped.at);
        self.held.extend(self.board.on(stamped));
        if !self.held.is_empty() || self.now.duration_since(self.drawn) >= REST {
            self.draw();
        }
    }

    fn tick(&mut self, now: Timestamp) {
        self.pass(now);
        self.draw();
    }

    fn resumed(&mut self) {
        self.screen.leave();
        self.doubted = Timestamp::MIN;
    }

    fn ask(&mut self, question: &str) {
        self.show("", &[]);
        closing::ask(&mut self.streams, question);
    }

    fn finish(&mut self, outcome: &Outcome) {
        self.doubted = Timestamp::MIN;
        self.draw();
        self.show("", &[]);
        let sign = if matches!(outcome.exit, Exit::Done | Exit::Changes) { Sign::None } else { Sign::Failed };
        let settled = self.board.end(self.now, sign);
        for block in &settled {
            self.streams.story.rows(block);
            self.spoken = true;
        }
        closing::close(&mut self.streams, outcome, self.spoken);
    }
}
