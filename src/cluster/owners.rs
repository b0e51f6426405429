//! Who owns which fields: `metadata.managedFields` (FieldsV1, structured-merge-diff) read and rewritten.

use serde_json::{Map, Value};

use crate::model::{HANDOVER, MANAGER, ObjectId, PathStep, is_our_apply, is_ours, is_person, managed_fields};

/// True for people's tools and for shipway itself; false for controllers and other deployers.
pub(super) fn is_taken_over(manager: &str) -> bool {
    is_ours(manager) || is_person(manager)
}

/// The time of the manager's newest entry, as the server wrote it.
pub(super) fn since(live: Option<&Value>, manager: &str) -> Option<String> {
    let entries = managed_fields(live?).filter(|entry| entry["manager"] == manager);
    entries.filter_map(|entry| entry["time"].as_str()).max().map(str::to_owned)
}

/// Our own entry of a server-side apply.
pub(super) fn our_entry(body: &Value) -> Option<&Value> {
    managed_fields(body).find(|entry| is_our_apply(entry))
}

/// What an adoption does: the new managedFields, the managers whose fields are taken over, and these fields.
#[derive(Debug, PartialEq)]
pub(super) struct Adoption {
    pub managed_fields: Value,
    pub managers: Vec<String>,
    pub fields: Value,
}

/// The adoption that the first deploy of an object needs, none where no `kubectl` has made or changed it; and that of the
/// deployers that are named, whenever they own something.
///
/// Fields that belong to an operation rather than to a manifest stay with their manager: replicas, `restartedAt`, and a
/// Service's selector. Those of a deployer that is named go to `shipway-handover`: nobody sets them there any more.
pub(super) fn adoption(live: &Value, id: &ObjectId, api_version: &str, named: &[String]) -> Option<Adoption> {
    let before = our_entry(live);
    let mut kept_entries = Vec::new();
    let (mut ours, mut managers, mut time) = (Value::Null, Vec::new(), String::new());
    let mut handed_over = Value::Null;
    for entry in managed_fields(live) {
        let is_named = is_of(entry, named, api_version);
        if is_our_apply(entry) {
            unite(&mut ours, &entry["fieldsV1"]);
            continue;
        }
        if !is_named && (before.is_some() || !is_adoptable(entry, api_version)) {
            kept_entries.push(entry.clone());
            continue;
        }
        let (taken, kept) = split(&entry["fieldsV1"], &mut Vec::new(), id);
        match kept {
            Some(kept) if is_named => unite(&mut handed_over, &kept),
            Some(kept) => {
                let mut entry = entry.clone();
                entry["fieldsV1"] = kept;
                kept_entries.push(entry);
            }
            None => {}
        }
        if let Some(taken) = taken {
            unite(&mut ours, &taken);
            managers.push(entry["manager"].as_str().unwrap_or_default().to_owned());
            time = time.max(entry["time"].as_str().unwrap_or_default().to_owned());
        }
    }
    if managers.is_empty() {
        return None;
    }
    managers.dedup();
    let entry = |manager: &str, operation: &str, fields: &Value| {
        serde_json::json!({
            "manager": manager,
            "operation": operation,
            "apiVersion": api_version,
            "time": time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        })
    };
    if !handed_over.is_null() {
        kept_entries.push(entry(HANDOVER, "Update", &handed_over));
    }
    kept_entries.push(entry(MANAGER, "Apply", &ours));
    Some(Adoption { managed_fields: Value::Array(kept_entries), managers, fields: ours })
}

/// True for what a deployer that is named has written, by update (Helm 3) or by server-side apply (Helm 4).
fn is_of(entry: &Value, named: &[String], api_version: &str) -> bool {
    named.iter().any(|manager| entry["manager"] == manager.as_str())
        && entry["apiVersion"] == api_version
        && entry.get("subresource").is_none()
}

fn is_adoptable(entry: &Value, api_version: &str) -> bool {
    entry["manager"].as_str().is_some_and(|manager| manager.starts_with("kubectl"))
        && entry["operation"] == "Update"
        && entry["apiVersion"] == api_version
        && entry.get("subresource").is_none()
}

/// A set of fields in two: what is taken over, and what stays.
fn split(fields: &Value, path: &mut Vec<String>, id: &ObjectId) -> (Option<Value>, Option<Value>) {
    let Some(fields) = fields.as_object() else { return (None, None) };
    if is_an_operation(path, id) {
        return (None, Some(Value::Object(fields.clone())));
    }
    if fields.is_empty() {
        return (Some(Value::Object(Map::new())), None);
    }
    let (mut taken, mut kept) = (Map::new(), Map::new());
    for (key, inner) in fields {
        path.push(key.clone());
        let (ours, theirs) = split(inner, path, id);
        path.pop();
        taken.extend(ours.map(|ours| (key.clone(), ours)));
        kept.extend(theirs.map(|theirs| (key.clone(), theirs)));
    }
    // who keeps a part of a map keeps the map itself
    if !kept.is_empty() {
        kept.extend(taken.shift_remove_entry("."));
    }
    let some = |map: Map<String, Value>| (!map.is_empty()).then_some(Value::Object(map));
    (some(taken), some(kept))
}

