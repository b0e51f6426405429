//! In a blue/green app each colour keeps the configuration that it was deployed with: ConfigMaps and Secrets that its
//! pods use have the hash of their content in their name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Manifests,
    color::Colors,
    configuration::{Source, content_name, is_configuration, references, source_of},
    template,
};
use crate::model::{FieldPath, Object, ObjectId, Target};

/// The names in one release.
#[derive(Debug, Default)]
pub(super) struct Versions {
    names: BTreeMap<Source, String>,
    /// Those that something without a colour names as they are in the manifests.
    shared: BTreeSet<String>,
}

impl Versions {
    /// `place` fills in the namespace, and the data of Secrets.
    pub(super) fn gather(
        manifests: &Manifests,
        colors: &Colors<'_>,
        target: &Target,
        place: impl Fn(&mut Object) -> bool,
    ) -> Self {
        let objects = || {
            manifests.objects().filter_map(|mut object| {
                let color = colors.of(&object);
                let is_in_release = color.is_none_or(|color| color == colors.target);
                (is_in_release && place(&mut object)).then_some((object, color.is_some()))
            })
        };
        let used: BTreeSet<Source> =
            objects().filter(|(_, colored)| *colored).flat_map(|(object, _)| sources(&object)).collect();
        let mut versions = Self::default();
        for (object, _) in objects().filter(|(object, _)| is_configuration(object)) {
            if let Some(source) = source_of(&object).filter(|source| used.contains(source))
                && let Some(name) = content_name(&object, target)
            {
                versions.names.insert(source, name);
            }
        }
        if !versions.names.is_empty() {
            for (mut object, colored) in objects() {
                if colored {
                    versions.rewrite(&mut object);
                }
                named(&object.body, "", &mut versions.shared);
            }
        }
        versions
    }

    /// The object as this release has it: under the name of its content, and under its own where that is needed too.
    pub(super) fn of(&self, mut object: Object, colored: bool) -> Vec<Object> {
        if colored {
            self.rewrite(&mut object);
        }
        let Some(name) = source_of(&object).and_then(|source| self.names.get(&source)) else { return vec![object] };
        let shared = self.shared.contains(&object.id.name).then(|| object.clone());
        if let Some(place) = FieldPath::parse("metadata.name").find_mut(&mut object.body) {
            *place = name.as_str().into();
        }
        object.id.name.clone_from(name);
        shared.into_iter().chain([object]).collect()
    }

    fn rewrite(&self, object: &mut Object) {
        let namespace = object.id.namespace.clone();
        for template in template::templates(object) {
            for (path, kind, name) in references(&object.body, &template) {
                if let Some(name) = self.names.get(&(namespace.clone(), kind, name))
                    && let Some(place) = path.find_mut(&mut object.body)
                {
                    *place = name.as_str().into();
                }
            }
        }
    }
}

fn sources(object: &Object) -> Vec<Source> {
    let namespace = &object.id.namespace;
    let templates = template::templates(object);
    let found = templates.iter().flat_map(|template| references(&object.body, template));
    found.map(|(_, kind, name)| (namespace.clone(), kind, name)).collect()
}

/// The ConfigMaps and Secrets that the pods of an object read.
pub(crate) fn configuration_of(object: &Object) -> Vec<ObjectId> {
    let id = |(namespace, kind, name): Source| ObjectId { group: String::new(), kind: kind.into(), namespace, name };
    sources(object).into_iter().map(id).collect()
}

/// Names of ConfigMaps and Secrets wherever an object may hold one: `secretName`, `configMapRef.name`, `imagePullSecrets`.
fn named(value: &Value, parent: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| named(item, parent, found)),
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(key, _)| *key != "metadata" || !parent.is_empty()) {
                let is_name = matches!(key.as_str(), "secretName" | "configMapName");
                match value {
                    Value::String(text) if is_name || (key == "name" && is_reference(parent)) => {
                        found.insert(text.clone());
                    }
                    value => named(value, key, found),
                }
            }
        }
        _ => {}
    }
}

fn is_reference(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.ends_with("ref") || key.contains("secret") || key.contains("configmap")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_found_where_objects_hold_them() {
        let body = json!({
            "metadata": {"name": "own"},
            "spec": {
                "tls": [{"secretName": "tls"}],
                "imagePullSecrets": [{"name": "pull"}],
                "volumes": [{"name": "volume", "csi": {"nodePublishSecretRef": {"name": "csi"}}}],
                "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "map", "key": "k"}}}],
                "containers": [{"name": "container"}],
            },
        });
        let mut found = BTreeSet::new();
        named(&body, "", &mut found);
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), ["csi", "map", "pull", "tls"]);
    }
}
