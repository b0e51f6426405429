//! The kind that a CustomResourceDefinition brings.

use serde_json::Value;

use super::{ObjectId, Resource};

/// What a definition says of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub group: String,
    pub kind: String,
    pub plural: String,
    pub namespaced: bool,
    /// The versions that are served; none where it names none at all, which the server tells of.
    pub versions: Option<Vec<String>>,
}

impl Definition {
    /// None for an object that is no definition; its body is asked for only where it is one.
    pub fn of(id: &ObjectId, body: impl FnOnce() -> Value) -> Option<Self> {
        if (id.group.as_str(), id.kind.as_str()) != ("apiextensions.k8s.io", "CustomResourceDefinition") {
            return None;
        }
        let body = body();
        let text = |pointer| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let served = |version: &&Value| version["served"] != false;
        let names = |versions: &Vec<Value>| {
            versions.iter().filter(served).filter_map(|version| version["name"].as_str().map(str::to_owned)).collect()
        };
        Some(Self {
            group: text("/spec/group")?,
            kind: text("/spec/names/kind")?,
            // the definition's own name begins with it
            plural: text("/spec/names/plural").or_else(|| id.name.split('.').next().map(str::to_owned))?,
            namespaced: text("/spec/scope")? == "Namespaced",
            versions: body.pointer("/spec/versions").and_then(Value::as_array).map(names),
        })
    }

    pub fn api_versions(&self) -> Vec<String> {
        self.versions.iter().flatten().map(|version| format!("{}/{version}", self.group)).collect()
    }

    pub fn is_of(&self, resource: &Resource) -> bool {
        (&self.group, &self.kind) == (&resource.group, &resource.kind)
    }

    pub fn serves(&self, resource: &Resource) -> bool {
        self.is_of(resource) && self.versions.as_ref().is_none_or(|versions| versions.contains(&resource.version))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_says_how_its_kind_is_reached() {
        let id = |kind: &str| ObjectId {
            group: "apiextensions.k8s.io".into(),
            kind: kind.into(),
            namespace: None,
            name: "mice.example.com".into(),
        };
        let versions = json!([{"name": "v1", "served": true}, {"name": "v0", "served": false}]);
        let body = json!({"spec": {"group": "example.com", "names": {"kind": "Mouse", "plural": "mice"},
            "scope": "Cluster", "versions": versions}});
        let read = |body: &Value| Definition::of(&id("CustomResourceDefinition"), || body.clone());
        let definition = read(&body).unwrap();
        let resource = |version: &str| Resource {
            group: "example.com".into(),
            version: version.into(),
            kind: "Mouse".into(),
            plural: "mouses".into(),
            namespaced: true,
        };
        assert_eq!((definition.plural.as_str(), definition.namespaced), ("mice", false));
        assert!(definition.serves(&resource("v1")) && !definition.serves(&resource("v0")));
        assert!(!definition.serves(&Resource { kind: "Cat".into(), ..resource("v1") }));
        assert_eq!(Definition::of(&id("ConversionReview"), || body.clone()), None);
        // what else is wrong with it is the server's to say
        let mut open = body;
        open["spec"]["names"]["plural"] = Value::Null;
        open["spec"]["versions"] = Value::Null;
        let open = read(&open).unwrap();
        assert!(open.plural == "mice" && open.serves(&resource("v7")));
    }
}
