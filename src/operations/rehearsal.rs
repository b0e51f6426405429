//! Every write as the server would do it, before the first is done: what would change, and what equals already.

use std::{collections::HashMap, sync::Arc};

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::{
    Context,
    application::Application,
    apply::CONCURRENCY,
    failure::Failure,
    places,
    prepare::is_judged,
    replicas::{self, Autoscalers, Decided},
};
use crate::{
    cluster::{Cluster, ClusterError, History, Rehearsed, Surveyed, applied, owns_all},
    kinds,
    model::{
        Applied, ApplyEvent, Change, FieldPath, Live, Note, ObjectChange, ObjectId, Problem, RecordState, Rendered,
        Resource, is_our_apply, shrink_to_fit,
    },
    plan::{self, Replicas},
};

/// What a deploy would do to an object.
pub(super) struct Rehearsal {
    pub(super) change: ObjectChange,
    /// What an apply would answer, where the object equals what is rendered.
    pub(super) equal: Option<Arc<Applied>>,
}

/// An object's rehearsal with what there is to tell of it.
struct Told {
    rehearsal: Rehearsal,
    adopts: Vec<String>,
    unsupported: Option<String>,
}

/// What the last deploy wrote; nothing where it failed or was killed, for it may have written what it could not record.
pub(super) fn trusted(history: &History) -> HashMap<&ObjectId, &Arc<Applied>> {
    let last = history.records.last().filter(|record| record.state == RecordState::Succeeded);
    last.into_iter().flat_map(|record| &record.applied).map(|applied| (&applied.id, applied)).collect()
}

/// Rehearses what is not proven to be as it was written; a proof stands for its own rehearsal. In the order of `objects`,
/// with what is sent otherwise than it is rendered.
///
/// # Errors
/// All refusals at once, with their places in the files.
pub(super) async fn rehearse(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    (objects, surveyed, autoscalers): (&[Rendered], &Surveyed, Autoscalers),
) -> Result<(Vec<Rehearsal>, Decided), Failure> {
    let found = || objects.iter().zip(&surveyed.live).zip(&surveyed.proven);
    let untouched = found().filter(|(_, proven)| proven.is_some());
    let untouched = untouched.filter_map(|((object, live), _)| Some((object, live.body.as_ref()?)));
    replicas::tell_kept(context, objects, untouched);
    let touched: Vec<_> = found().filter(|(_, proven)| proven.is_none()).map(|(pair, _)| pair).collect();
    let decided = replicas::decide(context, cluster, &touched, objects, autoscalers).await?;
    let mut answers: Vec<_> = stream::iter(objects.iter().enumerate())
        .map(|(position, object)| {
            let replicas = decided.get(&object.id);
            async move { (position, rehearse_one(cluster, (object, replicas), surveyed, position).await) }
        })
        // not one after the other: a slow answer holds up no other
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    answers.sort_unstable_by_key(|(position, _)| *position);
    let mut rehearsals = Vec::with_capacity(objects.len());
    let mut problems: Vec<Problem> = Vec::new();
    for (position, answer) in answers {
        let id = &objects[position].id;
        match answer {
            Ok(Told { rehearsal, adopts, unsupported }) => {
                if !adopts.is_empty() {
                    context.tell(ApplyEvent::Adopted { object: id.clone(), managers: adopts });
                }
                if let Some(why) = unsupported {
                    context.tell(Note::new("plan", format!("{id} is not rehearsed: {why}")));
                }
                rehearsals.push(rehearsal);
            }
            Err(error) => problems.extend(places::locate(&application.manifests, &objects[position], error)),
        }
    }
    if problems.is_empty() { Ok((rehearsals, decided)) } else { Err(places::in_order(problems)) }
}

async fn rehearse_one(
    cluster: &Cluster,
    (object, replicas): (&Rendered, Option<&Replicas>),
    surveyed: &Surveyed,
    position: usize,
) -> Result<Told, ClusterError> {
    let live = surveyed.live[position].body.as_ref();
    if let Some(proven) = &surveyed.proven[position] {
        let id = object.id.clone();
        let change = ObjectChange { object: id, change: Change::Unchanged, fields: Vec::new(), remark: None };
        return Ok(told(Rehearsal { change, equal: Some(proven.clone()) }));
    }
    let weighed = |rehearsed: Option<&Value>| told(weighed(object, replicas, live, rehearsed));
    if surveyed.undefined[position] {
        let mut told = weighed(None);
        told.rehearsal.change.remark = Some("not rehearsed: its definition is not there yet".to_owned());
        return Ok(told);
    }
    match cluster.rehearse(replicas.map_or(object, |replicas| &replicas.first), live).await? {
        Rehearsed::Done { mut body, leaving, adopts } => {
            FieldPath::remove_all(&leaving, &mut body);
            Ok(Told { adopts, ..weighed(Some(&body)) })
        }
        Rehearsed::NotYet => Ok(weighed(None)),
        Rehearsed::Unsupported { why } => Ok(Told { unsupported: Some(why), ..weighed(None) }),
    }
}

