//! How a verb ends: every error of a room becomes problems here, and problems become an outcome.

use tokio::time::Instant;

use super::order;
use crate::model::{Exit, Explain, Outcome, Problem};

/// Why a verb did not succeed: at least one problem.
#[derive(Debug)]
pub(super) struct Failure(pub(super) Vec<Problem>);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(vec![error.into()])
    }
}

impl<E: Explain> From<Vec<E>> for Failure {
    fn from(errors: Vec<E>) -> Self {
        Self(errors.into_iter().map(Problem::from).collect())
    }
}

/// Every result, or the problems of all that failed.
pub(super) fn all<T>(results: Vec<Result<T, Failure>>) -> Result<Vec<T>, Failure> {
    let (mut done, mut problems) = (Vec::with_capacity(results.len()), Vec::new());
    for result in results {
        match result {
            Ok(result) => done.push(result),
            Err(Failure(failed)) => problems.extend(failed),
        }
    }
    if problems.is_empty() { Ok(done) } else { Err(Failure(problems)) }
}

/// Runs a verb to its end. What it wrote into the outcome before it failed stays there.
pub(super) async fn conclude(work: impl AsyncFnOnce(&mut Outcome) -> Result<(), Failure>) -> Outcome {
    let started = Instant::now();
    let mut outcome = Outcome::new(Exit::Done);
    if let Err(Failure(problems)) = work(&mut outcome).await {
        outcome.exit = problems.first().map_or(Exit::Bug, |problem| problem.exit);
        outcome.superseded = problems.first().is_some_and(|problem| problem.code == order::CODE);
        match problems.first().filter(|problem| problem.exit == Exit::Done) {
            Some(well) => outcome.truth = Some(with_truth(&well.text, outcome.truth.as_deref())),
            None => outcome.problems.extend(problems),
        }
    }
    outcome.seconds = started.elapsed().as_secs_f64();
    outcome
}

fn with_truth(text: &str, truth: Option<&str>) -> String {
    truth.map_or_else(|| text.to_owned(), |truth| format!("{text}; {truth}"))
}

/// Said wherever the stop token ends a run.
pub(super) fn interrupted(what: &str) -> Problem {
    Problem::new("interrupted", Exit::Interrupted, format!("interrupted {what}"))
}
