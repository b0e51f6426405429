//! A changed ConfigMap or Secret rolls the pods that use it: a keyed hash of what they use stands in the pod template.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::template;
use crate::model::{FieldPath, Object, Target, hex};

/// Namespace, kind and name of a ConfigMap or Secret.
type Source = (Option<String>, &'static str, String);

/// The content of every ConfigMap and Secret of the release, hashed.
#[derive(Debug, Default)]
pub(super) struct Configuration(BTreeMap<Source, [u8; 32]>);

impl Configuration {
    pub(super) fn add(&mut self, object: &Object) {
        let Some(kind) = kind_of(object) else { return };
        let mut content = json!({"data": object.body.get("data"), "binaryData": object.body.get("binaryData")});
        content.sort_all_objects();
        let hash = Sha256::digest(content.to_string().as_bytes());
        self.0.insert((object.id.namespace.clone(), kind, object.id.name.clone()), hash.into());
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

fn kind_of(object: &Object) -> Option<&'static str> {
    match (object.id.group.as_str(), object.id.kind.as_str()) {
        ("", "ConfigMap") => Some("ConfigMap"),
        ("", "Secret") => Some("Secret"),
        _ => None,
    }
}

/// Every ConfigMap and Secret that the pods of a template read.
fn used(body: &Value, template: &FieldPath) -> BTreeSet<(&'static str, String)> {
    let mut found = BTreeSet::new();
    let mut add = |kind: &'static str, name: Option<&Value>| {
        if let Some(name) = name.and_then(Value::as_str) {
            found.insert((kind, name.to_owned()));
        }
    };
    for (_, volume) in template::volumes(body, template) {
        add("ConfigMap", volume.pointer("/configMap/name"));
        add("Secret", volume.pointer("/secret/secretName"));
        for source in volume.pointer("/projected/sources").and_then(Value::as_array).into_iter().flatten() {
            add("ConfigMap", source.pointer("/configMap/name"));
            add("Secret", source.pointer("/secret/name"));
        }
    }
    for (_, container) in template::containers(body, template) {
        let items = |field: &str| container.get(field).and_then(Value::as_array).into_iter().flatten();
        for variable in items("env") {
            add("ConfigMap", variable.pointer("/valueFrom/configMapKeyRef/name"));
            add("Secret", variable.pointer("/valueFrom/secretKeyRef/name"));
        }
        for source in items("envFrom") {
            add("ConfigMap", source.pointer("/configMapRef/name"));
            add("Secret", source.pointer("/secretRef/name"));
        }
    }
    found
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

pub(super) fn sha256_hex(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// RFC 2104.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut padded = [0_u8; BLOCK];
    if key.len() > BLOCK {
        padded[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        padded[..key.len()].copy_from_slice(key);
    }
    let keyed = |pad: u8, message: &[u8]| -> [u8; 32] {
        Sha256::new().chain_update(padded.map(|byte| byte ^ pad)).chain_update(message).finalize().into()
    };
    keyed(0x5c, &keyed(0x36, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        for (key, message, expected) in [
            (&[0x0b; 20][..], &b"Hi There"[..], "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&hmac_sha256(key, message)), expected);
        }
    }
}
