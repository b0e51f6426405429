//! StatefulSet: ready when every pod beyond the partition is of the update revision and ready.

use super::{
    Judgement, Kind, Observation,
    observation::observed,
    overwritten::overwritten,
    read,
    workload::{Workload, creation_failure, pods_of, warning},
};
use crate::model::Stage;

pub(super) const KIND: Kind = Kind {
    group: "apps",
    version: "v1",
    kind: "StatefulSet",
    plural: "statefulsets",
    namespaced: true,
    stage: Stage::Workload,
    template: Some(&["spec", "template"]),
    confidential: false,
    children: &[("", "Pod")],
    judge,
};

const REVISION: &[&str] = &["metadata", "labels", "controller-revision-hash"];

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
    let partition = read::count(live, &["spec", "updateStrategy", "rollingUpdate", "partition"]);
    let revision = read::text(live, &["status", "updateRevision"]);
    let rolled = read::text(live, &["status", "currentRevision"]) == revision;
    if read::text(live, &["spec", "updateStrategy", "type"]) == "OnDelete" && !rolled {
        return Judgement::assumed("its pods get the new template when they are deleted (updateStrategy OnDelete)");
    }
    let all = pods_of(o.children, read::uid(live));
    let newest = all.iter().copied().filter(|pod| read::text(pod, REVISION) == revision).collect();
    let meant = wanted.saturating_sub(partition);
    // where nothing is rolled the controller stops counting updated pods
    let updated = if rolled { status("replicas") } else { status("updatedReplicas") };
    let available = status("availableReplicas");
    let complete = updated >= meant && status("replicas") == wanted && available == wanted;
    let workload = Workload {
        wanted: meant,
        available: available.min(meant),
        old: if rolled { 0 } else { status("replicas").saturating_sub(updated).saturating_sub(partition) },
        complete,
        creation: creation_failure(o, live),
        ..Workload::new(o, newest)
    };
    let held = (partition > 0).then(|| warning(o, "partition", format!("leaves {} pods as they are (partition)", partition.min(wanted))));
    workload.judge().warn(held)
}
