//! The Service that leads to one of two colours.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use super::{
    connect::Cluster,
    error::ClusterError,
    request::{Call, Failure, JSON_PATCH, built_in, object_path},
};
use crate::model::{
    Applied, BlueGreen, FieldPath, Live, MANAGER, ObjectId, Rendered, Resource, Traffic, managed_fields,
};

impl Cluster {
    /// The Service's selector as it is now; none where there is no such Service.
    pub(crate) async fn traffic(
        &self,
        namespace: &str,
        blue_green: &BlueGreen,
    ) -> Result<Option<Traffic>, ClusterError> {
        let id = ObjectId {
            group: String::new(),
            kind: "Service".to_owned(),
            namespace: Some(namespace.to_owned()),
            name: blue_green.service.clone(),
        };
        let found = self.get(&services(), &id).await?;
        Ok(found.map(|body| read(id, &body, &blue_green.label)))
    }

    /// Leads the Service to another colour, if it still leads where `traffic` says: a JSON patch with a `test` on
    /// `/spec/selector/<label>` and nothing else.
    ///
    /// # Errors
    /// [`ClusterError::SwitchLost`], with who has switched, where it does not.
    pub(crate) async fn move_traffic(
        &self,
        traffic: &Traffic,
        label: &str,
        color: &str,
    ) -> Result<Traffic, ClusterError> {
        let id = &traffic.service;
        let path = object_path(&services(), id, &[("fieldManager", MANAGER)]);
        let patch = patch(traffic, label, color);
        for _ in 0..SWITCH_TRIES {
            let call = Call::write(Method::PATCH, &path, JSON_PATCH, patch.to_string()).about(id);
            let failure = match self.ask_text(&call).await {
                Ok(text) => return Ok(read(id.clone(), &self.parse(&text)?, label)),
                Err(failure) => failure,
            };
            let is_unclear = match &failure {
                // the answer to a failed test says nothing more
                Failure::Status(status) => status.code == 422,
                Failure::Error(error) => matches!(error, ClusterError::Unreachable { .. }),
            };
            if !is_unclear {
                return Err(self.explain(failure, Some(id)));
            }
            let Some(body) = self.get(&services(), id).await? else {
                return Err(self.explain(failure, Some(id)));
            };
            let now = read(id.clone(), &body, label);
            match &failure {
                Failure::Error(_) if now.color.as_deref() == Some(color) => return Ok(now),
                Failure::Error(_) if now.color == traffic.color => {}
                Failure::Status(_) if now.color == traffic.color => return Err(self.explain(failure, Some(id))),
                _ => return Err(lost(traffic, &now, &body)),
            }
        }
        Err(self.unreachable(format!("{id} cannot be switched: the server does not answer")))
    }

    /// Writes the Service that is switched. Only a switch moves traffic, so it goes on leading where it leads at the moment
    /// of the write, and not where it led when the release was made.
    ///
    /// # Errors
    /// As [`Cluster::apply`]; [`ClusterError::Stale`] where it is changed again and again.
    pub(crate) async fn apply_switched(&self, object: &Rendered, label: &str) -> Result<Applied, ClusterError> {
        let (id, resource) = (&object.id, &object.resource);
        let mut tries = 0;
        while let Some(body) = self.get(resource, id).await? {
            tries += 1;
            let leading = leading(object, &body, label);
            let live = Live { id: id.clone(), resource: resource.clone(), body: Some(body) };
            match self.apply(&leading, Some(&live)).await {
                // by another writer, or by our own adoption of what kubectl has made
                Err(ClusterError::Stale { .. }) if tries < SWITCH_TRIES => {}
                done => return done,
            }
        }
        self.apply(object, None).await
    }
}

/// For answers that get lost, and for a Service that is changed all the time.
const SWITCH_TRIES: usize = 5;

