//! ReplicaSet: ready when every replica is available.

use super::{
    Judgement, Kind, Observation,
    creation::creation_failure,
    observation::observed,
    read,
    workload::{Workload, pods_of},
};
use crate::model::Stage;

pub(super) const KIND: Kind = Kind {
    group: "apps",
    version: "v1",
    kind: "ReplicaSet",
    plural: "replicasets",
    namespaced: true,
    stage: Stage::Workload,
    template: Some(&["spec", "template"]),
    confidential: false,
    children: &[("", "Pod")],
    judge,
};

/// Also for a ReplicationController, which has the same counts.
pub(super) fn judge(o: &Observation<'_>) -> Judgement {
    let live = match observed(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    let wanted = read::number(live, &["spec", "replicas"]).map_or(1, |replicas| usize::try_from(replicas).unwrap_or(0));
    let available = read::count(live, &["status", "availableReplicas"]);
    Workload {
        wanted,
        available,
        complete: available == wanted && read::count(live, &["status", "replicas"]) == wanted,
        creation: creation_failure(o, live),
        ..Workload::new(o, pods_of(o.children, read::uid(live)))
    }
    .judge()
}
