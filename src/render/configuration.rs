//! A changed ConfigMap or Secret rolls the pods that use it: a keyed hash of what they use stands in the pod template.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{merge::DIRECTIVE, template};
use crate::model::{FieldPath, Object, Target, hex, hmac_sha256};

/// Namespace, kind and name of a ConfigMap or Secret.
pub(super) type Source = (Option<String>, &'static str, String);

/// The content of every ConfigMap and Secret of the release, hashed.
#[derive(Debug, Default)]
pub(super) struct Configuration(BTreeMap<Source, [u8; 32]>);

impl Configuration {
    pub(super) fn add(&mut self, object: &Object) {
        let Some(source) = source_of(object) else { return };
        let mut content = json!({"data": object.body.get("data"), "binaryData": object.body.get("binaryData")});
        content.sort_all_objects();
        let hash = Sha256::digest(content.to_string().as_bytes());
        self.0.insert(source, hash.into());
    }

    /// The hash of what a template uses of this release, 32 hex digits; none where it uses nothing of it. The key keeps
    /// equal values of two apps from showing as equal.
    pub(super) fn hash(&self, object: &Object, template: &FieldPath, target: &Target) -> Option<String> {
        let mut message = Vec::new();
        for (kind, name) in used(&object.body, template) {
            if let Some(hash) = self.0.get(&(object.id.namespace.clone(), kind, name.clone())) {
                message.extend_from_slice(format!("{kind}/{name}\0").as_bytes());
                message.extend_from_slice(hash);
            }
        }
        let key = format!("{}/{}", target.app, target.namespace.value);
        (!message.is_empty()).then(|| hex(&hmac_sha256(key.as_bytes(), &message)[..16]))
    }
}

/// True for what pods read their configuration from.
pub(super) fn is_configuration(object: &Object) -> bool {
    kind_of(object).is_some()
}

pub(super) fn source_of(object: &Object) -> Option<Source> {
    Some((object.id.namespace.clone(), kind_of(object)?, object.id.name.clone()))
}

fn kind_of(object: &Object) -> Option<&'static str> {
    match (object.id.group.as_str(), object.id.kind.as_str()) {
        ("", "ConfigMap") => Some("ConfigMap"),
        ("", "Secret") => Some("Secret"),
        _ => None,
    }
}

/// Every ConfigMap and Secret that the pods of a template read.
pub(super) fn used(body: &Value, template: &FieldPath) -> BTreeSet<(&'static str, String)> {
    references(body, template).into_iter().map(|(_, kind, name)| (kind, name)).collect()
}

/// The same, each with where its name stands.
pub(super) fn references(body: &Value, template: &FieldPath) -> Vec<(FieldPath, &'static str, String)> {
    const PROJECTED: [(&str, &str); 2] = [("ConfigMap", "configMap"), ("Secret", "secret")];
    let mut paths: Vec<(FieldPath, &'static str)> = Vec::new();
    for (path, volume) in template::volumes(body, template) {
        paths.push((path.key("configMap").key("name"), "ConfigMap"));
        paths.push((path.key("secret").key("secretName"), "Secret"));
        for index in 0..count(volume.pointer("/projected/sources")) {
            let source = path.key("projected").key("sources").index(index);
            paths.extend(PROJECTED.map(|(kind, key)| (source.key(key).key("name"), kind)));
        }
    }
    for (path, container) in template::containers(body, template) {
        for index in 0..count(container.get("env")) {
            let source = path.key("env").index(index).key("valueFrom");
            paths.push((source.key("configMapKeyRef").key("name"), "ConfigMap"));
            paths.push((source.key("secretKeyRef").key("name"), "Secret"));
        }
        for index in 0..count(container.get("envFrom")) {
            let source = path.key("envFrom").index(index);
            paths.push((source.key("configMapRef").key("name"), "ConfigMap"));
            paths.push((source.key("secretRef").key("name"), "Secret"));
        }
    }
    let found = paths.into_iter().filter_map(|(path, kind)| {
        let name = path.find(body)?.as_str()?.to_owned();
        Some((path, kind, name))
    });
    found.collect()
}

fn count(list: Option<&Value>) -> usize {
    list.and_then(Value::as_array).map_or(0, Vec::len)
}

/// `flags-1f0c2a9b`: the name with the keyed hash of everything but the metadata. None where there is no content: then
/// somebody else fills it.
pub(super) fn content_name(object: &Object, target: &Target) -> Option<String> {
    const LONGEST: usize = 253;
    const HASH: usize = 4;
    let holds = |field: &str| object.body.get(field).and_then(Value::as_object).is_some_and(|data| !data.is_empty());
    if !["data", "binaryData"].into_iter().any(holds) {
        return None;
    }
    let mut content = object.body.clone();
    content.as_object_mut()?.shift_remove("metadata");
    content.sort_all_objects();
    let key = format!("{}/{}", target.app, target.namespace.value);
    let hash = hex(&hmac_sha256(key.as_bytes(), content.to_string().as_bytes())[..HASH]);
    let name: String = object.id.name.chars().take(LONGEST - 1 - 2 * HASH).collect();
    Some(format!("{}-{hash}", name.trim_end_matches(['-', '.'])))
}

/// Moves a Secret's `stringData` into `data`, where it wins: left in, a key that is removed later would stay in the
/// cluster for ever.
pub(super) fn encode_string_data(object: &mut Object) {
    if kind_of(object) != Some("Secret") {
        return;
    }
    let Some(fields) = object.body.as_object_mut() else { return };
    let Some(Value::Object(texts)) = fields.shift_remove("stringData") else { return };
    let data = fields.entry("data").or_insert_with(|| Value::Object(Map::new()));
    if let Some(data) = data.as_object_mut() {
        for (key, value) in texts {
            let encoded = base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or_default());
            data.insert(key, encoded.into());
        }
    }
}

