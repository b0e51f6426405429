//! Kubernetes objects as shipway works with them: never through typed structs, which would drop unknown fields.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::DocumentRef;

/// An API resource: what is needed to build a URL path without asking the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// Empty for the core group.
    pub group: String,
    pub version: String,
    pub kind: String,
    /// `deployments`
    pub plural: String,
    pub namespaced: bool,
}

impl Resource {
    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// An object's identity within a cluster. The version is no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectId {
    pub group: String,
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
}

/// `deployment/web`
impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.to_lowercase(), self.name)
    }
}

/// One step of a [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathStep {
    Key(String),
    Index(usize),
}

/// A path into an object, shown as `spec.template.spec.containers[0].image`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath(pub Vec<PathStep>);

impl FieldPath {
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        let mut path = self.clone();
        path.0.push(PathStep::Key(key.into()));
        path
    }

    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut path = self.clone();
        path.0.push(PathStep::Index(index));
        path
    }

    /// Reads the form the API server uses in its messages (`spec.template.spec.containers[0].image`).
    pub fn parse(text: &str) -> Self {
        let mut steps = Vec::new();
        for part in text.split('.').filter(|part| !part.is_empty()) {
            let (name, indexes) = part.split_at(part.find('[').unwrap_or(part.len()));
            if !name.is_empty() {
                steps.push(PathStep::Key(name.to_owned()));
            }
            for index in indexes.split(['[', ']']).filter(|index| !index.is_empty()) {
                steps.push(match index.parse() {
                    Ok(number) => PathStep::Index(number),
                    Err(_) => PathStep::Key(index.trim_matches('"').to_owned()),
                });
            }
        }
        Self(steps)
    }

    /// Takes the values at all these paths out of a body; of a list the last first, so that the others keep their places.
    pub fn remove_all(paths: &[Self], body: &mut Value) {
        let mut paths: Vec<&Self> = paths.iter().collect();
        paths.sort_unstable();
        paths.iter().rev().for_each(|path| path.remove(body));
    }

    /// Takes the value at this path out of a body, where there is one.
    fn remove(&self, body: &mut Value) {
        let Some((last, before)) = self.0.split_last() else { return };
        let parent = before.iter().try_fold(body, |value, step| match step {
            PathStep::Key(key) => value.get_mut(key),
            PathStep::Index(index) => value.get_mut(index),
        });
        match (parent, last) {
            (Some(Value::Object(fields)), PathStep::Key(key)) => drop(fields.remove(key)),
            (Some(Value::Array(items)), PathStep::Index(index)) if *index < items.len() => drop(items.remove(*index)),
            _ => {}
        }
    }

    /// The value at this path, where there is one.
    pub fn find<'v>(&self, body: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(body, |value, step| match step {
            PathStep::Key(key) => value.get(key),
            PathStep::Index(index) => value.get(index),
        })
    }

    /// The value at this path, to be changed in its place.
    pub fn find_mut<'v>(&self, body: &'v mut Value) -> Option<&'v mut Value> {
        self.0.iter().try_fold(body, |value, step| match step {
            PathStep::Key(key) => value.get_mut(key),
            PathStep::Index(index) => value.get_mut(index),
        })
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                PathStep::Key(key) if position == 0 => write!(f, "{key}")?,
                PathStep::Key(key) => write!(f, ".{key}")?,
                PathStep::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The working form of one object: its body always carries `apiVersion` and `kind`.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub id: ObjectId,
    pub resource: Resource,
    pub body: Value,
    /// The documents it was read from: the base first, then what was laid over it.
    pub from: Vec<DocumentRef>,
}

impl Object {
    /// The body as text, to rest: with no room for more.
    pub fn text(&self) -> String {
        let mut text = self.body.to_string();
        text.shrink_to_fit();
        text
    }
}

/// When, in the order of a deploy, an object is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    Foundation,
    Rights,
    Configuration,
    Service,
    Before,
    Workload,
    After,
    OnFailure,
}

/// How a hook runs within its phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookRules {
    /// Hooks of a lower wave have ended before those of a higher one begin.
    pub wave: i32,
    /// It is deleted once it has succeeded.
    pub delete_succeeded: bool,
    /// It is deleted once it has failed.
    pub delete_failed: bool,
}

/// The resting form of an object: `json` is the text, the PATCH body and the hashed bytes at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rendered {
    pub id: ObjectId,
    pub resource: Resource,
    pub stage: Stage,
    #[serde(default)]
    pub hook: HookRules,
    /// SHA-256 of `json`, in hex.
    pub hash: String,
    pub json: String,
    #[serde(default, skip)]
    pub from: Vec<DocumentRef>,
}

impl Rendered {
    /// The body as a value again. Rendered text is always valid JSON, so there is no error to report.
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.json).unwrap_or(Value::Null)
    }

    /// The working form.
    pub fn object(&self) -> Object {
        let (id, resource, from) = (self.id.clone(), self.resource.clone(), self.from.clone());
        Object { id, resource, body: self.body(), from }
    }
}

/// Gives back the room that a body has for more. A parser leaves some in each map and list, which is more than half of what
/// a body takes; so this is for what is held.
pub fn shrink_to_fit(body: &mut Value) {
    match body {
        Value::Array(items) => {
            items.iter_mut().for_each(shrink_to_fit);
            items.shrink_to_fit();
        }
        Value::Object(fields) => {
            fields.values_mut().for_each(shrink_to_fit);
            // a map is as large as it was made, and these are counted before
            *fields = std::mem::take(fields).into_iter().collect();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_without_room_for_more_is_the_same() {
        let text = r#"{"metadata":{"name":"web"},"items":[{"b":1,"a":[]},null,"text"],"empty":{}}"#;
        let mut body: Value = serde_json::from_str(text).unwrap();
        shrink_to_fit(&mut body);
        assert_eq!(body.to_string(), text);
        assert_eq!(body["items"].as_array().map(Vec::capacity), Some(3));
    }

    #[test]
    fn items_of_a_list_go_together() {
        let mut body = json!({"env": [{"name": "A"}, {"name": "B"}, {"name": "C", "value": "1"}], "paused": true});
        let paths = ["env[0]", "env[2].value", "paused", "env[1]"].map(FieldPath::parse);
        FieldPath::remove_all(&paths, &mut body);
        assert_eq!(body, json!({"env": [{"name": "C"}]}));
    }
}
