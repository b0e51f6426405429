//! One look at what runs: where a deploy changed nothing, that is proof enough, and no watch is opened.

use jiff::Timestamp;

use super::{Context, failure::Failure};
use crate::{
    cluster::Cluster,
    kinds,
    model::{Live, RolloutEvent, Seen, Selection, Watched},
    rollout::{Conclusion, Effect, Input, Rollout},
};

/// The conclusion of a rollout at rest that holds on the first look; else the objects, to be followed. `fresh` is what was
/// read in this run, and before no write: it hands over the bodies that are looked at.
pub(super) async fn settle_at_once(
    context: &Context,
    cluster: &Cluster,
    mut rollout: Rollout,
    mut fresh: Vec<&mut Live>,
) -> Result<Result<Conclusion, Vec<Watched>>, Failure> {
    let selections = rollout.selections();
    let surveyed: Vec<Option<Seen>> = { selections.iter() }.map(|of| surveyed(of, &selections, &mut fresh)).collect();
    let lists = selections.iter().zip(surveyed).map(async |(selection, surveyed)| match surveyed {
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
fn surveyed(selection: &Selection, all: &[Selection], fresh: &mut [&mut Live]) -> Option<Seen> {
    let made = |parent: &Selection| {
        let kind = kinds::find(&parent.resource.group, &parent.resource.kind);
        kind.is_some_and(|kind| kind.children.iter().any(|(group, child)| selection.is_of(group, child)))
    };
    if fresh.is_empty() || all.iter().any(made) {
        return None;
    }
    let is_of = |live: &&mut &mut Live| {
        selection.is_of(&live.id.group, &live.id.kind)
            && live.id.namespace == selection.namespace
            && selection.fields.as_ref().is_none_or(|fields| *fields == format!("metadata.name={}", live.id.name))
    };
    let objects = fresh.iter_mut().filter(is_of).filter_map(|live| live.body.take()).collect();
    Some(Seen::Listed { selection: selection.clone(), objects })
}
