//! What is in a Secret of the manifests must be in no output, whatever is said about it.

use base64::Engine as _;

use crate::{
    kinds,
    model::{Object, Redactor},
};

/// Teaches the redactor every value of every confidential object, decoded where it is encoded.
pub(super) fn learn(redactor: &Redactor, objects: impl Iterator<Item = Object>) {
    for object in objects {
        if !kinds::find(&object.id.group, &object.id.kind).is_some_and(|kind| kind.confidential) {
            continue;
        }
        for value in values(&object, "stringData") {
            redactor.learn(value);
        }
        for value in values(&object, "data") {
            redactor.learn(value);
            let decoded = base64::engine::general_purpose::STANDARD.decode(value.trim());
            if let Some(text) = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
                redactor.learn(&text);
            }
        }
    }
}

/// All strings below a field, however deep: a Secret in the wrong shape is a secret too.
fn values<'o>(object: &'o Object, field: &str) -> Vec<&'o str> {
    let mut found = Vec::new();
    let mut rest: Vec<_> = object.body.get(field).into_iter().collect();
    while let Some(value) = rest.pop() {
        match value {
            serde_json::Value::String(text) => found.push(text.as_str()),
            serde_json::Value::Array(items) => rest.extend(items),
            serde_json::Value::Object(fields) => rest.extend(fields.values()),
            _ => {}
        }
    }
    found
}
