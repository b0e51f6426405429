//! What a deploy needs to be allowed, as far as that is known before it asks.

use std::collections::BTreeSet;

use crate::{
    kinds,
    model::{ObjectId, Resource, Right},
};

/// What shipway does with objects of a kind that it deploys.
const OBJECTS: [&str; 5] = ["get", "list", "watch", "create", "patch"];
const CHILDREN: [&str; 2] = ["list", "watch"];

/// The rights that a deploy of these objects needs, in this namespace where they name none: to read and write them, to
/// follow their rollout, and for the lock and the record.
pub(crate) fn rights<'o>(namespace: &str, objects: impl Iterator<Item = (&'o ObjectId, &'o Resource)>) -> Vec<Right> {
    let mut found = BTreeSet::new();
    let mut add = |group: &str, resource: &str, place: Option<&str>, verbs: &[&'static str]| {
        found.extend(verbs.iter().map(|verb| Right {
            namespace: place.map(str::to_owned),
            group: group.to_owned(),
            resource: resource.to_owned(),
            verb,
        }));
    };
    add("coordination.k8s.io", "leases", Some(namespace), &["get", "create", "update"]);
    add("", "secrets", Some(namespace), &["list", "create", "patch"]);
    for (id, resource) in objects {
        if id.group.is_empty() && id.kind == "Namespace" {
            // in a Role this is the namespace of the Role
            if id.name == namespace {
                add("", "namespaces", Some(namespace), &["get", "patch"]);
            }
            continue;
        }
        let place = resource.namespaced.then(|| id.namespace.as_deref().unwrap_or(namespace));
        add(&resource.group, &resource.plural, place, &OBJECTS);
        let children = kinds::find(&id.group, &id.kind).map_or(&[][..], |kind| kind.children);
        for child in children.iter().filter_map(|(group, kind)| kinds::find(group, kind)) {
            add(child.group, child.plural, place, &CHILDREN);
        }
    }
    found.into_iter().collect()
}

/// The right to delete each of these.
pub(crate) fn rights_to_delete<'o>(objects: impl Iterator<Item = (&'o ObjectId, &'o Resource)>) -> Vec<Right> {
    let one = |(id, resource): (&ObjectId, &Resource)| Right {
        namespace: id.namespace.clone(),
        group: resource.group.clone(),
        resource: resource.plural.clone(),
        verb: "delete",
    };
    objects.map(one).collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_needs_its_pods_to_be_seen() {
        let resource = kinds::find("apps", "Deployment").unwrap().resource();
        let id = ObjectId { group: "apps".into(), kind: "Deployment".into(), namespace: None, name: "web".into() };
        let found = rights("demo", std::iter::once((&id, &resource)));
        let has = |text: &str| found.iter().any(|right| right.to_string() == text);
        for text in [
            "patch deployments",
            "create deployments",
            "watch pods",
            "watch replicasets",
            "update leases",
            "patch secrets",
        ] {
            assert!(has(text), "{text}");
        }
        assert!(!has("patch pods") && !has("delete deployments"));
        assert!(found.iter().all(|right| right.namespace.as_deref() == Some("demo")));
    }

    #[test]
    fn a_namespace_is_the_targets_own() {
        let resource = kinds::find("", "Namespace").unwrap().resource();
        let id = |name: &str| ObjectId {
            group: String::new(),
            kind: "Namespace".into(),
            namespace: None,
            name: name.into(),
        };
        let of = |name: &str| {
            let id = id(name);
            rights("demo", std::iter::once((&id, &resource)))
                .iter()
                .filter(|right| right.resource == "namespaces")
                .count()
        };
        assert_eq!((of("demo"), of("other")), (2, 0));
    }
}
