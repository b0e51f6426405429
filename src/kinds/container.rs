//! Why one container does not run.

use serde_json::Value;

use super::{
    Observation, command, event_time,
    finding::{Finding, TWO_LOOKS, Weight},
    image_pull, pod, probe, read,
};
use crate::model::Reply;

/// Seconds for a ConfigMap, Secret or key that is missing: it may be on its way.
const CONFIGURATION: f64 = 30.0;
/// Seconds in which a start may fail for a reason of the node's own.
const START: f64 = 30.0;
/// The probes for which a container is killed.
const KILLERS: [&str; 2] = ["livenessProbe", "startupProbe"];
/// What the kernel says of a program for another processor, at the end of a line.
const FOREIGN: &str = "exec format error";

/// A container of a pod, with what its pod tells.
#[derive(Clone, Copy)]
pub(super) struct Container<'o> {
    pub pod: &'o Value,
    /// Its entry in `containerStatuses` or `initContainerStatuses`.
    pub status: &'o Value,
    /// Its entry in the pod's spec.
    pub spec: Option<&'o Value>,
    /// An init container that must end before the others start.
    pub init: bool,
    /// Events about the pod.
    pub events: &'o [&'o Value],
}

impl<'o> Container<'o> {
    pub(super) fn name(&self) -> &'o str {
        read::text(self.status, &["name"])
    }

    fn waiting(&self) -> (&'o str, &'o str) {
        let waiting = |key| read::text(self.status, &["state", "waiting", key]);
        (waiting("reason"), waiting("message"))
    }

    /// How the last instance ended, and whether a newer one runs since.
    fn ended(&self) -> Option<(&'o Value, bool)> {
        match read::at(self.status, &["state", "terminated"]) {
            Some(now) => Some((now, false)),
            None => read::at(self.status, &["lastState", "terminated"]).map(|last| (last, true)),
        }
    }

    /// True where a container that ends is started again whatever its code.
    fn must_run_on(&self) -> bool {
        let always = |value: Option<&Value>| {
            value.is_some_and(|value| matches!(read::text(value, &["restartPolicy"]), "Always" | ""))
        };
        !self.init && always(read::at(self.pod, &["spec"]))
    }

    /// What is wrong with it, if anything is.
    pub(super) fn finding(&self, o: &Observation<'_>) -> Option<Finding> {
        let (reason, message) = self.waiting();
        match reason {
            "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "ImageInspectError" | "RegistryUnavailable" => {
                Some(image_pull::finding(o, self, self.pull_message(message)))
            }
            "InvalidImageName" => Some(image_pull::invalid(self.image(), message)),
            "CreateContainerConfigError" => Some(self.configuration(message)),
            "CreateContainerError" => Some(self.start(o, message, START)),
            "RunContainerError" | "PostStartHookError" | "PreStartHookError" => Some(self.start(o, message, TWO_LOOKS)),
            _ => self.crash(o).or_else(|| self.probe()),
        }
    }

    /// As the manifest has it: the status may name the image differently.
    pub(super) fn image(&self) -> &'o str {
        self.spec.map_or_else(|| read::text(self.status, &["image"]), |spec| read::text(spec, &["image"]))
    }

    /// Older kubelets keep the cause in the event only.
    fn pull_message(&self, message: &'o str) -> &'o str {
        if message.contains("desc = ") {
            return message;
        }
        let is_cause = |event: &&&Value| {
            read::text(event, &["reason"]) == "Failed" && read::text(event, &["message"]).contains(self.image())
        };
        self.events.iter().rev().find(is_cause).map_or(message, |event| read::text(event, &["message"]))
    }

    fn configuration(&self, message: &str) -> Finding {
        let name = self.name();
        if pod::is_of_a_cold_cache(message) {
            let text = format!("container `{name}` waits for the node to read its configuration: {message}");
            return Finding::new("not-ready", Weight::Wait, text).hint(command::node(self.pod));
        }
        if !message.contains("not found") && !message.contains("couldn't find key") {
            let message = message.split(" (pod: ").next().unwrap_or(message);
            let finding =
                Finding::new("cannot-start", Weight::Grace(TWO_LOOKS), format!("container `{name}`: {message}"));
            return match message.contains("runAsNonRoot") {
                true => finding.hint("write `runAsUser` into its securityContext, or USER into the Dockerfile"),
                false => finding.hint("correct in the manifest what the message names"),
            };
        }
        Finding::new(
            "config-missing",
            Weight::Grace(CONFIGURATION),
            format!("container `{name}` needs what is not there: {message}"),
        )
        .hint("add it to the manifests, or mark the reference `optional: true`")
    }

    fn start(&self, o: &Observation<'_>, message: &str, grace: f64) -> Finding {
        if message.to_ascii_lowercase().contains(FOREIGN) {
            return self.wrong_processor(o, last_cause(message)).with("events", message);
        }
        let text = format!("container `{}` cannot be started: {}", self.name(), last_cause(message));
        Finding::new("cannot-start", Weight::Grace(grace), text)
            .with("events", message)
            .hint("correct `command` and `args` in the manifest, or ENTRYPOINT in the Dockerfile")
    }

    /// An instance that ended though it should run, or an init container that failed.
    fn crash(&self, o: &Observation<'_>) -> Option<Finding> {
        let (end, runs_again) = self.ended()?;
        let code = read::number(end, &["exitCode"]).unwrap_or(0);
        let counts = if self.init { code != 0 } else { self.must_run_on() && !read::flag(self.status, &["ready"]) };
        let times = self.terminations_since(o);
        if !counts || times == 0 {
            return None;
        }
        let reason = read::text(end, &["reason"]);
        if matches!(reason, "StartError" | "ContainerCannotRun") {
            return Some(self.start(o, read::text(end, &["message"]), TWO_LOOKS));
        }
        let previous = runs_again;
        if let Some(line) = self.foreign(o, previous) {
            return Some(self.wrong_processor(o, line));
        }
        let weight = match (self.crash_weight(o, times > o.rules.restarts), self.cause_awaited()) {
            (Weight::Now, Some(seconds)) if self.may_have_been_killed(end) => Weight::Grace(seconds),
            (weight, _) => weight,
        };
        let (kind, text) = self.cause(reason, code, end);
        let lived = lifetime(end).map(|seconds| format!(" after {seconds} s")).unwrap_or_default();
        let mut finding = Finding::new(kind, weight, text).log_of(self.name(), previous);
        finding.remark = Some(format!("{} exit{lived}", ordinal(times)));
        finding = finding.with("message", read::text(end, &["message"]).trim());
        finding = match kind {
            "oom-killed" => finding.hint(format!("raise `resources.limits.memory` of container `{}`", self.name())),
            "liveness-killing" => finding
                .with("probe", self.probe_as_set().unwrap_or_default())
                .hint("correct the probe, or give it a longer `timeoutSeconds` or `failureThreshold`"),
            // a busy node does not always tell it from another kill
            _ if code == SIGKILLED && !self.memory_limit().is_empty() => finding.hint(format!(
                "memory beyond the limit ({}) ends so, too: raise `resources.limits.memory` of container `{}`",
                self.memory_limit(),
                self.name()
            )),
            _ if code == 0 => finding.hint("correct `command` so that it does not end, or make it a Job"),
            _ => finding,
        };
        if matches!(code, 1 | 126 | 255) && lifetime(end).is_some_and(|seconds| seconds <= 1) {
            finding.question = Some(pod::last_log(self.pod, self.name(), previous));
        }
        Some(finding.hint(command::log(self.pod, self.name(), previous)))
    }

    /// What the runtime wrote in the place of a program that the node's processor, or its kernel, cannot run.
    fn foreign(&self, o: &'o Observation<'_>, previous: bool) -> Option<&'o str> {
        let reply = o.replies.get(&pod::last_log(self.pod, self.name(), previous))?;
        let Reply::Log(lines) = reply else { return None };
        lines.iter().map(|line| line.trim()).find(|line| line.to_ascii_lowercase().ends_with(FOREIGN))
    }

    fn wrong_processor(&self, o: &Observation<'_>, line: &str) -> Finding {
        let which = match self.image().parse() {
            Ok(reference) => image_pull::for_which(o, &reference),
            Err(_) => "not built for the node's platform".to_owned(),
        };
        let text = format!("the image of container `{}` is {which}: {line}", self.name());
        Finding::new("image-platform", Weight::Grace(TWO_LOOKS), text)
            .hint(image_pull::PLATFORM_HINT)
            .hint("a script is told so, too, where its first line is not `#!/bin/sh` or alike")
    }

    /// Terminations from before count where nothing was changed: these are the pods of this very release. That it is down now
    /// after a short run tells that they are recent, and a kubelet calls it back-off only up to fifteen seconds later; a moment is
    /// left in which what was mended outside of the deploy may show.
    fn crash_weight(&self, o: &Observation<'_>, too_often: bool) -> Weight {
        let has_just_ended =
            || read::at(self.status, &["state", "terminated"]).is_some_and(|end| !has_run_for_long(end));
        let is_down = self.waiting().0 == "CrashLoopBackOff" || has_just_ended();
        match (too_often, o.changed) {
            (true, true) => Weight::Now,
            (true, false) if is_down => Weight::Grace(UNCHANGED_CRASH),
            _ => Weight::Wait,
        }
    }

    /// Seconds for the events that explain an exit. The kubelet starts a container again after 0, 10, 20 s and so on: it
    /// is down for longer than that, for one that runs again may be ready, and its exit was one too many all the same.
    fn cause_awaited(&self) -> Option<f64> {
        match terminations(self.status) {
            0 | 1 => None,
            2 => Some(EARLY_EVENTS),
            _ => Some(EVENTS),
        }
    }

    /// By a probe whose event has not come yet: status and events are told apart, and the first may be quicker.
    fn may_have_been_killed(&self, end: &Value) -> bool {
        if read::text(end, &["reason"]) == "OOMKilled" {
            return false;
        }
        let mut probes = KILLERS.iter().filter_map(|field| self.probe_of(field));
        probes.any(|probe| ends_as_told_to(end) || lasted(end, probe)) && self.killing_probe(end).is_none()
    }

    fn cause(&self, reason: &str, code: i64, end: &Value) -> (&'static str, String) {
        let name = self.name();
        if reason == "OOMKilled" {
            let limit = self.memory_limit();
            let limit = if limit.is_empty() { String::new() } else { format!(" (limit {limit})") };
            return ("oom-killed", format!("container `{name}` uses more memory than it may{limit} and is killed"));
        }
        if let Some(probe) = self.killing_probe(end) {
            return ("liveness-killing", format!("container `{name}` is killed by its probe: {probe}"));
        }
        let signal = read::number(end, &["signal"])
            .filter(|signal| *signal > 0)
            .or((129..=159).contains(&code).then_some(code - 128));
        let what = match signal {
            Some(signal) => format!("is ended by {} (exit code {code})", signal_name(signal)),
            None if code == 0 => "ends with code 0, but has to run on".to_owned(),
            None => format!("exits with code {code}"),
        };
        let kind = if self.init { "init-failed" } else { "crash-loop" };
        (kind, format!("{}container `{name}` {what}", if self.init { "init " } else { "" }))
    }

    /// Empty where there is none.
    fn memory_limit(&self) -> &'o str {
        self.spec.map_or("", |spec| read::text(spec, &["resources", "limits", "memory"]))
    }

    /// The message of a liveness or startup probe that failed, where two of three signs say that it ended this run: the code, the
    /// length of the run, the time of the event. Each alone misleads: programs have codes of their own, and a kubelet that has
    /// told much of a pod tells no more. The kill itself is told in a normal event, which is not selected: each pod that leaves has
    /// such ones.
    fn killing_probe(&self, end: &Value) -> Option<&'o str> {
        let started = read::text(end, &["startedAt"]).parse().ok();
        let is_newer = |event: &Value| event_time::of(event).zip(started).is_none_or(|(told, started)| told >= started);
        let kills = |(event, message): &(&Value, &str)| {
            let field = field_of(message);
            // one that errored has not failed
            let Some(probe) = self.probe_of(field).filter(|_| message.contains(" probe failed")) else { return false };
            let signs = [ends_as_told_to(end), lasted(end, probe), is_newer(event)];
            KILLERS.contains(&field) && signs.iter().filter(|sign| **sign).count() >= 2
        };
        self.failed_probes().find(kills).map(|(_, message)| message)
    }

    /// Seconds in which its liveness probe, which has failed in this run, may yet fail often enough for a kill; none where it
    /// has not failed.
    pub(super) fn may_be_killed_within(&self) -> Option<f64> {
        let probe = self.probe_of("livenessProbe")?;
        let started = read::text(self.status, &["state", "running", "startedAt"]).parse().ok()?;
        let doubts = |(event, message): (&Value, &str)| {
            let is_of_this_run = event_time::of(event).is_none_or(|told| told >= started);
            field_of(message) == "livenessProbe" && message.contains(" probe failed") && is_of_this_run
        };
        self.failed_probes().any(doubts).then(|| least_time(probe) as f64)
    }

    fn probe_of(&self, field: &str) -> Option<&'o Value> {
        read::at(self.spec?, &[field])
    }

    /// What the kubelet tells of its probes that failed, the last first.
    fn failed_probes(&self) -> impl Iterator<Item = (&'o Value, &'o str)> {
        let list = if is_among(self.pod, "initContainers", self.name()) { "initContainers" } else { "containers" };
        let field = format!("spec.{list}{{{}}}", self.name());
        let about = self.events.iter().rev().filter(|event| read::text(event, &["reason"]) == "Unhealthy");
        about
            .filter(move |event| read::text(event, &["involvedObject", "fieldPath"]) == field)
            .map(|event| (*event, read::text(event, &["message"]).trim()))
    }

    /// The probe that failed last, as the manifest has it: the kubelet's message rarely says what was asked.
    fn probe_as_set(&self) -> Option<String> {
        let key = self.failed_probes().next().map_or("readinessProbe", |(_, message)| field_of(message));
        probe::described(key, self.probe_of(key)?, read::text(self.pod, &["status", "podIP"]))
    }

    /// How often it was started again in this rollout, and how it ended the last time.
    pub(super) fn restarts(&self, o: &Observation<'_>) -> Option<(usize, String)> {
        let spared = self.terminations_since(o);
        // the end of an init container that has done its work is none to be told
        let restarts = read::count(self.status, &["restartCount"]).min(usize::try_from(spared).unwrap_or(usize::MAX));
        let cause =
            |end| self.cause(read::text(end, &["reason"]), read::number(end, &["exitCode"]).unwrap_or(0), end).1;
        // of init containers the kubelet forgets it
        let unknown = || format!("{}container `{}` ended too early", if self.init { "init " } else { "" }, self.name());
        let last = read::at(self.status, &["lastState", "terminated"]);
        (restarts > 0).then(|| (restarts, last.map_or_else(unknown, cause)))
    }

    /// It runs, but is not ready: no fault yet, and what explains a timeout.
    fn probe(&self) -> Option<Finding> {
        let runs = read::at(self.status, &["state", "running"]).is_some();
        if self.init || !runs || read::flag(self.status, &["ready"]) {
            return None;
        }
        let message = self.failed_probes().next().map_or("", |(_, message)| message);
        let text = format!("container `{}` runs, but is not ready", self.name());
        let finding = Finding::new("not-ready", Weight::Wait, text)
            .with("probe", self.probe_as_set().unwrap_or_default())
            .with("events", message)
            .log_of(self.name(), false)
            .hint(command::log(self.pod, self.name(), false));
        let times = read::count(self.status, &["restartCount"]);
        Some(Finding { remark: (times > 0).then(|| format!("started again {times} times")), ..finding })
    }

    fn terminations_since(&self, o: &Observation<'_>) -> u32 {
        let key = (read::uid(self.pod).to_owned(), self.name().to_owned());
        terminations(self.status).saturating_sub(o.baseline.get(&key).copied().unwrap_or(0))
    }
}

