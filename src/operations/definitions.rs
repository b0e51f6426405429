//! Kinds that the release itself defines: their definitions go before all else, and what could not be rehearsed without
//! them is rehearsed then.

use std::collections::BTreeSet;

use tokio::time::{Duration, Instant, sleep};

use super::{
    delivery::Delivery,
    failure::{Failure, interrupted},
    ownership,
    prepare::{self, Prepared},
    rehearsal::{Rehearsal, rehearse, release_bodies, trusted},
    replicas,
};
use crate::model::{Definition, Live, ObjectId, Outcome, Record, Rendered, Stage};

/// A server that calls a definition established serves it a moment later, and one of several later still.
const SERVED_WITHIN: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

impl Delivery<'_> {
    /// Writes the definitions that objects of the release wait for, and namespaces with them; once the server takes such
    /// objects, rehearses them. Answers what was written.
    ///
    /// # Errors
    /// A definition was refused or does not come to be served, or what the rehearsal finds, as before any first write.
    pub(super) async fn define(
        &self,
        prepared: &mut Prepared,
        record: &mut Record,
        outcome: &mut Outcome,
    ) -> Result<BTreeSet<ObjectId>, Failure> {
        let (first, awaiting) = awaited(prepared);
        if first.is_empty() {
            return Ok(first);
        }
        let is_due = |object: &Rendered| first.contains(&object.id);
        let watched = self.write(prepared, &is_due, record).await?;
        self.follow(prepared, watched, record, outcome).await?;
        let objects: Vec<Rendered> =
            awaiting.iter().map(|position| prepared.release.objects[*position].clone()).collect();
        let (live, rehearsals, replicas) = self.rehearse_served(prepared, &objects).await?;
        for (object, rehearsal) in objects.iter().zip(&rehearsals) {
            if let Some(told) = outcome.objects.iter_mut().find(|told| told.id == object.id) {
                told.change = rehearsal.change.change;
            }
        }
        let learnt = awaiting.into_iter().zip(live).zip(rehearsals);
        prepared.learn(learnt.map(|((position, live), rehearsal)| (position, live, rehearsal)).collect(), replicas);
        Ok(first)
    }

    /// Established is said of a definition shortly before its objects are taken: until then it is asked again.
    async fn rehearse_served(
        &self,
        prepared: &Prepared,
        objects: &[Rendered],
    ) -> Result<(Vec<Live>, Vec<Rehearsal>, replicas::Decided), Failure> {
        let deadline = Instant::now() + SERVED_WITHIN;
        loop {
            match self.rehearse_late(prepared, objects).await {
                Err(failure) if is_not_served(&failure) && Instant::now() < deadline => {}
                ended => return ended,
            }
            tokio::select! {
                () = sleep(POLL) => {}
                () = self.context.stop.wait() => return Err(interrupted("before all objects were written").into()),
            }
        }
    }

    async fn rehearse_late(
        &self,
        prepared: &Prepared,
        objects: &[Rendered],
    ) -> Result<(Vec<Live>, Vec<Rehearsal>, replicas::Decided), Failure> {
        let Self { context, application, cluster, .. } = self;
        let (surveyed, autoscalers) = prepare::look(cluster, objects, &trusted(&prepared.history)).await;
        let mut surveyed = surveyed?;
        ownership::check(context, application, objects, &surveyed.live)?;
        let (rehearsals, replicas) =
            rehearse(context, application, cluster, (objects, &surveyed, autoscalers?)).await?;
        release_bodies(&mut surveyed.live, &rehearsals);
        Ok((surveyed.live, rehearsals, replicas))
    }
}

/// What comes first, and the places of the objects that wait for it: definitions, and the namespaces that such objects may
/// be in. A definition that is a hook comes in its turn.
fn awaited(prepared: &Prepared) -> (BTreeSet<ObjectId>, Vec<usize>) {
    let objects = &prepared.release.objects;
    let undefined: Vec<usize> = (0..objects.len()).filter(|position| prepared.undefined[*position]).collect();
    let (mut first, mut awaiting) = (BTreeSet::new(), BTreeSet::new());
    if undefined.is_empty() {
        return (first, Vec::new());
    }
    let foundation = || objects.iter().filter(|object| object.stage == Stage::Foundation);
    for object in foundation() {
        let Some(definition) = Definition::of(&object.id, || object.body()) else { continue };
        let of_kind = undefined.iter().filter(|position| definition.serves(&objects[**position].resource));
        let before = awaiting.len();
        awaiting.extend(of_kind);
        if awaiting.len() > before {
            first.insert(object.id.clone());
        }
    }
    if !first.is_empty() {
        first.extend(foundation().filter(|object| object.id.kind == "Namespace").map(|object| object.id.clone()));
    }
    (first, awaiting.into_iter().collect())
}

fn is_not_served(Failure(problems): &Failure) -> bool {
    problems.iter().all(|problem| problem.code == "api-version")
}
