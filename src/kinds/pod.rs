//! Pod: why one does not start, for every workload; a bare one is ready when it is Ready, or has ended well.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Judgement, Kind, Observation,
    command::{self, in_namespace},
    container::{Container, lifetime, terminations},
    finding::{Finding, Weight},
    observation::present,
    read,
    workload::Workload,
};
use crate::model::{Evidence, Image, ObjectId, Question, Reference, Stage};

pub(super) const KIND: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Pod",
    plural: "pods",
    namespaced: true,
    stage: Stage::Workload,
    template: Some(&[]),
    confidential: false,
    children: &[],
    judge,
};

/// Seconds without a node, where nobody is seen to add one.
const UNSCHEDULABLE: f64 = 60.0;
/// How autoscalers say of a pod that a node is added for it: the cluster's own, and Karpenter.
const GROWS: [&str; 2] = ["TriggeredScaleUp", "Nominated"];
/// How the cluster's own says that it adds none, also after it began to.
const GROWS_NOT: &str = "NotTriggerScaleUp";
/// Seconds for a volume's ConfigMap or Secret to appear: half a minute, after which the node tries again at 31.5 s (each time
/// after twice as long, from 0.5 s on).
const VOLUME: f64 = 35.0;

fn judge(o: &Observation<'_>) -> Judgement {
    let live = match present(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    match read::text(live, &["status", "phase"]) {
        "Succeeded" => Judgement::ready(),
        "Failed" => Workload::new(o, vec![live]).ended_badly("pod-failed", "failed", &phase_reason(live)),
        _ => {
            let ready = is_ready(live);
            Workload { wanted: 1, available: usize::from(ready), complete: ready, ..Workload::new(o, vec![live]) }
                .judge()
        }
    }
}

pub(super) fn phase_reason(pod: &Value) -> String {
    let status = |key| read::text(pod, &["status", key]);
    [status("reason"), status("message")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

/// The condition Ready is true, and nobody has asked for its deletion.
pub(crate) fn is_ready(pod: &Value) -> bool {
    !read::is_terminating(pod) && read::true_condition(pod, "Ready").is_some()
}

/// Since when it is ready, by the node's clock; none where it is not.
pub(crate) fn ready_since(pod: &Value) -> Option<Timestamp> {
    read::true_condition(pod, "Ready")?.since.parse().ok()
}

/// When the last of its containers that run was started, by the node's clock; none where none runs.
pub(crate) fn started_last(pod: &Value) -> Option<Timestamp> {
    let starts = statuses(pod).map(|(status, _)| read::text(status, &["state", "running", "startedAt"]));
    starts.filter_map(|at| at.parse().ok()).max()
}

/// True where its readiness says no more than that its containers were started: one of them has no probe that had to succeed
/// first.
pub(crate) fn is_ready_unasked(pod: &Value) -> bool {
    let is_asked =
        |spec: &Value| ["readinessProbe", "startupProbe"].iter().any(|probe| read::at(spec, &[probe]).is_some());
    !read::list(pod, &["spec", "containers"]).iter().all(is_asked)
}

/// Seconds in which a container that runs, and whose liveness probe has failed, may yet be killed for it; none where none has.
pub(crate) fn may_be_killed_within(pod: &Value, events: &[&Value]) -> Option<f64> {
    containers(pod, events).filter_map(|container| container.may_be_killed_within()).reduce(f64::max)
}

/// How many seconds a container of it that fell over had run before its present run; none where none did.
pub(crate) fn last_run(pod: &Value) -> Option<i64> {
    let running = statuses(pod).filter(|(_, has_to_end)| !has_to_end);
    running.filter_map(|(status, _)| lifetime(read::at(status, &["lastState", "terminated"])?)).max()
}

/// Neither ended nor on its way out.
pub(crate) fn is_alive(pod: &Value) -> bool {
    !read::is_terminating(pod) && !matches!(read::text(pod, &["status", "phase"]), "Succeeded" | "Failed")
}

/// How far it has come, for telling progress: 0 made, 1 scheduled, 2 its init containers done, 3 its containers started, 4 ready.
pub(crate) fn advance(pod: &Value) -> u8 {
    let started = |status: &Value| {
        read::at(status, &["state", "running"]).is_some() || read::at(status, &["lastState", "terminated"]).is_some()
    };
    let containers = read::list(pod, &["status", "containerStatuses"]);
    if is_ready(pod) {
        4
    } else if !containers.is_empty() && containers.iter().all(started) {
        3
    } else if read::true_condition(pod, "Initialized").is_some()
        && !read::list(pod, &["spec", "initContainers"]).is_empty()
    {
        2
    } else {
        u8::from(read::true_condition(pod, "PodScheduled").is_some())
    }
}

/// How often each container has ended, by name.
pub(crate) fn endings(pod: &Value) -> impl Iterator<Item = (&str, u32)> {
    statuses(pod).map(|(status, _)| (read::text(status, &["name"]), terminations(status)))
}

/// The image ids of the containers that are to run an image, empty where the kubelet has not told one; none where the pod
/// uses another repository.
pub(crate) fn image_ids<'p>(pod: &'p Value, image: &Image) -> Vec<&'p str> {
    let uses = |spec: &&Value| {
        let reference = read::text(spec, &["image"]).parse::<Reference>();
        reference.is_ok_and(|reference| reference.repository == image.reference.repository)
    };
    let id = |spec: &'p Value| {
        let name = read::text(spec, &["name"]);
        let status = statuses(pod).find(|(status, _)| read::text(status, &["name"]) == name);
        status.map_or("", |(status, _)| read::text(status, &["imageID"]))
    };
    specs(pod).filter(uses).map(id).collect()
}

