//! What a judge is shown, and what it answers.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::read;
use crate::model::{Applied, Exit, Image, Problem, Progress, Question, Reply, Rules, Verdict};

/// Terminations that a container had before this rollout, by pod uid and container name.
pub(crate) type Baseline = HashMap<(String, String), u32>;

/// All that was seen of one object: only what belongs to it and to this rollout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation<'o> {
    /// The object as the cluster has it; none once it is gone.
    pub live: Option<&'o Value>,
    /// What the server answered to the apply.
    pub applied: &'o Applied,
    /// As it was sent.
    pub body: &'o Value,
    /// The images that the pods are to run.
    pub images: &'o [Image],
    /// What belongs to it: by owner (ReplicaSets, Pods), or by label (EndpointSlices of a Service).
    pub children: &'o [&'o Value],
    /// Events about the object and its children.
    pub events: &'o [&'o Value],
    pub replies: &'o HashMap<Question, Reply>,
    pub rules: &'o Rules,
    pub baseline: &'o Baseline,
    /// False where this deploy found the object as it should be, and its pods with it.
    pub changed: bool,
    /// When this deploy last wrote anything at all, by the server's clock; none where it changed nothing. What failed before may
    /// come right without being touched itself.
    pub renewed: Option<Timestamp>,
    /// For a Service: a workload of this rollout is meant to run behind it.
    pub backed: bool,
    /// For a Service: no workload of this rollout has such pods, not even one of no replicas.
    pub aimless: bool,
    /// For a Job: it was deleted before its end.
    pub cut_off: bool,
    /// True at the end of a rollout that did not hold: whatever explains it is gathered.
    pub closing: bool,
    /// True for objects as somebody saved them: nothing more will be seen, and pods may be left out.
    pub saved: bool,
}

impl Observation<'_> {
    /// A problem with this object that fails the rollout once it is certain.
    pub(super) fn problem(&self, code: &'static str, text: impl std::fmt::Display) -> Problem {
        Problem::new(code, Exit::Rollout, format!("{} {text}", self.applied.id)).about(self.applied.id.clone())
    }
}

/// The hint of a finding that has none of its own.
pub(super) const ANY_HINT: &str = "`shipway status` shows how it is";

/// What follows from an observation.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub verdict: Verdict,
    pub progress: Progress,
    /// What must be known to say more.
    pub questions: Vec<Question>,
    /// Whose last lines explain it, where they are not read yet: they change nothing of the verdict.
    pub logs: Vec<Question>,
    /// Findings that are no failure.
    pub warnings: Vec<Problem>,
    /// What explains a wait without a finding, once its time is up: what it waits for, with logs and events.
    pub clue: Option<Problem>,
    /// The uids of the pods of the newest revision that are not on their way out.
    pub pods: Vec<String>,
    /// Seconds after which a verdict of waiting is taken as good: what is awaited may never come, and need not.
    pub patience: Option<f64>,
}

impl Judgement {
    pub(super) fn new(verdict: Verdict) -> Self {
        Self {
            verdict,
            progress: Progress::default(),
            questions: Vec::new(),
            logs: Vec::new(),
            warnings: Vec::new(),
            clue: None,
            pods: Vec::new(),
            patience: None,
        }
    }

    pub(super) fn ready() -> Self {
        Self::new(Verdict::Ready)
    }

    pub(super) fn waiting(awaiting: impl Into<String>, problem: Option<Problem>) -> Self {
        let progress = Progress { awaiting: Some(awaiting.into()), ..Progress::default() };
        Self { progress, ..Self::new(Verdict::Waiting { problem }) }
    }

    pub(super) fn failed(problem: Problem) -> Self {
        Self::new(Verdict::Failed { problem })
    }

    pub(super) fn assumed(why: impl Into<String>) -> Self {
        Self::new(Verdict::Assumed { why: why.into() })
    }

    /// A finding whose judge knows no remedy says at least where to look.
    #[must_use]
    pub(super) fn with_a_hint(mut self) -> Self {
        if let Verdict::Waiting { problem: Some(problem) }
        | Verdict::Suspect { problem, .. }
        | Verdict::Failed { problem }
        | Verdict::Gone { problem } = &mut self.verdict
            && problem.hints.is_empty()
        {
            problem.hints.push(ANY_HINT.to_owned());
        }
        self
    }

    #[must_use]
    pub(super) fn warn(mut self, warning: Option<Problem>) -> Self {
        self.warnings.extend(warning.map(|problem| Problem { exit: Exit::Done, ..problem }));
        self
    }
}

/// The very object that was applied, not another of the same name.
pub(super) fn is_applied(o: &Observation<'_>, live: &Value) -> bool {
    o.applied.uid.is_empty() || read::uid(live) == o.applied.uid
}

/// The object as it is, unless it is gone, going, or another of the same name: then that is the answer.
pub(super) fn present<'o>(o: &Observation<'o>) -> Result<&'o Value, Box<Judgement>> {
    let gone = |text: &str| {
        let problem = o.problem("gone", text).hint("`shipway deploy` applies it again");
        Err(Box::new(Judgement::new(Verdict::Gone { problem })))
    };
    match o.live {
        None => gone("was deleted while it was watched"),
        Some(live) if read::is_terminating(live) => gone("is being deleted"),
        Some(live) if !is_applied(o, live) => gone("was deleted and created again by another"),
        Some(live) => Ok(live),
    }
}

/// [`present`], and its controller has seen what was applied: before that, the status speaks of what was there before.
pub(super) fn observed<'o>(o: &Observation<'o>) -> Result<&'o Value, Box<Judgement>> {
    let live = present(o)?;
    let generation = read::number(live, &["metadata", "generation"]).unwrap_or(0).max(o.applied.generation);
    let observed = read::number(live, &["status", "observedGeneration"]).unwrap_or(0);
    if observed < generation {
        Err(Box::new(Judgement::waiting("its controller to see the change", None)))
    } else {
        Ok(live)
    }
}
