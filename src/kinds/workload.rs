//! What all workloads share: their newest pods are looked at, what is found is weighed, then counts decide.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Judgement, Observation,
    command::{self, in_namespace},
    finding::{Finding, TWO_LOOKS, Weight},
    pod, read,
};
use crate::model::{Evidence, Exit, Problem, Progress, Question, Reply, Verdict};

/// Lines of a container's log that stand as evidence.
const LOG_LINES: usize = 25;

/// What the kubelet sends in the place of the lines of an instance that is gone, or whose file is.
const LOST: [&str; 2] = ["unable to retrieve container logs for ", "failed to try resolving symlinks in path "];

/// Seconds for pods to be seen that their controller reports.
const UNSEEN: f64 = 5.0;

/// A workload as its controller reports it, and the pods of its newest revision.
pub(super) struct Workload<'o, 's> {
    pub o: &'s Observation<'o>,
    pub wanted: usize,
    pub available: usize,
    /// Pods of older revisions.
    pub old: usize,
    /// All counts are as wished.
    pub complete: bool,
    pub pods: Vec<&'o Value>,
    /// Why its controller cannot make pods.
    pub creation: Option<Finding>,
}

/// A finding and the pods it was made on.
struct Alike<'o> {
    finding: Finding,
    first: &'o Value,
    count: usize,
}

impl<'o, 's> Workload<'o, 's> {
    pub(super) fn new(o: &'s Observation<'o>, pods: Vec<&'o Value>) -> Self {
        Self { o, wanted: 0, available: 0, old: 0, complete: false, pods, creation: None }
    }

    pub(super) fn judge(self) -> Judgement {
        let alive: Vec<&Value> = self.pods.iter().copied().filter(|pod| pod::is_alive(pod)).collect();
        let ready = alive.iter().filter(|pod| pod::is_ready(pod)).count();
        // the controller and the pods are seen by different watches: the slower one decides
        let ready = match self.pods.is_empty() {
            true if self.complete || self.o.saved => self.available,
            _ => ready.min(self.wanted),
        };
        let progress = Progress { wanted: self.wanted, ready, old: self.old, awaiting: None };
        if self.complete && alive.is_empty() && self.wanted > 0 && !self.o.saved {
            let progress = Progress { awaiting: Some("its pods to be seen".to_owned()), ..progress };
            let waiting = Judgement::new(Verdict::Waiting { problem: None });
            return Judgement { progress, patience: Some(UNSEEN), ..waiting };
        }
        if self.complete && ready >= self.wanted {
            let ready = Judgement { progress, pods: uids(&alive), ..Judgement::ready() };
            return ready.warn(self.came_through(&alive));
        }
        let worst = graver(self.worst(&alive), self.lost());
        let awaiting = self.awaiting(&alive, worst.as_ref());
        let refused = self.creation.as_ref().filter(|_| alive.len() < self.wanted);
        let mut judgement = match (worst, refused) {
            (Some(alike), Some(creation)) if self.is_hidden_by(&alike, creation) => self.found(&alike),
            (_, Some(creation)) => self.cannot_create(creation),
            (Some(alike), None) => self.found(&alike),
            (None, None) => Judgement::new(Verdict::Waiting { problem: None }),
        };
        if self.o.closing && judgement.verdict == (Verdict::Waiting { problem: None }) {
            judgement.clue = self.clue(&alive, &mut judgement.logs);
        }
        judgement.progress = Progress { awaiting: Some(awaiting), ..progress };
        judgement.pods = uids(&alive);
        judgement
    }

    /// What new pods were forgiven on their way.
    fn came_through(&self, alive: &[&Value]) -> Option<Problem> {
        let restarted = alive.iter().filter(|_| self.o.changed && !self.o.saved);
        let restarted = restarted.filter_map(|pod| pod::restarts(self.o, pod));
        let (times, cause) = restarted.reduce(|(all, cause), (count, _)| (all + count, cause))?;
        let times = if times == 1 { "a restart".to_owned() } else { format!("{times} restarts") };
        let warning = warning(self.o, "restarts", format!("is ready after {times}: {cause}"));
        Some(warning.hint("`deploy.restarts: 0` in shipway.yaml lets none pass"))
    }

