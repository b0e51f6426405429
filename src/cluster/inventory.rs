//! Everything in a namespace, of whatever kind.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use super::{
    connect::Cluster,
    error::ClusterError,
    request::{Call, JSON, path},
    survey::{PARALLEL, stamp},
};
use crate::model::{Live, ObjectId, Resource};

const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

impl Cluster {
    /// All objects in a namespace, of every kind that can be deleted, as metadata; StatefulSets in full, since their
    /// volumes may go with them. One LIST a kind.
    ///
    /// # Errors
    /// Also where one kind may not be listed: what is not seen cannot be minded.
    pub(crate) async fn everything_in(&self, namespace: &str, labels: Option<&str>) -> Result<Vec<Live>, ClusterError> {
        let documents = self.discovery().await?;
        let found: Vec<Vec<Live>> = futures::stream::iter(kinds_of_objects(&documents))
            .map(|resource| async move {
                match self.list_metadata(&resource, namespace, labels).await {
                    // its definition has gone meanwhile
                    Err(error) if error.is_missing() => Ok(Vec::new()),
                    found => found,
                }
            })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn list_metadata(
        &self,
        resource: &Resource,
        namespace: &str,
        labels: Option<&str>,
    ) -> Result<Vec<Live>, ClusterError> {
        let accept = if resource.kind == "StatefulSet" { JSON } else { METADATA };
        let mut live = Vec::new();
        let mut next = String::new();
        loop {
            let mut query = vec![("limit", "500")];
            query.extend(labels.map(|labels| ("labelSelector", labels)));
            if !next.is_empty() {
                query.push(("continue", &next));
            }
            let call = Call { accept, ..Call::get(path(resource, Some(namespace), None, &query)) };
            let mut answer = self.ask(&call).await?;
            let items = answer.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take);
            live.extend(items.into_iter().flatten().map(|body| as_live(body, resource, namespace)));
            answer["metadata"]["continue"].as_str().unwrap_or_default().clone_into(&mut next);
            if next.is_empty() {
                return Ok(live);
            }
        }
    }
}

fn as_live(mut body: Value, resource: &Resource, namespace: &str) -> Live {
    // items of a metadata list call themselves PartialObjectMetadata
    for field in ["apiVersion", "kind"] {
        body.as_object_mut().map(|fields| fields.shift_remove(field));
    }
    stamp(&mut body, resource);
    let id = ObjectId {
        group: resource.group.clone(),
        kind: resource.kind.clone(),
        namespace: Some(namespace.to_owned()),
        name: body["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
    };
    Live { id, resource: resource.clone(), body: Some(body) }
}

/// Kinds in namespaces whose objects are stored, each in the version that the server prefers. Events go by themselves.
fn kinds_of_objects(documents: &[Value]) -> Vec<Resource> {
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    let mut found = Vec::new();
    let verbs = |resource: &Value| -> Vec<String> {
        let verbs = resource["verbs"].as_array().into_iter().flatten();
        verbs.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    for group in documents.iter().flat_map(|document| document["items"].as_array().into_iter().flatten()) {
        let name = group.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        for version in group["versions"].as_array().into_iter().flatten() {
            for resource in version["resources"].as_array().into_iter().flatten() {
                let text = |pointer| resource.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
                let verbs = verbs(resource);
                let is_stored = ["list", "delete"].iter().all(|verb| verbs.iter().any(|known| known == verb));
                let plural = text("/resource");
                if resource["scope"] == "Namespaced"
                    && is_stored
                    && plural != "events"
                    && known.insert((name.to_owned(), plural.clone()))
                {
                    found.push(Resource {
                        group: name.to_owned(),
                        version: version["version"].as_str().unwrap_or_default().to_owned(),
                        kind: text("/responseKind/kind"),
                        plural,
                        namespaced: true,
                    });
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_are_listed_once_and_in_the_preferred_version() {
        let resource = |name: &str, kind: &str, scope: &str, verbs: &[&str]| json!({"resource": name, "responseKind": {"kind": kind}, "scope": scope, "verbs": verbs});
        let stored = ["create", "delete", "get", "list"];
        let documents = [
            json!({"items": [{"metadata": {}, "versions": [{"version": "v1", "resources": [
                resource("configmaps", "ConfigMap", "Namespaced", &stored),
                resource("bindings", "Binding", "Namespaced", &["create"]),
                resource("nodes", "Node", "Cluster", &stored),
                resource("events", "Event", "Namespaced", &stored),
            ]}]}]}),
            json!({"items": [{"metadata": {"name": "autoscaling"}, "versions": [
                {"version": "v2", "resources": [resource("hpas", "Hpa", "Namespaced", &stored)]},
                {"version": "v1", "resources": [resource("hpas", "Hpa", "Namespaced", &stored)]},
            ]}]}),
        ];
        let found: Vec<String> =
            kinds_of_objects(&documents).iter().map(|one| format!("{} {}", one.api_version(), one.plural)).collect();
        assert_eq!(found, ["v1 configmaps", "autoscaling/v2 hpas"]);
        let body = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "a"}});
        let live = as_live(body, &kinds_of_objects(&documents)[0], "demo");
        assert_eq!(live.body.unwrap()["kind"], "ConfigMap");
    }
}
