//! All that is known of each Kubernetes kind, a file each: its resource, when it is applied, where its pod template
//! stands, what it creates, and when it is ready.
//!
//! Adding a kind: its file, its name in `kinds!`, a folder of fixtures.

mod container;
mod conventions;
mod finding;
mod image_pull;
mod observation;
mod plain;
pub(crate) mod read;
mod removed;
mod workload;

use serde_json::Value;

use crate::model::{Reference, Resource, Stage};

pub(crate) use observation::{Baseline, Judgement, Observation};
pub(crate) use pod::{advance, awaiting, endings, is_alive, is_ready, proves, reason};
pub(crate) use removed::{Removed, removed};
pub(crate) use service::ready_endpoints;

/// What is known of one kind.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Empty for the core group.
    pub group: &'static str,
    /// The version that current clusters prefer.
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub namespaced: bool,
    pub stage: Stage,
    /// The path of the pod template, which holds the pods' `metadata` and `spec`; the empty path for a Pod itself, none
    /// for kinds that run nothing.
    pub template: Option<&'static [&'static str]>,
    /// True where values of `data` must not be shown.
    pub confidential: bool,
    /// Group and kind of what the cluster creates for it and a judge must see.
    pub children: &'static [(&'static str, &'static str)],
    pub judge: fn(&Observation<'_>) -> Judgement,
}

impl Kind {
    /// The resource in its preferred version.
    pub(crate) fn resource(&self) -> Resource {
        self.resource_in(self.version)
    }

    /// The resource in the version that a manifest names.
    pub(crate) fn resource_in(&self, version: &str) -> Resource {
        Resource {
            group: self.group.to_owned(),
            version: version.to_owned(),
            kind: self.kind.to_owned(),
            plural: self.plural.to_owned(),
            namespaced: self.namespaced,
        }
    }
}

macro_rules! kinds {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        const JUDGED: &[&Kind] = &[$(&$name::KIND),*];
    };
}

kinds![
    cron_job,
    custom_resource_definition,
    daemon_set,
    deployment,
    horizontal_pod_autoscaler,
    ingress,
    job,
    namespace,
    persistent_volume_claim,
    pod,
    pod_disruption_budget,
    replica_set,
    replication_controller,
    service,
    stateful_set,
];

/// The built-in kind, in whatever version; none for custom resources.
pub(crate) fn find(group: &str, kind: &str) -> Option<&'static Kind> {
    JUDGED.iter().copied().chain(plain::KINDS).find(|known| known.kind == kind && known.group == group)
}

/// Judges what was seen of an object; custom resources by convention.
pub(crate) fn judge(observation: &Observation<'_>) -> Judgement {
    let id = &observation.applied.id;
    match find(&id.group, &id.kind) {
        Some(kind) => (kind.judge)(observation),
        None => conventions::judge(observation),
    }
}

/// The images that an object's pods are to run, each once; what is no reference is left out.
pub(crate) fn images(object: &Value) -> Vec<Reference> {
    let id = read::id(object);
    let path = find(&id.group, &id.kind).and_then(|kind| kind.template);
    let Some(template) = path.and_then(|path| read::at(object, path)) else { return Vec::new() };
    let mut images: Vec<Reference> = Vec::new();
    for list in ["initContainers", "containers"] {
        let named = read::list(template, &["spec", list]).iter();
        for image in named.filter_map(|container| read::text(container, &["image"]).parse().ok()) {
            if !images.contains(&image) {
                images.push(image);
            }
        }
    }
    images
}

/// True where applied is ready: there is nothing to watch.
pub(crate) fn is_plain(group: &str, kind: &str) -> bool {
    plain::KINDS.iter().any(|known| known.kind == kind && known.group == group)
}
