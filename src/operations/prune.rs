//! Deletes what was applied earlier and is gone from the manifests, after the new version is healthy.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use super::{Context, application::Application, failure::Failure, failure::interrupted};
use crate::{
    cluster::{Cluster, ClusterError, History, without_records},
    kinds,
    model::{
        Applied, ApplyEvent, BlueGreen, Change, JobRun, Live, Note, Object, ObjectChange, ObjectId, ObjectOutcome,
        Problem, Record, RecordState, Release, Rendered, Resource, Selection, Traffic,
    },
    plan::{self, PruneRules},
    render,
};

/// What a deploy knows before it writes.
pub(super) struct Known<'k> {
    pub(super) release: &'k Release,
    pub(super) live: &'k [Live],
    pub(super) history: &'k History,
    pub(super) jobs: &'k [JobRun],
    pub(super) changes: &'k [ObjectChange],
}

/// What is to be deleted; tells what is kept, and why.
pub(super) async fn decide(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    known: &Known<'_>,
    traffic: Option<&Traffic>,
) -> Result<Vec<Live>, Failure> {
    let (settings, target) = (&application.checkout.settings, &application.target);
    if !settings.deploy.prune.value || (application.given && !settings.prune) {
        return Ok(Vec::new());
    }
    let skipped = known.changes.iter().filter(|change| change.change == Change::Skipped);
    let mut kept: BTreeSet<ObjectId> = skipped.map(|change| change.object.clone()).collect();
    if let Some(blue_green) = &settings.blue_green {
        let Some(colors) = staying(blue_green, known, traffic) else { return Ok(Vec::new()) };
        kept.extend(held_by(cluster, &target.namespace.value, known.history, &colors).await?);
    }
    // what came by `-f` and what the app's own manifests had is not gone for the other of the two
    let is_of_ours = |record: &&Record| record.given == application.given;
    let records: Vec<&Record> = known.history.records.iter().filter(is_of_ours).collect();
    let begun = begun(cluster, &target.namespace.value, &records).await?;
    let places = plan::where_to_look(&known.release.objects, &begun, &records, known.jobs, &kept);
    let Found { mut objects, reads } = look_through(context, application, cluster, known, places).await;
    let is_inside = |live: &Live| live.id.namespace.as_ref() == Some(&target.namespace.value);
    objects.retain(|live| is_inside(live) || plan::is_recorded(live, &records, &begun));
    let rules = PruneRules { all: settings.prune_all, agreed: settings.yes_prune, guarded: target.confirm };
    let mut pruning = plan::prune((&known.release.objects, known.live), objects, (&records, known.jobs), &kept, rules);
    for (id, why) in pruning.kept {
        context.tell(Note::attention("plan", format!("{id} is gone from the manifests and kept: {why}")));
    }
    if settings.blue_green.is_some() && pruning.delete.iter().any(|live| is_configuration(&live.id)) {
        let stays = reads.into_iter().filter(|(id, _)| !pruning.delete.iter().any(|live| live.id == *id));
        let named: BTreeSet<ObjectId> = stays.flat_map(|(_, used)| used).collect();
        let skipped = read_by_skipped(cluster, known).await?;
        pruning.delete.retain(|live| !(named.contains(&live.id) || skipped.contains(&live.id)));
    }
    Ok(pruning.delete)
}

/// What bears the labels of the app and the environment.
#[derive(Default)]
struct Found {
    /// Without those of the release, which may be thousands.
    objects: Vec<Live>,
    /// The ConfigMaps and Secrets that each reads, in a blue/green app.
    reads: Vec<(ObjectId, Vec<ObjectId>)>,
}

