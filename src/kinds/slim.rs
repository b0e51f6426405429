//! What no judge looks at is not held: of an application with many variables that is most of an object.

use serde_json::Value;

use super::{find, read};
use crate::model::Resource;

/// Of a container in a pod, what is large and says nothing about how it runs.
const SETTINGS: &[&str] = &["args", "command", "env", "envFrom", "volumeMounts"];
/// How a server and its controllers go about it, most of it by default.
const MANNERS: &[&str] = &[
    "clusterIPs",
    "externalTrafficPolicy",
    "internalTrafficPolicy",
    "ipFamilies",
    "ipFamilyPolicy",
    "progressDeadlineSeconds",
    "revisionHistoryLimit",
    "sessionAffinity",
    "strategy",
];
/// What is looked at of a template that pods are made from; the pods themselves tell the rest.
const OF_A_TEMPLATE: &[&str] = &["containers", "initContainers", "imagePullSecrets"];
const OF_ITS_CONTAINERS: &[&str] = &["name", "image"];

/// Leaves out of a pod, or of what pods are made from, what no judge looks at.
pub(crate) fn slim(resource: &Resource, object: &mut Value) {
    let Some(kind) = find(&resource.group, &resource.kind) else { return };
    retain(object.get_mut("spec"), |key| !MANNERS.contains(&key));
    let Some(path) = kind.template else { return };
    let is_pod = path.is_empty();
    for owner in object.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut).into_iter().flatten() {
        retain(Some(owner), |key| matches!(key, "uid" | "controller"));
    }
    if resource.kind == "Deployment" {
        // how long it may take is judged here, and not by its controller
        let conditions = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
        conditions.into_iter().for_each(|all| all.retain(|condition| condition["type"] == "ReplicaFailure"));
    }
    if resource.kind == "ReplicaSet" && read::controller(object).is_some() {
        // its Deployment is judged, and has the same
        retain(object.get_mut("metadata"), |key| key != "labels");
        retain(object.get_mut("spec"), |key| !matches!(key, "selector" | "template"));
    }
    let Some(template) = path.iter().try_fold(object, |part, key| part.get_mut(*key)) else { return };
    if !is_pod {
        retain(template.get_mut("metadata"), |key| key == "labels");
        retain(template.get_mut("spec"), |key| OF_A_TEMPLATE.contains(&key));
    }
    let is_looked_at = |key: &str| if is_pod { !SETTINGS.contains(&key) } else { OF_ITS_CONTAINERS.contains(&key) };
    for list in ["initContainers", "containers"] {
        let containers = template.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut);
        containers.into_iter().flatten().for_each(|container| retain(Some(container), is_looked_at));
    }
}

fn retain(fields: Option<&mut Value>, is_looked_at: impl Fn(&str) -> bool) {
    if let Some(Value::Object(fields)) = fields {
        fields.retain(|key, _| is_looked_at(key));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_slim_object_is_without_what_its_pods_are_set_up_with() {
        let slim = |kind: &str, mut object: Value| {
            slim(&find(if kind == "Pod" { "" } else { "apps" }, kind).unwrap().resource(), &mut object);
            object
        };
        let container = json!({"name": "web", "image": "web:1", "env": [{"name": "A"}], "resources": {"limits": {}}});
        let pod = json!({"metadata": {"labels": {"app": "web"}, "annotations": {"a": "b"}},
            "spec": {"containers": [container], "nodeName": "node1"}});
        assert_eq!(
            slim("Deployment", json!({"spec": {"replicas": 2, "strategy": {"type": "Recreate"}, "template": pod}})),
            json!({"spec": {"replicas": 2, "template": {
                "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}}})
        );
        let conditions = json!([{"type": "Progressing"}, {"type": "ReplicaFailure"}, {"type": "Available"}]);
        assert_eq!(
            slim("Deployment", json!({"status": {"conditions": conditions}})),
            json!({"status": {"conditions": [{"type": "ReplicaFailure"}]}})
        );
        let owned = |metadata: Value, spec: Value| json!({"metadata": metadata, "spec": spec});
        let owners = json!([{"uid": "1", "controller": true}]);
        let named =
            json!({"metadata": {"ownerReferences": [{"kind": "Job", "name": "a", "uid": "1", "controller": true}]}});
        assert_eq!(slim("Pod", named), json!({"metadata": {"ownerReferences": owners}}));
        assert_eq!(
            slim(
                "ReplicaSet",
                owned(json!({"labels": {}, "ownerReferences": owners}), json!({"replicas": 2, "template": pod}))
            ),
            owned(json!({"ownerReferences": owners}), json!({"replicas": 2}))
        );
        let mut slim_pod = pod.clone();
        slim_pod["spec"]["containers"][0] = json!({"name": "web", "image": "web:1", "resources": {"limits": {}}});
        assert_eq!(slim("Pod", pod), slim_pod);
    }
}
