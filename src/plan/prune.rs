//! What was applied earlier and is gone from the manifests: what of it is deleted, what is kept, and why.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::{JobRun, Live, ObjectId, Record, Rendered, Resource, is_our_apply, managed_fields};

/// What a person allowed or the configuration asks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PruneRules {
    /// `--prune-all`: volumes, namespaces and definitions too.
    pub(crate) all: bool,
    /// `--yes-prune`: beyond the cap, and workloads of a guarded environment.
    pub(crate) agreed: bool,
    /// The environment asks for a confirmation.
    pub(crate) guarded: bool,
}

/// What is deleted once all is healthy, and what stays with the reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pruning {
    pub(crate) delete: Vec<Live>,
    pub(crate) kept: Vec<(ObjectId, &'static str)>,
}

/// A few objects go without a question, and so does a smaller part of all.
const FEW: usize = 5;
const KEPT_RUNS: usize = 3;
pub(super) const NEEDS_ALL: &str = "it needs --prune-all";
const NEEDS_CONSENT: &str = "it needs --yes-prune";

/// Where to look for what is gone: each resource in each namespace, of those that records name and the release does not
/// have. A run that was killed may have left objects that no record names, of the kinds of any release and of those it
/// had `begun` to write: then all kinds are looked through. Where every record is complete and nothing is gone, nothing
/// is asked.
pub(crate) fn where_to_look(
    objects: &[Rendered],
    begun: &[Rendered],
    records: &[&Record],
    jobs: &[JobRun],
    kept: &BTreeSet<ObjectId>,
) -> Vec<(Resource, Option<String>)> {
    let killed = records.iter().any(|record| record.state == crate::model::RecordState::Running);
    let has: BTreeSet<&ObjectId> = objects.iter().map(|object| &object.id).chain(kept).collect();
    let recent = recent_runs(records, jobs);
    let stays = |id: &ObjectId| has.contains(id) || (id.kind == "Job" && recent.contains(id.name.as_str()));
    let mut places: Vec<(Resource, Option<String>)> = Vec::new();
    let earlier = records.iter().flat_map(|record| &record.applied);
    let earlier =
        earlier.filter(|applied| killed || !stays(&applied.id)).map(|applied| (&applied.resource, &applied.id));
    let ours = objects.iter().filter(|_| killed).chain(begun).map(|object| (&object.resource, &object.id));
    for (resource, id) in earlier.chain(ours) {
        // another version of the same resource is the same list
        let is_known = places.iter().any(|(known, namespace)| {
            (&known.group, &known.plural, namespace) == (&resource.group, &resource.plural, &id.namespace)
        });
        if !is_known {
            places.push((resource.clone(), id.namespace.clone()));
        }
    }
    places
}

/// The names of the last runs of each Job.
fn recent_runs<'r>(records: &[&'r Record], jobs: &'r [JobRun]) -> BTreeSet<&'r str> {
    let newest_first = jobs.iter().chain(records.iter().rev().flat_map(|record| &record.jobs));
    let mut recent: Vec<(&str, &str)> = Vec::new();
    for run in newest_first {
        let is_known = recent.iter().any(|(_, name)| *name == run.name);
        let runs = recent.iter().filter(|(job, _)| *job == run.job).count();
        if !is_known && runs < KEPT_RUNS {
            recent.push((&run.job, &run.name));
        }
    }
    recent.into_iter().map(|(_, name)| name).collect()
}

/// Decides over `found`, the objects that bear the app's and the environment's label. `kept` is what the release passes
/// over, as the colour that serves; `live` is what the cluster has of the release.
pub(crate) fn prune(
    (objects, live): (&[Rendered], &[Live]),
    found: Vec<Live>,
    (records, jobs): (&[&Record], &[JobRun]),
    kept: &BTreeSet<ObjectId>,
    rules: PruneRules,
) -> Pruning {
    let has: BTreeSet<&ObjectId> = objects.iter().map(|object| &object.id).chain(kept).collect();
    let uids: BTreeSet<&str> = live.iter().filter_map(|live| uid(live.body.as_ref()?)).collect();
    let recent = recent_runs(records, jobs);
    let runs: BTreeSet<&str> = records.iter().flat_map(|record| &record.jobs).map(|run| run.name.as_str()).collect();
    let mut pruning = Pruning::default();
    let mut ordinary = Vec::new();
    for object in found {
        let Some(body) = &object.body else { continue };
        let is_recent = object.id.kind == "Job" && recent.contains(object.id.name.as_str());
        if has.contains(&object.id) || is_recent || uid(body).is_none_or(|uid| uids.contains(uid)) {
            continue;
        }
        match protection(&object.id, body, rules.all) {
            Some(Protection::Silent) => {}
            Some(Protection::Told(why)) => pruning.kept.push((object.id, why)),
            // a run of a Job that is old is no loss that anybody must agree to
            None if object.id.kind == "Job" && runs.contains(object.id.name.as_str()) => pruning.delete.push(object),
            None => ordinary.push(object),
        }
    }
    let inventory = objects.len() + ordinary.len();
    let is_much = ordinary.len() > FEW && ordinary.len() * 3 > inventory;
    for object in ordinary {
        let is_precious = rules.guarded && (serves(&object.id) || runs_pods(&object.id));
        if (is_much || is_precious) && !rules.agreed {
            pruning.kept.push((object.id, NEEDS_CONSENT));
        } else {
            pruning.delete.push(object);
        }
    }
    pruning
}

