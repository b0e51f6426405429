//! Who set a field, as `metadata.managedFields` tells (Kubernetes API reference, `FieldsV1`).

use serde_json::Value;

use crate::model::{is_ours, is_person, managed_fields, short_age};

use super::diff::Step;

/// `set by hand (kubectl-edit, 3 days ago)`, where somebody else took a field of an object that shipway has applied.
pub(super) fn taken_by(live: &Value, path: &[Step], now: jiff::Timestamp) -> Option<String> {
    let is_own = |entry: &Value| entry["manager"].as_str().is_some_and(is_ours);
    if !managed_fields(live).any(is_own) {
        return None;
    }
    let other = managed_fields(live)
        .filter(|entry| !is_own(entry) && entry.get("subresource").is_none())
        .find(|entry| entry.get("fieldsV1").is_some_and(|fields| owns(fields, path)))?;
    Some(set_by(other, now))
}

/// `set by hand (kubectl-edit, 3 days ago)`
pub(super) fn set_by(entry: &Value, now: jiff::Timestamp) -> String {
    let manager = entry["manager"].as_str().unwrap_or_default();
    let how = if is_person(manager) { "set by hand" } else { "set by another" };
    let at = entry["time"].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok());
    match at {
        Some(at) => format!("{how} ({manager}, {})", short_age(now.duration_since(at).as_secs())),
        None => format!("{how} ({manager})"),
    }
}

/// `kubectl-edit, 2 min ago`: who wrote the object last, but for its status.
pub(super) fn last_writer(live: &Value, now: jiff::Timestamp) -> Option<String> {
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    let written = entries.iter().filter(|entry| entry.get("subresource").is_none()).filter_map(|entry| {
        let at: jiff::Timestamp = entry.get("time")?.as_str()?.parse().ok()?;
        Some((at, entry.get("manager")?.as_str()?))
    });
    let (at, manager) = written.max()?;
    Some(format!("{manager}, {}", short_age(now.duration_since(at).as_secs())))
}

/// True where the set of fields holds the path, or an atomic field above it.
fn owns(fields: &Value, path: &[Step]) -> bool {
    let Some((step, rest)) = path.split_first() else {
        return true;
    };
    let Some(entries) = fields.as_object() else {
        return false;
    };
    let below = match step {
        Step::Key(key) => entries.get(&format!("f:{key}")),
        Step::Item { field, value } => {
            entries.iter().find(|(key, _)| is_item(key, field, value)).map(|(_, below)| below)
        }
        Step::Index(_) => return entries.is_empty(),
    };
    match below {
        Some(below) if below.as_object().is_some_and(|fields| fields.is_empty()) => true,
        Some(below) => owns(below, rest),
        None => false,
    }
}

/// `k:{"name":"web"}`; a key may have several fields (`containerPort` and `protocol`).
fn is_item(key: &str, field: &str, value: &str) -> bool {
    let Some(Ok(Value::Object(keys))) = key.strip_prefix("k:").map(serde_json::from_str) else {
        return false;
    };
    match keys.get(field) {
        Some(Value::String(text)) => text == value,
        Some(Value::Number(number)) => number.to_string() == value,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_that_was_taken_names_who_took_it_and_when() {
        let env = |extra: &str| {
            json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
                "f:env": {format!("k:{{\"name\":\"{extra}\"}}"): {"f:value": {}}}}}}}}})
        };
        let live = json!({"metadata": {"managedFields": [
            {"manager": "shipway", "operation": "Apply", "fieldsV1": env("A"), "time": "2026-11-01T00:00:00Z"},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": env("DEBUG"), "time": "2026-11-17T00:00:00Z"},
        ]}});
        let path = |name: &str| {
            let key = |key: &str| Step::Key(key.to_owned());
            let item = |value: &str| Step::Item { field: "name", value: value.to_owned() };
            vec![
                key("spec"),
                key("template"),
                key("spec"),
                key("containers"),
                item("web"),
                key("env"),
                item(name),
                key("value"),
            ]
        };
        let now = "2026-11-20T00:00:00Z".parse().unwrap();
        assert_eq!(taken_by(&live, &path("DEBUG"), now).as_deref(), Some("set by hand (kubectl-edit, 3 days ago)"));
        assert_eq!(taken_by(&live, &path("A"), now), None);
        // a whole item that goes
        assert!(taken_by(&live, &path("DEBUG")[..7], now).is_some());
        let foreign = json!({"metadata": {"managedFields": [live["metadata"]["managedFields"][1].clone()]}});
        assert_eq!(taken_by(&foreign, &path("DEBUG"), now), None);
    }
}
