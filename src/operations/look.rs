//! One look at what runs: where a deploy changed nothing, that is proof enough, and no watch is opened.

use jiff::Timestamp;

use super::{Context, failure::Failure};
use crate::{
    cluster::Cluster,
    kinds,
    model::{Live, RolloutEvent, Seen, Selection, Watched},
    rollout::{Conclusion, Effect, Input, Rollout},
};

/// The conclusion of a rollout at rest that holds on the first look; else the objects, to be followed. `fresh` are bodies
/// that were read in this run, and before no write.
pub(super) async fn settle_at_once(
    context: &Context,
    cluster: &Cluster,
    mut rollout: Rollout,
    fresh: &[Live],
) -> Result<Result<Conclusion, Vec<Watched>>, Failure> {
    let selections = rollout.selections();
    let lists = selections.iter().map(async |selection| match surveyed(selection, &selections, fresh) {
        Some(seen) => Ok(seen),
        None => cluster.look(selection, kinds::slim).await,
    });
    let mut said: Vec<RolloutEvent> = Vec::new();
    let seen = futures::future::try_join_all(lists).await?.into_iter().map(Input::Seen);
    // with nothing to judge there is nothing to be seen
    for input in seen.chain([Input::Tick]) {
        for effect in rollout.step(Timestamp::now(), input) {
            match effect {
                Effect::Say(event) => said.push(event),
                Effect::Settled(conclusion) if conclusion.problems.is_empty() => {
                    said.into_iter().for_each(|event| context.tell(event));
                    return Ok(Ok(*conclusion));
                }
                // a problem is looked into by the rollout that follows
                Effect::Ask(_) | Effect::ShowLog(_) | Effect::WakeAt(_) | Effect::Settled(_) => {}
            }
        }
    }
    Ok(Err(rollout.give_back()))
}

/// The list as the survey has read it, of kinds that nobody but the release makes.
fn surveyed(selection: &Selection, all: &[Selection], fresh: &[Live]) -> Option<Seen> {
    let made = |parent: &Selection| {
        let kind = kinds::find(&parent.resource.group, &parent.resource.kind);
        kind.is_some_and(|kind| kind.children.iter().any(|(group, child)| selection.is_of(group, child)))
    };
    if fresh.is_empty() || all.iter().any(made) {
        return None;
    }
    let is_of = |live: &&Live| {
        selection.is_of(&live.id.group, &live.id.kind)
            && live.id.namespace == selection.namespace
            && selection.fields.as_ref().is_none_or(|fields| *fields == format!("metadata.name={}", live.id.name))
    };
    let objects = fresh.iter().filter(is_of).filter_map(|live| live.body.clone()).collect();
    Some(Seen::Listed { selection: selection.clone(), objects })
}
