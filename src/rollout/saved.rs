//! Objects read from a cluster or a file, judged as they stand: no time passes, nothing was changed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    selections::Backing,
    view::{View, service_key},
};
use crate::{
    kinds::{self, Baseline, Judgement, Observation, event_time, read},
    model::{
        Applied, ObjectId, PodStatus, Question, Reply, Resource, Rules, StatusRule, Verdict, Watched, WorkloadStatus,
    },
};

/// What a deploy forgives before it tells a crash loop, where no settings say otherwise.
const RULES: Rules = Rules { timeout: 0.0, max_time: 0.0, settle: 0.0, restarts: 2, status: Vec::new() };

/// Judges the objects that none among them controls, by the judges of a rollout and in the order given; a `List` counts
/// as its items. Kinds with nothing to judge are left out. `rules` are the configuration's for custom resources.
pub(crate) fn judge_saved(objects: &[Value], rules: &[StatusRule]) -> Vec<WorkloadStatus> {
    let rules = Rules { status: rules.to_vec(), ..RULES };
    let objects: Vec<&Value> = objects.iter().flat_map(items).collect();
    let view = View::of(&objects);
    let uids: HashSet<&str> = objects.iter().map(|object| read::uid(object)).collect();
    let own = |object: &&Value| read::controller(object).is_none_or(|owner| !uids.contains(owner));
    let judged = |object: &&Value| {
        let id = read::id(object);
        !kinds::is_plain(&id.group, &id.kind) && !only_explains(object)
    };
    let watched: Vec<Watched> = objects.iter().copied().filter(own).filter(judged).map(as_applied).collect();
    let backing = Backing::of(&watched);
    let replies = HashMap::new();
    let manner = Manner { rules: &rules, replies: &replies, changed: true, saved: true, now: None };
    let judge = |watched: &Watched| {
        let scene = Scene::of(watched, &view);
        // without slices nothing is known of endpoints
        let is_known = watched.applied.id.kind == "Service" && !scene.children.is_empty();
        let backed = is_known && backing.runs_behind(watched);
        status(watched, &scene, look(watched, backed, &scene, &manner), &manner)
    };
    watched.iter().map(judge).collect()
}

fn items(object: &Value) -> Vec<&Value> {
    match object.get("items").and_then(Value::as_array) {
        Some(items) if read::text(object, &["kind"]).ends_with("List") => items.iter().collect(),
        _ => vec![object],
    }
}

/// What says something about other objects, and has no state of its own.
pub(super) fn only_explains(object: &Value) -> bool {
    ["Event", "EndpointSlice"].iter().any(|kind| read::is_kind(object, kind))
}

/// As if it had just been found unchanged.
pub(super) fn as_applied(object: &Value) -> Watched {
    let id = read::id(object);
    let resource = kinds::find(&id.group, &id.kind).map(|kind| kind.resource());
    let resource = resource.unwrap_or_else(|| Resource {
        group: id.group.clone(),
        version: String::new(),
        kind: id.kind.clone(),
        plural: String::new(),
        namespaced: id.namespace.is_some(),
    });
    let applied = Applied { uid: read::uid(object).to_owned(), ..Applied::named(id, resource) };
    Watched {
        applied: Arc::new(applied),
        body: object.clone(),
        changed: false,
        settled: false,
        shows_log: false,
        images: Vec::new(),
    }
}

/// An object with what belongs to it.
pub(super) struct Scene<'v> {
    pub(super) id: &'v ObjectId,
    pub(super) live: &'v Value,
    children: Vec<&'v Value>,
    events: Vec<&'v Value>,
}

/// How it is looked at.
#[derive(Clone, Copy)]
pub(super) struct Manner<'m> {
    pub(super) rules: &'m Rules,
    pub(super) replies: &'m HashMap<Question, Reply>,
    /// False where its pods may have been there for long.
    pub(super) changed: bool,
    pub(super) saved: bool,
    /// None for objects of whenever.
    pub(super) now: Option<Timestamp>,
}

impl<'v> Scene<'v> {
    pub(super) fn of(watched: &'v Watched, view: &'v View) -> Self {
        let (id, live) = (&watched.applied.id, &watched.body);
        let owner = match id.kind.as_str() {
            "Service" => service_key(id.namespace.as_deref().unwrap_or_default(), &id.name),
            _ => read::uid(live).to_owned(),
        };
        let children = view.family(&owner);
        let is_well = |object: &&Value| read::is_kind(object, "Pod") && kinds::is_ready(object);
        let about = children.iter().copied().filter(|object| !is_well(object)).chain([live]);
        let mut events: Vec<&Value> = about.flat_map(|object| view.events(read::uid(object), &|_, _| true)).collect();
        events.sort_by_cached_key(|event| event_time::of(event));
        Self { id, live, children, events }
    }

    pub(super) fn pods(&self) -> impl Iterator<Item = &'v Value> {
        self.children.iter().copied().filter(|child| read::is_kind(child, "Pod") && kinds::is_alive(child))
    }
}

pub(super) fn look(watched: &Watched, backed: bool, scene: &Scene<'_>, manner: &Manner<'_>) -> Judgement {
    kinds::judge(&Observation {
        live: Some(scene.live),
        applied: &watched.applied,
        body: scene.live,
        images: &[],
        children: &scene.children,
        events: &scene.events,
        replies: manner.replies,
        rules: manner.rules,
        baseline: &Baseline::new(),
        changed: manner.changed,
        backed,
        aimless: false,
        cut_off: false,
        closing: false,
        saved: manner.saved,
        renewed: None,
    })
}

pub(super) fn status(
    watched: &Watched,
    scene: &Scene<'_>,
    judgement: Judgement,
    manner: &Manner<'_>,
) -> WorkloadStatus {
    WorkloadStatus {
        object: watched.applied.id.clone(),
        verdict: judgement.verdict.word(),
        progress: judgement.progress,
        images: kinds::images(scene.live),
        problem: judgement.verdict.problem().cloned(),
        pods: scene.pods().map(|pod| pod_status(pod, manner.now)).collect(),
        color: None,
        remark: match judgement.verdict {
            Verdict::Assumed { why } => Some(why),
            _ => None,
        },
    }
}

fn pod_status(pod: &Value, now: Option<Timestamp>) -> PodStatus {
    let statuses = || read::list(pod, &["status", "containerStatuses"]).iter();
    let restarts = statuses().map(|status| read::count(status, &["restartCount"])).sum::<usize>();
    let ended = |status: &Value| -> Option<Timestamp> {
        read::text(status, &["lastState", "terminated", "finishedAt"]).parse().ok()
    };
    let last = statuses().filter_map(ended).max();
    PodStatus {
        name: read::name(pod).to_owned(),
        ready: kinds::is_ready(pod),
        restarts: u32::try_from(restarts).unwrap_or(u32::MAX),
        restarted: now.zip(last).map(|(now, last)| (now.as_second() - last.as_second()).max(0)),
        reason: kinds::reason(pod),
    }
}