/// True where a record names this very object, or a run that was killed had `begun` to write it. Outside of the target's
/// namespace nothing else tells whose it is: there all previews of an app have the same labels.
pub(crate) fn is_recorded(live: &Live, records: &[&Record], begun: &[Rendered]) -> bool {
    let uid = live.body.as_ref().and_then(uid);
    let mut applied = records.iter().flat_map(|record| &record.applied);
    applied.any(|applied| applied.id == live.id && Some(applied.uid.as_str()) == uid)
        || begun.iter().any(|object| object.id == live.id)
}

/// Why an object is never deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// It is not ours to speak of.
    Silent,
    Told(&'static str),
}

/// Why this object stays whatever the manifests say; asked again of what is there right before a deletion.
pub(crate) fn protection(id: &ObjectId, body: &Value, all: bool) -> Option<Protection> {
    let metadata = &body["metadata"];
    let is_owned = metadata["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty());
    let is_leaving = !metadata["deletionTimestamp"].is_null();
    let of_shipway =
        ["shipway.dev/record", "shipway.dev/objects"].iter().any(|of| body["type"] == *of) || id.kind == "Lease";
    let is_ours = managed_fields(body).any(is_our_apply);
    if is_owned || is_leaving || of_shipway || !is_ours {
        return Some(Protection::Silent);
    }
    let marked = |of: &str, key: &str, value: &str| metadata[of][key] == value;
    if marked("annotations", "shipway.dev/prune", "never") || marked("labels", "shipway.dev/prune", "never") {
        return Some(Protection::Told("shipway.dev/prune: never"));
    }
    if marked("annotations", "helm.sh/resource-policy", "keep") {
        return Some(Protection::Told("helm.sh/resource-policy: keep"));
    }
    (!all && holds_data(id, body)).then_some(Protection::Told(NEEDS_ALL))
}

/// What takes data or other objects with it.
fn holds_data(id: &ObjectId, body: &Value) -> bool {
    match (id.group.as_str(), id.kind.as_str()) {
        ("", "Namespace" | "PersistentVolume" | "PersistentVolumeClaim") => true,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => true,
        ("apps", "StatefulSet") => {
            body.pointer("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted") == Some(&"Delete".into())
        }
        _ => false,
    }
}

fn serves(id: &ObjectId) -> bool {
    id.group.is_empty() && id.kind == "Service"
}

fn runs_pods(id: &ObjectId) -> bool {
    crate::kinds::find(&id.group, &id.kind).is_some_and(|kind| kind.template.is_some())
}

fn uid(body: &Value) -> Option<&str> {
    body.pointer("/metadata/uid")?.as_str().filter(|uid| !uid.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Applied, RecordState};

    fn id(group: &str, kind: &str, name: &str) -> ObjectId {
        ObjectId { group: group.into(), kind: kind.into(), namespace: Some("demo".into()), name: name.into() }
    }

    fn ours() -> Value {
        json!({"metadata": {"uid": "u", "managedFields": [{"manager": "shipway", "operation": "Apply"}]}})
    }

    fn with(path: &str, value: Value) -> Value {
        let mut body = ours();
        let mut place = &mut body;
        for key in path.split(' ') {
            place = &mut place[key];
        }
        *place = value;
        body
    }

    #[test]
    fn what_is_protected() {
        let told = |why| Some(Protection::Told(why));
        let silent = Some(Protection::Silent);
        let data = json!("Delete");
        let retention = "spec persistentVolumeClaimRetentionPolicy whenDeleted";
        let rows = [
            ("", "ConfigMap", ours(), None, None),
            ("", "ConfigMap", with("metadata managedFields", json!([])), silent, silent),
            (
                "",
                "ConfigMap",
                with("metadata managedFields", json!([{"manager": "shipway", "operation": "Update"}])),
                silent,
                silent,
            ),
            ("", "ConfigMap", with("metadata ownerReferences", json!([{"uid": "x"}])), silent, silent),
            ("", "ConfigMap", with("metadata deletionTimestamp", json!("now")), silent, silent),
            ("", "Secret", with("type", json!("shipway.dev/record")), silent, silent),
            ("coordination.k8s.io", "Lease", ours(), silent, silent),
            (
                "",
                "Service",
                with("metadata annotations shipway.dev/prune", json!("never")),
                told("shipway.dev/prune: never"),
                told("shipway.dev/prune: never"),
            ),
            (
                "",
                "Service",
                with("metadata labels shipway.dev/prune", json!("never")),
                told("shipway.dev/prune: never"),
                told("shipway.dev/prune: never"),
            ),
            (
                "",
                "Service",
                with("metadata annotations helm.sh/resource-policy", json!("keep")),
                told("helm.sh/resource-policy: keep"),
                told("helm.sh/resource-policy: keep"),
            ),
            ("", "Namespace", ours(), told(NEEDS_ALL), None),
            ("", "PersistentVolumeClaim", ours(), told(NEEDS_ALL), None),
            ("apiextensions.k8s.io", "CustomResourceDefinition", ours(), told(NEEDS_ALL), None),
            ("apps", "StatefulSet", with(retention, data), told(NEEDS_ALL), None),
            ("apps", "StatefulSet", ours(), None, None),
        ];
        for (group, kind, body, expected, with_all) in rows {
            assert_eq!(protection(&id(group, kind, "a"), &body, false), expected, "{kind} {body}");
            assert_eq!(protection(&id(group, kind, "a"), &body, true), with_all, "{kind} {body}, --prune-all");
        }
    }

    fn found(count: usize, kind: &str) -> Vec<Live> {
        let resource = crate::kinds::find(if kind == "Deployment" { "apps" } else { "" }, kind).unwrap().resource();
        let one = |number: usize| Live {
            id: id(&resource.group, kind, &format!("a{number}")),
            resource: resource.clone(),
            body: Some(with("metadata uid", json!(number.to_string()))),
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn much_and_what_serves_needs_consent() {
        let rows = [
            (5, "ConfigMap", false, false, 5),
            (6, "ConfigMap", false, false, 0),
            (6, "ConfigMap", false, true, 6),
            (1, "Service", false, false, 1),
            (1, "Service", true, false, 0),
            (1, "Deployment", true, false, 0),
            (1, "Deployment", true, true, 1),
            (1, "ConfigMap", true, false, 1),
        ];
        for (count, kind, guarded, agreed, deleted) in rows {
            let rules = PruneRules { all: false, agreed, guarded };
            let pruning = prune((&[], &[]), found(count, kind), (&[], &[]), &BTreeSet::new(), rules);
            assert_eq!(pruning.delete.len(), deleted, "{count} {kind} {rules:?}");
            assert_eq!(pruning.kept.len(), count - deleted, "{count} {kind} {rules:?}");
        }
    }

    #[test]
    fn what_is_passed_over_or_just_applied_stays() {
        let rules = PruneRules::default();
        let kept = BTreeSet::from([id("", "ConfigMap", "a0")]);
        let mut live = found(2, "ConfigMap");
        live.remove(0);
        let pruning = prune((&[], &live), found(3, "ConfigMap"), (&[], &[]), &kept, rules);
        let names: Vec<_> = pruning.delete.iter().map(|live| live.id.name.as_str()).collect();
        assert_eq!(names, ["a2"]);
    }

    #[test]
    fn only_the_very_object_that_a_record_names_is_recorded() {
        let found = found(2, "ConfigMap");
        let (id, resource) = (found[0].id.clone(), found[0].resource.clone());
        let applied = Applied { uid: "0".into(), ..Applied::named(id, resource) };
        let record = Record { applied: vec![applied.into()], ..Record::sample(1, RecordState::Failed) };
        let is_recorded = |live: &Live| is_recorded(live, &[&record], &[]);
        let again = Live { body: found[1].body.clone(), ..found[0].clone() };
        let gone = Live { body: None, ..found[0].clone() };
        assert!(is_recorded(&found[0]));
        assert!(!is_recorded(&found[1]) && !is_recorded(&again) && !is_recorded(&gone));
    }

    #[test]
    fn three_runs_of_a_job_are_recent() {
        let run = |name: &str| JobRun {
            job: "m".into(),
            name: name.into(),
            namespace: None,
            hash: String::new(),
            done: true,
            failed: false,
        };
        let jobs = [run("m-9"), run("m-8"), run("m-8"), run("m-7"), run("m-6")];
        assert_eq!(recent_runs(&[], &jobs), BTreeSet::from(["m-9", "m-8", "m-7"]));
    }
}
