//! Writes the objects of one stage, in parallel, and says what was written and what was not.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use futures::{FutureExt as _, StreamExt as _, stream};

use super::{
    Context,
    failure::{Failure, interrupted},
};
use crate::{
    cluster::{Cluster, ClusterError},
    model::{Applied, ApplyEvent, Change, Evidence, Live, ObjectChange, ObjectId, Problem, Rendered, Stage, Stop},
    plan::Replicas,
};

/// Writes in flight at once: as quick as any more on HTTP/1.1, and kind to the server.
pub(super) const CONCURRENCY: usize = 32;

/// An object with what the cluster has and what is to happen to it.
#[derive(Clone, Copy)]
pub(super) struct Step<'s> {
    pub(super) object: &'s Rendered,
    pub(super) live: &'s Live,
    pub(super) change: &'s ObjectChange,
    /// What an apply would answer, where the object equals what is rendered: then it is not written.
    pub(super) equal: Option<&'s Arc<Applied>>,
    /// Where the count of its pods is not simply the manifest's.
    pub(super) replicas: Option<&'s Replicas>,
    /// The label of its selector that a switch changes.
    pub(super) switched: Option<&'s str>,
}

enum Written {
    Done(Arc<Applied>),
    Refused(ClusterError),
    NotStarted,
}

/// Applies what differs and takes over what equals; tells each in the order of the plan. What was done stands in `done`,
/// whatever the end.
///
/// # Errors
/// The server's refusals, all of them; or that the run was stopped.
pub(super) async fn apply_stage(
    context: &Context,
    cluster: &Cluster,
    steps: &[Step<'_>],
    done: &mut Vec<Arc<Applied>>,
) -> Result<(), Failure> {
    let refused = Stop::default();
    let mut writes = stream::iter(steps.iter().enumerate())
        .map(|(position, step)| write(context, cluster, *step, &refused).map(move |written| (position, written)))
        // a slow answer holds up no other write, only what is told after it
        .buffer_unordered(CONCURRENCY);
    let mut early = BTreeMap::new();
    let mut next = steps.iter().enumerate();
    let mut problems = Vec::new();
    let mut complete = true;
    while let Some((position, written)) = writes.next().await {
        early.insert(position, written);
        while let Some(written) = early.first_entry().filter(|first| *first.key() == steps.len() - next.len()) {
            let Some((_, step)) = next.next() else { break };
            match written.remove() {
                Written::Done(applied) => {
                    context.tell(ApplyEvent::Object { change: step.change.clone() });
                    done.push(applied);
                }
                Written::Refused(error) => problems.push(Problem::from(error)),
                Written::NotStarted => complete = false,
            }
        }
    }
    match problems.is_empty() {
        false => Err(Failure(problems)),
        true if complete => Ok(()),
        true => Err(interrupted("while objects were written").into()),
    }
}

async fn write(context: &Context, cluster: &Cluster, step: Step<'_>, refused: &Stop) -> Written {
    if let Some(equal) = step.equal {
        return Written::Done(Arc::clone(equal));
    }
    if context.stop.is_set() || refused.is_set() {
        return Written::NotStarted;
    }
    match send(cluster, step).await {
        Ok(applied) => Written::Done(Arc::new(applied)),
        Err(ClusterError::Stopped) => Written::NotStarted,
        Err(error) => {
            refused.set();
            Written::Refused(error)
        }
    }
}

async fn send(cluster: &Cluster, step: Step<'_>) -> Result<Applied, ClusterError> {
    if let Some(label) = step.switched {
        return cluster.apply_switched(step.object, label).await;
    }
    let Some(replicas) = step.replicas else { return cluster.apply(step.object, Some(step.live)).await };
    let is_new = step.live.body.is_none();
    if is_new {
        cluster.apply(&replicas.first, None).await?;
    }
    if let Some(count) = replicas.handed_over {
        cluster.hand_over(&replicas.sent, count).await?;
    }
    cluster.apply(&replicas.sent, (!is_new).then_some(step.live)).await
}

/// Adds to the first problem what was written and what was not: a deploy is never half-said.
pub(super) fn account(failure: &mut Failure, steps: &[Step<'_>], done: &[Arc<Applied>]) {
    let is_done: HashSet<&ObjectId> = done.iter().map(|applied| &applied.id).collect();
    let mut written = Vec::new();
    let mut waiting = Vec::new();
    for step in steps.iter().filter(|step| step.object.stage != Stage::OnFailure) {
        match (is_done.contains(&step.object.id), step.change.change) {
            (false, _) => waiting.push(step.object.id.to_string()),
            (true, Change::Unchanged) => {}
            (true, _) => written.push(step.object.id.to_string()),
        }
    }
    if let Some(first) = failure.0.first_mut().filter(|_| !waiting.is_empty()) {
        first
            .evidence
            .push(Evidence::new("written", if written.is_empty() { vec!["nothing".to_owned()] } else { written }));
        first.evidence.push(Evidence::new("not written", waiting));
    }
}