/// Takes out of a Secret of the base what would win over an overlay's word: `stringData` and `data` become one, so a key that
/// the overlay has in either is the overlay's.
pub(super) fn make_room(base: &mut Object, overlay: &Object) {
    if kind_of(overlay) != Some("Secret") {
        return;
    }
    let Some(fields) = base.body.as_object_mut() else { return };
    for (said, other) in [("data", "stringData"), ("stringData", "data")] {
        let keys = overlay.body.get(said).and_then(Value::as_object);
        if let (Some(keys), Some(Value::Object(under))) = (keys, fields.get_mut(other)) {
            under.retain(|key, _| !keys.contains_key(key));
        }
    }
    // nothing of the base's data is to stay, in whatever form
    let empties = |data: &Value| data.is_null() || data.get(DIRECTIVE).is_some_and(|of| of != "merge");
    if overlay.body.get("data").is_some_and(empties) {
        fields.shift_remove("stringData");
    }
}

pub(super) fn sha256_hex(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Layers, SourceText},
        render::read,
    };

    /// The data of a Secret of the base with an overlay laid over it, decoded.
    fn laid_over(base: &str, overlay: &str) -> Value {
        let text = |name: &str, fields: &str| SourceText {
            name: name.into(),
            text: format!("{{apiVersion: v1, kind: Secret, metadata: {{name: s}}, {fields}}}\n").into(),
        };
        let layers = Layers { base: vec![text("k/s.yaml", base)], overlay: vec![text("k/production/s.yaml", overlay)] };
        let mut secret = read(&layers).unwrap_or_else(|errors| panic!("{errors:?}")).objects().next().unwrap();
        encode_string_data(&mut secret);
        let decoded = |value: &Value| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let data = secret.body.get("data").and_then(Value::as_object).into_iter().flatten();
        data.map(|(key, value)| (key.clone(), decoded(value).into())).collect::<Map<_, _>>().into()
    }

    #[test]
    fn an_overlay_has_the_last_word_in_data_and_in_string_data() {
        // `eA==` is x, `eQ==` is y
        for (base, overlay, expected) in [
            ("stringData: {p: dev, q: q}", "data: {p: eA==}", json!({"p": "x", "q": "q"})),
            ("stringData: {p: dev, q: q}", "data: {p: null}", json!({"q": "q"})),
            ("data: {p: eQ==, q: eQ==}", "stringData: {p: prod}", json!({"p": "prod", "q": "y"})),
            ("data: {p: eQ==, q: eQ==}", "stringData: {p: null}", json!({"q": "y"})),
            ("stringData: {p: dev}", "stringData: {p: prod}", json!({"p": "prod"})),
            // within one layer stringData wins, as the server has it
            ("stringData: {p: dev}", "data: {p: eA==}, stringData: {p: prod}", json!({"p": "prod"})),
            ("data: {p: eQ==}, stringData: {p: dev}", "data: {q: eA==}", json!({"p": "dev", "q": "x"})),
            // what takes all of the data away leaves none of it
            ("stringData: {p: dev}", "data: null", json!({})),
            ("stringData: {p: dev}", "data: {$patch: delete}", json!({})),
            ("stringData: {p: dev}", "data: {$patch: replace, q: eA==}", json!({"q": "x"})),
            ("stringData: {p: dev}", "data: {$patch: merge, q: eA==}", json!({"p": "dev", "q": "x"})),
            ("data: {q: eQ==}, stringData: {p: dev}", "stringData: null, data: {p: eA==}", json!({"p": "x", "q": "y"})),
        ] {
            assert_eq!(laid_over(base, overlay), expected, "{base} under {overlay}");
        }
    }
}
