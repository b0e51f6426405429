//! Commands that users type, for hints: each exists, and names what it is about in full.

use serde_json::Value;

use super::{find, read};
use crate::model::ObjectId;

/// ` -n demo`
pub(super) fn in_namespace(id: &ObjectId) -> String {
    id.namespace.iter().map(|namespace| format!(" -n {namespace}")).collect()
}

/// `kubectl -n demo describe widget.example.com/web`: of custom resources the group, too.
pub(super) fn describe(id: &ObjectId) -> String {
    let kind = id.kind.to_lowercase();
    let kind = if find(&id.group, &id.kind).is_some() { kind } else { format!("{kind}.{}", id.group) };
    format!("`kubectl{} describe {kind}/{}`", in_namespace(id), id.name)
}

/// The whole log of a container's present run, or of the one before it.
pub(super) fn log(pod: &Value, container: &str, previous: bool) -> String {
    let previous = if previous { " --previous" } else { "" };
    let (namespace, name) = (in_namespace(&read::id(pod)), read::name(pod));
    format!("`kubectl{namespace} logs {name} --container {container}{previous}` shows all of its log")
}

/// How the node of a pod is; of a pod without one, how all are.
pub(super) fn node(pod: &Value) -> String {
    match read::text(pod, &["spec", "nodeName"]) {
        "" => "`kubectl describe nodes` shows how the nodes are".to_owned(),
        node => format!("`kubectl describe node {node}` shows how its node is"),
    }
}
