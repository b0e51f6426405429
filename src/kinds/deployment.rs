//! Deployment: ready when every pod wanted is of the newest template and available, and no old one is left.

use serde_json::Value;

use super::{
    Judgement, Kind, Observation,
    command::in_namespace,
    creation::creation_failure,
    finding::TWO_LOOKS,
    observation::observed,
    overwritten::overwritten,
    read,
    workload::{Workload, pods_of},
};
use crate::model::{Progress, Stage, Verdict};

pub(super) const KIND: Kind = Kind {
    group: "apps",
    version: "v1",
    kind: "Deployment",
    plural: "deployments",
    namespaced: true,
    stage: Stage::Workload,
    template: Some(&["spec", "template"]),
    confidential: false,
    children: &[("apps", "ReplicaSet"), ("", "Pod")],
    judge,
};

const REVISION: &[&str] = &["metadata", "annotations", "deployment.kubernetes.io/revision"];

fn judge(o: &Observation<'_>) -> Judgement {
    let live = match observed(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    if let Some(judgement) = overwritten(o, live) {
        return judgement;
    }
    let status = |key| read::count(live, &["status", key]);
    let wanted = read::number(live, &["spec", "replicas"]).map_or(1, |replicas| usize::try_from(replicas).unwrap_or(0));
    let (updated, total, available) = (status("updatedReplicas"), status("replicas"), status("availableReplicas"));
    let newest = newest_replica_set(live, o.children);
    let complete = updated == wanted && total == updated && available == wanted;
    let old = total.saturating_sub(updated);
    if read::flag(live, &["spec", "paused"]) && (updated < wanted || old > 0) {
        let progress = Progress { wanted, ready: updated.min(available), old, ..Progress::default() };
        return Judgement { progress, ..paused(o) };
    }
    Workload {
        wanted,
        available,
        old,
        complete,
        creation: newest.and_then(|set| creation_failure(o, set)),
        ..Workload::new(o, newest.map_or_else(Vec::new, |set| pods_of(o.children, read::uid(set))))
    }
    .judge()
}

fn paused(o: &Observation<'_>) -> Judgement {
    let problem = o.problem("paused", "is paused: its controller does not roll it out");
    let problem = match read::flag(o.body, &["spec", "paused"]) {
        true => problem.hint("remove `spec.paused` from the manifest"),
        false => problem.hint(format!(
            "`kubectl{} rollout resume {}` lets it go on",
            in_namespace(&o.applied.id),
            o.applied.id
        )),
    };
    Judgement::new(Verdict::Suspect { problem, grace: TWO_LOOKS })
}

/// The ReplicaSet of the newest template: its revision is the Deployment's own. Only once the generation is observed.
fn newest_replica_set<'o>(live: &Value, children: &[&'o Value]) -> Option<&'o Value> {
    let ours = read::text(live, REVISION);
    children
        .iter()
        .copied()
        .filter(|child| read::is_kind(child, "ReplicaSet") && read::controller(child) == Some(read::uid(live)))
        .find(|set| read::text(set, REVISION) == ours)
}
