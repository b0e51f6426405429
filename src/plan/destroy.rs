//! What goes with an environment: its namespace, or only what is its own in there.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::{Live, LiveNamespace, ObjectId, Record, Target};

use super::{
    PRODUCTION, PlanError,
    prune::{Protection, protection},
};

/// What is deleted, and what stays with the reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Destruction {
    /// None where the namespace goes too; else why it stays.
    pub(crate) namespace_stays: Option<String>,
    /// What goes by itself: everything, or what is outside of a namespace that goes.
    pub(crate) delete: Vec<Live>,
    pub(crate) kept: Vec<(ObjectId, &'static str)>,
    /// Shipway's own: copied Secrets and records. They go last.
    pub(crate) own: Vec<Live>,
}

/// Refuses what is guarded.
///
/// # Errors
/// [`PlanError::Guarded`] for production and where `confirm` is set.
pub(crate) fn destroyable(target: &Target) -> Result<(), PlanError> {
    if target.confirm || target.environment.value == PRODUCTION {
        return Err(PlanError::Guarded { environment: target.environment.value.clone() });
    }
    Ok(())
}

/// Decides over `found`: everything in the namespace that bears an app's label, and what records name outside of it.
/// With `all` volumes, namespaces and definitions go, too.
pub(crate) fn destruction(
    target: &Target,
    namespace: &LiveNamespace,
    records: &[Record],
    found: Vec<Live>,
    all: bool,
) -> Destruction {
    let named: BTreeSet<&ObjectId> =
        records.iter().flat_map(|record| &record.applied).map(|applied| &applied.id).collect();
    let mut destruction = Destruction { namespace_stays: not_made(namespace, records), ..Destruction::default() };
    let (mut inside, mut theirs, mut marked) = (Vec::new(), None, None);
    for live in found {
        let Some(body) = &live.body else { continue };
        let is_inside = live.id.namespace.as_ref() == Some(&namespace.name);
        if !is_ours(target, body, is_inside && named.contains(&live.id)) {
            if is_inside && !is_owned(body) {
                theirs.get_or_insert_with(|| owner(body));
            }
            continue;
        }
        if is_of_shipway(body) {
            destruction.own.push(live);
            continue;
        }
        match protection(&live.id, body, all) {
            Some(Protection::Silent) => {}
            Some(Protection::Told(why)) => {
                if is_inside && why != super::prune::NEEDS_ALL {
                    marked.get_or_insert_with(|| format!("{} is in it ({why})", live.id));
                }
                destruction.kept.push((live.id, why));
            }
            None if is_inside => inside.push(live),
            None => destruction.delete.push(live),
        }
    }
    let theirs = theirs.map(|owner| format!("objects of {owner} are in it"));
    destruction.namespace_stays = destruction.namespace_stays.or(theirs).or(marked);
    if destruction.namespace_stays.is_some() {
        destruction.delete.extend(inside);
    } else {
        // they go with the namespace
        destruction.own.clear();
        destruction.kept.retain(|(id, _)| id.namespace.as_ref() != Some(&namespace.name));
    }
    destruction
}

/// Why the namespace is none that shipway made; its mark and a record must agree. A run may have ended before its first
/// record.
fn not_made(namespace: &LiveNamespace, records: &[Record]) -> Option<String> {
    let recorded = records.iter().any(|record| record.made_namespace.as_ref() == Some(&namespace.uid));
    match (namespace.marks.created, recorded || records.is_empty()) {
        (true, true) => None,
        (true, false) => Some("no record says that shipway made it".to_owned()),
        (false, _) => Some("shipway did not make it".to_owned()),
    }
}

/// True for what bears the labels of this app and environment; for what a record names, where none says otherwise.
fn is_ours(target: &Target, body: &Value, recorded: bool) -> bool {
    let is = |label: &str, ours: &str| match body["metadata"]["labels"][label].as_str() {
        Some(theirs) => theirs == ours,
        None => recorded,
    };
    is("shipway.dev/app", &target.app) && is("shipway.dev/env", &target.environment.value)
}