async fn look_through(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    known: &Known<'_>,
    places: Vec<(Resource, Option<String>)>,
) -> Found {
    let target = &application.target;
    let labels = format!("shipway.dev/app={},shipway.dev/env={}", target.app, target.environment.value);
    let released: HashSet<&ObjectId> = known.release.objects.iter().map(|object| &object.id).collect();
    let brought = plan::brought_by_given(&known.history.records);
    let has_colors = application.checkout.settings.blue_green.is_some();
    let mut found = Found::default();
    for (resource, namespace) in places {
        let fields = without_records(&resource);
        let selection = Selection { resource, namespace, labels: Some(labels.clone()), fields };
        let objects = cluster.list(&selection).await.unwrap_or_else(|error| {
            // a kind whose definition is gone has no objects, and a login that may not look may not delete
            let plural = &selection.resource.plural;
            context.tell(Note::attention("plan", format!("{plural} are not looked through for what is gone: {error}")));
            Vec::new()
        });
        let objects = objects.into_iter().map(|body| live(&selection, body));
        for live in objects.filter(|live| is_given(live, &brought) == application.given) {
            if let Some(object) = object_of(&live).filter(|_| has_colors) {
                found.reads.push((object.id.clone(), render::configuration_of(&object)));
            }
            if !released.contains(&live.id) {
                found.objects.push(live);
            }
        }
    }
    found
}

/// True where `-f` brought it last; where no record knows, its label does.
fn is_given(live: &Live, brought: &HashMap<&ObjectId, bool>) -> bool {
    let label =
        || live.body.as_ref().is_some_and(|body| body["metadata"]["labels"][render::SOURCE_LABEL] == render::GIVEN);
    brought.get(&live.id).copied().unwrap_or_else(label)
}

fn is_configuration(id: &ObjectId) -> bool {
    id.group.is_empty() && matches!(id.kind.as_str(), "ConfigMap" | "Secret")
}

/// What the pods of all that is passed over read, wherever the release came from: the other colour serves, or is the way
/// back.
async fn read_by_skipped(cluster: &Cluster, known: &Known<'_>) -> Result<BTreeSet<ObjectId>, Failure> {
    let mut named = BTreeSet::new();
    for change in known.changes.iter().filter(|change| change.change == Change::Skipped) {
        let Some(resource) = resource_with_pods(&change.object, known) else { continue };
        let body = match cluster.get(&resource, &change.object).await {
            // a kind whose definition is gone has no objects
            Err(ClusterError::NotServed { served, .. }) if served.is_empty() => None,
            body => body?,
        };
        let object = object_of(&Live { id: change.object.clone(), resource, body });
        named.extend(object.iter().flat_map(render::configuration_of));
    }
    Ok(named)
}

/// None for what runs no pods; a kind that is not built in may do so, and the release or a record has its resource.
fn resource_with_pods(id: &ObjectId, known: &Known<'_>) -> Option<Resource> {
    if let Some(kind) = kinds::find(&id.group, &id.kind) {
        return kind.template.map(|_| kind.resource());
    }
    let released = known.release.objects.iter().map(|object| &object.resource);
    let applied = known.history.records.iter().rev().flat_map(|record| &record.applied);
    let mut resources = released.chain(applied.map(|applied| &applied.resource));
    resources.find(|resource| (&resource.group, &resource.kind) == (&id.group, &id.kind)).cloned()
}

fn object_of(live: &Live) -> Option<Object> {
    let (id, resource) = (live.id.clone(), live.resource.clone());
    live.body.clone().map(|body| Object { id, resource, body, from: Vec::new() })
}

/// What runs that were killed were about to write.
pub(super) async fn begun(cluster: &Cluster, namespace: &str, records: &[&Record]) -> Result<Vec<Rendered>, Failure> {
    let mut begun = Vec::new();
    for record in records.iter().filter(|record| record.state == RecordState::Running) {
        begun.extend(cluster.kept_objects(namespace, record).await?.unwrap_or_default());
    }
    Ok(begun)
}

