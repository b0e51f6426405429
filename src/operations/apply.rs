//! Writes the objects of one stage, in parallel, and says what was written and what was not.

use futures::{StreamExt as _, stream};

use super::{Context, failure::Failure};
use crate::{
    cluster::{Cluster, ClusterError},
    model::{Applied, ApplyEvent, Change, Evidence, Exit, Live, ObjectChange, Problem, Rendered, Stop},
};

/// Writes in flight at once: as quick as any more on HTTP/1.1, and kind to the server.
const CONCURRENCY: usize = 32;

/// An object with what the cluster has and what is to happen to it.
#[derive(Clone, Copy)]
pub(super) struct Step<'s> {
    pub(super) object: &'s Rendered,
    pub(super) live: &'s Live,
    pub(super) change: &'s ObjectChange,
}

enum Written {
    Done(Box<Applied>),
    Refused(ClusterError),
    NotStarted,
}

/// Applies what differs and takes over what equals; tells each in the order of the plan.
///
/// # Errors
/// The server's refusals, all of them, and what was written and not started beside them.
pub(super) async fn apply_stage(
    context: &Context,
    cluster: &Cluster,
    steps: &[Step<'_>],
) -> Result<Vec<Applied>, Failure> {
    let refused = Stop::default();
    let mut writes = stream::iter(steps).map(|step| write(context, cluster, *step, &refused)).buffered(CONCURRENCY);
    let mut outcomes = Vec::with_capacity(steps.len());
    while let Some(written) = writes.next().await {
        if let Written::Done(_) = &written {
            context.tell(ApplyEvent::Object { change: steps[outcomes.len()].change.clone() });
        }
        outcomes.push(written);
    }
    let complete = outcomes.iter().all(|written| matches!(written, Written::Done(_)));
    if complete {
        Ok(outcomes.into_iter().filter_map(applied).collect())
    } else {
        Err(report(context, steps, outcomes))
    }
}

async fn write(context: &Context, cluster: &Cluster, step: Step<'_>, refused: &Stop) -> Written {
    if step.change.change == Change::Unchanged
        && let Some(body) = &step.live.body
    {
        return Written::Done(Box::new(Applied::of(step.object, body)));
    }
    if context.stop.is_set() || refused.is_set() {
        return Written::NotStarted;
    }
    match cluster.apply(step.object, Some(step.live)).await {
        Ok(applied) => Written::Done(Box::new(applied)),
        Err(error) => {
            refused.set();
            Written::Refused(error)
        }
    }
}

fn applied(written: Written) -> Option<Applied> {
    match written {
        Written::Done(applied) => Some(*applied),
        Written::Refused(_) | Written::NotStarted => None,
    }
}

/// One problem a refusal, each with the full account: a stage is never half-said.
fn report(context: &Context, steps: &[Step<'_>], outcomes: Vec<Written>) -> Failure {
    let (mut written, mut waiting, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (step, outcome) in steps.iter().zip(outcomes) {
        match outcome {
            Written::Done(_) if step.change.change == Change::Unchanged => {}
            Written::Done(_) => written.push(step.object.id.to_string()),
            Written::NotStarted => waiting.push(step.object.id.to_string()),
            Written::Refused(error) => problems.push(Problem::from(error)),
        }
    }
    if problems.is_empty() && context.stop.is_set() {
        problems.push(Problem::new("interrupted", Exit::Interrupted, "interrupted while objects were written"));
    }
    if let Some(first) = problems.first_mut() {
        first.evidence.push(Evidence::new("written", written));
        first.evidence.push(Evidence::new("not written", waiting));
        first.evidence.retain(|evidence| !evidence.lines.is_empty());
    }
    Failure(problems)
}
