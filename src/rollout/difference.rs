//! What is new about an environment.

use crate::model::{EnvironmentStatus, StatusChange, WorkloadStatus};

/// The changes from one look to the next, the cause before what follows from it. None where nothing but time has gone by;
/// empty where what has changed is not worth a word.
pub(crate) fn difference(before: Option<&EnvironmentStatus>, now: &EnvironmentStatus) -> Option<Vec<StatusChange>> {
    let Some(before) = before else { return Some(vec![StatusChange::Seen]) };
    if before.timeless() == now.timeless() {
        return None;
    }
    let mut changes = Vec::new();
    if before.problem != now.problem {
        changes.push(StatusChange::Problem);
    }
    let holder = |status: &EnvironmentStatus| status.lock.as_ref().map(|lock| (lock.by.clone(), lock.silent));
    if holder(before) != holder(now) {
        changes.push(StatusChange::Lock);
    }
    let deploy = |status: &EnvironmentStatus| status.deploy.as_ref().map(|deploy| (deploy.revision, deploy.state));
    if deploy(before) != deploy(now) {
        changes.push(StatusChange::Deploy);
    }
    let serving = |status: &EnvironmentStatus| status.serving().map(|traffic| traffic.color.clone());
    if serving(before) != serving(now) {
        changes.push(StatusChange::Traffic);
    }
    for workload in &now.workloads {
        let known = before.workloads.iter().find(|known| known.object == workload.object);
        changes.extend(known.and_then(|known| restarted(known, workload)));
        if known.is_none_or(|known| differs(known, workload)) {
            changes.push(StatusChange::Workload { object: workload.object.clone() });
        }
    }
    let is_gone = |known: &&WorkloadStatus| !now.workloads.iter().any(|workload| workload.object == known.object);
    let gone = before.workloads.iter().filter(is_gone).map(|known| known.object.clone());
    changes.extend(gone.map(|object| StatusChange::Removed { object }));
    if before.health != now.health {
        changes.push(StatusChange::Health { from: before.health });
    }
    Some(changes)
}

fn differs(before: &WorkloadStatus, now: &WorkloadStatus) -> bool {
    let code = |status: &WorkloadStatus| status.problem.as_ref().map(|problem| (problem.code, problem.text.clone()));
    (before.verdict, &before.progress, code(before)) != (now.verdict, &now.progress, code(now))
}

/// The first of its pods that has been restarted meanwhile.
fn restarted(before: &WorkloadStatus, now: &WorkloadStatus) -> Option<StatusChange> {
    let pod = now.pods.iter().find(|pod| {
        let known = before.pods.iter().find(|known| known.name == pod.name);
        known.is_some_and(|known| known.restarts < pod.restarts)
    })?;
    Some(StatusChange::Restarted { object: now.object.clone(), pod: pod.name.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Health, ObjectId, PodStatus, Progress};

    fn workload(ready: usize, restarts: u32) -> WorkloadStatus {
        let object = ObjectId { group: "apps".into(), kind: "Deployment".into(), namespace: None, name: "web".into() };
        let pod = PodStatus { name: "web-1".into(), ready: ready > 0, restarts, restarted: Some(9), reason: None };
        WorkloadStatus {
            object,
            verdict: if ready > 0 { "ready" } else { "waiting" },
            progress: Progress { wanted: 1, ready, ..Progress::default() },
            images: Vec::new(),
            problem: None,
            pods: vec![pod],
            color: None,
            remark: None,
        }
    }

    fn environment(health: Health, workloads: Vec<WorkloadStatus>) -> EnvironmentStatus {
        EnvironmentStatus { health, workloads, ..EnvironmentStatus::new(Some("qa"), "demo-qa", None) }
    }

    #[test]
    fn time_alone_is_no_change() {
        let before = environment(Health::Healthy, vec![workload(1, 1)]);
        assert_eq!(difference(None, &before), Some(vec![StatusChange::Seen]));
        let mut later = before.clone();
        later.workloads[0].pods[0].restarted = Some(10);
        assert_eq!(difference(Some(&before), &later), None);
    }

    #[test]
    fn a_crash_is_told_as_restart_counts_and_health() {
        let before = environment(Health::Healthy, vec![workload(1, 1)]);
        let now = environment(Health::Progressing, vec![workload(0, 2)]);
        let object = now.workloads[0].object.clone();
        let expected = vec![
            StatusChange::Restarted { object: object.clone(), pod: "web-1".into() },
            StatusChange::Workload { object: object.clone() },
            StatusChange::Health { from: Health::Healthy },
        ];
        assert_eq!(difference(Some(&before), &now), Some(expected));
        let gone = environment(Health::Absent, Vec::new());
        let expected = vec![StatusChange::Removed { object }, StatusChange::Health { from: Health::Progressing }];
        assert_eq!(difference(Some(&now), &gone), Some(expected));
    }
}
