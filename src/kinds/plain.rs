//! Kinds with nothing to judge: applied is ready.

use super::{Judgement, Kind, Observation};
use crate::model::Stage;

const ADMISSION: &str = "admissionregistration.k8s.io";
const GATEWAY: &str = "gateway.networking.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";

use Stage::{Configuration, Foundation, Rights, Service, Workload};

pub(super) static KINDS: &[Kind] = &[
    // what everything else stands on
    cluster("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", Foundation),
    cluster("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", Foundation),
    cluster("networking.k8s.io", "v1", "IngressClass", "ingressclasses", Foundation),
    cluster(GATEWAY, "v1", "GatewayClass", "gatewayclasses", Foundation),
    cluster("storage.k8s.io", "v1", "StorageClass", "storageclasses", Foundation),
    cluster("storage.k8s.io", "v1", "CSIDriver", "csidrivers", Foundation),
    cluster("flowcontrol.apiserver.k8s.io", "v1", "FlowSchema", "flowschemas", Foundation),
    cluster(
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "PriorityLevelConfiguration",
        "prioritylevelconfigurations",
        Foundation,
    ),
    named("", "v1", "ResourceQuota", "resourcequotas", Foundation),
    named("", "v1", "LimitRange", "limitranges", Foundation),
    // who may do what
    named("", "v1", "ServiceAccount", "serviceaccounts", Rights),
    named(RBAC, "v1", "Role", "roles", Rights),
    named(RBAC, "v1", "RoleBinding", "rolebindings", Rights),
    cluster(RBAC, "v1", "ClusterRole", "clusterroles", Rights),
    cluster(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", Rights),
    named("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", Rights),
    // what pods read and write
    named("", "v1", "ConfigMap", "configmaps", Configuration),
    Kind { confidential: true, ..named("", "v1", "Secret", "secrets", Configuration) },
    cluster("", "v1", "PersistentVolume", "persistentvolumes", Configuration),
    Kind { template: Some(&["template"]), ..named("", "v1", "PodTemplate", "podtemplates", Configuration) },
    // how they are reached
    named("", "v1", "Endpoints", "endpoints", Service),
    named("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", Service),
    named(GATEWAY, "v1", "Gateway", "gateways", Service),
    named(GATEWAY, "v1", "GRPCRoute", "grpcroutes", Service),
    named(GATEWAY, "v1beta1", "ReferenceGrant", "referencegrants", Service),
    // what calls into the pods once they run
    cluster("apiregistration.k8s.io", "v1", "APIService", "apiservices", Workload),
    cluster(ADMISSION, "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", Workload),
    cluster(ADMISSION, "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", Workload),
    cluster(ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", Workload),
    cluster(ADMISSION, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", Workload),
    // never in a manifest, but watched and looked up
    named("", "v1", "Event", "events", Configuration),
    named("coordination.k8s.io", "v1", "Lease", "leases", Configuration),
    named("apps", "v1", "ControllerRevision", "controllerrevisions", Configuration),
    cluster("", "v1", "Node", "nodes", Foundation),
];

const fn named(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    stage: Stage,
) -> Kind {
    Kind {
        group,
        version,
        kind,
        plural,
        namespaced: true,
        stage,
        template: None,
        confidential: false,
        children: &[],
        judge: applied_is_ready,
    }
}

const fn cluster(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    stage: Stage,
) -> Kind {
    Kind { namespaced: false, ..named(group, version, kind, plural, stage) }
}

fn applied_is_ready(_: &Observation<'_>) -> Judgement {
    Judgement::ready()
}
