//! Strategic merge: mappings key by key, lists of the pod's parts by their merge key, everything else replaced
//! (the directives of kubernetes/community `strategic-merge-patch.md`).

use serde_json::{Map, Value};

use super::template::is_template_name;
use crate::model::FieldPath;

type Fields = Map<String, Value>;

pub(super) const DIRECTIVE: &str = "$patch";
/// Of each group an object has one: the overlay's takes the place of the base's.
const EITHER: [&[&str]; 2] = [&["value", "valueFrom"], &["httpGet", "tcpSocket", "exec", "grpc", "sleep"]];

/// A directive that is not known, and where it stands.
#[derive(Debug, PartialEq)]
pub(super) struct UnknownDirective {
    pub path: FieldPath,
    pub directive: String,
}

/// True where the overlay takes the whole object away.
pub(super) fn deletes(overlay: &Value) -> bool {
    overlay.get(DIRECTIVE).and_then(Value::as_str) == Some("delete")
}

/// Lays `overlay` over `base`. Lists of custom resources have no merge keys outside of pod templates (`keyed`: the kind
/// is a built-in one).
pub(super) fn merge(base: &mut Value, overlay: &Value, keyed: bool) -> Result<(), UnknownDirective> {
    let (Some(base), Some(overlay)) = (base.as_object_mut(), overlay.as_object()) else {
        *base = overlay.clone();
        return Ok(());
    };
    Layer { keyed, path: FieldPath::default() }.mapping(base, overlay)
}

struct Layer {
    keyed: bool,
    path: FieldPath,
}

impl Layer {
    fn below(&self, key: &str) -> Self {
        Self { keyed: self.keyed || is_template_name(key), path: self.path.key(key) }
    }

    fn directive(&self, fields: &Fields) -> Result<Directive, UnknownDirective> {
        match fields.get(DIRECTIVE).map(|value| value.as_str().unwrap_or_default()) {
            None | Some("merge") => Ok(Directive::Merge),
            Some("replace") => Ok(Directive::Replace),
            Some("delete") => Ok(Directive::Delete),
            Some(other) => Err(UnknownDirective { path: self.path.key(DIRECTIVE), directive: other.to_owned() }),
        }
    }

    fn mapping(&self, base: &mut Fields, overlay: &Fields) -> Result<(), UnknownDirective> {
        match self.directive(overlay)? {
            Directive::Merge => {}
            Directive::Replace => base.clear(),
            Directive::Delete => {
                base.clear();
                return Ok(());
            }
        }
        make_room(base, overlay);
        for (key, value) in overlay.iter().filter(|(key, _)| !key.starts_with('$')) {
            self.below(key).field(base, key, value)?;
        }
        Ok(())
    }

    fn field(&self, base: &mut Fields, key: &str, value: &Value) -> Result<(), UnknownDirective> {
        match value {
            Value::Null => {
                base.shift_remove(key);
            }
            Value::Object(fields) if matches!(self.directive(fields)?, Directive::Delete) => {
                base.shift_remove(key);
            }
            Value::Object(fields) => {
                let below = base.entry(key).or_insert_with(|| Value::Object(Map::new()));
                if !below.is_object() {
                    *below = Value::Object(Map::new());
                }
                if let Some(below) = below.as_object_mut() {
                    self.mapping(below, fields)?;
                }
            }
            Value::Array(items) => {
                let below = base.entry(key).or_insert_with(|| Value::Array(Vec::new()));
                let merged = self.list(key, below.as_array().map_or(&[][..], Vec::as_slice), items)?;
                *below = Value::Array(merged);
            }
            scalar => {
                base.insert(key.to_owned(), scalar.clone());
            }
        }
        Ok(())
    }

    fn list(&self, name: &str, base: &[Value], overlay: &[Value]) -> Result<Vec<Value>, UnknownDirective> {
        if name == "finalizers" {
            let added = overlay.iter().filter(|item| !base.contains(item));
            return Ok(base.iter().chain(added).cloned().collect());
        }
        let mut directives = Vec::new();
        for (index, item) in overlay.iter().enumerate() {
            let at = Self { keyed: self.keyed, path: self.path.index(index) };
            directives.push(item.as_object().map_or(Ok(Directive::Merge), |fields| at.directive(fields))?);
        }
        let replaces = directives.iter().any(|directive| matches!(directive, Directive::Replace));
        let fields = merge_fields(name).filter(|_| self.keyed && !replaces).unwrap_or_default();
        let keys: Option<Vec<_>> = overlay.iter().map(|item| merge_key(fields, item)).collect();
        let Some(keys) = keys.filter(|_| !fields.is_empty()) else {
            return self.replaced(overlay, &directives);
        };
        let mut merged = base.to_vec();
        for (index, (item, key)) in overlay.iter().zip(keys).enumerate() {
            let position = merged.iter().position(|item| merge_key(fields, item).as_ref() == Some(&key));
            match (&directives[index], position) {
                (Directive::Delete, Some(position)) => {
                    merged.remove(position);
                }
                (Directive::Delete, None) => {}
                (_, Some(position)) => self.item(name, index, &mut merged[position], item)?,
                (_, None) => {
                    let mut added = Value::Object(Map::new());
                    self.item(name, index, &mut added, item)?;
                    merged.push(added);
                }
            }
        }
        Ok(merged)
    }