    /// A workload that ended and failed: its last failed pod explains it.
    pub(super) fn ended_badly(self, code: &'static str, how: &str, why: &str) -> Judgement {
        let text = if why.is_empty() { how.to_owned() } else { format!("{how}: {why}") };
        let mut problem = self.o.problem(code, text);
        if why.contains("DeadlineExceeded") {
            problem = problem.hint("raise `activeDeadlineSeconds`, or let it be done sooner");
        }
        let failed = |pod: &&&Value| read::text(pod, &["status", "phase"]) == "Failed";
        let last =
            self.pods.iter().filter(failed).max_by_key(|pod| read::text(pod, &["metadata", "creationTimestamp"]));
        let Some(pod) = last.or(self.pods.last()) else {
            let events = format!("{} shows its events", command::describe(&self.o.applied.id));
            return Judgement::failed(problem.hint(events));
        };
        problem.evidence.push(Evidence::new("pod", [read::name(pod)]));
        problem.evidence.extend(pod::whereabouts(pod));
        let mut logs = Vec::new();
        if let Some((container, end, previous)) = pod::failure(pod) {
            let code = read::number(end, &["exitCode"]).unwrap_or_default();
            let oom = if read::text(end, &["reason"]) == "OOMKilled" { " (out of memory)" } else { "" };
            problem.text = format!("{}: container `{container}` exits with code {code}{oom}", problem.text);
            problem = problem.with(Evidence::new("image", pod::image_of(pod, container)));
            problem = self.with_log(problem, pod, (container, previous), &mut logs);
            problem = problem.hint(command::log(pod, container, previous));
        } else if let Some(container) = pod::busy(pod) {
            // it was in time for nothing: what it did until then
            problem = self.with_log(problem, pod, (container, false), &mut logs);
            problem = problem.hint(command::log(pod, container, false));
        } else {
            problem = problem.hint(format!("{} shows its events", command::describe(&self.o.applied.id)));
        }
        problem = problem.with(Evidence::new("events", self.last_events(pod)));
        let progress = Progress { wanted: self.wanted, ready: self.available, ..Progress::default() };
        Judgement { logs, progress, ..Judgement::failed(problem) }
    }

