//! Styled text before it is laid out: what a span means, not how it looks.

use anstyle::{AnsiColor, Style};

/// One accent a meaning; never colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Plain,
    /// What the line is about.
    Strong,
    Good,
    Attention,
    Failed,
    /// Secondary.
    Dim,
}

impl Meaning {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Attention => AnsiColor::Yellow.on_default(),
            Self::Failed => AnsiColor::Red.on_default(),
            Self::Dim => Style::new().dimmed(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) meaning: Meaning,
    pub(crate) text: String,
}

/// Spans that stand beside one another. Texts are as they came: nothing is cleaned or cut yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line(pub(crate) Vec<Span>);

impl Line {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub(crate) fn with(mut self, meaning: Meaning, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.0.push(Span { meaning, text });
        }
        self
    }

    #[must_use]
    pub(crate) fn plain(self, text: impl Into<String>) -> Self {
        self.with(Meaning::Plain, text)
    }

    #[must_use]
    pub(crate) fn strong(self, text: impl Into<String>) -> Self {
        self.with(Meaning::Strong, text)
    }

    #[must_use]
    pub(crate) fn good(self, text: impl Into<String>) -> Self {
        self.with(Meaning::Good, text)
    }

    #[must_use]
    pub(crate) fn attention(self, text: impl Into<String>) -> Self {
        self.with(Meaning::Attention, text)
    }

    #[must_use]
    pub(crate) fn failed(self, text: impl Into<String>) -> Self {
        self.with(Meaning::Failed, text)
    }

    #[must_use]
    pub(crate) fn dim(self, text: impl Into<String>) -> Self {
        self.with(Meaning::Dim, text)
    }

    #[must_use]
    pub(crate) fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text for a terminal, with escapes if `colour`; nothing trails.
    pub(crate) fn paint(&self, colour: bool) -> String {
        let mut painted = String::new();
        for span in &self.0 {
            // spaces are never underlined or reversed, so they need no style
            if colour && span.meaning != Meaning::Plain && !span.text.trim().is_empty() {
                let style = span.meaning.style();
                painted.push_str(&format!("{style}{}{style:#}", span.text));
            } else {
                painted.push_str(&span.text);
            }
        }
        painted
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::new().plain(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::new().plain(text)
    }
}

/// The sign at the start of a line; each has an ASCII stand-in (see `layout`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Done,
    Failed,
    Pending,
    Added,
    Removed,
    Same,
    Attention,
    None,
}

impl Sign {
    pub(crate) fn line(self) -> Line {
        match self {
            Self::Done => Line::new().good("✓"),
            Self::Failed => Line::new().failed("✗"),
            Self::Pending => Line::new().attention("~"),
            Self::Added => Line::new().good("+"),
            Self::Removed => Line::new().attention("-"),
            Self::Same => Line::new().dim("="),
            Self::Attention => Line::new().attention("!"),
            Self::None => Line::new(),
        }
    }
}