fn specs(pod: &Value) -> impl Iterator<Item = &Value> {
    read::list(pod, &["spec", "initContainers"]).iter().chain(read::list(pod, &["spec", "containers"]))
}

/// The image of one of its containers, in its short form.
pub(super) fn image_of(pod: &Value, container: &str) -> Option<String> {
    let spec = specs(pod).find(|spec| read::text(spec, &["name"]) == container)?;
    let image = read::text(spec, &["image"]);
    Some(image.parse::<Reference>().map_or_else(|_| image.to_owned(), |reference| reference.short()))
}

/// The containers that have begun to write their log, each with the number of its run.
pub(crate) fn begun(pod: &Value) -> impl Iterator<Item = (&str, i64)> {
    let has_begun =
        |status: &&Value| ["running", "terminated"].iter().any(|state| read::at(status, &["state", state]).is_some());
    let begun = statuses(pod).map(|(status, _)| status).filter(has_begun);
    begun.map(|status| (read::text(status, &["name"]), read::number(status, &["restartCount"]).unwrap_or(0)))
}

/// The last lines of a container's present run, or of the one before it.
pub(super) fn last_log(pod: &Value, container: &str, previous: bool) -> Question {
    let status = statuses(pod).map(|(status, _)| status).find(|status| read::text(status, &["name"]) == container);
    let run = status.and_then(|status| read::number(status, &["restartCount"])).unwrap_or(0);
    let id = ObjectId { kind: "Pod".to_owned(), group: String::new(), ..read::id(pod) };
    Question::LastLog { pod: id, container: container.to_owned(), run, previous }
}

/// The statuses of all containers; true for an init container that has to end.
fn statuses(pod: &Value) -> impl Iterator<Item = (&Value, bool)> {
    let sidecar = |name: &str| {
        let spec = read::list(pod, &["spec", "initContainers"]).iter().find(|spec| read::text(spec, &["name"]) == name);
        spec.is_some_and(|spec| read::text(spec, &["restartPolicy"]) == "Always")
    };
    let init = read::list(pod, &["status", "initContainerStatuses"]).iter();
    init.map(move |status| (status, !sidecar(read::text(status, &["name"]))))
        .chain(read::list(pod, &["status", "containerStatuses"]).iter().map(|status| (status, false)))
}

/// Its containers that have a status, with the events about the pod.
fn containers<'o>(pod: &'o Value, events: &'o [&'o Value]) -> impl Iterator<Item = Container<'o>> {
    statuses(pod).map(move |(status, init)| {
        let name = read::text(status, &["name"]);
        let spec = specs(pod).find(|spec| read::text(spec, &["name"]) == name);
        Container { pod, status, spec, init, events }
    })
}

/// The gravest thing wrong with a pod that is not ready.
pub(super) fn finding(o: &Observation<'_>, pod: &Value, events: &[&Value]) -> Option<Finding> {
    if let Some(found) = unschedulable(pod, events).or_else(|| node_lost(pod)) {
        return Some(found);
    }
    let found = containers(pod, events).filter_map(|container| container.finding(o));
    let worst = found.reduce(|worst, next| if next.weight.rank() > worst.weight.rank() { next } else { worst });
    worst.or_else(|| volume(pod, events).filter(|_| !is_set_up(pod)))
}

/// How often its containers were started again in this rollout, and how the first of them ended.
pub(super) fn restarts(o: &Observation<'_>, pod: &Value) -> Option<(usize, String)> {
    let restarted = containers(pod, &[]).filter_map(|container| container.restarts(o));
    restarted.reduce(|(all, cause), (count, _)| (all + count, cause))
}

/// Whether a node is added, where an autoscaler's event says so.
fn grows(event: &Value) -> Option<bool> {
    let reason = read::text(event, &["reason"]);
    GROWS.contains(&reason).then_some(true).or((reason == GROWS_NOT).then_some(false))
}