/// The same Service with the colour that is live, for this very version of it.
fn leading(object: &Rendered, live: &Value, label: &str) -> Rendered {
    let mut body = object.body();
    let color = FieldPath::parse("spec.selector").key(label);
    if let (Some(color), Some(live)) = (color.find_mut(&mut body), color.find(live)) {
        color.clone_from(live);
    }
    body["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
    Rendered { json: body.to_string(), ..object.clone() }
}

fn services() -> Resource {
    built_in("", "v1", "Service", "services")
}

/// Where a Service leads, as its object has it.
pub(crate) fn traffic_of(service: ObjectId, body: &Value, label: &str) -> Traffic {
    read(service, body, label)
}

fn read(service: ObjectId, body: &Value, label: &str) -> Traffic {
    let selector: BTreeMap<String, String> = body
        .pointer("/spec/selector")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    let version = body.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
    Traffic { service, color: selector.get(label).cloned(), selector, resource_version: version.to_owned() }
}

fn patch(traffic: &Traffic, label: &str, color: &str) -> Value {
    let path = format!("/spec/selector/{}", label.replace('~', "~0").replace('/', "~1"));
    match &traffic.color {
        Some(before) => json!([
            {"op": "test", "path": path, "value": before},
            {"op": "replace", "path": path, "value": color},
        ]),
        // that a label is absent can only be tested with the whole selector
        None => json!([
            {"op": "test", "path": "/spec/selector", "value": traffic.selector},
            {"op": "add", "path": path, "value": color},
        ]),
    }
}

fn lost(expected: &Traffic, now: &Traffic, body: &Value) -> ClusterError {
    let shown = |traffic: &Traffic| traffic.color.clone().map_or("no colour".to_owned(), |color| format!("`{color}`"));
    let owner = managed_fields(body)
        .filter(|entry| entry.pointer("/fieldsV1/f:spec/f:selector").is_some())
        .max_by_key(|entry| entry["time"].as_str().unwrap_or_default().to_owned());
    let by = owner.map_or_else(String::new, |entry| {
        let text = |key: &str| entry[key].as_str().unwrap_or("unknown").to_owned();
        format!(" (by {}, {})", text("manager"), text("time"))
    });
    ClusterError::SwitchLost {
        service: Box::new(expected.service.clone()),
        expected: shown(expected),
        found: shown(now),
        by,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> ObjectId {
        ObjectId { group: String::new(), kind: "Service".to_owned(), namespace: None, name: "demo".to_owned() }
    }

    #[test]
    fn the_patch_tests_what_it_changes_and_nothing_else() {
        let body = json!({"metadata": {"resourceVersion": "7"}, "spec": {"selector": {"app": "demo", "example.com/color": "blue"}}});
        let traffic = read(service(), &body, "example.com/color");
        assert_eq!((traffic.color.as_deref(), traffic.resource_version.as_str()), (Some("blue"), "7"));
        let path = "/spec/selector/example.com~1color";
        assert_eq!(
            patch(&traffic, "example.com/color", "green"),
            json!([{"op": "test", "path": path, "value": "blue"}, {"op": "replace", "path": path, "value": "green"}])
        );
        let bare = read(service(), &json!({"spec": {"selector": {"app": "demo"}}}), "color");
        assert_eq!(
            patch(&bare, "color", "green"),
            json!([{"op": "test", "path": "/spec/selector", "value": {"app": "demo"}},
                   {"op": "add", "path": "/spec/selector/color", "value": "green"}])
        );
    }

    #[test]
    fn a_lost_switch_says_who_was_first() {
        let body = |color: &str| {
            json!({"metadata": {"managedFields": [
            {"manager": "kubectl-edit", "time": "2026-11-20T10:00:00Z", "fieldsV1": {"f:spec": {"f:selector": {}}}},
            {"manager": "kubectl-create", "time": "2026-11-21T10:00:00Z", "fieldsV1": {"f:spec": {"f:type": {}}}}]},
            "spec": {"selector": {"color": color}}})
        };
        let error =
            lost(&read(service(), &body("blue"), "color"), &read(service(), &body("red"), "color"), &body("red"));
        assert_eq!(
            error.to_string(),
            "service/demo was switched meanwhile: its selector holds `red`, not `blue` (by kubectl-edit, 2026-11-20T10:00:00Z)"
        );
    }
}
