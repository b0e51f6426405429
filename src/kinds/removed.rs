//! API versions that clusters no longer serve (kubernetes.io/docs/reference/using-api/deprecation-guide).

/// What to write in the place of a removed API version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Removed {
    /// The `apiVersion` to write.
    pub write: &'static str,
    /// The kind to write where it is another one.
    pub kind: Option<&'static str>,
    /// The Kubernetes release that stopped serving it: `1.16`.
    pub since: &'static str,
    /// What else must change, an item each.
    pub also: &'static [&'static str],
}

const SELECTOR: &str =
    "write spec.selector (matchLabels: the labels of spec.template.metadata): it has no default any more";
const ROLLBACK: &str = "leave out spec.rollbackTo";
const BACKEND: &str =
    "write backend.service.name and backend.service.port.number (or .name) for serviceName and servicePort";
const PATH_TYPE: &str = "write pathType (Prefix, Exact or ImplementationSpecific) for each path";
const CLASS: &str = "write spec.ingressClassName for the annotation kubernetes.io/ingress.class";
const METRICS: &str = "write metrics[].resource.target.type and .averageUtilization for targetAverageUtilization";
const WEBHOOK: &str = "write admissionReviewVersions and sideEffects (None or NoneOnDryRun) for each webhook";
const SCHEMA: &str = "write versions[].schema.openAPIV3Schema for spec.validation, and spec.versions for spec.version";

/// The removal of this API version of a kind, if clusters have stopped to serve it.
pub(crate) fn removed(api_version: &str, kind: &str) -> Option<Removed> {
    let of = |write, since, also| Some(Removed { write, kind: None, since, also });
    match (api_version, kind) {
        ("extensions/v1beta1" | "apps/v1beta1", "Deployment") => of("apps/v1", "1.16", &[SELECTOR, ROLLBACK]),
        ("apps/v1beta2", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ControllerRevision") => {
            of("apps/v1", "1.16", &[])
        }
        ("extensions/v1beta1", "DaemonSet") => {
            of("apps/v1", "1.16", &[SELECTOR, "leave out spec.templateGeneration", UPDATE_STRATEGY])
        }
        ("apps/v1beta1", "StatefulSet") => of("apps/v1", "1.16", &[SELECTOR, UPDATE_STRATEGY]),
        ("apps/v1beta1", "ControllerRevision") => of("apps/v1", "1.16", &[]),
        ("extensions/v1beta1", "ReplicaSet") => of("apps/v1", "1.16", &[SELECTOR]),
        ("extensions/v1beta1", "NetworkPolicy") => of("networking.k8s.io/v1", "1.16", &[]),
        ("extensions/v1beta1" | "networking.k8s.io/v1beta1", "Ingress") => {
            of("networking.k8s.io/v1", "1.22", &[BACKEND, PATH_TYPE, CLASS])
        }
        ("networking.k8s.io/v1beta1", "IngressClass") => of("networking.k8s.io/v1", "1.22", &[]),
        ("batch/v1beta1" | "batch/v2alpha1", "CronJob") => of("batch/v1", "1.25", &[]),
        ("policy/v1beta1", "PodDisruptionBudget") => {
            of("policy/v1", "1.25", &["an empty selector now matches every pod of the namespace"])
        }
        ("autoscaling/v2beta1", "HorizontalPodAutoscaler") => of("autoscaling/v2", "1.25", &[METRICS]),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler") => of("autoscaling/v2", "1.26", &[]),
        ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition") => {
            of("apiextensions.k8s.io/v1", "1.22", &[SCHEMA])
        }
        (
            "rbac.authorization.k8s.io/v1beta1" | "rbac.authorization.k8s.io/v1alpha1",
            "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding",
        ) => of("rbac.authorization.k8s.io/v1", "1.22", &[]),
        ("admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration") => {
            of("admissionregistration.k8s.io/v1", "1.22", &[WEBHOOK])
        }
        _ => of_clusters(api_version, kind),
    }
}

/// The rest: kinds of the cluster's own, rarely in an app's manifests.
fn of_clusters(api_version: &str, kind: &str) -> Option<Removed> {
    let of = |write, since, also| Some(Removed { write, kind: None, since, also });
    match (api_version, kind) {
        ("apiregistration.k8s.io/v1beta1", "APIService") => of("apiregistration.k8s.io/v1", "1.22", &[]),
        ("coordination.k8s.io/v1beta1", "Lease") => of("coordination.k8s.io/v1", "1.22", &[]),
        ("scheduling.k8s.io/v1beta1" | "scheduling.k8s.io/v1alpha1", "PriorityClass") => {
            of("scheduling.k8s.io/v1", "1.22", &[])
        }
        ("storage.k8s.io/v1beta1", "StorageClass" | "CSIDriver" | "CSINode" | "VolumeAttachment") => {
            of("storage.k8s.io/v1", "1.22", &[])
        }
        ("storage.k8s.io/v1beta1", "CSIStorageCapacity") => of("storage.k8s.io/v1", "1.27", &[]),
        ("discovery.k8s.io/v1beta1", "EndpointSlice") => {
            of("discovery.k8s.io/v1", "1.25", &["write endpoints[].nodeName and .zone for .topology"])
        }
        ("events.k8s.io/v1beta1", "Event") => of("events.k8s.io/v1", "1.25", &[]),
        ("node.k8s.io/v1beta1" | "node.k8s.io/v1alpha1", "RuntimeClass") => of("node.k8s.io/v1", "1.25", &[]),
        (
            "flowcontrol.apiserver.k8s.io/v1beta1"
            | "flowcontrol.apiserver.k8s.io/v1beta2"
            | "flowcontrol.apiserver.k8s.io/v1beta3",
            "FlowSchema" | "PriorityLevelConfiguration",
        ) => of("flowcontrol.apiserver.k8s.io/v1", "1.32", &[]),
        ("extensions/v1beta1" | "policy/v1beta1", "PodSecurityPolicy") => Some(Removed {
            write: "v1",
            kind: Some("Namespace"),
            since: "1.25",
            also: &["remove it: the label pod-security.kubernetes.io/enforce on the Namespace has taken its place"],
        }),
        _ => None,
    }
}

const UPDATE_STRATEGY: &str = "the default of spec.updateStrategy.type is RollingUpdate now, not OnDelete";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_to_write_is_told() {
        for (api_version, kind, write, also) in [
            ("extensions/v1beta1", "Deployment", "apps/v1", "spec.selector"),
            ("apps/v1beta1", "StatefulSet", "apps/v1", "spec.selector"),
            ("networking.k8s.io/v1beta1", "Ingress", "networking.k8s.io/v1", "backend.service.name"),
            ("autoscaling/v2beta1", "HorizontalPodAutoscaler", "autoscaling/v2", "averageUtilization"),
            ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", "apiextensions.k8s.io/v1", "schema"),
        ] {
            let removed = removed(api_version, kind).unwrap_or_else(|| panic!("{api_version} {kind}"));
            assert_eq!(removed.write, write, "{kind}");
            assert!(removed.also.iter().any(|text| text.contains(also)), "{kind}: {also}");
        }
    }

    #[test]
    fn served_versions_are_not_removed() {
        for (api_version, kind) in [
            ("apps/v1", "Deployment"),
            ("batch/v1", "CronJob"),
            ("autoscaling/v1", "HorizontalPodAutoscaler"),
            ("gateway.networking.k8s.io/v1beta1", "HTTPRoute"),
            ("extensions/v1beta1", "SomethingElse"),
        ] {
            assert_eq!(removed(api_version, kind), None, "{api_version} {kind}");
        }
    }
}
