//! Which fields a kind has, by the server's OpenAPI: asked only once a field turned out to be unknown.

use serde_json::Value;

use super::{connect::Cluster, error::FieldFinding, request::Call, schema::UNKNOWN};
use crate::model::{FieldPath, PathStep, Resource, nearest};

impl Cluster {
    /// Names the nearest known field beside each unknown one; nothing where the server does not tell.
    pub(super) async fn suggest(&self, resource: &Resource, findings: &mut [FieldFinding]) {
        if !findings.iter().any(|finding| finding.text == UNKNOWN) {
            return;
        }
        let root = if resource.group.is_empty() { "api".to_owned() } else { format!("apis/{}", resource.group) };
        let Ok(document) = self.ask(&Call::get(format!("/openapi/v3/{root}/{}", resource.version))).await else {
            return;
        };
        for finding in findings.iter_mut().filter(|finding| finding.text == UNKNOWN) {
            finding.nearest = nearest_field(&document, resource, &finding.path);
        }
    }
}

fn nearest_field(document: &Value, resource: &Resource, path: &FieldPath) -> Option<String> {
    let (PathStep::Key(unknown), parents) = path.0.split_last()? else { return None };
    let schemas = document.pointer("/components/schemas")?.as_object()?;
    let is_kind = |schema: &&Value| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten();
        { kinds }.any(|of| {
            (of["group"].as_str(), of["version"].as_str(), of["kind"].as_str())
                == (Some(&resource.group), Some(&resource.version), Some(&resource.kind))
        })
    };
    let root = schemas.values().find(is_kind)?;
    let parent = parents.iter().try_fold(root, |schema, step| {
        let schema = resolved(document, schema);
        match step {
            PathStep::Key(key) => schema["properties"].get(key).or_else(|| schema.get("additionalProperties")),
            PathStep::Index(_) => schema.get("items"),
        }
    })?;
    let known = resolved(document, parent)["properties"].as_object()?;
    nearest(unknown, known.keys().map(String::as_str)).map(str::to_owned)
}

/// The schema itself, whatever refers to it.
fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    let reference = schema.get("$ref").or_else(|| schema.pointer("/allOf/0/$ref"));
    let target = reference.and_then(Value::as_str).and_then(|name| document.pointer(name.strip_prefix('#')?));
    target.unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_nearest_field_is_found_through_references_and_lists() {
        let document = json!({"components": {"schemas": {
            "Deployment": {
                "x-kubernetes-group-version-kind": [{"group": "apps", "version": "v1", "kind": "Deployment"}],
                "properties": {"spec": {"allOf": [{"$ref": "#/components/schemas/Spec"}], "default": {}}},
            },
            "Spec": {"properties": {"replicas": {}, "containers": {"items": {"$ref": "#/components/schemas/Container"}}}},
            "Container": {"properties": {"image": {}, "imagePullPolicy": {}, "name": {}}},
        }}});
        let resource = |kind: &str| Resource {
            group: "apps".into(),
            version: "v1".into(),
            kind: kind.into(),
            plural: String::new(),
            namespaced: true,
        };
        for (path, expected) in [
            ("spec.replicsa", Some("replicas")),
            ("spec.containers[0].imag", Some("image")),
            ("spec.containers[0].imagepullpolicy", Some("imagePullPolicy")),
            ("spec.containers[0].volumes", None),
            ("spec.gone.x", None),
        ] {
            let found = nearest_field(&document, &resource("Deployment"), &FieldPath::parse(path));
            assert_eq!(found.as_deref(), expected, "{path}");
        }
        assert_eq!(nearest_field(&document, &resource("Other"), &FieldPath::parse("spec.replicsa")), None);
    }
}
