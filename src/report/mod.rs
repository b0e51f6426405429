//! The only writer: live, plain, json, github.
//!
//! ```text
//! events -> thread -> Reporter    plain: words -> layout -> sink
//!                                 live:  board (parts, words) -> layout -> screen -> sink
//!                                 json:  serde -> sink
//! ```
//!
//! The words for each phase are in `words/`, whole and without looks; `layout` removes secrets and control characters
//! from them, then cuts and wraps; `sink` writes. The story goes to stderr, data to stdout.

mod board;
mod choice;
mod closing;
mod commands;
mod github;
mod json;
mod layout;
mod live;
mod page;
mod plain;
mod repeats;
mod screen;
mod sink;
mod style;
mod thread;
mod words;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use jiff::{Timestamp, tz::TimeZone};

pub(crate) use choice::Output;
pub(crate) use sink::Terminals;
pub(crate) use thread::{Report, Teller, Terminal};

use crate::model::{Outcome, Redactor, Stamped, Variables};
use closing::Streams;
use sink::{Columns, Sink, Stream};
use words::Weight;

/// A form in which a run is told. All methods are called on one thread.
pub(crate) trait Reporter: Send {
    fn on(&mut self, stamped: &Stamped);
    /// Time went by.
    fn tick(&mut self, now: Timestamp);
    /// The run was stopped, and goes on: others have written on the terminal.
    fn resumed(&mut self) {}
    /// Writes a question and leaves the cursor behind it.
    fn ask(&mut self, question: &str);
    /// False once nobody reads any more what is told.
    fn is_heard(&self) -> bool {
        true
    }
    /// The last call.
    fn finish(&mut self, outcome: &Outcome);
}

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Findings and the last line.
    Quiet,
    #[default]
    Normal,
    Verbose,
}

/// What a report is made from.
pub(crate) struct Wanted<'v> {
    pub(crate) output: Output,
    pub(crate) verbosity: Verbosity,
    pub(crate) variables: &'v Variables,
    pub(crate) terminals: Terminals,
    pub(crate) redactor: Redactor,
    /// Where a page about the run is to be written.
    pub(crate) page: Option<&'v std::path::Path>,
}

/// The reporter that fits the surroundings, and one that writes a page beside it where that is wanted.
///
/// # Errors
/// The page cannot be written where it is to be.
pub(crate) fn reporter(wanted: &Wanted<'_>) -> std::io::Result<Box<dyn Reporter>> {
    let inner = inner(wanted);
    let Some(path) = wanted.page else { return Ok(inner) };
    let target = Sink::page(path, wanted.redactor.clone())?;
    Ok(Box::new(page::Paged::new(inner, target, TimeZone::system())))
}

fn inner(wanted: &Wanted<'_>) -> Box<dyn Reporter> {
    let output = wanted.output.settle(wanted.variables, wanted.terminals);
    let streams = streams(wanted, output);
    let least = match wanted.verbosity {
        Verbosity::Quiet => Weight::Attention,
        Verbosity::Normal => Weight::Normal,
        Verbosity::Verbose => Weight::Detail,
    };
    let now = Timestamp::now();
    match output {
        Output::Json => Box::new(json::Json { streams, now }),
        Output::Live if wanted.verbosity != Verbosity::Quiet => {
            let breaks_lines = choice::breaks_lines(wanted.variables);
            Box::new(live::Live::new(streams, board::Board::new(least), now, breaks_lines))
        }
        Output::Auto | Output::Live | Output::Plain if choice::is_github(wanted.variables) => {
            let path = wanted.variables.get("GITHUB_STEP_SUMMARY");
            let summary = path.and_then(|path| Sink::appending(path.as_ref(), wanted.redactor.clone()));
            Box::new(github::reporter(streams, (least, TimeZone::system()), summary))
        }
        Output::Auto | Output::Live | Output::Plain => Box::new(plain::Plain::new(streams, TimeZone::system(), least)),
    }
}

fn streams(wanted: &Wanted<'_>, output: Output) -> Streams {
    let sink = |stream, terminal| {
        let columns = Columns::of(stream, terminal, wanted.variables.get("COLUMNS"));
        let colour = choice::has_colour(wanted.variables, terminal);
        let mut sink = Sink::standard(stream, columns, colour, wanted.redactor.clone());
        if output == Output::Live && stream == Stream::Error {
            sink = Sink::drawn(columns, colour, wanted.redactor.clone());
        }
        sink.unicode = choice::has_unicode(wanted.variables);
        sink.commanded = choice::is_ci(wanted.variables);
        sink
    };
    Streams { story: sink(Stream::Error, wanted.terminals.error), data: sink(Stream::Out, wanted.terminals.out) }
}

/// Writes a last text where no report can: in a panic, or at a second interrupt. It is cleaned, and stands on its own
/// line.
pub(crate) fn emergency(text: &str, redactor: &Redactor) {
    use std::io::Write as _;

    let lead = live::take_back();
    // when stderr is gone there is nobody to tell
    let _ = writeln!(std::io::stderr(), "{lead}{}", last_text(text, redactor));
}

/// Without secrets, and without what could steer a terminal.
fn last_text(text: &str, redactor: &Redactor) -> String {
    redactor.clean(text).lines().map(crate::model::printable).collect::<Vec<_>>().join("\n")
}
