//! StatefulSet: ready when every pod beyond the partition is of the update revision and ready.

use serde_json::Value;

use super::{
    Judgement, Kind, Observation,
    command::in_namespace,
    creation::creation_failure,
    finding::Weight,
    observation::observed,
    overwritten::overwritten,
    pod, read,
    workload::{Workload, on_delete, pods_of, warning},
};
use crate::model::{Evidence, Progress, Stage, Verdict};

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

/// Seconds for a pod of an earlier version to come right after all.
const STUCK: f64 = 15.0;

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
        return on_delete(o, live);
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
    let held = (partition > 0).then(|| {
        warning(o, "partition", format!("leaves {} pods as they are (partition)", partition.min(wanted)))
            .hint("lower `partition` in its updateStrategy to roll them out, too")
    });
    let judgement = workload.judge().warn(held);
    match stuck(live, &all, revision) {
        Some(pod) if matches!(judgement.verdict, Verdict::Waiting { .. }) => {
            let old = all.iter().filter(|pod| pod::is_ready(pod) && read::text(pod, REVISION) != revision).count();
            behind(o, pod, Judgement { progress: Progress { old, ..judgement.progress.clone() }, ..judgement })
        }
        _ => judgement,
    }
}

/// The pod of an earlier revision that holds up all others: with the policy OrderedReady no pod is replaced, not even by
/// a template that would mend it, while one is not ready (kubernetes#67250).
fn stuck<'o>(live: &Value, all: &[&'o Value], revision: &str) -> Option<&'o Value> {
    let parallel = read::text(live, &["spec", "podManagementPolicy"]) == "Parallel";
    let has_a_fault = |pod: &Value| pod::advance(pod) > 0 || pod::unschedulable(pod, &[]).is_some();
    let broken = |pod: &&&Value| {
        pod::is_alive(pod) && !pod::is_ready(pod) && read::text(pod, REVISION) != revision && has_a_fault(pod)
    };
    all.iter().filter(|_| !parallel).find(broken).copied()
}

/// It may still get ready, unless its containers cannot even start, or no node takes it.
fn behind(o: &Observation<'_>, pod: &Value, judgement: Judgement) -> Judgement {
    let (name, state) = (read::name(pod), pod::awaiting(pod));
    let about: Vec<&Value> = o.events.iter().copied().filter(|event| read::subject(event) == read::uid(pod)).collect();
    let unschedulable = pod::unschedulable(pod, &about);
    let told = unschedulable.as_ref().map(|finding| finding.text.clone());
    let reason = told.or_else(|| pod::reason(pod).filter(|reason| reason != state));
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let text = format!("is stuck behind pod {name} of an earlier version, which {state}{reason}");
    let command = format!("`kubectl{} delete pod {name}`", in_namespace(&o.applied.id));
    let problem = o
        .problem("rollout-stuck", text)
        .hint(format!("{command} lets it be made anew: its controller does not replace a pod that is not ready"));
    let problem = problem.with(Evidence::new("pod", [name]));
    let broken = ["cannot pull its image", "lacks its configuration", "cannot be started", "waits to start again"];
    let verdict = match unschedulable.map(|finding| finding.weight) {
        Some(Weight::Grace(grace)) => Verdict::Suspect { problem, grace },
        None if broken.contains(&state) => Verdict::Suspect { problem, grace: STUCK },
        _ => Verdict::Waiting { problem: Some(problem) },
    };
    let progress =
        Progress { awaiting: Some(format!("pod {name} of an earlier version {state}")), ..judgement.progress.clone() };
    Judgement { verdict, progress, ..judgement }
}
