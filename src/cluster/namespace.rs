//! Namespaces that shipway makes, with what it writes on them.
//!
//! They are made by POST, so that one is marked as made here only if it was. The marks have a field manager of their
//! own: a manifest of the same Namespace neither owns nor removes them.

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    connect::Cluster,
    error::{ClusterError, Reason},
    request::{Call, JSON, built_in, object_path, path},
};
use crate::model::{LiveNamespace, NamespaceMarks, ObjectId, Resource, Selection};

const MARKER: &str = "shipway-namespace";
const MERGE_PATCH: &str = "application/merge-patch+json";
const APP: &str = "shipway.dev/app";
const ENVIRONMENT: &str = "shipway.dev/env";
const CREATED: &str = "shipway.dev/created";
const BRANCH: &str = "shipway.dev/branch";
const USER: &str = "shipway.dev/user";
const EXPIRES: &str = "shipway.dev/expires";

impl Cluster {
    /// The namespace (one GET); none where it is not there.
    pub(crate) async fn namespace(&self, name: &str) -> Result<Option<LiveNamespace>, ClusterError> {
        let id = namespace_id(name);
        Ok(self
            .ask_if_there(&Call::get(object_path(&namespaces(), &id, &[])).about(&id))
            .await?
            .map(|body| read(&body)))
    }

    /// The Namespace as this run has read it, where it has.
    pub(crate) fn namespace_as_read(&self) -> Option<LiveNamespace> {
        self.namespace.as_deref().map(read)
    }

    /// The namespaces that shipway made for an app (one LIST over the whole cluster).
    pub(crate) async fn namespaces_of(&self, app: &str) -> Result<Vec<LiveNamespace>, ClusterError> {
        Ok(self.list_pages(&made_for(app), usize::MAX).await?.objects.iter().map(read).collect())
    }

    /// Makes a namespace; none where somebody else was quicker.
    pub(crate) async fn create_namespace(
        &self,
        name: &str,
        marks: &NamespaceMarks,
    ) -> Result<Option<LiveNamespace>, ClusterError> {
        let id = namespace_id(name);
        let body = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": {APP: marks.app, ENVIRONMENT: marks.environment, CREATED: "true"},
                "annotations": annotations(marks),
            },
        });
        let path = path(&namespaces(), None, None, &[("fieldManager", MARKER)]);
        let call = Call::write(Method::POST, path, JSON, body.to_string()).about(&id);
        match self.ask(&call).await {
            Ok(body) => Ok(Some(read(&body))),
            Err(error) if error.reason() == Some(Reason::Exists) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Brings what is written on a namespace up to date: branch, user, expiry.
    pub(crate) async fn mark_namespace(&self, name: &str, marks: &NamespaceMarks) -> Result<(), ClusterError> {
        let id = namespace_id(name);
        let mut annotations = annotations(marks);
        if marks.expires.is_none() {
            annotations.insert(EXPIRES.to_owned(), Value::Null);
        }
        let patch = json!({"metadata": {"annotations": annotations}});
        let path = object_path(&namespaces(), &id, &[("fieldManager", MARKER)]);
        let mut call = Call::write(Method::PATCH, path, MERGE_PATCH, patch.to_string()).about(&id);
        call.repeatable = true;
        self.ask(&call).await.map(drop)
    }

    /// Deletes this very namespace as it was read; false where it is gone already.
    ///
    /// # Errors
    /// [`ClusterError::Stale`] where it was changed since.
    pub(crate) async fn delete_namespace(&self, live: &LiveNamespace) -> Result<bool, ClusterError> {
        let exactly = json!({"uid": live.uid, "resourceVersion": live.resource_version});
        self.delete_if(&namespaces(), &namespace_id(&live.name), exactly).await
    }
}

/// Only what is known: a merge patch takes nothing away that is not named.
fn annotations(marks: &NamespaceMarks) -> Map<String, Value> {
    let expires = marks.expires.map(|expires| format!("{expires:.0}"));
    let known = [(BRANCH, &marks.branch), (USER, &marks.user), (EXPIRES, &expires)];
    known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?.into()))).collect()
}

/// The namespaces that shipway made for an app.
pub(crate) fn made_for(app: &str) -> Selection {
    let labels = Some(format!("{APP}={app},{CREATED}"));
    Selection { resource: namespaces(), namespace: None, labels, fields: None }
}

/// A namespace as a watch has told it.
pub(crate) fn read_namespace(body: &Value) -> LiveNamespace {
    read(body)
}

fn read(body: &Value) -> LiveNamespace {
    let metadata = &body["metadata"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (labels, annotations) = (&metadata["labels"], &metadata["annotations"]);
    LiveNamespace {
        name: text(&metadata["name"]).unwrap_or_default(),
        uid: text(&metadata["uid"]).unwrap_or_default(),
        resource_version: text(&metadata["resourceVersion"]).unwrap_or_default(),
        leaving: !metadata["deletionTimestamp"].is_null(),
        marks: NamespaceMarks {
            app: text(&labels[APP]),
            environment: text(&labels[ENVIRONMENT]),
            created: labels[CREATED] == "true",
            branch: text(&annotations[BRANCH]),
            user: text(&annotations[USER]),
            expires: annotations[EXPIRES].as_str().and_then(|time| time.parse().ok()),
        },
        remains: remains(body),
        body: body.clone(),
    }
}

/// `Some resources are remaining: configmaps. has 1 resource instances`
fn remains(body: &Value) -> Vec<String> {
    let conditions = body.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let holds = conditions.filter(|condition| condition["status"] == "True");
    holds.filter_map(|condition| condition["message"].as_str()).map(str::to_owned).collect()
}

fn namespaces() -> Resource {
    built_in("", "v1", "Namespace", "namespaces")
}

fn namespace_id(name: &str) -> ObjectId {
    ObjectId { group: String::new(), kind: "Namespace".to_owned(), namespace: None, name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_were_written() {
        let marks = NamespaceMarks {
            app: Some("demo".to_owned()),
            environment: Some("preview".to_owned()),
            created: true,
            branch: Some("feature/a_b".to_owned()),
            user: None,
            expires: "2026-11-23T12:00:00Z".parse().ok(),
        };
        let body = json!({
            "metadata": {
                "name": "demo-a", "uid": "u", "resourceVersion": "7",
                "labels": {APP: "demo", ENVIRONMENT: "preview", CREATED: "true"},
                "annotations": annotations(&marks),
            },
            "status": {"conditions": [
                {"status": "False", "message": "All content removed"},
                {"status": "True", "message": "Some resources are remaining: configmaps. has 1 resource instances"},
            ]},
        });
        let live = read(&body);
        assert_eq!(live.marks, marks);
        assert_eq!((live.uid.as_str(), live.resource_version.as_str(), live.leaving), ("u", "7", false));
        assert_eq!(live.remains, ["Some resources are remaining: configmaps. has 1 resource instances"]);
        assert_eq!(read(&json!({"metadata": {"name": "demo"}})).marks, NamespaceMarks::default());
    }
}
