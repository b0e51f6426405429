//! Whose count of pods it is: asked of autoscalers and owners for what is to be written.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, failure::Failure};
use crate::{
    cluster::Cluster,
    model::{Live, Note, ObjectId, Rendered},
    plan::{self, Autoscaler, Replicas},
};

/// Objects that are not sent as rendered.
pub(super) type Decided = BTreeMap<ObjectId, Replicas>;

/// Decides over the objects that are to be written, and tells what is kept. `release` may hold autoscalers of its own;
/// the cluster is asked for others only where one would matter.
pub(super) async fn decide(
    context: &Context,
    cluster: &Cluster,
    touched: &[(&Rendered, &Live)],
    release: &[Rendered],
) -> Result<Decided, Failure> {
    let mut scalers = Autoscaler::among(release);
    let open: Vec<&Rendered> = touched
        .iter()
        .filter(|(object, live)| plan::has_count(object, live))
        .map(|(object, _)| *object)
        .filter(|object| !scalers.iter().any(|scaler| scaler.target == object.id))
        .collect();
    let places: BTreeSet<Option<&str>> = open.iter().map(|object| object.id.namespace.as_deref()).collect();
    let mut unseen = BTreeSet::new();
    for namespace in places {
        match cluster.autoscalers(namespace).await? {
            Some(found) => scalers.extend(found.iter().filter_map(|body| Autoscaler::read(namespace, body))),
            None => drop(unseen.insert(namespace.map(str::to_owned))),
        }
    }
    if !unseen.is_empty() {
        let text = "autoscalers are not looked for: the login may not list horizontalpodautoscalers";
        context.tell(Note::new("plan", text));
    }
    let now = jiff::Timestamp::now();
    let mut decided = Decided::new();
    for (object, live) in touched {
        let scaler = scalers.iter().find(|scaler| scaler.target == object.id);
        let counted = plan::replicas(object, live.body.as_ref(), scaler, now);
        counted.told.into_iter().for_each(|text| context.tell(Note::attention("plan", text)));
        decided.extend(counted.replicas.map(|replicas| (object.id.clone(), replicas)));
    }
    Ok(decided)
}

/// Tells the counts that people set on what is not written.
pub(super) fn tell_kept<'o>(
    context: &Context,
    release: &[Rendered],
    untouched: impl Iterator<Item = (&'o Rendered, &'o serde_json::Value)>,
) {
    let scalers = Autoscaler::among(release);
    let now = jiff::Timestamp::now();
    let theirs = untouched.filter(|(object, _)| !scalers.iter().any(|scaler| scaler.target == object.id));
    for text in theirs.filter_map(|(object, live)| plan::kept_by_hand(object, live, now)) {
        context.tell(Note::attention("plan", text));
    }
}
