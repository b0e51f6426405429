//! What goes wrong with an API server, in words for people.

use std::fmt;

use crate::model::{Claim, Exit, Explain, FieldPath, ObjectId};

/// A field that the server finds fault with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldFinding {
    /// Indexes are numbers where the body that was sent allows it.
    pub path: FieldPath,
    /// `unknown field`, `field is immutable`: without the path.
    pub text: String,
    /// Of an unknown field the known one that it is most likely a slip of.
    pub nearest: Option<String>,
}

impl FieldFinding {
    pub(super) fn new(path: FieldPath, text: impl Into<String>) -> Self {
        Self { path, text: text.into(), nearest: None }
    }
}

/// A field that another manager owns (`metadata.managedFields`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldOwner {
    pub field: String,
    pub manager: String,
    /// RFC 3339, the server's time; none where managedFields does not tell.
    pub since: Option<String>,
}

/// `.spec.replicas (kube-controller-manager, since 2025-01-01T00:00:00Z)`
impl fmt::Display for FieldOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.field, self.manager)?;
        match &self.since {
            Some(since) => write!(f, ", since {since})"),
            None => write!(f, ")"),
        }
    }
}

/// Why the server refuses, told from its `Status` (`reason`, `code`, `details.causes`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Unauthorized,
    Forbidden,
    NotFound,
    /// The path itself is not there: no such kind in this version.
    NotServed,
    NamespaceMissing,
    NamespaceTerminating,
    Exists,
    Invalid,
    Immutable,
    AdmissionDenied,
    AdmissionFailed,
    Quota,
    /// The list's history is gone (410): list again.
    Gone,
    /// 429 and 503: worth asking again.
    Busy,
    Other,
}

/// Whatever keeps an API server from doing what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    /// A kubeconfig, a variable or an in-cluster file that does not fit.
    #[error("{text}")]
    Settings { text: String, hints: Vec<String> },
    #[error("{server} cannot be reached: {why}")]
    Unreachable { server: String, why: String },
    #[error("the certificate of {server} is not trusted: {why}")]
    Untrusted { server: String, why: String, hint: String },
    #[error("{text}")]
    Refused {
        reason: Reason,
        object: Option<Box<ObjectId>>,
        text: String,
        fields: Vec<FieldFinding>,
        hints: Vec<String>,
    },
    /// The group and version are not served, or have no such kind; `served` has the versions that do.
    #[error("{}", not_served(api_version, kind, served))]
    NotServed { object: Option<Box<ObjectId>>, api_version: String, kind: String, served: Vec<String> },
    /// Controllers or other deployers own what the manifest sets.
    #[error("{object}: another manager owns what the manifest sets: {}", listed(owners))]
    Conflict { object: Box<ObjectId>, owners: Vec<FieldOwner> },
    /// The object changed between our reading and our writing (409 on `metadata.resourceVersion`).
    #[error("{object} was changed by somebody else meanwhile")]
    Stale { object: Box<ObjectId> },
    /// The manifest does not fit the kind's schema: unknown fields, wrong types, doubled keys.
    #[error("{object}: {}", findings(fields))]
    Manifest { object: Box<ObjectId>, fields: Vec<FieldFinding> },
    #[error("the lock is held by {holder} (waited {waited} s)")]
    Locked { holder: String, waited: u64 },
    #[error("gives way to {}, a newer run of the branch", newer.describe())]
    Superseded { newer: Box<Claim> },
    #[error("{service} was switched meanwhile: its selector holds {found}, not {expected}{by}")]
    SwitchLost { service: Box<ObjectId>, expected: String, found: String, by: String },
    #[error("stopped before the server was asked")]
    Stopped,
    #[error("{server} answers what the Kubernetes API does not answer: {why}")]
    Nonsense { server: String, why: String },
}