const RESTARTED: &str = "f:kubectl.kubernetes.io/restartedAt";

fn is_an_operation(path: &[String], id: &ObjectId) -> bool {
    match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["f:spec", "f:replicas"] => true,
        ["f:spec", "f:selector"] => id.kind == "Service" && id.group.is_empty(),
        [.., last] => last == RESTARTED,
        [] => false,
    }
}

fn unite(into: &mut Value, other: &Value) {
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    if let (Some(into), Some(other)) = (into.as_object_mut(), other.as_object()) {
        for (key, inner) in other {
            unite(into.entry(key.clone()).or_insert(Value::Null), inner);
        }
    }
}

/// The fields of a set that a manifest does not have, as paths into `live`: what goes when the set is ours alone.
///
/// Of a list item that goes, only its own path is told.
pub(super) fn leaving(fields: &Value, manifest: &Value, live: &Value) -> Vec<Vec<PathStep>> {
    let mut found = Vec::new();
    leave(fields, Some(manifest), live, &mut Vec::new(), &mut found);
    found
}

fn leave(
    fields: &Value,
    manifest: Option<&Value>,
    live: &Value,
    path: &mut Vec<PathStep>,
    found: &mut Vec<Vec<PathStep>>,
) {
    for (key, inner) in fields.as_object().into_iter().flatten() {
        let Some((step, value)) = step(key, live) else { continue };
        let wanted = manifest.and_then(|manifest| match &step {
            PathStep::Key(name) => manifest.get(name),
            PathStep::Index(_) => child(key, manifest).map(|(_, value)| value),
        });
        path.push(step);
        let is_leaf = inner.as_object().is_none_or(Map::is_empty);
        match wanted {
            None if is_leaf || !key.starts_with("f:") => found.push(path.clone()),
            Some(_) if is_leaf => {}
            wanted => leave(inner, wanted, value, path, found),
        }
        path.pop();
    }
}

fn step<'v>(key: &str, live: &'v Value) -> Option<(PathStep, &'v Value)> {
    match key.strip_prefix("f:") {
        Some(name) => live.get(name).map(|value| (PathStep::Key(name.to_owned()), value)),
        None => child(key, live).map(|(index, value)| (PathStep::Index(index), value)),
    }
}

/// The list item that `k:{"name":"web"}` or `v:"item"` means.
fn child<'v>(key: &str, list: &'v Value) -> Option<(usize, &'v Value)> {
    let (form, text) = key.split_once(':')?;
    let wanted: Value = serde_json::from_str(text).ok()?;
    list.as_array()?.iter().enumerate().find(|(_, item)| match form {
        "k" => wanted.as_object().is_some_and(|keys| keys.iter().all(|(key, value)| key_matches(item, key, value))),
        "v" => **item == wanted,
        _ => false,
    })
}