/// True for an event that says something about a rollout: a warning, what an autoscaler does, and what is told of claims.
pub(crate) fn tells(event: &Value) -> bool {
    let is_of_claim = read::text(event, &["involvedObject", "kind"]) == "PersistentVolumeClaim";
    read::text(event, &["type"]) == "Warning" || is_of_claim || grows(event).is_some()
}

pub(super) fn unschedulable(pod: &Value, events: &[&Value]) -> Option<Finding> {
    let condition = read::condition(pod, "PodScheduled").filter(|condition| condition.status == "False")?;
    if condition.reason != "Unschedulable" {
        return None;
    }
    // the first sentence counts nodes by reason, the others speak of preemption
    let counts = condition.message.split(". ").next().unwrap_or_default().trim_end_matches('.');
    let text = format!("no node takes the pod: {counts}");
    let finding = |weight| Finding::new("unschedulable", weight, text);
    let autoscaler = events.iter().rev().find_map(|event| Some((grows(event)?, read::text(event, &["message"]))));
    if let Some((true, message)) = autoscaler {
        let finding = finding(Weight::Wait).with("events", message);
        let finding = finding.hint("`kubectl get nodes --watch` shows when the node is there");
        return Some(Finding { awaiting: Some("waits for a node that the autoscaler adds"), ..finding });
    }
    if counts.contains("unbound immediate PersistentVolumeClaims") {
        // whoever makes the volume may take minutes
        let command = format!("`kubectl{} get persistentvolumeclaim`", in_namespace(&read::id(pod)));
        let finding = finding(Weight::Wait).hint(format!("{command} shows which volume is missing"));
        return Some(Finding { awaiting: Some("waits for its volume"), ..finding });
    }
    Some(
        finding(Weight::Grace(UNSCHEDULABLE))
            .hint("lower `resources.requests`, correct nodeSelector, affinity or tolerations, or add a node"),
    )
}

/// A node that is not heard of any more: its pods are marked not ready, and keep what the kubelet said last. It may come
/// back; if not, others are made in their place.
fn node_lost(pod: &Value) -> Option<Finding> {
    if !is_marked_by_the_node_controller(pod) {
        return None;
    }
    let node = read::text(pod, &["spec", "nodeName"]);
    let text = format!("its node {node} is not ready");
    Some(Finding::new("node-not-ready", Weight::Wait, text).hint(format!("`kubectl describe node {node}` shows why")))
}

/// The kubelet writes both conditions together, or names the readiness gate.
fn is_marked_by_the_node_controller(pod: &Value) -> bool {
    let marked = read::condition(pod, "Ready")
        .is_some_and(|ready| ready.status == "False" && ready.reason != "ReadinessGatesNotReady");
    marked && read::true_condition(pod, "ContainersReady").is_some()
}

/// Its volumes and its network are there: what was told of them is over. Of kubelets that have no word for it, its containers
/// tell.
fn is_set_up(pod: &Value) -> bool {
    let has_run = |(status, _): (&Value, bool)| {
        let is = |state, how| read::at(status, &[state, how]).is_some();
        is("state", "running") || is("state", "terminated") || is("lastState", "terminated")
    };
    let told = read::condition(pod, "PodReadyToStartContainers");
    told.map_or_else(|| statuses(pod).any(has_run), |condition| condition.is_true())
}

/// What is told of a pod that is not set up yet; its image is pulled only then.
pub(crate) const BEFORE_PULLING: [&str; 3] = ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"];

/// What keeps the containers from being made is told in events only.
fn volume(pod: &Value, events: &[&Value]) -> Option<Finding> {
    let [mount, attach, sandbox] = BEFORE_PULLING;
    let failing = |text: String| {
        let command = format!("`kubectl{} describe pod/{}`", in_namespace(&read::id(pod)), read::name(pod));
        let finding = Finding::new("volume-failing", Weight::Wait, text);
        finding.hint(format!("correct the volume in the manifest; {command} shows all that is told of it"))
    };
    let told = |reason: &str| {
        let event = events.iter().rev().find(|event| read::text(event, &["reason"]) == reason)?;
        Some(read::text(event, &["message"])).filter(|message| !is_of_a_cold_cache(message))
    };
    if let Some(message) = told(mount) {
        let absent = message.contains("not found") || message.contains("references non-existent");
        let cause = message.split_once("failed for volume ").map_or(message, |(_, rest)| rest);
        let text = format!("a volume cannot be mounted: {cause}");
        let finding = match absent {
            true => Finding::new("config-missing", Weight::Grace(VOLUME), text)
                .hint("add it to the manifests, or mark the volume `optional: true`"),
            false => failing(text),
        };
        return Some(finding);
    }
    if let Some(message) = told(attach) {
        return Some(failing(message.to_owned()));
    }
    told(sandbox).map(|message| Finding::new("node-failing", Weight::Wait, message).hint(command::node(pod)))
}

