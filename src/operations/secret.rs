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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{ObjectId, Resource};

    #[test]
    fn values_of_secrets_are_learnt_as_written_and_decoded() {
        let object = |kind: &str, fields: serde_json::Value| Object {
            id: ObjectId { group: String::new(), kind: kind.to_owned(), namespace: None, name: "a".to_owned() },
            resource: Resource {
                group: String::new(),
                version: "v1".to_owned(),
                kind: kind.to_owned(),
                plural: String::new(),
                namespaced: true,
            },
            body: fields,
            from: Vec::new(),
        };
        let objects = [
            object(
                "Secret",
                json!({"data": {"a": "aHVudGVyMg=="}, "stringData": {"b": "tiger789", "c": ["deep-one"]}}),
            ),
            object("ConfigMap", json!({"data": {"a": "in-the-open"}})),
        ];
        let redactor = Redactor::default();
        learn(&redactor, objects.into_iter());
        for (text, shown) in [
            ("aHVudGVyMg==", false),
            ("hunter2", false),
            ("tiger789", false),
            ("deep-one", false),
            ("in-the-open", true),
        ] {
            assert_eq!(redactor.clean(text).contains(text), shown, "{text}");
        }
    }
}