fn told(rehearsal: Rehearsal) -> Told {
    Told { rehearsal, adopts: Vec::new(), unsupported: None }
}

/// What the rehearsal's answer makes of an object. Where shipway does not own every field that it would send, the record
/// must not prove the object later.
fn weighed(
    object: &Rendered,
    replicas: Option<&Replicas>,
    live: Option<&Value>,
    rehearsed: Option<&Value>,
) -> Rehearsal {
    let sent = replicas.map_or(object, |replicas| &replicas.first);
    let change = plan::change(sent, live, rehearsed, jiff::Timestamp::now());
    let is_written = change.change != Change::Unchanged || replicas.is_some_and(|replicas| replicas.moves);
    let equal = live.filter(|_| !is_written).map(|live| {
        let owned = rehearsed.is_some_and(|rehearsed| owns_all(live, rehearsed));
        Arc::new(if owned { applied(object, live) } else { Applied::of(object, live) })
    });
    Rehearsal { change, equal }
}

/// Leaves of an object that nobody touched what a rollout looks at, and which others own its metadata and the count of its
/// pods.
pub(super) fn slim(resource: &Resource, body: &mut Value) {
    kinds::slim(resource, body);
    let Some(Value::Array(entries)) = body.pointer_mut("/metadata/managedFields") else { return };
    entries.retain(|entry| !is_our_apply(entry));
    for entry in entries {
        let (metadata, count) =
            (entry.pointer_mut("/fieldsV1/f:metadata").map(Value::take), "/fieldsV1/f:spec/f:replicas");
        let spec = entry.pointer(count).map(|count| json!({"f:replicas": count}));
        let kept = [("f:metadata", metadata), ("f:spec", spec)];
        let kept = kept.into_iter().filter_map(|(key, fields)| Some((key.to_owned(), fields?)));
        entry["fieldsV1"] = Value::Object(kept.collect());
    }
}

/// Keeps of what is not written no more than a rollout looks at.
pub(super) fn release_bodies(live: &mut [Live], rehearsals: &[Rehearsal]) {
    for (live, _) in live.iter_mut().zip(rehearsals).filter(|(_, rehearsal)| rehearsal.equal.is_some()) {
        let Some(body) = &mut live.body else { continue };
        if is_judged(&live.id) {
            body["metadata"].as_object_mut().and_then(|metadata| metadata.shift_remove("managedFields"));
            kinds::slim(&live.resource, body);
            shrink_to_fit(body);
        } else {
            *body = json!({"metadata": {"uid": body["metadata"]["uid"]}});
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Record;

    #[test]
    fn only_the_record_of_a_success_is_a_proof() {
        let applied = Arc::new(Applied {
            id: ObjectId { group: String::new(), kind: "ConfigMap".into(), namespace: None, name: "a".into() },
            resource: Resource {
                group: String::new(),
                version: "v1".into(),
                kind: "ConfigMap".into(),
                plural: "configmaps".into(),
                namespaced: true,
            },
            uid: "1".into(),
            generation: 0,
            resource_version: "7".into(),
            hash: "h".into(),
            ours: None,
            template: None,
            at: None,
        });
        let record = |revision, state| Record { applied: vec![applied.clone()], ..Record::sample(revision, state) };
        let proven = |states: &[RecordState]| {
            let records = states.iter().zip(1..).map(|(state, revision)| record(revision, *state)).collect();
            trusted(&History { records, next: 9 }).len()
        };
        use RecordState::{Failed, Running, Succeeded, Superseded};
        assert_eq!(proven(&[]), 0);
        assert_eq!(proven(&[Failed, Succeeded]), 1);
        // one that was killed is marked as running, and may have written anything
        for last in [Running, Failed, Superseded] {
            assert_eq!(proven(&[Succeeded, last]), 0, "{last:?}");
        }
    }
}