/// The kubelet's caches of ConfigMaps and Secrets fill while a pod starts, or once the API server is back: it says so of each, and
/// tries again.
pub(super) fn is_of_a_cold_cache(message: &str) -> bool {
    message.contains("failed to sync")
}

fn runs_init(pod: &Value) -> bool {
    statuses(pod).any(|(status, init)| init && read::at(status, &["state", "running"]).is_some())
}

/// Why it is not ready, in the kubelet's words where it has some: `CrashLoopBackOff`.
pub(crate) fn reason(pod: &Value) -> Option<String> {
    if is_ready(pod) {
        return None;
    }
    let told = statuses(pod).find_map(|(status, _)| {
        let waiting = read::text(status, &["state", "waiting", "reason"]);
        let ended = read::text(status, &["state", "terminated", "reason"]);
        let reason = if waiting.is_empty() { ended } else { waiting };
        (!matches!(reason, "" | "Completed" | "ContainerCreating" | "PodInitializing")).then_some(reason)
    });
    Some(told.unwrap_or_else(|| awaiting(pod)).to_owned())
}

/// On which node, and since when it is not ready, by the server's clock.
pub(super) fn whereabouts(pod: &Value) -> Vec<Evidence> {
    let since = read::condition(pod, "Ready").map_or("", |ready| ready.since);
    let since = since.max(read::text(pod, &["metadata", "creationTimestamp"]));
    let facts = [("node", read::text(pod, &["spec", "nodeName"])), ("since", since)];
    facts.into_iter().filter(|(_, fact)| !fact.is_empty()).map(|(label, fact)| Evidence::new(label, [fact])).collect()
}

/// The container that keeps a pod from going on: an init container that does not end, else one that runs and is not
/// ready, else the first that runs.
pub(super) fn busy(pod: &Value) -> Option<&str> {
    let runs = |status: &Value| read::at(status, &["state", "running"]).is_some();
    let running: Vec<(&Value, bool)> = statuses(pod).filter(|(status, _)| runs(status)).collect();
    let not_ready = |(status, _): &&(&Value, bool)| !read::flag(status, &["ready"]);
    let found = running.iter().find(|(_, init)| *init).or_else(|| running.iter().find(not_ready));
    found.or(running.last()).map(|(status, _)| read::text(status, &["name"]))
}

/// None of its containers was ever started.
pub(super) fn has_not_begun(pod: &Value) -> bool {
    busy(pod).is_none() && endings(pod).all(|(_, times)| times == 0)
}

/// How its first container that failed has ended, and whether another instance of it was made since.
pub(super) fn failure(pod: &Value) -> Option<(&str, &Value, bool)> {
    statuses(pod).find_map(|(status, _)| {
        let end = |state| read::at(status, &[state, "terminated"]);
        let (end, previous) = end("state").map(|end| (end, false)).or_else(|| Some((end("lastState")?, true)))?;
        (read::number(end, &["exitCode"])? != 0).then(|| (read::text(status, &["name"]), end, previous))
    })
}

/// What it waits for, in a few words.
pub(crate) fn awaiting(pod: &Value) -> &'static str {
    if read::true_condition(pod, "PodScheduled").is_none() {
        return "waits for a node";
    }
    if is_marked_by_the_node_controller(pod) {
        return "is on a node that is not ready";
    }
    // the kubelet's first word
    if read::at(pod, &["status", "startTime"]).is_none() && statuses(pod).next().is_none() {
        return "waits for its node to take it up";
    }
    let reasons = || statuses(pod).map(|(status, _)| read::text(status, &["state", "waiting", "reason"]));
    if reasons().any(|reason| matches!(reason, "ErrImagePull" | "ImagePullBackOff")) {
        return "cannot pull its image";
    }
    if reasons().any(|reason| reason == "CreateContainerConfigError") {
        return "lacks its configuration";
    }
    if reasons().any(|reason| matches!(reason, "RunContainerError" | "CreateContainerError")) {
        return "cannot be started";
    }
    let ended = |(status, init): (&Value, bool)| {
        let end = read::at(status, &["state", "terminated"]);
        end.is_some_and(|end| !init || read::number(end, &["exitCode"]) != Some(0))
    };
    if reasons().any(|reason| reason == "CrashLoopBackOff") || statuses(pod).any(ended) {
        return "waits to start again";
    }
    if runs_init(pod) {
        return "runs an init container";
    }
    if reasons().any(|reason| matches!(reason, "ContainerCreating" | "PodInitializing")) {
        return "pulling image and starting";
    }
    match advance(pod) {
        3 => "runs, is not ready yet",
        4 => "is ready, not yet for long enough",
        _ => "starting",
    }
}
