//! How a run is ended for people: the answer on stdout, findings and the last line on stderr.

use super::{
    layout::Row,
    sink::Sink,
    words::{self, Shown},
};
use crate::model::{Answer, Outcome};

/// Where a run is told: the story on stderr, data on stdout.
pub(crate) struct Streams {
    pub(crate) story: Sink,
    pub(crate) data: Sink,
}

/// `spoken`: something was said before, so that a finding stands off from it.
pub(super) fn close(streams: &mut Streams, outcome: &Outcome, spoken: bool) {
    match words::answer(&outcome.answer) {
        Shown::Nothing => {}
        // manifests, schema, completions: whole, for another program
        Shown::Raw(text) if matches!(outcome.answer, Answer::Text(_)) => streams.data.write(&text),
        Shown::Raw(text) => {
            let clean = streams.data.redactor.clean(&text);
            streams.data.write(&clean);
        }
        Shown::Rows(rows) => streams.data.rows(&rows),
    }
    let mut apart = spoken;
    for block in words::ending(outcome) {
        let finding = !outcome.problems.is_empty();
        if apart && finding {
            streams.story.rows(&[Row::blank()]);
        }
        streams.story.rows(&block);
        apart = true;
    }
}

/// Asks on the story's stream; the answer is typed on the same line.
pub(super) fn ask(streams: &mut Streams, question: &str) {
    let lines = streams.story.typeset(&[Row::text(question)]);
    streams.story.write(&format!("{} ", lines.join("\n")));
}