    /// The gravest finding and how many pods share it.
    fn worst(&self, alive: &[&'o Value]) -> Option<Alike<'o>> {
        let mut events: HashMap<&str, Vec<&Value>> = HashMap::new();
        for event in self.o.events {
            events.entry(read::subject(event)).or_default().push(event);
        }
        let mut found: Vec<Alike<'o>> = Vec::new();
        for pod in alive.iter().filter(|pod| !pod::is_ready(pod)) {
            let about = events.get(read::uid(pod)).map_or(&[][..], Vec::as_slice);
            let Some(finding) = pod::finding(self.o, pod, about) else { continue };
            match found
                .iter_mut()
                .find(|alike| alike.finding.code == finding.code && alike.finding.text == finding.text)
            {
                Some(alike) => {
                    alike.count += 1;
                    if finding.weight.rank() > alike.finding.weight.rank() {
                        (alike.finding, alike.first) = (finding, pod);
                    }
                }
                None => found.push(Alike { finding, first: pod, count: 1 }),
            }
        }
        found.into_iter().fold(None, |worst, next| graver(worst, Some(next)))
    }

    /// The pods that ended for one reason and were made again, where they are too many: each that is wanted may end as often
    /// as a container, for of many a few are evicted and made good elsewhere. A Job counts its own.
    fn lost(&self) -> Option<Alike<'o>> {
        let id = &self.o.applied.id;
        if id.kind == "Job" || !self.o.changed || self.o.saved {
            return None;
        }
        let made = |pod: &Value| read::text(pod, &["metadata", "creationTimestamp"]).parse::<Timestamp>().ok();
        let applied: Option<Timestamp> = self.o.applied.at.as_deref().and_then(|at| at.parse().ok());
        let mut lost: HashMap<&str, Vec<&'o Value>> = HashMap::new();
        let failed = |pod: &&&Value| read::text(pod, &["status", "phase"]) == "Failed";
        for pod in self.pods.iter().filter(failed).filter(|pod| made(pod) >= applied) {
            lost.entry(read::text(pod, &["status", "reason"])).or_default().push(pod);
        }
        lost.remove("");
        let pods = lost.into_values().max_by_key(Vec::len)?;
        let last = pods.iter().copied().max_by_key(|pod| made(pod))?;
        let forgiven = usize::try_from(self.o.rules.restarts).unwrap_or(usize::MAX).saturating_mul(self.wanted.max(1));
        let command = command::describe(&read::id(last));
        let finding = Finding::new("pod-failed", Weight::Grace(TWO_LOOKS), pod::phase_reason(last))
            .hint(format!("correct what the pod asks of its node: {command} shows all that is told of the last one"));
        let finding = match pod::failure(last) {
            Some((container, _, previous)) => finding.log_of(container, previous),
            None => finding,
        };
        (pods.len() > forgiven).then_some(Alike { finding, first: last, count: pods.len() })
    }

    /// The verdict of a finding, with its evidence and what must be asked for it.
    fn found(&self, alike: &Alike<'o>) -> Judgement {
        let finding = &alike.finding;
        let mut problem = finding.problem(&self.o.applied.id, lead(finding));
        problem.count = alike.count;
        let remark = finding.remark.as_ref().map(|remark| format!(", {remark}")).unwrap_or_default();
        let mut found = vec![Evidence::new("pod", [format!("{}{remark}", read::name(alike.first))])];
        found.extend(pod::whereabouts(alike.first));
        problem.evidence.splice(0..0, found);
        let questions: Vec<Question> = finding.question.iter().cloned().collect();
        let mut logs = Vec::new();
        if finding.weight != Weight::Wait || self.o.closing {
            if let Some((container, previous)) = &finding.log {
                problem = problem.with(Evidence::new("image", pod::image_of(alike.first, container)));
                problem = self.with_log(problem, alike.first, (container, *previous), &mut logs);
            }
            if problem.evidence.iter().all(|evidence| evidence.label != "events") {
                problem = problem.with(Evidence::new("events", self.last_events(alike.first)));
            }
        }
        Judgement { questions, logs, ..Judgement::new(finding.verdict(problem)) }
    }

    /// What explains a wait that nothing speaks against: the pod that is behind, with what its container does.
    fn clue(&self, alive: &[&Value], logs: &mut Vec<Question>) -> Option<Problem> {
        let pod = alive.iter().find(|pod| !pod::is_ready(pod)).or(alive.first())?;
        let mut clue = self.o.problem("timed-out", "is not ready").with(Evidence::new("pod", [read::name(pod)]));
        clue.evidence.extend(pod::whereabouts(pod));
        if let Some(container) = pod::busy(pod) {
            clue = clue.with(Evidence::new("runs", [format!("container `{container}`")]));
            clue = clue.with(Evidence::new("image", pod::image_of(pod, container)));
            clue = self.with_log(clue, pod, (container, false), logs);
            clue = clue.hint(command::log(pod, container, false));
        }
        Some(clue.with(Evidence::new("events", self.last_events(pod))))
    }

    /// What is wrong with a pod comes before a refusal to make more that is no graver, and while old pods may make room for
    /// these.
    fn is_hidden_by(&self, alike: &Alike<'_>, creation: &Finding) -> bool {
        self.old > 0 || alike.finding.weight.rank() >= creation.weight.rank()
    }

    fn cannot_create(&self, creation: &Finding) -> Judgement {
        Judgement::new(creation.verdict(creation.problem(&self.o.applied.id, "cannot make its pods")))
    }

    /// The problem with the container's last lines, or with the question for them. Of an instance that is gone the
    /// other one's lines are better than none.
    fn with_log(
        &self,
        problem: Problem,
        pod: &Value,
        (container, previous): (&str, bool),
        logs: &mut Vec<Question>,
    ) -> Problem {
        for previous in [previous, !previous] {
            let question = pod::last_log(pod, container, previous);
            match self.o.replies.get(&question) {
                None => {
                    logs.push(question);
                    return problem;
                }
                Some(Reply::Log(lines)) if lines.iter().any(|line| !is_lost(line)) => {
                    let skipped = lines.len().saturating_sub(LOG_LINES);
                    return problem.with(Evidence::new("last log", lines[skipped..].iter().map(String::as_str)));
                }
                Some(_) => {}
            }
        }
        problem
    }

    /// What was told of a pod last, the oldest first.
    fn last_events(&self, pod: &Value) -> Vec<String> {
        const MOST: usize = 3;
        let tells = |event: &&&Value| !pod::is_of_a_cold_cache(read::text(event, &["message"]));
        let about = |event: &&&Value| read::subject(event) == read::uid(pod) && tells(event);
        let line = |event: &&Value| {
            let count = read::count(event, &["count"]).max(read::count(event, &["series", "count"]));
            let times = if count > 1 { format!(" (x{count})") } else { String::new() };
            let message = read::text(event, &["message"]).trim();
            // the pod is named beside it
            format!("{}{times}", message.split(" in pod ").next().unwrap_or(message))
        };
        let mut lines: Vec<String> = self.o.events.iter().rev().filter(about).take(MOST).map(line).collect();
        lines.reverse();
        lines.dedup();
        lines
    }

    /// What is awaited, by the pod that is the furthest behind.
    fn awaiting(&self, alive: &[&Value], worst: Option<&Alike<'_>>) -> String {
        if let Some((alike, awaiting)) = worst.and_then(|alike| Some((alike, alike.finding.awaiting?))) {
            return format!("pod {} {awaiting}", read::name(alike.first));
        }
        let behind = alive.iter().filter(|pod| !pod::is_ready(pod)).min_by_key(|pod| pod::advance(pod));
        match behind {
            Some(pod) => format!("pod {} {}", read::name(pod), pod::awaiting(pod)),
            None if alive.len() + 1 == self.wanted => "1 more pod to be made".to_owned(),
            None if alive.len() < self.wanted => format!("{} more pods to be made", self.wanted - alive.len()),
            None if self.old == 1 => "1 old pod to end".to_owned(),
            None if self.old > 0 => format!("{} old pods to end", self.old),
            None => "its pods to be available".to_owned(),
        }
    }
}

fn is_lost(line: &str) -> bool {
    LOST.iter().any(|lost| line.starts_with(lost))
}

/// The graver one; of two alike the first.
fn graver<'o>(one: Option<Alike<'o>>, other: Option<Alike<'o>>) -> Option<Alike<'o>> {
    match (one, other) {
        (Some(one), Some(other)) if other.finding.weight.rank() > one.finding.weight.rank() => Some(other),
        (one, other) => one.or(other),
    }
}

fn uids(pods: &[&Value]) -> Vec<String> {
    pods.iter().map(|pod| read::uid(pod).to_owned()).collect()
}

fn lead(finding: &Finding) -> &'static str {
    match finding.code {
        "not-ready" => "does not get ready",
        "node-not-ready" => "is not ready",
        "pod-failed" => "cannot keep its pods",
        "liveness-killing" | "oom-killed" => "does not stay up",
        _ => "does not start",
    }
}