    fn item(&self, list: &str, index: usize, base: &mut Value, overlay: &Value) -> Result<(), UnknownDirective> {
        let (Some(base), Some(overlay)) = (base.as_object_mut(), overlay.as_object()) else {
            return Ok(());
        };
        let source = |key: &&String| *key != "name" && !key.starts_with('$');
        let other_source = overlay.keys().filter(source).any(|key| !base.contains_key(key));
        if list == "volumes" && other_source {
            base.retain(|key, _| key == "name");
        }
        Self { keyed: self.keyed, path: self.path.index(index) }.mapping(base, overlay)
    }

    /// The overlay's items alone, without directives.
    fn replaced(&self, overlay: &[Value], directives: &[Directive]) -> Result<Vec<Value>, UnknownDirective> {
        let mut items = Vec::new();
        for (index, (item, directive)) in overlay.iter().zip(directives).enumerate() {
            match (item.as_object(), directive) {
                (Some(_), Directive::Delete) => {}
                // `- $patch: replace` alone is a sign, not an item
                (Some(fields), Directive::Replace) if fields.len() == 1 => {}
                (Some(fields), _) => {
                    let mut clean = Map::new();
                    Self { keyed: self.keyed, path: self.path.index(index) }.mapping(&mut clean, fields)?;
                    items.push(Value::Object(clean));
                }
                (None, _) => items.push(item.clone()),
            }
        }
        Ok(items)
    }
}

enum Directive {
    Merge,
    Replace,
    Delete,
}

/// Takes out of the base what cannot stand beside the overlay's fields.
fn make_room(base: &mut Fields, overlay: &Fields) {
    if let Some(kept) = overlay.get("$retainKeys").and_then(Value::as_array) {
        base.retain(|key, _| kept.iter().any(|kept| kept == key));
    }
    for (key, removed) in overlay {
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/")
            && let (Some(Value::Array(items)), Some(removed)) = (base.get_mut(list), removed.as_array())
        {
            items.retain(|item| !removed.contains(item));
        }
    }
    for group in EITHER {
        if group.iter().any(|key| overlay.get(*key).is_some_and(|value| !value.is_null())) {
            base.retain(|key, _| !group.contains(&key.as_str()) || overlay.contains_key(key));
        }
    }
    // a rollout's `type` and the settings of another type
    if overlay.get("type").is_some_and(|of| Some(of) != base.get("type")) {
        base.shift_remove("rollingUpdate");
    }
}

/// The fields that an item of a list is known by; none where the list is replaced as a whole.
fn merge_fields(list: &str) -> Option<&'static [&'static str]> {
    Some(match list {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "resourceClaims"
        | "schedulingGates"
        | "webhooks"
        | "secrets" => &["name"],
        // of a container and of a Service
        "ports" => &["containerPort", "port", PROTOCOL],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "hostAliases" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        _ => return None,
    })
}

const PROTOCOL: &str = "protocol";

/// What an item of a list is known by; none where the list has no key, or the item not that field.
pub(super) fn identity(list: &str, item: &Value) -> Option<Vec<Value>> {
    merge_key(merge_fields(list)?, item)
}

