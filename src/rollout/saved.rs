//! Objects read from a cluster or a file, judged as they stand: no time passes, nothing was changed.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{
    selections::Backing,
    view::{View, service_key},
};
use crate::{
    kinds::{self, Baseline, Observation, read},
    model::{Applied, PodStatus, Resource, Rules, StatusRule, Verdict, Watched, WorkloadStatus},
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
        !kinds::is_plain(&id.group, &id.kind)
    };
    let watched: Vec<Watched> = objects.iter().copied().filter(own).filter(judged).map(as_applied).collect();
    let backing = Backing::of(&watched);
    watched.iter().map(|one| status(one, &backing, &view, &rules)).collect()
}

fn items(object: &Value) -> Vec<&Value> {
    match object.get("items").and_then(Value::as_array) {
        Some(items) if read::text(object, &["kind"]).ends_with("List") => items.iter().collect(),
        _ => vec![object],
    }
}

/// As if it had just been found unchanged.
fn as_applied(object: &Value) -> Watched {
    let id = read::id(object);
    let resource = kinds::find(&id.group, &id.kind).map(|kind| kind.resource());
    let resource = resource.unwrap_or_else(|| Resource {
        group: id.group.clone(),
        version: String::new(),
        kind: id.kind.clone(),
        plural: String::new(),
        namespaced: id.namespace.is_some(),
    });
    let applied = Applied {
        id,
        resource,
        uid: read::uid(object).to_owned(),
        generation: 0,
        resource_version: String::new(),
        hash: String::new(),
        ours: None,
        at: None,
    };
    Watched { applied, body: object.clone(), changed: false, shows_log: false, images: Vec::new() }
}

fn status(watched: &Watched, backing: &Backing<'_>, view: &View, rules: &Rules) -> WorkloadStatus {
    let id = &watched.applied.id;
    let live = &watched.body;
    let owner = match id.kind.as_str() {
        "Service" => service_key(id.namespace.as_deref().unwrap_or_default(), &id.name),
        _ => read::uid(live).to_owned(),
    };
    let children = view.family(&owner);
    let about = children.iter().copied().chain([live]);
    let events: Vec<&Value> = about.flat_map(|object| view.events(read::uid(object), &|_, _| true)).collect();
    let judgement = kinds::judge(&Observation {
        live: Some(live),
        applied: &watched.applied,
        body: live,
        images: &[],
        children: &children,
        events: &events,
        replies: &HashMap::new(),
        rules,
        baseline: &Baseline::new(),
        changed: true,
        // without slices nothing is known of endpoints
        backed: !children.is_empty() && id.kind == "Service" && backing.stands_behind(watched),
        aimless: false,
        closing: false,
        saved: true,
        renewed: false,
    });
    let pods = children.iter().copied().filter(|child| read::is_kind(child, "Pod") && kinds::is_alive(child));
    WorkloadStatus {
        object: id.clone(),
        verdict: judgement.verdict.word(),
        progress: judgement.progress,
        images: kinds::images(live),
        problem: judgement.verdict.problem().cloned(),
        pods: pods.map(pod_status).collect(),
        remark: match judgement.verdict {
            Verdict::Assumed { why } => Some(why),
            _ => None,
        },
    }
}

fn pod_status(pod: &Value) -> PodStatus {
    let statuses = read::list(pod, &["status", "containerStatuses"]).iter();
    let restarts = statuses.map(|status| read::count(status, &["restartCount"])).sum::<usize>();
    PodStatus {
        name: read::name(pod).to_owned(),
        ready: kinds::is_ready(pod),
        restarts: u32::try_from(restarts).unwrap_or(u32::MAX),
        reason: kinds::reason(pod),
    }
}
