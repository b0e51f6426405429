//! What must be a text and is not: a commit label such as `12345e67` is a number to YAML.

use serde_json::Value;

use super::template;
use crate::model::{FieldPath, Object};

/// A field that must be a text, and what stands there.
pub(super) struct Untext {
    pub path: FieldPath,
    pub found: &'static str,
}

pub(super) fn untexts(object: &Object) -> Vec<Untext> {
    let mut found = Vec::new();
    for map in maps_of_texts(object) {
        let entries = map.find(&object.body).and_then(Value::as_object).into_iter().flatten();
        for (key, value) in entries {
            push(&mut found, map.key(key), value);
        }
    }
    for template in template::templates(object) {
        for (container, value) in template::containers(&object.body, &template) {
            let variables = value.get("env").and_then(Value::as_array).into_iter().flatten();
            for (index, variable) in variables.enumerate() {
                for key in ["name", "value"] {
                    if let Some(value) = variable.get(key) {
                        push(&mut found, container.key("env").index(index).key(key), value);
                    }
                }
            }
        }
    }
    found
}

fn push(found: &mut Vec<Untext>, path: FieldPath, value: &Value) {
    // null is nothing, and takes away in an overlay
    if !value.is_string() && !value.is_null() {
        found.push(Untext { path, found: a_kind_of(value) });
    }
}

fn maps_of_texts(object: &Object) -> Vec<FieldPath> {
    let metadata = FieldPath::default().key("metadata");
    let mut maps = vec![metadata.key("labels"), metadata.key("annotations")];
    maps.push(FieldPath::parse("spec.selector.matchLabels"));
    for template in template::templates(object).into_iter().filter(|path| !path.0.is_empty()) {
        maps.push(template.key("metadata").key("labels"));
        maps.push(template.key("metadata").key("annotations"));
    }
    match (object.id.group.as_str(), object.id.kind.as_str()) {
        ("", "ConfigMap") => maps.push(FieldPath::default().key("data")),
        ("", "Secret") => maps.extend(["data", "stringData"].map(|key| FieldPath::default().key(key))),
        ("", "Service") => maps.push(FieldPath::parse("spec.selector")),
        _ => {}
    }
    maps
}

pub(super) fn a_kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
