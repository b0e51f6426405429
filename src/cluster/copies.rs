//! Secrets of another namespace that pods need here, as logins to registries.
//!
//! Copies have a field manager of their own, so that pruning does not take them for objects of the manifests.

use http::Method;
use serde_json::{Value, json};

use super::{
    connect::Cluster,
    error::ClusterError,
    request::{APPLY_PATCH, Call, built_in, object_path},
};
use crate::model::{ObjectId, Target};

const COPIER: &str = "shipway-copy";
const COPIED_FROM: &str = "shipway.dev/copied-from";

impl Cluster {
    /// A Secret (one GET), none where it is not there. Its values are learnt by the redactor.
    pub(crate) async fn secret(&self, namespace: &str, name: &str) -> Result<Option<Value>, ClusterError> {
        self.get(&built_in("", "v1", "Secret", "secrets"), &secret_id(namespace, name)).await
    }

    /// Writes the target's copy of a Secret, new or changed (one PATCH).
    pub(crate) async fn copy_secret(&self, source: &Value, target: &Target) -> Result<(), ClusterError> {
        let name = source["metadata"]["name"].as_str().unwrap_or_default();
        let id = secret_id(&target.namespace.value, name);
        let query = [("fieldManager", COPIER), ("force", "true")];
        let path = object_path(&built_in("", "v1", "Secret", "secrets"), &id, &query);
        let call = Call::write(Method::PATCH, path, APPLY_PATCH, copy(source, &id, target).to_string()).about(&id);
        self.ask(&call).await.map(drop)
    }
}

/// Labels and annotations of the source stay there: they say what it is to others.
fn copy(source: &Value, id: &ObjectId, target: &Target) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": source["type"],
        "metadata": {
            "name": id.name,
            "namespace": id.namespace,
            "labels": {"shipway.dev/app": target.app, "shipway.dev/env": target.environment.value},
            "annotations": {COPIED_FROM: source["metadata"]["namespace"]},
        },
        "data": source["data"],
    })
}

/// True for a Secret that shipway copied here, and not one that somebody made.
pub(crate) fn is_copy(secret: &Value) -> bool {
    secret["metadata"]["annotations"].get(COPIED_FROM).is_some()
}

/// True where a copy has all that its source has.
pub(crate) fn is_same_secret(source: &Value, copy: &Value) -> bool {
    source["data"] == copy["data"]
        && source["type"] == copy["type"]
        && copy["metadata"]["annotations"][COPIED_FROM] == source["metadata"]["namespace"]
}

fn secret_id(namespace: &str, name: &str) -> ObjectId {
    ObjectId {
        group: String::new(),
        kind: "Secret".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_equals_its_source_until_that_changes() {
        let target = Target::sample("preview");
        let source = json!({
            "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": "regcred", "namespace": "demo-qa", "labels": {"shipway.dev/app": "other"}},
            "data": {".dockerconfigjson": "e30="},
        });
        let made = copy(&source, &secret_id("demo-cart", "regcred"), &target);
        assert!(is_copy(&made) && is_same_secret(&source, &made) && !is_copy(&source));
        assert_eq!(made["metadata"]["labels"], json!({"shipway.dev/app": "demo", "shipway.dev/env": "preview"}));
        for (path, value) in [("data", json!({"a": "eA=="})), ("type", json!("Opaque"))] {
            let mut changed = source.clone();
            changed[path] = value;
            assert!(!is_same_secret(&changed, &made), "{path}");
        }
    }
}
