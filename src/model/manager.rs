//! Field managers: who stands behind a name in `metadata.managedFields`.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::hex;

/// Shipway's own; what begins with it is ours, too.
pub const MANAGER: &str = "shipway";
/// Holds a count of pods that no manifest sends any more, until somebody sets another.
pub const HANDOVER: &str = "shipway-handover";

/// Tools behind which stands a person's hand. Compared as prefixes, in lower case.
const PEOPLE: &[&str] = &[
    "kubectl",
    "k9s",
    "dashboard",
    "mozilla",
    "node-fetch",
    "lens",
    "openlens",
    "freelens",
    "headlamp",
    "openapi-generator",
    // objects from before the time of managedFields
    "before-first-apply",
];

/// Names under which whole manifests are written, rather than a field by hand.
const MANIFESTS: &[&str] =
    &["kubectl-client-side-apply", "kubectl-create", "kubectl-replace", "kubectl-last-applied", "before-first-apply"];

/// The entries of an object's `metadata.managedFields`.
pub fn managed_fields(body: &Value) -> impl Iterator<Item = &Value> {
    body.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten()
}

/// True for shipway under any of its names.
pub fn is_ours(manager: &str) -> bool {
    manager.starts_with(MANAGER)
}

/// True for our own entry of a server-side apply.
pub fn is_our_apply(entry: &Value) -> bool {
    entry["manager"] == MANAGER && entry["operation"] == "Apply" && entry.get("subresource").is_none()
}

/// SHA-256 of what of our own apply's entry (`fieldsV1`) lies in the pod template: another one once somebody else has changed or
/// taken away any of it. None where it has nothing there. What is watched holds the hash in the place of all fields.
pub fn our_template(body: &Value) -> Option<String> {
    match &managed_fields(body).find(|entry| is_our_apply(entry))?["fieldsV1"] {
        Value::String(hash) => Some(hash.clone()),
        fields => Some(hex(&Sha256::digest(fields.pointer("/f:spec/f:template")?.to_string()))),
    }
}

/// True for people's tools; false for shipway, controllers and other deployers.
pub fn is_person(manager: &str) -> bool {
    let manager = manager.to_lowercase();
    PEOPLE.iter().any(|prefix| manager.starts_with(prefix))
}

/// True where the fields of an entry came from a manifest that was written as a whole.
pub fn is_of_a_manifest(entry: &Value) -> bool {
    let manager = entry["manager"].as_str().unwrap_or_default();
    let is_apply = entry["operation"] == "Apply";
    entry.get("subresource").is_none() && (MANIFESTS.contains(&manager) || (is_apply && is_person(manager)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_hand_it_is() {
        for (manager, expected) in [
            ("kubectl-edit", true),
            ("kubectl", true),
            ("Mozilla", true),
            ("OpenLens", true),
            ("before-first-apply", true),
            ("shipway-handover", false),
            ("helm", false),
            ("argocd-controller", false),
            ("kube-controller-manager", false),
            ("flux", false),
        ] {
            assert_eq!(is_person(manager), expected, "{manager}");
        }
    }

    #[test]
    fn manifests_and_hands_are_told_apart() {
        let entry = |manager: &str, operation: &str| serde_json::json!({"manager": manager, "operation": operation});
        assert!(is_of_a_manifest(&entry("kubectl-client-side-apply", "Update")));
        assert!(is_of_a_manifest(&entry("kubectl", "Apply")));
        assert!(!is_of_a_manifest(&entry("kubectl", "Update")));
        assert!(!is_of_a_manifest(&entry("helm", "Apply")));
        let mut scaled = entry("kubectl-replace", "Update");
        scaled["subresource"] = "scale".into();
        assert!(!is_of_a_manifest(&scaled));
    }
}