/// Pods and the like bear the app's label alone.
fn is_owned(body: &Value) -> bool {
    body["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty())
}

/// `the app other`, `environment qa of demo`
fn owner(body: &Value) -> String {
    let label = |label: &str| body["metadata"]["labels"][label].as_str().unwrap_or("none");
    format!("environment {} of app {}", label("shipway.dev/env"), label("shipway.dev/app"))
}

/// Records and copied Secrets.
fn is_of_shipway(body: &Value) -> bool {
    let metadata = &body["metadata"];
    body["kind"] == "Secret"
        && (metadata["labels"].get("shipway.dev/revision").is_some()
            || metadata["annotations"].get("shipway.dev/copied-from").is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        kinds,
        model::{NamespaceMarks, Origin, RecordState, Sourced},
    };

    fn target() -> Target {
        Target::sample("preview")
    }

    fn namespace(created: bool) -> LiveNamespace {
        LiveNamespace {
            name: "demo-cart".into(),
            uid: "n".into(),
            resource_version: "1".into(),
            leaving: false,
            marks: NamespaceMarks { created, ..NamespaceMarks::default() },
            remains: Vec::new(),
            body: serde_json::Value::Null,
        }
    }

    fn record(made: Option<&str>) -> Record {
        let record = json!({
            "revision": 1, "app": "demo", "environment": "preview", "state": RecordState::Succeeded, "commit": null,
            "branch": null, "tag": "t", "images": [], "color": null, "by": "alice",
            "at": jiff::Timestamp::UNIX_EPOCH, "applied": [], "made_namespace": made,
        });
        serde_json::from_value(record).unwrap()
    }

    /// An object that shipway has applied.
    fn live(group: &str, kind: &str, name: &str, metadata: Value) -> Live {
        let resource = kinds::find(group, kind).unwrap().resource();
        let mut body = json!({"kind": kind, "metadata": {
            "name": name, "uid": name, "labels": {"shipway.dev/app": "demo", "shipway.dev/env": "preview"},
            "managedFields": [{"manager": "shipway", "operation": "Apply"}],
        }});
        for (key, value) in metadata.as_object().unwrap() {
            body["metadata"][key] = value.clone();
        }
        let namespace = resource.namespaced.then(|| "demo-cart".to_owned());
        let id = ObjectId { group: group.into(), kind: kind.into(), namespace, name: name.into() };
        Live { id, resource, body: Some(body) }
    }

    fn names(live: &[Live]) -> Vec<&str> {
        live.iter().map(|live| live.id.name.as_str()).collect()
    }

    #[test]
    fn a_namespace_goes_where_mark_and_record_agree() {
        let rows = [
            (true, vec![record(Some("n"))], None),
            (true, vec![record(Some("n")), record(None)], None),
            (true, vec![], None),
            (true, vec![record(Some("another"))], Some("no record says that shipway made it")),
            (true, vec![record(None)], Some("no record says that shipway made it")),
            (false, vec![record(Some("n"))], Some("shipway did not make it")),
            (false, vec![], Some("shipway did not make it")),
        ];
        for (created, records, stays) in rows {
            let found = vec![live("", "ConfigMap", "a", json!({}))];
            let destruction = destruction(&target(), &namespace(created), &records, found, false);
            assert_eq!(destruction.namespace_stays.as_deref(), stays, "{created} {records:?}");
            assert_eq!(names(&destruction.delete).is_empty(), stays.is_none(), "{created} {records:?}");
        }
    }

    #[test]
    fn what_another_app_has_or_a_mark_keeps_the_namespace() {
        let other = json!({"labels": {"shipway.dev/app": "other", "shipway.dev/env": "preview"}});
        let qa = json!({"labels": {"shipway.dev/app": "demo", "shipway.dev/env": "qa"}});
        let pod = json!({"labels": {"shipway.dev/app": "demo"}, "ownerReferences": [{"uid": "x"}]});
        let never = json!({"annotations": {"shipway.dev/prune": "never"}});
        let keep = json!({"annotations": {"helm.sh/resource-policy": "keep"}});
        let rows = [
            (live("", "ConfigMap", "a", other), Some("objects of environment preview of app other are in it")),
            (live("", "ConfigMap", "a", qa), Some("objects of environment qa of app demo are in it")),
            (live("", "Pod", "a", pod), None),
            (live("", "PersistentVolumeClaim", "a", json!({})), None),
            (live("", "ConfigMap", "a", never), Some("configmap/a is in it (shipway.dev/prune: never)")),
            (live("", "ConfigMap", "a", keep), Some("configmap/a is in it (helm.sh/resource-policy: keep)")),
        ];
        for (found, stays) in rows {
            let destruction = destruction(&target(), &namespace(true), &[], vec![found.clone()], false);
            assert_eq!(destruction.namespace_stays.as_deref(), stays, "{found:?}");
            assert!(destruction.delete.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn of_a_namespace_that_stays_only_our_own_goes() {
        let found = || {
            let revision = json!({"labels": {
                "shipway.dev/app": "demo", "shipway.dev/env": "preview", "shipway.dev/revision": "1"}});
            let manager = json!([{"manager": "shipway-copy", "operation": "Apply"}]);
            let copy = json!({"annotations": {"shipway.dev/copied-from": "demo-qa"}, "managedFields": manager});
            let foreign = json!({"managedFields": [{"manager": "kubectl", "operation": "Update"}]});
            vec![
                live("apps", "Deployment", "web", json!({})),
                live("", "PersistentVolumeClaim", "data", json!({})),
                live("", "ConfigMap", "kept", json!({"annotations": {"shipway.dev/prune": "never"}})),
                live("", "ConfigMap", "foreign", foreign),
                live("", "ConfigMap", "other", json!({"labels": {"shipway.dev/app": "other"}})),
                live("", "Secret", "regcred", copy),
                live("", "Secret", "shipway.demo.preview.v1", revision),
                live("rbac.authorization.k8s.io", "ClusterRole", "outside", json!({})),
            ]
        };
        let stays = destruction(&target(), &namespace(false), &[], found(), false);
        assert_eq!(names(&stays.delete), ["outside", "web"]);
        assert_eq!(names(&stays.own), ["regcred", "shipway.demo.preview.v1"]);
        let kept: Vec<_> = stays.kept.iter().map(|(id, why)| format!("{id} {why}")).collect();
        assert_eq!(
            kept,
            ["persistentvolumeclaim/data it needs --prune-all", "configmap/kept shipway.dev/prune: never"]
        );
        let with_all = destruction(&target(), &namespace(false), &[], found(), true);
        assert_eq!(names(&with_all.delete), ["outside", "web", "data"]);
        // what lies outside goes by itself, also where the namespace goes
        let goes: Vec<Live> =
            found().into_iter().filter(|live| ["web", "outside"].contains(&live.id.name.as_str())).collect();
        let goes = destruction(&target(), &namespace(true), &[], goes, false);
        assert_eq!((goes.namespace_stays, names(&goes.delete)), (None, vec!["outside"]));
    }

    #[test]
    fn what_is_guarded_is_never_destroyed() {
        for (environment, confirm, refused) in
            [("production", false, true), ("staging", true, true), ("preview", false, false)]
        {
            let environment = Sourced::new(environment.to_owned(), Origin::Default);
            let answer = destroyable(&Target { environment, confirm, ..target() });
            assert_eq!(answer.is_err(), refused);
        }
    }
}