fn live(selection: &Selection, body: serde_json::Value) -> Live {
    let text = |path: &str| body.pointer(path).and_then(serde_json::Value::as_str).map(str::to_owned);
    let resource = selection.resource.clone();
    let id = ObjectId {
        group: resource.group.clone(),
        kind: resource.kind.clone(),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name").unwrap_or_default(),
    };
    Live { id, resource, body: Some(body) }
}

/// The colours of which nothing goes: each may use anything that was deployed with it, so the one that serves keeps that
/// before traffic goes, and the way back before it is deployed over. None where it is not known what serves.
fn staying<'k>(
    blue_green: &'k BlueGreen,
    known: &Known<'k>,
    traffic: Option<&'k Traffic>,
) -> Option<BTreeSet<&'k str>> {
    let serves = traffic?.color.as_deref()?;
    let is_proof = |record: &Record| record.state == RecordState::Succeeded && record.color.as_deref() == Some(serves);
    let ours = known.release.color.as_deref();
    let others = blue_green.colors.iter().map(String::as_str).filter(|color| Some(*color) != ours);
    known.history.records.iter().any(is_proof).then(|| others.chain([serves]).collect())
}

/// What was written for these colours, or a run that was killed had begun to write.
async fn held_by(
    cluster: &Cluster,
    namespace: &str,
    history: &History,
    colors: &BTreeSet<&str>,
) -> Result<Vec<ObjectId>, Failure> {
    let records: Vec<&Record> = colors.iter().flat_map(|color| plan::held_by(&history.records, color)).collect();
    let applied = records.iter().flat_map(|record| &record.applied).map(|applied| applied.id.clone());
    let begun = begun(cluster, namespace, &records).await?;
    Ok(applied.chain(begun.into_iter().map(|object| object.id)).collect())
}

pub(super) fn change(live: &Live) -> ObjectChange {
    ObjectChange { object: live.id.clone(), change: Change::Pruned, fields: Vec::new(), remark: None }
}

/// Deletes, one after the other; what cannot be deleted is told and stays: the new version runs all the same.
pub(super) async fn delete(
    context: &Context,
    cluster: &Cluster,
    (gone, all): (&[Live], bool),
    applied: &[Arc<Applied>],
) -> Vec<ObjectOutcome> {
    let mut pruned = Vec::new();
    for live in gone {
        let told = if context.stop.is_set() {
            Err(interrupted("before it was deleted"))
        } else {
            delete_one(cluster, live, all, applied).await.map_err(Problem::from)
        };
        match told {
            Ok(true) => {
                context.tell(ApplyEvent::Object { change: change(live) });
                let id = live.id.clone();
                pruned.push(ObjectOutcome { id, change: Change::Pruned, verdict: "gone", why: None, context: None });
            }
            Ok(false) => {}
            Err(problem) => {
                context.tell(Note::attention("apply", format!("{} is not deleted: {}", live.id, problem.text)));
            }
        }
    }
    pruned
}

const TRIES: usize = 3;

/// True where it was deleted. It is read again, for a controller writes its status all the time.
pub(super) async fn delete_one(
    cluster: &Cluster,
    planned: &Live,
    all: bool,
    applied: &[Arc<Applied>],
) -> Result<bool, ClusterError> {
    let uid = |live: &Live| live.body.as_ref().map(|body| body["metadata"]["uid"].clone());
    let mut tries = 0;
    loop {
        tries += 1;
        let Some(body) = cluster.get(&planned.resource, &planned.id).await? else { return Ok(false) };
        let is_new = applied.iter().any(|applied| body["metadata"]["uid"] == applied.uid.as_str());
        if is_new || plan::protection(&planned.id, &body, all).is_some() {
            return Ok(false);
        }
        let live = Live { body: Some(body), ..planned.clone() };
        if uid(&live) != uid(planned) {
            return Ok(false);
        }
        match cluster.delete_exactly(&live).await {
            Err(ClusterError::Stale { .. }) if tries < TRIES => {}
            done => return done,
        }
    }
}
