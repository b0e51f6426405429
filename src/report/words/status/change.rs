//! What has changed about an environment, a line each.

use super::{counted, counts, health, reason, restarted};
use crate::{
    model::{EnvironmentStatus, Health, RecordState, StatusChange, StatusEvent, WorkloadStatus},
    report::{
        style::{Line, Sign},
        words::Said,
    },
};

const STEP: &str = "status";

pub(in crate::report::words) fn said(event: &StatusEvent) -> Vec<Said> {
    match event {
        StatusEvent::Environment { status, changes } => {
            changes.iter().flat_map(|change| of_change(status, change)).collect()
        }
        StatusEvent::Gone { status } => vec![line(status, Sign::Removed, Line::new().plain(" is not there any more"))],
    }
}

fn line(status: &EnvironmentStatus, sign: Sign, text: Line) -> Said {
    Said::new(STEP, sign, Line::new().strong(status.name()).join(text))
}

fn of_change(status: &EnvironmentStatus, change: &StatusChange) -> Vec<Said> {
    match change {
        StatusChange::Seen => seen(status),
        StatusChange::Health { from } => {
            let text = Line::new().plain(" is ").join(health(status)).dim(format!(", was {}", word(*from)));
            vec![line(status, sign(status.health), text)]
        }
        StatusChange::Deploy => deploy(status).into_iter().collect(),
        StatusChange::Lock => vec![line(status, Sign::None, lock(status))],
        StatusChange::Traffic => {
            let to = status.serving().map_or("no colour", |serving| serving.color.as_str());
            vec![line(status, Sign::Pending, Line::new().plain(": ").good(to).plain(" serves"))]
        }
        StatusChange::Workload { object } => {
            let found = status.workloads.iter().find(|workload| workload.object == *object);
            found.map(|workload| of_workload(status, workload)).into_iter().collect()
        }
        StatusChange::Removed { object } => {
            vec![line(status, Sign::Removed, Line::new().plain(format!(" {object} is not there any more")))]
        }
        StatusChange::Restarted { object, pod } => {
            let found = status.workloads.iter().find(|workload| workload.object == *object);
            let restarts = found.and_then(|workload| workload.pods.iter().find(|known| known.name == *pod));
            let count = restarts.map_or(1, |pod| pod.restarts);
            let text = format!(" pod/{pod}: {}", restarted(count, None, 0));
            vec![line(status, Sign::Attention, Line::new().plain(text)).attention()]
        }
        StatusChange::Problem => vec![problem(status)],
    }
}

/// The environment in a line, and one for each finding.
fn seen(status: &EnvironmentStatus) -> Vec<Said> {
    let pods = |count: fn(&WorkloadStatus) -> usize| status.workloads.iter().map(count).sum::<usize>();
    let (ready, wanted) = (pods(|workload| workload.progress.ready), pods(|workload| workload.progress.wanted));
    let mut text = Line::new().plain(" ").join(health(status));
    if let Some(deploy) = &status.deploy {
        text = text.plain(format!(": {}", deploy.tag));
    }
    if !status.workloads.is_empty() {
        let workloads = counts::many(status.workloads.len(), "workload");
        text = text.dim(format!(", {workloads}, {ready}/{wanted} pods ready"));
    }
    let mut all = vec![line(status, sign(status.health), text)];
    all.extend(status.problem.iter().map(|_| problem(status)));
    all.extend(status.lock.iter().map(|_| line(status, Sign::None, lock(status))));
    let troubled = status.workloads.iter().filter(|workload| !matches!(workload.verdict, "ready" | "assumed"));
    all.extend(troubled.map(|workload| of_workload(status, workload)));
    all
}

fn deploy(status: &EnvironmentStatus) -> Option<Said> {
    let deploy = status.deploy.as_ref()?;
    let by = Line::new().plain(": ").strong(&deploy.by);
    Some(match deploy.state {
        RecordState::Running => line(status, Sign::Pending, by.plain(format!(" deploys {}", deploy.tag))),
        RecordState::Succeeded => line(status, Sign::Done, by.good(" has deployed").plain(format!(" {}", deploy.tag))),
        RecordState::Failed => {
            let text = by.plain(format!("'s deploy of {} ", deploy.tag)).failed("failed");
            line(status, Sign::Failed, text).attention()
        }
        RecordState::Superseded => {
            line(status, Sign::None, by.plain(format!("'s deploy of {} gave way to a newer one", deploy.tag)))
        }
    })
}

fn lock(status: &EnvironmentStatus) -> Line {
    match &status.lock {
        Some(lock) if lock.silent => Line::new()
            .plain(": ")
            .strong(&lock.by)
            .attention(" gives no sign of life any more")
            .plain(", and has the lock"),
        Some(lock) => Line::new().plain(": ").strong(&lock.by).plain(" is at work"),
        None => Line::new().plain(": nobody is at work any more"),
    }
}

fn problem(status: &EnvironmentStatus) -> Said {
    let Some(problem) = &status.problem else {
        return line(status, Sign::Done, Line::new().plain(" answers again"));
    };
    let text = Line::new().plain(": ").attention(problem.code).plain(format!(": {}", problem.text));
    let text = problem.hints.iter().take(1).fold(text, |text, hint| text.dim(format!(" ({hint})")));
    line(status, Sign::Attention, text).attention()
}

fn of_workload(status: &EnvironmentStatus, workload: &WorkloadStatus) -> Said {
    let counted = counted(workload);
    let gap = if counted.is_empty() { "" } else { " " };
    let name = Line::new().plain(format!(" {}{gap}{counted}", workload.object));
    match (&workload.problem, workload.verdict) {
        (Some(problem), verdict) => {
            let sign = if verdict == "waiting" { Sign::Attention } else { Sign::Failed };
            line(status, sign, name.plain(": ").join(reason(workload, problem, verdict))).attention()
        }
        (None, "ready" | "assumed") => line(status, Sign::Done, name.good(" ready")),
        (None, _) => {
            let awaiting = workload.progress.awaiting.iter();
            line(status, Sign::Pending, awaiting.fold(name, |name, awaiting| name.plain(format!(": {awaiting}"))))
        }
    }
}

fn sign(health: Health) -> Sign {
    match health {
        Health::Healthy => Sign::Done,
        Health::Progressing => Sign::Pending,
        Health::Failing => Sign::Failed,
        Health::Absent => Sign::None,
        Health::Unknown => Sign::Attention,
    }
}

fn word(health: Health) -> &'static str {
    match health {
        Health::Healthy => "healthy",
        Health::Progressing => "not ready",
        Health::Failing => "failing",
        Health::Absent => "not deployed",
        Health::Unknown => "unknown",
    }
}