/// `protocol` is a key of ports that manifests may leave out.
fn key_matches(item: &Value, key: &str, value: &Value) -> bool {
    match item.get(key) {
        Some(found) => found == value,
        None => key == "protocol" && value == "TCP",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::FieldPath;

    fn id(kind: &str) -> ObjectId {
        ObjectId { group: String::new(), kind: kind.to_owned(), namespace: None, name: "web".to_owned() }
    }

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": fields, "manager": manager,
               "operation": operation, "time": "2026-11-20T19:57:01Z"})
    }

    /// As `kubectl apply`, `scale`, `set env`, `rollout restart` and the controller leave it on 1.34.
    fn touched() -> Value {
        let mut status = entry("controller-manager", "Update", json!({"f:status": {"f:observedGeneration": {}}}));
        status["subresource"] = "status".into();
        let mut scaled = entry("kubectl", "Update", json!({"f:spec": {"f:replicas": {}}}));
        scaled["subresource"] = "scale".into();
        let applied = json!({
            "f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}}},
            "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
                ".": {}, "f:image": {}, "f:env": {".": {}, "k:{\"name\":\"OLD\"}": {".": {}, "f:name": {}, "f:value": {}}}}}}}},
        });
        let set = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
            "f:env": {"k:{\"name\":\"HAND\"}": {".": {}, "f:name": {}}}}}}}}});
        let restarted = json!({"f:spec": {"f:template": {"f:metadata": {"f:annotations": {
            ".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}}}});
        json!({"metadata": {"managedFields": [
            status, scaled, entry("kubectl-client-side-apply", "Update", applied),
            entry("kubectl-rollout", "Update", restarted), entry("kubectl-set", "Update", set),
        ]}})
    }

    /// Manager, operation and fields of each entry.
    fn entries_of(adoption: &Adoption) -> Vec<(&str, &str, &Value)> {
        let entries = adoption.managed_fields.as_array().unwrap().iter();
        entries
            .map(|entry| (entry["manager"].as_str().unwrap(), entry["operation"].as_str().unwrap(), &entry["fieldsV1"]))
            .collect()
    }

    #[test]
    fn hands_are_merged_into_our_entry_and_operations_are_not() {
        let adoption = adoption(&touched(), &id("Deployment"), "apps/v1", &[]).unwrap();
        assert_eq!(adoption.managers, ["kubectl-client-side-apply", "kubectl-set"]);
        let containers = json!({"k:{\"name\":\"web\"}": {
            ".": {}, "f:image": {}, "f:env": {
                ".": {}, "k:{\"name\":\"OLD\"}": {".": {}, "f:name": {}, "f:value": {}},
                "k:{\"name\":\"HAND\"}": {".": {}, "f:name": {}}}}});
        let annotations = json!({"f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}}});
        assert_eq!(
            adoption.fields,
            json!({"f:metadata": annotations, "f:spec": {"f:template": {"f:spec": {"f:containers": containers}}}})
        );
        let owns_replicas = |(manager, operation, fields): (_, _, &Value)| {
            (manager, operation, fields["f:spec"]["f:replicas"].is_object())
        };
        assert_eq!(
            entries_of(&adoption).into_iter().map(owns_replicas).collect::<Vec<_>>(),
            [
                ("controller-manager", "Update", false),
                ("kubectl", "Update", true),
                ("kubectl-client-side-apply", "Update", true),
                ("kubectl-rollout", "Update", false),
                ("shipway", "Apply", false),
            ]
        );
    }

    #[test]
    fn a_deployer_that_is_named_hands_over_all_it_has() {
        let fields = json!({"f:spec": {"f:replicas": {}, "f:paused": {}}});
        let ours = json!({"f:spec": {"f:minReadySeconds": {}}});
        let entries = json!([
            entry("helm", "Update", fields.clone()),
            entry("helm", "Apply", fields),
            entry("shipway", "Apply", ours),
            entry("kubectl-edit", "Update", json!({"f:spec": {"f:strategy": {}}})),
        ]);
        let live = json!({"metadata": {"managedFields": entries}});
        let adoption = adoption(&live, &id("Deployment"), "apps/v1", &["helm".to_owned()]).unwrap();
        assert_eq!(adoption.managers, ["helm"]);
        assert_eq!(adoption.fields, json!({"f:spec": {"f:paused": {}, "f:minReadySeconds": {}}}));
        let handed = json!({"f:spec": {"f:replicas": {}}});
        let entries = entries_of(&adoption);
        assert_eq!(entries[0].0, "kubectl-edit");
        assert_eq!(entries[1], (HANDOVER, "Update", &handed));
        assert_eq!(entries[2], ("shipway", "Apply", &adoption.fields));
    }

    #[test]
    fn what_is_not_adopted() {
        let fields = json!({"f:spec": {"f:paused": {}}});
        let live = |entries: Value| json!({"metadata": {"managedFields": entries}});
        let mut other_version = entry("kubectl-edit", "Update", fields.clone());
        other_version["apiVersion"] = "apps/v1beta1".into();
        let rows = [
            live(json!([entry("helm", "Update", fields.clone())])),
            live(json!([entry("kubectl", "Apply", fields.clone())])),
            live(json!([other_version])),
            live(json!([entry("kubectl-edit", "Update", fields.clone()), entry("shipway", "Apply", fields.clone())])),
            json!({"metadata": {}}),
        ];
        for row in rows {
            assert_eq!(adoption(&row, &id("Deployment"), "apps/v1", &[]), None, "{row}");
        }
        let selector = live(json!([entry("kubectl-edit", "Update", json!({"f:spec": {"f:selector": {}}}))]));
        assert_eq!(adoption(&selector, &id("Service"), "apps/v1", &[]), None);
        assert!(adoption(&selector, &id("Deployment"), "apps/v1", &[]).is_some());
    }

    #[test]
    fn fields_that_the_manifest_no_longer_has() {
        let fields = json!({
            "f:metadata": {"f:labels": {".": {}, "f:old": {}}},
            "f:spec": {
                "f:ports": {".": {}, "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}, "k:{\"port\":81,\"protocol\":\"TCP\"}": {".": {}}},
                "f:env": {".": {}, "k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}},
                "f:paused": {},
            },
        });
        let live = json!({
            "metadata": {"labels": {"old": "x", "theirs": "y"}},
            "spec": {
                "ports": [{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"}],
                "env": [{"name": "B"}, {"name": "A", "value": "1"}],
                "paused": true,
            },
        });
        let manifest =
            json!({"metadata": {}, "spec": {"ports": [{"port": 80}], "env": [{"name": "A"}], "paused": false}});
        let told: Vec<_> =
            leaving(&fields, &manifest, &live).into_iter().map(|path| FieldPath(path).to_string()).collect();
        assert_eq!(told, ["metadata.labels.old", "spec.ports[1]", "spec.env[1].value"]);
    }
}