/// What an item is known by; none where it has no such field.
fn merge_key(fields: &[&str], item: &Value) -> Option<Vec<Value>> {
    let known = fields.iter().any(|field| *field != PROTOCOL && item.get(field).is_some());
    let value = |field: &&str| match item.get(field) {
        None if *field == PROTOCOL => "TCP".into(),
        value => value.cloned().unwrap_or_default(),
    };
    known.then(|| fields.iter().map(value).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_merge_by_their_keys() {
        for (what, base, overlay, expected) in [
            (
                "containers and env by name",
                json!({"spec": {"containers": [
                    {"name": "web", "image": "x", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
                    {"name": "side", "image": "y"}]}}),
                json!({"spec": {"containers": [
                    {"name": "web", "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]},
                    {"name": "side", "$patch": "delete"}, {"name": "new", "image": "z"}]}}),
                json!({"spec": {"containers": [
                    {"name": "web", "image": "x", "env": [
                        {"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}]},
                    {"name": "new", "image": "z"}]}}),
            ),
            (
                "value and valueFrom take each other's place",
                json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}),
                json!({"env": [{"name": "A", "value": "1"}]}),
                json!({"env": [{"name": "A", "value": "1"}]}),
            ),
            (
                "one port in two protocols",
                json!({"ports": [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}]}),
                json!({"ports": [{"containerPort": 53, "protocol": "UDP", "name": "dns"}]}),
                json!({"ports": [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP", "name": "dns"}]}),
            ),
            (
                "ports of a Service",
                json!({"ports": [{"port": 80, "targetPort": 8080}]}),
                json!({"ports": [{"port": 80, "nodePort": 30080}, {"port": 443}]}),
                json!({"ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080}, {"port": 443}]}),
            ),
        ] {
            let mut merged = base;
            merge(&mut merged, &overlay, true).unwrap();
            assert_eq!(merged, expected, "{what}");
        }
    }

    #[test]
    fn what_cannot_stand_together_is_replaced() {
        for (what, base, overlay, expected) in [
            (
                "a volume of another source",
                json!({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "x"}}]}),
                json!({"volumes": [{"name": "a", "configMap": {"name": "y"}}, {"name": "b", "configMap": {"optional": true}}]}),
                json!({"volumes": [{"name": "a", "configMap": {"name": "y"}},
                    {"name": "b", "configMap": {"name": "x", "optional": true}}]}),
            ),
            (
                "mounts by path",
                json!({"volumeMounts": [{"mountPath": "/a", "name": "a"}]}),
                json!({"volumeMounts": [{"mountPath": "/a", "name": "b"}, {"mountPath": "/c", "name": "a"}]}),
                json!({"volumeMounts": [{"mountPath": "/a", "name": "b"}, {"mountPath": "/c", "name": "a"}]}),
            ),
            (
                "other lists are replaced",
                json!({"args": ["a", "b"], "tolerations": [{"key": "a"}], "rules": [{"host": "a"}]}),
                json!({"args": ["c"], "tolerations": [], "rules": [{"host": "b"}]}),
                json!({"args": ["c"], "tolerations": [], "rules": [{"host": "b"}]}),
            ),
            (
                "a probe of another kind",
                json!({"readinessProbe": {"httpGet": {"path": "/"}, "periodSeconds": 5}}),
                json!({"readinessProbe": {"tcpSocket": {"port": 80}}}),
                json!({"readinessProbe": {"periodSeconds": 5, "tcpSocket": {"port": 80}}}),
            ),
            (
                "a strategy of another type",
                json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
                json!({"strategy": {"type": "Recreate"}}),
                json!({"strategy": {"type": "Recreate"}}),
            ),
        ] {
            let mut merged = base;
            merge(&mut merged, &overlay, true).unwrap();
            assert_eq!(merged, expected, "{what}");
        }
    }

    #[test]
    fn directives_are_obeyed() {
        for (what, base, overlay, expected) in [
            ("null takes away", json!({"a": 1, "b": {"c": 2}}), json!({"a": null, "b": {"c": null}}), json!({"b": {}})),
            ("delete", json!({"a": {"b": 1}, "c": 2}), json!({"a": {"$patch": "delete"}}), json!({"c": 2})),
            (
                "replace a mapping",
                json!({"a": {"b": 1}}),
                json!({"a": {"$patch": "replace", "c": 2}}),
                json!({"a": {"c": 2}}),
            ),
            (
                "replace a list",
                json!({"containers": [{"name": "a"}]}),
                json!({"containers": [{"$patch": "replace"}, {"name": "b"}]}),
                json!({"containers": [{"name": "b"}]}),
            ),
            (
                "retain keys",
                json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {}, "x": 1}}),
                json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}),
                json!({"strategy": {"type": "Recreate"}}),
            ),
            (
                "primitive lists",
                json!({"finalizers": ["a", "b"], "args": ["x", "y"]}),
                json!({"finalizers": ["b", "c"], "$deleteFromPrimitiveList/args": ["x"], "$setElementOrder/env": []}),
                json!({"finalizers": ["a", "b", "c"], "args": ["y"]}),
            ),
        ] {
            let mut merged = base;
            merge(&mut merged, &overlay, true).unwrap();
            assert_eq!(merged, expected, "{what}");
        }
        let fault = merge(&mut json!({}), &json!({"a": {"$patch": "remove"}}), true).unwrap_err();
        assert_eq!((fault.path.to_string().as_str(), fault.directive.as_str()), ("a.$patch", "remove"));
    }

    #[test]
    fn lists_of_custom_resources_are_replaced_but_for_pod_templates() {
        let mut merged = json!({"ports": [{"port": 1}], "template": {"containers": [{"name": "a", "image": "x"}]}});
        let overlay = json!({"ports": [{"port": 2}], "template": {"containers": [{"name": "a", "tty": true}]}});
        merge(&mut merged, &overlay, false).unwrap();
        let expected =
            json!({"ports": [{"port": 2}], "template": {"containers": [{"name": "a", "image": "x", "tty": true}]}});
        assert_eq!(merged, expected);
    }
}
