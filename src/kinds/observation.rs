//! What a judge is shown, and what it answers.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{Applied, Image, Problem, Progress, Question, Reply, Rules, Verdict};

/// All that was seen of one object: only what belongs to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation<'o> {
    /// The object as the cluster has it; none once it is gone, or not seen yet.
    pub live: Option<&'o Value>,
    /// What the server answered to the apply.
    pub applied: &'o Applied,
    /// As it was sent.
    pub body: &'o Value,
    /// False where this deploy left the object as it was.
    pub changed: bool,
    /// The images that the pods are to run.
    pub images: &'o [Image],
    /// What belongs to it: by owner (ReplicaSets, Pods), or by label (EndpointSlices of a Service).
    pub children: &'o [&'o Value],
    /// Events about the object and its children, of this rollout only.
    pub events: &'o [&'o Value],
    pub replies: &'o HashMap<Question, Reply>,
    pub rules: &'o Rules,
    pub now: Timestamp,
}

/// What follows from an observation.
#[derive(Debug)]
pub(crate) struct Judgement<'o> {
    pub verdict: Verdict,
    pub progress: Progress,
    /// What must be known to say more.
    pub questions: Vec<Question>,
    /// Findings that are no failure.
    pub warnings: Vec<Problem>,
    /// The pods of the newest revision, of those that are meant to run on.
    pub pods: Vec<&'o Value>,
}

impl<'o> Judgement<'o> {
    pub(crate) fn new(verdict: Verdict, progress: Progress) -> Self {
        Self { verdict, progress, questions: Vec::new(), warnings: Vec::new(), pods: Vec::new() }
    }

    pub(crate) fn ready() -> Self {
        Self::new(Verdict::Ready, Progress::default())
    }
}