impl ClusterError {
    pub(super) fn reason(&self) -> Option<Reason> {
        match self {
            Self::Refused { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// The fields the server names, to be located in the manifests.
    pub(crate) fn fields(&self) -> &[FieldFinding] {
        match self {
            Self::Refused { fields, .. } | Self::Manifest { fields, .. } => fields,
            _ => &[],
        }
    }

    /// True where the login may not do this.
    pub(crate) fn is_denied(&self) -> bool {
        self.reason() == Some(Reason::Forbidden)
    }

    /// True where the same request may well be answered in a while.
    pub(super) fn is_of_the_moment(&self) -> bool {
        matches!(self, Self::Unreachable { .. }) || self.reason() == Some(Reason::Busy)
    }

    /// True where the object (or its namespace) is not there.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self.reason(), Some(Reason::NotFound | Reason::NamespaceMissing))
    }
}

impl Explain for ClusterError {
    fn code(&self) -> &'static str {
        match self {
            Self::Settings { .. } => "kubeconfig",
            Self::Unreachable { .. } => "cluster-unreachable",
            Self::Untrusted { .. } => "cluster-untrusted",
            Self::Refused { reason, .. } => reason.code(),
            Self::NotServed { .. } => "api-version",
            Self::Conflict { .. } => "conflict",
            Self::Stale { .. } => "changed-meanwhile",
            Self::Manifest { .. } => "manifest",
            Self::Locked { .. } => "locked",
            Self::Superseded { .. } => "superseded",
            Self::SwitchLost { .. } => "switch-lost",
            Self::Stopped => "interrupted",
            Self::Nonsense { .. } => "cluster-answer",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Settings { .. } | Self::NotServed { .. } | Self::Manifest { .. } => Exit::Input,
            Self::Locked { .. } => Exit::Locked,
            Self::Superseded { .. } => Exit::Superseded,
            Self::Stopped => Exit::Interrupted,
            _ => Exit::Cluster,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Settings { hints, .. } | Self::Refused { hints, .. } => hints.clone(),
            Self::Untrusted { hint, .. } => vec![hint.clone()],
            Self::Unreachable { .. } => vec!["check the address, the network and HTTPS_PROXY/NO_PROXY".to_owned()],
            Self::NotServed { served, .. } => {
                served.first().map(|version| format!("write `apiVersion: {version}`")).into_iter().collect()
            }
            Self::Conflict { owners, .. } => {
                let mut hints =
                    vec!["leave the field out of the manifest, or take the other manager off it".to_owned()];
                // a controller would set it again
                let deployer = owners.iter().find(|owner| !owner.manager.contains("controller"));
                hints.extend(deployer.map(|owner| format!("`--adopt {}` takes over what it owns", owner.manager)));
                hints
            }
            Self::Locked { .. } => {
                vec!["wait for the other run, or end it; `shipway unlock` takes the lock from it".to_owned()]
            }
            Self::SwitchLost { .. } => vec!["`shipway status` shows what serves now".to_owned()],
            Self::Stale { .. }
            | Self::Manifest { .. }
            | Self::Superseded { .. }
            | Self::Stopped
            | Self::Nonsense { .. } => Vec::new(),
        }
    }

    fn object(&self) -> Option<ObjectId> {
        match self {
            Self::Refused { object, .. } | Self::NotServed { object, .. } => object.as_deref().cloned(),
            Self::Conflict { object, .. } | Self::Stale { object } | Self::Manifest { object, .. } => {
                Some(object.as_ref().clone())
            }
            Self::SwitchLost { service, .. } => Some(service.as_ref().clone()),
            _ => None,
        }
    }
}

impl Reason {
    fn code(self) -> &'static str {
        match self {
            Self::Unauthorized | Self::Forbidden => "cluster-denied",
            Self::NotFound => "not-found",
            Self::NotServed => "api-version",
            Self::NamespaceMissing => "namespace-missing",
            Self::NamespaceTerminating => "namespace-terminating",
            Self::Exists => "exists",
            Self::Invalid => "invalid",
            Self::Immutable => "immutable-field",
            Self::AdmissionDenied => "admission-denied",
            Self::AdmissionFailed => "admission-failed",
            Self::Quota => "quota-exceeded",
            Self::Gone | Self::Busy | Self::Other => "cluster-refused",
        }
    }
}

fn not_served(api_version: &str, kind: &str, served: &[String]) -> String {
    match served {
        [] => format!("the cluster serves no {kind} of {api_version}"),
        served => format!("the cluster does not serve {kind} of {api_version}; it serves {}", served.join(", ")),
    }
}

fn listed(owners: &[FieldOwner]) -> String {
    owners.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn findings(fields: &[FieldFinding]) -> String {
    let one = |found: &FieldFinding| match found.path.0.as_slice() {
        [] => found.text.clone(),
        _ => format!("{} `{}`", found.text, found.path),
    };
    fields.iter().map(one).collect::<Vec<_>>().join(", ")
}
