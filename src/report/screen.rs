//! A frame below the story, drawn anew in its place.
//!
//! The cursor rests below the frame, so that what is written when nobody can tidy up (after `kill -9`, say) stands there.
//! Nothing is asked of the terminal, and no mode of it stays changed: a frame is one write, which hides the cursor at its
//! start and shows it again at its end.

use super::{layout::columns, style::Line};

/// The terminal shows what follows at once, where it knows how to, and no cursor running over it.
const BEGIN: &str = "\u{1b}[?2026h\u{1b}[?25l";
const END: &str = "\u{1b}[?25h\u{1b}[?2026l";
const ERASE_LINE: &str = "\u{1b}[K";
const ERASE_BELOW: &str = "\u{1b}[J";

/// For words that nobody expected, wherever a frame is: what an unfinished one has hidden is shown, and what is below goes.
pub(super) const TAKE_BACK: &str = "\u{1b}[?25h\u{1b}[?2026l\r\u{1b}[J";

/// The frame on the screen.
#[derive(Debug, Default)]
pub(super) struct Screen {
    lines: Vec<String>,
    /// The columns that each of its lines takes.
    taken: Vec<usize>,
    /// The columns that the terminal had then.
    width: usize,
    /// True for a terminal that breaks long lines when it becomes narrower; others cut them.
    breaks_lines: bool,
}

impl Screen {
    pub(super) fn new(breaks_lines: bool) -> Self {
        Self { breaks_lines, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Others have written on the terminal: the frame stays where it is, and the next one is a new one below.
    pub(super) fn leave(&mut self) {
        self.lines.clear();
        self.taken.clear();
    }

    /// What puts lines of the story, each with its end, above a frame; none where both are on the screen already.
    pub(super) fn draw(&mut self, story: &str, frame: &[Line], (width, colour): (usize, bool)) -> Option<String> {
        let lines: Vec<String> = frame.iter().map(|line| line.paint(colour)).collect();
        if story.is_empty() && lines == self.lines && (width == self.width || lines.is_empty()) {
            return None;
        }
        let mut text = format!("{BEGIN}{}", self.back(width));
        if !story.is_empty() {
            text.push_str(ERASE_BELOW);
            text.push_str(story);
        }
        for line in &lines {
            // before the line: after one that is as wide as the terminal its last column would go
            text.push_str(ERASE_LINE);
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(ERASE_BELOW);
        text.push_str(END);
        self.taken = frame.iter().map(columns).collect();
        (self.lines, self.width) = (lines, width);
        Some(text)
    }

    /// Up to the frame's first row, on a terminal that is so wide by now.
    fn back(&self, width: usize) -> String {
        let rows_of = |taken: &usize| if self.breaks_lines { taken.div_ceil(width.max(1)).max(1) } else { 1 };
        match self.taken.iter().map(rows_of).sum::<usize>() {
            0 => "\r".to_owned(),
            rows => format!("\r\u{1b}[{rows}A"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal of so many columns and rows that breaks lines anew.
    struct Shown(avt::Terminal);

    impl Shown {
        fn new(columns: usize, rows: usize) -> Self {
            Self(avt::Terminal::with_scrollback(columns, rows, None).expect("a size"))
        }

        fn feed(&mut self, text: Option<String>) {
            // as the system does it for a terminal
            self.0.feed(text.unwrap_or_default().replace('\n', "\r\n").as_str());
        }

        /// The rows of the screen that are not empty.
        fn rows(&self) -> Vec<String> {
            let rows = self.0.screen().visible_lines().map(|line| line.text().trim_end().to_owned());
            rows.filter(|row| !row.is_empty()).collect()
        }
    }

    fn frame(lines: &[&str]) -> Vec<Line> {
        lines.iter().map(|line| Line::new().good(*line)).collect()
    }

    #[test]
    fn a_frame_is_drawn_over_the_one_before() {
        let (mut screen, mut shown) = (Screen::new(true), Shown::new(20, 6));
        shown.feed(screen.draw("story\n", &frame(&["one", "two", "three"]), (20, true)));
        assert_eq!(shown.rows(), ["story", "one", "two", "three"]);
        shown.feed(screen.draw("", &frame(&["four"]), (20, true)));
        assert_eq!(shown.rows(), ["story", "four"]);
        shown.feed(screen.draw("more\n", &frame(&["four"]), (20, true)));
        assert_eq!(shown.rows(), ["story", "more", "four"]);
        assert_eq!(screen.draw("", &frame(&["four"]), (20, true)), None);
        shown.feed(screen.draw("", &[], (20, true)));
        assert_eq!(shown.rows(), ["story", "more"]);
        assert!(screen.is_empty());
        assert_eq!(shown.0.cursor().position(), Some((0, 2)));
        assert!(shown.0.cursor().visible);
    }

    #[test]
    fn a_frame_that_was_left_is_not_drawn_over() {
        let (mut screen, mut shown) = (Screen::new(true), Shown::new(20, 9));
        shown.feed(screen.draw("story\n", &frame(&["one", "two"]), (20, true)));
        screen.leave();
        shown.feed(Some("^Z\n[1]+  Stopped\n$ fg\n".to_owned()));
        shown.feed(screen.draw("", &frame(&["three", "four"]), (20, true)));
        shown.feed(screen.draw("", &frame(&["five"]), (20, true)));
        assert_eq!(shown.rows(), ["story", "one", "two", "^Z", "[1]+  Stopped", "$ fg", "five"]);
    }

    #[test]
    fn a_line_as_wide_as_the_terminal_is_whole() {
        let (mut screen, mut shown) = (Screen::new(true), Shown::new(10, 4));
        for line in ["0123456789", "9876543210"] {
            shown.feed(screen.draw("", &frame(&[line, line]), (10, false)));
            assert_eq!(shown.rows(), [line, line]);
        }
    }

    #[test]
    fn nothing_stays_of_a_frame_that_the_terminal_broke() {
        let wide = ["a line of forty columns that is cut here", "漢字漢字漢字漢字漢字漢字", "short"];
        for narrow in 12..45 {
            let (mut screen, mut shown) = (Screen::new(true), Shown::new(45, 30));
            shown.feed(screen.draw("story\n", &frame(&wide), (45, true)));
            for width in [narrow, 45, narrow] {
                shown.0.resize(width, 30);
                shown.feed(screen.draw("", &frame(&["one", "two"]), (width, true)));
                // what a terminal pushes off its screen when it breaks lines is out of reach
                let rows = shown.rows();
                let rows = rows.strip_prefix(&["story".to_owned()]).unwrap_or(&rows);
                assert_eq!(rows, ["one", "two"], "{narrow}");
            }
        }
    }

    #[test]
    fn a_terminal_that_cuts_lines_loses_nothing_of_the_story() {
        let mut screen = Screen::new(false);
        screen.draw("story\n", &frame(&["a line of forty columns that is cut here"]), (40, false));
        let text = screen.draw("", &frame(&["one"]), (10, false)).expect("a frame");
        assert!(text.contains("\u{1b}[1A"), "{text:?}");
    }
}
