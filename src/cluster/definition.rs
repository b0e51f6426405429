//! Whether the definition of a custom resource leaves room for a status.

use serde_json::Value;
use tokio::time::{Duration, sleep};

use super::{
    connect::Cluster,
    error::{ClusterError, Reason},
    request::Call,
};
use crate::model::Resource;

impl Cluster {
    /// False where nobody can write a status into objects of this kind: their definition has neither the subresource nor
    /// the field. One request (OpenAPI v3 of the group and version, which every account may read), and none where discovery
    /// has told of the subresource. What is new is published a moment after it is served, and awaited for as long.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) async fn may_have_status(&self, resource: &Resource) -> Result<bool, ClusterError> {
        if self.with_status().contains(resource) {
            return Ok(true);
        }
        let Resource { group, version, .. } = resource;
        let call = Call::get(format!("/openapi/v3/apis/{group}/{version}"));
        for _ in 0..LOOKS {
            let answer = match self.ask(&call).await {
                Ok(document) => leaves_room(&document, resource),
                Err(error) if error.reason() == Some(Reason::NotServed) => None,
                Err(error) => return Err(error),
            };
            if let Some(answer) = answer {
                return Ok(answer);
            }
            sleep(PAUSE).await;
        }
        // what cannot be seen in the document may be there
        Ok(true)
    }
}

/// Some seconds: definitions of one group are published one after the other.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// None where the document does not know the kind.
fn leaves_room(document: &Value, resource: &Resource) -> Option<bool> {
    let Resource { group, version, kind, plural, .. } = resource;
    let is_it = |of: &Value| of["group"] == **group && of["version"] == **version && of["kind"] == **kind;
    let names = |schema: &&Value| schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten().any(is_it);
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let schema = schemas.and_then(|schemas| schemas.values().find(names))?;
    let written_apart = format!("/{plural}/{{name}}/status");
    let mut paths = document["paths"].as_object().into_iter().flatten();
    Some(
        schema["properties"].get("status").is_some()
            || schema["properties"].is_null()
            || schema["x-kubernetes-preserve-unknown-fields"] == true
            || paths.any(|(path, _)| path.ends_with(&written_apart)),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use serde_json::json;

    use super::{super::wire, *};

    fn resource() -> Resource {
        Resource {
            group: "example.com".into(),
            version: "v1".into(),
            kind: "Gadget".into(),
            plural: "gadgets".into(),
            namespaced: true,
        }
    }

    fn document(schema: &Value, part: &str) -> Value {
        let mut schema = schema.clone();
        schema["x-kubernetes-group-version-kind"] =
            json!([{"group": "example.com", "version": "v1", "kind": "Gadget"}]);
        let path = format!("/apis/example.com/v1/namespaces/{{namespace}}/gadgets/{{name}}{part}");
        json!({"paths": {path: {}}, "components": {"schemas": {"com.example.v1.Gadget": schema}}})
    }

    #[tokio::test]
    async fn a_definition_that_is_not_published_yet_is_awaited() {
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&looks);
        let known = document(&json!({"type": "object", "properties": {"spec": {}}}), "");
        let script = move |_: &str| {
            Some(match counted.fetch_add(1, Ordering::SeqCst) {
                0 => "HTTP/1.1 404 Not Found\r\ncontent-length: 18\r\n\r\n404 page not found".to_owned(),
                // the group is there, with another kind
                1 => wire::ok(r#"{"paths":{},"components":{"schemas":{}}}"#),
                _ => wire::ok(&known.to_string()),
            })
        };
        let (cluster, _) = wire::cluster(Arc::new(script)).await;
        assert!(!cluster.may_have_status(&resource()).await.unwrap());
        assert_eq!(looks.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_definition_leaves_room_for_a_status_unless_it_is_seen_to_have_none() {
        let resource = resource();
        let plain = json!({"type": "object", "properties": {"metadata": {}, "spec": {}}});
        assert_eq!(leaves_room(&document(&plain, ""), &resource), Some(false));
        assert_eq!(leaves_room(&document(&plain, "/status"), &resource), Some(true), "the subresource");
        let other = Resource { kind: "Other".into(), ..resource.clone() };
        assert_eq!(leaves_room(&document(&plain, "/scale"), &other), None);
        let mut with_field = plain.clone();
        with_field["properties"]["status"] = json!({"type": "object"});
        let mut open = plain;
        open["x-kubernetes-preserve-unknown-fields"] = json!(true);
        for schema in [with_field, open, json!({"type": "object"})] {
            assert_eq!(leaves_room(&document(&schema, ""), &resource), Some(true), "{schema}");
        }
    }
}