/// True where a workload, as it is or as it was sent, is meant to run pods.
pub(crate) fn wants_pods(workload: &Value) -> bool {
    let is_observed = read::number(workload, &["status", "observedGeneration"])
        == read::number(workload, &["metadata", "generation"]);
    match read::number(workload, &["status", "desiredNumberScheduled"]) {
        Some(nodes) if is_observed => nodes > 0,
        _ => read::number(workload, &["spec", "replicas"]).unwrap_or(1) > 0,
    }
}

/// The pods among the children that this owner controls.
pub(super) fn pods_of<'o>(children: &[&'o Value], owner: &str) -> Vec<&'o Value> {
    children
        .iter()
        .copied()
        .filter(|child| read::is_kind(child, "Pod") && read::controller(child) == Some(owner))
        .collect()
}

/// Nothing is rolled out by itself: what has to be done, and with what.
pub(super) fn on_delete(o: &Observation<'_>, live: &Value) -> Judgement {
    let labels = read::at(live, &["spec", "selector", "matchLabels"]).and_then(Value::as_object);
    let labels: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    let command = format!("`kubectl{} delete pod --selector {}`", in_namespace(&o.applied.id), labels.join(","));
    let warning = warning(o, "on-delete", "leaves its pods as they are: updateStrategy is OnDelete");
    let judgement = Judgement::assumed("its pods get the new template when they are deleted (updateStrategy OnDelete)");
    judgement.warn(Some(warning.hint(format!("{command} replaces them"))))
}

/// A warning about this object.
pub(super) fn warning(o: &Observation<'_>, code: &'static str, text: impl std::fmt::Display) -> Problem {
    Problem { exit: Exit::Done, ..o.problem(code, text) }
}
