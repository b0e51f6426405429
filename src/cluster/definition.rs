//! Whether the definition of a custom resource leaves room for a status.

use serde_json::Value;

use super::{connect::Cluster, error::ClusterError, request::Call};
use crate::model::Resource;

impl Cluster {
    /// False where nobody can write a status into objects of this kind: their definition has neither the subresource nor
    /// the field. One request (OpenAPI v3 of the group and version, which every account may read), and none where discovery
    /// has told of the subresource.
    ///
    /// # Errors
    /// The server does not answer, or has not published the definition yet.
    pub(crate) async fn may_have_status(&self, resource: &Resource) -> Result<bool, ClusterError> {
        if self.with_status().contains(resource) {
            return Ok(true);
        }
        let Resource { group, version, .. } = resource;
        let document = self.ask(&Call::get(format!("/openapi/v3/apis/{group}/{version}"))).await?;
        Ok(leaves_room(&document, resource))
    }
}

/// What cannot be seen in the document may be there.
fn leaves_room(document: &Value, resource: &Resource) -> bool {
    let Resource { group, version, kind, plural, .. } = resource;
    let is_it = |of: &Value| of["group"] == **group && of["version"] == **version && of["kind"] == **kind;
    let names = |schema: &&Value| schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten().any(is_it);
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let Some(schema) = schemas.and_then(|schemas| schemas.values().find(names)) else { return true };
    let written_apart = format!("/{plural}/{{name}}/status");
    let mut paths = document["paths"].as_object().into_iter().flatten();
    schema["properties"].get("status").is_some()
        || schema["properties"].is_null()
        || schema["x-kubernetes-preserve-unknown-fields"] == true
        || paths.any(|(path, _)| path.ends_with(&written_apart))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_leaves_room_for_a_status_unless_it_is_seen_to_have_none() {
        let resource = Resource {
            group: "example.com".into(),
            version: "v1".into(),
            kind: "Gadget".into(),
            plural: "gadgets".into(),
            namespaced: true,
        };
        let document = |schema: &Value, part: &str| {
            let mut schema = schema.clone();
            schema["x-kubernetes-group-version-kind"] =
                json!([{"group": "example.com", "version": "v1", "kind": "Gadget"}]);
            let path = format!("/apis/example.com/v1/namespaces/{{namespace}}/gadgets/{{name}}{part}");
            json!({"paths": {path: {}}, "components": {"schemas": {"com.example.v1.Gadget": schema}}})
        };
        let plain = json!({"type": "object", "properties": {"metadata": {}, "spec": {}}});
        assert!(!leaves_room(&document(&plain, ""), &resource));
        assert!(leaves_room(&document(&plain, "/status"), &resource), "the subresource");
        assert!(leaves_room(&document(&plain, "/scale"), &Resource { kind: "Other".into(), ..resource.clone() }));
        let mut with_field = plain.clone();
        with_field["properties"]["status"] = json!({"type": "object"});
        let mut open = plain;
        open["x-kubernetes-preserve-unknown-fields"] = json!(true);
        for schema in [with_field, open, json!({"type": "object"})] {
            assert!(leaves_room(&document(&schema, ""), &resource), "{schema}");
        }
    }
}
