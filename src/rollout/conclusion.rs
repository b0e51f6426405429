//! How a rollout ended: verdicts, findings with the root cause first, and what is proven.

use serde_json::Value;

use crate::{
    kinds::read,
    model::{Evidence, Exit, ObjectId, Problem, Progress, Verdict, short_duration},
};

use super::{alike::folded, proof::Proof, track::Track, view::View};

/// How a rollout ended.
#[derive(Debug)]
pub(crate) struct Conclusion {
    pub states: Vec<(ObjectId, Verdict, Progress)>,
    /// The root cause first; alike ones are one with a count. Empty on success.
    pub problems: Vec<Problem>,
    pub proof: Vec<Proof>,
    /// Ingresses, and Services that are more than an address within the cluster, as they were last seen.
    pub entrances: Vec<Value>,
}

/// Causes before effects: what cannot even start comes before what only waits for it.
const ORDER: &[&str] = &[
    "namespace-terminating",
    "gone",
    "overwritten",
    "paused",
    "rollout-stuck",
    "quota-exceeded",
    "service-account-missing",
    "admission-denied",
    "image-invalid",
    "image-not-found",
    "image-pull-denied",
    "image-platform",
    "config-missing",
    "volume-unbound",
    "unschedulable",
    "cannot-start",
    "oom-killed",
    "init-failed",
    "liveness-killing",
    "job-failed",
    "pod-failed",
    "crash-loop",
];
/// Effects of something else, told last.
const LAST: &[&str] = &["no-endpoints"];

fn order(problem: &Problem) -> usize {
    if LAST.contains(&problem.code) {
        return usize::MAX;
    }
    ORDER.iter().position(|code| *code == problem.code).unwrap_or(ORDER.len())
}

/// The findings of all tracks that failed; of those that do not hold where time is up.
pub(super) fn problems(tracks: &[Track], rules_text: &TimeUp) -> Vec<Problem> {
    let found = tracks.iter().filter_map(|track| match &track.verdict {
        Verdict::Failed { problem } | Verdict::Gone { problem } => Some(problem.clone()),
        verdict if verdict.holds() || !rules_text.timed_out => None,
        verdict => Some(late(track, verdict.problem(), rules_text)),
    });
    let mut folded = folded(found);
    folded.sort_by_key(order);
    folded
}

/// Which time is up.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeUp {
    pub timed_out: bool,
    /// Seconds, and whether they count from the last progress.
    pub after: f64,
    pub without_progress: bool,
}

fn late(track: &Track, problem: Option<&Problem>, time: &TimeUp) -> Problem {
    let id = &track.watched.applied.id;
    if let Some(problem) = problem {
        return Problem { exit: Exit::TimedOut, ..problem.clone() };
    }
    let awaiting = track.progress.awaiting.as_deref().unwrap_or("its status");
    // a pod's state is a sentence of its own
    let lead = if awaiting.starts_with("pod ") { "" } else { "waiting for " };
    let text = format!("{id} is not ready after {}: {lead}{awaiting}", time.text());
    let problem = Problem::new("timed-out", Exit::TimedOut, text).about(id.clone());
    let problem = match track.clue.clone() {
        Some(Problem { evidence, hints, .. }) => Problem { evidence, hints, ..problem },
        None => problem.hint("`shipway status` shows the pods"),
    };
    problem.hint("`--timeout` gives it more time")
}

/// What was never told in full: nothing was judged.
pub(super) fn unseen(view: &View, time: &TimeUp) -> Problem {
    let text = format!("the cluster did not tell the state of what was applied in {}", time.text());
    Problem::new("not-observed", Exit::TimedOut, text)
        .with(Evidence::new("missing", view.missing()))
        .hint("the account needs the verbs get, list and watch for these")
}

impl TimeUp {
    pub(super) fn text(&self) -> String {
        let length = short_duration(self.after.max(0.0).round() as u64);
        if self.without_progress { format!("{length} without progress") } else { length }
    }
}

/// What the app may be reached by.
pub(super) fn entrances(tracks: &[Track], view: &View) -> Vec<Value> {
    let leads_in = |object: &&Value| match read::text(object, &["kind"]) {
        "Service" => read::text(object, &["spec", "type"]) != "ClusterIP",
        kind => kind == "Ingress",
    };
    tracks.iter().filter_map(|track| view.find(&track.watched.applied.id)).filter(leads_in).cloned().collect()
}
