//! DaemonSet: ready when each node that it is meant for runs an available pod of the newest template.

use serde_json::Value;

use super::{
    Judgement, Kind, Observation,
    creation::creation_failure,
    observation::observed,
    overwritten::overwritten,
    read,
    workload::{Workload, on_delete, pods_of, warning},
};
use crate::model::Stage;

pub(super) const KIND: Kind = Kind {
    group: "apps",
    version: "v1",
    kind: "DaemonSet",
    plural: "daemonsets",
    namespaced: true,
    stage: Stage::Workload,
    template: Some(&["spec", "template"]),
    confidential: false,
    children: &[("", "Pod")],
    judge,
};

fn judge(o: &Observation<'_>) -> Judgement {
    let live = match observed(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    if let Some(judgement) = overwritten(o, live) {
        return judgement;
    }
    let status = |key| read::count(live, &["status", key]);
    let (wanted, updated, available) =
        (status("desiredNumberScheduled"), status("updatedNumberScheduled"), status("numberAvailable"));
    let old = status("currentNumberScheduled").saturating_sub(updated);
    if read::text(live, &["spec", "updateStrategy", "type"]) == "OnDelete" && old > 0 {
        return on_delete(o, live);
    }
    let workload = Workload {
        wanted,
        available: available.min(updated),
        old,
        complete: updated == wanted && available == wanted,
        creation: creation_failure(o, live),
        ..Workload::new(o, newest(live, pods_of(o.children, read::uid(live)), old))
    };
    workload.judge().warn((wanted == 0).then(|| {
        let warning = warning(o, "no-node", "runs nowhere: no node matches it");
        warning.hint("correct its nodeSelector, affinity or tolerations, or label a node")
    }))
}

/// The pods that its controller counts as updated. A rollback comes back to a template of before under a new generation, and
/// leaves the pods that have it as they are: where none is of this generation, they are all there is.
fn newest<'o>(live: &Value, pods: Vec<&'o Value>, old: usize) -> Vec<&'o Value> {
    let generation = read::text(live, &["metadata", "annotations", "deprecated.daemonset.template.generation"]);
    let hash = |pod: &&'o Value| read::text(pod, &["metadata", "labels", "controller-revision-hash"]);
    let is_of_it = |pod: &&&Value| read::text(pod, &["metadata", "labels", "pod-template-generation"]) == generation;
    let hashes: Vec<&str> = pods.iter().filter(is_of_it).map(hash).collect();
    if hashes.is_empty() && old == 0 {
        return pods;
    }
    pods.into_iter().filter(|pod| hashes.contains(&hash(pod))).collect()
}
