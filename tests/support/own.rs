//! Objects of the cluster, in no namespace, that a story makes for itself.

use serde_json::{Value, json};

use super::Bench;

/// Objects of the cluster, deleted with the story.
pub struct Own {
    bench: Bench,
    text: String,
}

impl Own {
    pub fn create(objects: Vec<Value>) -> Self {
        let text = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
        let own = Self { bench: Bench, text };
        let made = own.bench.try_kubectl(&["create", "-f", "-"], &own.text);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        own
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.bench.try_kubectl(&["delete", "-f", "-", "--wait=false", "--ignore-not-found"], &self.text);
    }
}

/// A name that no other story has.
pub fn unique(story: &str) -> String {
    format!("{story}-{}.example.com", std::process::id())
}

/// A class of volumes that nobody makes.
pub fn class(name: &str, binding: &str) -> Value {
    json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
        "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": binding})
}
