//! The last lines of a run, and its answer.

use super::{counts, environments, history, plan, problem, status};
use crate::{
    model::{Answer, Exit, Outcome},
    report::{
        layout::{Cell, Row},
        style::{Line, Meaning},
    },
};

/// Findings, root cause first, then what is true now.
pub(crate) fn ending(outcome: &Outcome) -> Vec<Vec<Row>> {
    let good = matches!(outcome.exit, Exit::Done | Exit::Changes);
    let meaning = if good { Meaning::Attention } else { Meaning::Failed };
    let mut blocks: Vec<Vec<Row>> = outcome.problems.iter().map(|found| problem::problem(found, meaning)).collect();
    let last = if good {
        outcome.truth.as_ref().map(|truth| Row::text(Line::new().strong(truth)))
    } else {
        Some(failure(outcome))
    };
    blocks.extend(last.map(|row| vec![row]));
    blocks
}

/// `failed (exit 6) after 19 s · the old version still serves: 3/3 pods run team/demo@9c1f0d2e`
fn failure(outcome: &Outcome) -> Row {
    let word = match outcome.exit {
        Exit::TimedOut => "timed out",
        Exit::Superseded => "superseded",
        Exit::Interrupted => "interrupted",
        _ => "failed",
    };
    let after =
        if outcome.seconds < 1.0 { String::new() } else { format!(" after {}", counts::whole(outcome.seconds)) };
    if let (Answer::Status(_), Some(truth)) = (&outcome.answer, &outcome.truth) {
        // to have found that something fails is no failure
        return Row::text(Line::new().strong(truth).dim(format!(" (exit {})", outcome.exit.code())));
    }
    let line = Line::new().failed(word).plain(format!(" (exit {}){after}", outcome.exit.code()));
    match &outcome.truth {
        Some(truth) => Row::new([Cell::keep(line.dim(" ·")).gap(1), Cell::wrap(Line::new().strong(truth))]),
        None => Row::text(line),
    }
}

/// A value longer than this stands without a column for its origin, so that it does not push away all others'.
const LONG_VALUE: usize = 48;

fn setting([name, value, origin]: &[String; 3]) -> Row {
    let name = Cell::keep(name.as_str());
    if value.chars().count() > LONG_VALUE {
        return Row::new([name, Cell::wrap(Line::new().strong(value).dim(format!("  {origin}")))]);
    }
    Row::new([name, Cell::keep(Line::new().strong(value)), Cell::below(Line::new().dim(origin))])
}

/// An answer as a person reads it.
pub(crate) enum Shown {
    Nothing,
    /// Written as it is.
    Raw(String),
    Rows(Vec<Row>),
}

pub(crate) fn answer(answer: &Answer) -> Shown {
    let lines = |lines: Vec<String>| Shown::Raw(lines.iter().map(|line| format!("{line}\n")).collect());
    match answer {
        Answer::Nothing => Shown::Nothing,
        Answer::Text(text) => Shown::Raw(text.clone()),
        Answer::Data { rows, .. } => Shown::Rows(rows.iter().map(setting).collect()),
        // whole references: they are there to be copied and piped
        Answer::Pushed(images) => lines(images.iter().map(|image| image.reference.to_string()).collect()),
        Answer::Built(references) => lines(references.iter().map(ToString::to_string).collect()),
        Answer::Plan(plan) => Shown::Rows(plan::rows(plan)),
        Answer::Plans(plans) => {
            let blocks: Vec<Vec<Row>> = plans.iter().map(plan::rows).collect();
            Shown::Rows(blocks.join(&Row::blank()))
        }
        Answer::Status(status) => Shown::Rows(status::rows(status)),
        Answer::Environments(found) => Shown::Rows(environments::rows(found)),
        Answer::History(history) => Shown::Rows(history::rows(history)),
        Answer::Histories(histories) => {
            let blocks: Vec<Vec<Row>> = histories.iter().map(history::rows).collect();
            Shown::Rows(blocks.join(&Row::blank()))
        }
    }
}