/// The probe that the kubelet speaks of, as the manifest names it.
fn field_of(message: &str) -> &'static str {
    match message.split(' ').next() {
        Some("Liveness") => "livenessProbe",
        Some("Startup") => "startupProbe",
        _ => "readinessProbe",
    }
}

fn is_among(pod: &Value, list: &str, name: &str) -> bool {
    read::list(pod, &["spec", list]).iter().any(|spec| read::text(spec, &["name"]) == name)
}

/// The exit code of what SIGKILL has ended.
const SIGKILLED: i64 = 137;

/// Seconds for the events that explain an exit: under load they come well after the status.
const EVENTS: f64 = 15.0;
/// The same for the second exit.
const EARLY_EVENTS: f64 = 5.0;

/// Seconds of a run after which a kubelet forgets earlier exits (`MaxContainerBackOff`, twice).
const FORGETS: i64 = 600;

/// Seconds for which it is down after which an unchanged container that crashed before counts as crashing now.
const UNCHANGED_CRASH: f64 = 10.0;

/// As programs end at SIGTERM, or at SIGKILL.
fn ends_as_told_to(end: &Value) -> bool {
    matches!(read::number(end, &["exitCode"]), Some(0 | SIGKILLED | 143))
}

/// The run was long enough for the probe to fail as often as it may.
fn lasted(end: &Value, probe: &Value) -> bool {
    let least = read::number(probe, &["initialDelaySeconds"]).unwrap_or(0) + least_time(probe);
    // whole seconds: it may have been longer by one
    lifetime(end).is_none_or(|seconds| seconds + 1 >= least)
}

