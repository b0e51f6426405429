//! Standard output and standard error: the only place that writes.

use std::io::{IsTerminal, Write};

use anstream::AutoStream;
use rustix::{
    process::getpgrp,
    termios::{tcgetpgrp, tcgetwinsize},
};

use super::{
    commands::harmless,
    layout::{Paper, Row, typeset},
    style::Line,
};
use crate::model::Redactor;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Error,
}

/// How wide a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Columns {
    /// As wide as its terminal is at the moment.
    Terminal(Stream),
    Fixed(usize),
    /// Nothing is cut or wrapped: data for another program, and logs, where a line is searched for as a whole.
    Unlimited,
}

impl Columns {
    /// Of a stream: `COLUMNS` where no terminal says better.
    pub(crate) fn of(stream: Stream, terminal: bool, variable: Option<&str>) -> Self {
        match (terminal, variable.and_then(|columns| columns.parse().ok())) {
            (true, _) => Self::Terminal(stream),
            (false, Some(columns)) => Self::Fixed(columns),
            (false, None) => Self::Unlimited,
        }
    }

    /// Columns and rows now.
    pub(crate) fn size(self) -> (usize, usize) {
        const USUAL: (usize, usize) = (80, 24);
        let asked = match self {
            Self::Terminal(Stream::Out) => tcgetwinsize(std::io::stdout()),
            Self::Terminal(Stream::Error) => tcgetwinsize(std::io::stderr()),
            Self::Fixed(columns) => return (columns, USUAL.1),
            Self::Unlimited => return (usize::MAX, USUAL.1),
        };
        match asked {
            // a terminal of no columns is one that does not know
            Ok(size) if size.ws_col > 0 => (usize::from(size.ws_col), usize::from(size.ws_row)),
            _ => USUAL,
        }
    }
}

/// True where the terminal of standard error is this run's to draw on: not that of a job in the background, which others
/// write on.
pub(super) fn is_in_foreground() -> bool {
    // one that is nobody's controlling terminal has no jobs
    tcgetpgrp(std::io::stderr()).map_or(true, |group| group == getpgrp())
}

/// A stream with all that decides about its looks. Once it is closed at the other end, it is quiet.
pub(crate) struct Sink {
    writer: Option<Box<dyn Write + Send>>,
    pub(crate) columns: Columns,
    pub(crate) colour: bool,
    pub(crate) unicode: bool,
    /// True where a runner reads along, and takes some lines for commands.
    pub(crate) commanded: bool,
    pub(crate) redactor: Redactor,
}

impl Sink {
    pub(crate) fn new(writer: Box<dyn Write + Send>, columns: Columns, redactor: Redactor) -> Self {
        Self { writer: Some(writer), columns, colour: false, unicode: true, commanded: false, redactor }
    }

    /// A standard stream.
    pub(crate) fn standard(stream: Stream, columns: Columns, colour: bool, redactor: Redactor) -> Self {
        // the stream strips what it cannot show: a guard behind our own choice
        let choice = if colour { anstream::ColorChoice::AlwaysAnsi } else { anstream::ColorChoice::Never };
        let writer: Box<dyn Write + Send> = match stream {
            Stream::Out => Box::new(AutoStream::new(std::io::stdout(), choice)),
            Stream::Error => Box::new(AutoStream::new(std::io::stderr(), choice)),
        };
        Self { colour, ..Self::new(writer, columns, redactor) }
    }

    /// Standard error as a terminal that is drawn on: without colours too, the cursor is moved.
    pub(crate) fn drawn(columns: Columns, colour: bool, redactor: Redactor) -> Self {
        Self { colour, ..Self::new(Box::new(std::io::stderr()), columns, redactor) }
    }

    /// A file that is written on at its end; none where it cannot be opened.
    #[expect(clippy::disallowed_types, reason = "the runner says which file is its step's summary")]
    pub(crate) fn appending(path: &std::path::Path, redactor: Redactor) -> Option<Self> {
        let file = std::fs::File::options().append(true).create(true).open(path).ok()?;
        Some(Self::new(Box::new(file), Columns::Unlimited, redactor))
    }

    /// A file that is made anew.
    #[expect(clippy::disallowed_types, reason = "the page is the report's own file, opened before the run begins")]
    pub(crate) fn page(path: &std::path::Path, redactor: Redactor) -> std::io::Result<Self> {
        let file = std::fs::File::create(path)?;
        Ok(Self::new(Box::new(file), Columns::Unlimited, redactor))
    }

    pub(crate) fn paper(&self) -> Paper {
        Paper { width: self.columns.size().0, unicode: self.unicode, redactor: self.redactor.clone() }
    }

    pub(crate) fn rows(&mut self, rows: &[Row]) {
        let text: String = self.typeset(rows).iter().map(|line| format!("{line}\n")).collect();
        self.write(&text);
    }

    /// The rows as painted lines.
    pub(crate) fn typeset(&self, rows: &[Row]) -> Vec<String> {
        let looks = |line: &Line| {
            let line = line.paint(self.colour);
            if self.commanded { harmless(&line) } else { line }
        };
        typeset(rows, &self.paper()).iter().map(looks).collect()
    }

    /// False once it was closed at the other end.
    pub(crate) fn is_open(&self) -> bool {
        self.writer.is_some()
    }

    /// Text that is complete and clean.
    pub(crate) fn write(&mut self, text: &str) {
        let Some(writer) = &mut self.writer else { return };
        let written = writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
        if written.is_err() {
            // nobody reads any more (`| head`), or the disk is full: there is nobody to tell
            self.writer = None;
        }
    }
}

/// What the surroundings are like: asked once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminals {
    pub(crate) input: bool,
    pub(crate) out: bool,
    pub(crate) error: bool,
}

impl Terminals {
    pub(crate) fn look() -> Self {
        Self {
            input: std::io::stdin().is_terminal(),
            out: std::io::stdout().is_terminal(),
            error: std::io::stderr().is_terminal(),
        }
    }
}
