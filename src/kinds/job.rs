//! Job: ready when it is complete.

use serde_json::Value;

use super::{
    Judgement, Kind, Observation,
    command::in_namespace,
    creation::creation_failure,
    observation::{is_applied, present},
    pod, read,
    workload::{Workload, pods_of},
};
use crate::model::{Progress, Stage, Verdict};

pub(super) const KIND: Kind = Kind {
    group: "batch",
    version: "v1",
    kind: "Job",
    plural: "jobs",
    namespaced: true,
    stage: Stage::Workload,
    template: Some(&["spec", "template"]),
    confidential: false,
    children: &[("", "Pod")],
    judge,
};

/// Each with the condition that comes before it, once the pods are told to end.
const GOOD_ENDS: [&str; 2] = ["Complete", "SuccessCriteriaMet"];
const BAD_ENDS: [&str; 2] = ["Failed", "FailureTarget"];

fn judge(o: &Observation<'_>) -> Judgement {
    if o.live.is_none() && !o.cut_off && read::at(o.body, &["spec", "ttlSecondsAfterFinished"]).is_some() {
        return Judgement::assumed("it ended, and was deleted when its time to live was over");
    }
    // one whose time to live is over is seen while it is deleted: how it ended still holds
    if let Some(end) = o.live.filter(|live| is_applied(o, live)).and_then(|live| ended(o, live)) {
        return end;
    }
    let live = match present(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    if read::true_condition(live, "Suspended").is_some() || read::flag(live, &["spec", "suspend"]) {
        return suspended(o);
    }
    let (wanted, ready) = counts(live);
    let pods = pods_of(o.children, read::uid(live));
    let begins = pods.iter().any(|pod| pod::is_alive(pod) && pod::has_not_begun(pod));
    let workload = Workload { wanted, creation: creation_failure(o, live), ..Workload::new(o, pods) };
    let mut judgement = workload.judge();
    judgement.progress.ready = ready;
    if let Verdict::Waiting { problem } = &mut judgement.verdict
        && problem.as_ref().is_some_and(|problem| problem.code == "not-ready")
    {
        // a Job's pod has to end, not to get ready
        judgement.clue = problem.take();
    }
    // until its first container starts, its pod says what it waits for
    if judgement.verdict == (Verdict::Waiting { problem: None }) && !begins {
        judgement.progress.awaiting = Some("the job to end".to_owned());
    }
    judgement
}

/// How many completions are wanted, and how many there are.
fn counts(live: &Value) -> (usize, usize) {
    let wanted = read::number(live, &["spec", "completions"]).map_or(1, |wanted| usize::try_from(wanted).unwrap_or(1));
    (wanted, read::count(live, &["status", "succeeded"]).min(wanted))
}

/// True once a Job says how it has ended.
pub(crate) fn has_ended(job: &Value) -> bool {
    GOOD_ENDS.iter().chain(&BAD_ENDS).any(|kind| read::true_condition(job, kind).is_some())
}

/// What follows from its end; none while it runs.
fn ended(o: &Observation<'_>, live: &Value) -> Option<Judgement> {
    let (wanted, ready) = counts(live);
    if GOOD_ENDS.iter().any(|kind| read::true_condition(live, kind).is_some()) {
        // the count follows a moment later; a success policy may leave some undone
        let ready = if read::at(live, &["spec", "successPolicy"]).is_some() { ready } else { wanted };
        let progress = Progress { wanted, ready, ..Progress::default() };
        return Some(Judgement { progress, ..Judgement::ready() });
    }
    let condition = BAD_ENDS.iter().find_map(|kind| read::true_condition(live, kind))?;
    let pods = pods_of(o.children, read::uid(live));
    let workload = Workload { wanted, available: ready, ..Workload::new(o, pods) };
    Some(workload.ended_badly("job-failed", "failed", &condition.said()))
}

fn suspended(o: &Observation<'_>) -> Judgement {
    if read::flag(o.body, &["spec", "suspend"]) {
        return Judgement::assumed("it is suspended, as the manifest wants it");
    }
    let command = format!(
        "`kubectl{} patch {} -p '{{\"spec\":{{\"suspend\":false}}}}'`",
        in_namespace(&o.applied.id),
        o.applied.id
    );
    let problem =
        o.problem("suspended", "is suspended: its controller starts no pod").hint(format!("{command} lets it run"));
    Judgement::waiting("the job to be resumed", Some(problem))
}