/// Seconds from the first failure of a probe to the last that it may have.
fn least_time(probe: &Value) -> i64 {
    let number = |key, otherwise| read::number(probe, &[key]).unwrap_or(otherwise);
    number("periodSeconds", 10) * (number("failureThreshold", 3) - 1)
}

/// So long that this end has nothing to do with those before.
fn has_run_for_long(end: &Value) -> bool {
    lifetime(end).is_some_and(|seconds| seconds >= FORGETS)
}

/// How often a container has ended: each restart follows one, and the last may not have been followed yet.
pub(super) fn terminations(status: &Value) -> u32 {
    let restarts = u32::try_from(read::count(status, &["restartCount"])).unwrap_or(u32::MAX);
    let ended = read::at(status, &["state", "terminated"]).is_some();
    let resting =
        read::at(status, &["state", "waiting"]).is_some() && read::at(status, &["lastState", "terminated"]).is_some();
    restarts.saturating_add(u32::from(ended || resting))
}

/// Whole seconds between start and end.
pub(super) fn lifetime(end: &Value) -> Option<i64> {
    let moment = |key| read::text(end, &[key]).parse::<jiff::Timestamp>().ok();
    Some(moment("finishedAt")?.as_second() - moment("startedAt")?.as_second())
}

/// Of `failed to create: unable to start: exec: "x": executable file not found in $PATH: unknown` what says it.
fn last_cause(message: &str) -> &str {
    let message = message.trim().trim_end_matches(": unknown");
    message.find("exec: ").map_or(message, |start| &message[start..])
}

fn ordinal(number: u32) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        _ => format!("{number}th"),
    }
}

fn signal_name(signal: i64) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}
