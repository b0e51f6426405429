//! Whose count of pods it is: asked of autoscalers and owners for what is to be written.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures::future::try_join_all;
use serde_json::Value;

use super::{Context, failure::Failure};
use crate::{
    cluster::Cluster,
    model::{Applied, Live, Note, ObjectId, Rendered},
    plan::{self, Autoscaler, Replicas},
};

/// Objects that are not sent as rendered.
pub(super) type Decided = BTreeMap<ObjectId, Replicas>;

/// By namespace; none where the login may not see them.
pub(super) type Autoscalers = BTreeMap<Option<String>, Option<Vec<Value>>>;

/// The autoscalers of what is not as it was written, as far as that is known before the cluster was asked for it.
pub(super) async fn autoscalers(
    cluster: &Cluster,
    objects: &[Rendered],
    known: &HashMap<&ObjectId, &Arc<Applied>>,
) -> Result<Autoscalers, Failure> {
    let touched: Vec<(&Rendered, Live)> = { objects.iter() }
        .filter(|object| known.get(&object.id).is_none_or(|known| known.hash != object.hash))
        .map(|object| (object, Live { id: object.id.clone(), resource: object.resource.clone(), body: None }))
        .collect();
    let touched: Vec<(&Rendered, &Live)> = touched.iter().map(|(object, live)| (*object, live)).collect();
    let places = places(&touched, &Autoscaler::among(objects));
    let found = places
        .into_iter()
        .map(async |namespace| Ok::<_, Failure>((namespace.map(str::to_owned), cluster.autoscalers(namespace).await?)));
    Ok(try_join_all(found).await?.into_iter().collect())
}

/// Where there may be autoscalers of objects that would be written with a count, beside those that are known.
fn places<'o>(touched: &[(&'o Rendered, &Live)], scalers: &[Autoscaler]) -> BTreeSet<Option<&'o str>> {
    let open = touched.iter().filter(|(object, live)| plan::has_count(object, live)).map(|(object, _)| *object);
    let open = open.filter(|object| !scalers.iter().any(|scaler| scaler.target == object.id));
    open.map(|object| object.id.namespace.as_deref()).collect()
}

/// Decides over the objects that are to be written, and tells what is kept. `release` may hold autoscalers of its own;
/// the cluster is asked for others only where one would matter.
pub(super) async fn decide(
    context: &Context,
    cluster: &Cluster,
    touched: &[(&Rendered, &Live)],
    release: &[Rendered],
    mut found: Autoscalers,
) -> Result<Decided, Failure> {
    let mut scalers = Autoscaler::among(release);
    let mut unseen = BTreeSet::new();
    for namespace in places(touched, &scalers) {
        let found = match found.remove(&namespace.map(str::to_owned)) {
            Some(found) => found,
            None => cluster.autoscalers(namespace).await?,
        };
        match found {
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
    untouched: impl Iterator<Item = (&'o Rendered, &'o Value)>,
) {
    let scalers = Autoscaler::among(release);
    let now = jiff::Timestamp::now();
    let theirs = untouched.filter(|(object, _)| !scalers.iter().any(|scaler| scaler.target == object.id));
    for text in theirs.filter_map(|(object, live)| plan::kept_by_hand(object, live, now)) {
        context.tell(Note::attention("plan", text));
    }
}
