//! What runs where.

mod change;
mod live;

pub(super) use change::said;
pub(super) use live::open;

use super::counts;
use crate::{
    model::{
        Address, EnvironmentStatus, Evidence, Health, LockStatus, PastDeploy, PodStatus, Problem, RecordState, Status,
        WorkloadStatus, short_age,
    },
    report::{
        layout::{Cell, Row, solid},
        style::{Line, Meaning},
    },
};

/// Groups of rows that share columns: all environments, and of each its workloads, their pods, their last words.
const ENVIRONMENTS: usize = 10;
const WORKLOADS: usize = 11;
const PODS: usize = 12;
const EVIDENCE: usize = 13;
/// From the groups of one environment to those of the next; beyond so many they share columns again.
const STEP: usize = 10;
const APART: usize = 90;

/// Pods that are shown of a workload, of those that are not ready.
const MOST_PODS: usize = 3;
/// Lines of a log; all are in the JSON.
const MOST_LINES: usize = 3;
const MOST_ADDRESSES: usize = 4;

pub(super) fn rows(status: &Status) -> Vec<Row> {
    let mut rows: Vec<Row> = status.app.iter().map(|app| Row::text(Line::new().strong(app))).collect();
    rows.extend(blocks(status.environments.iter().map(|environment| block(environment, 0))));
    if status.environments.is_empty() {
        rows.push(Row::text(Line::new().dim("nothing is deployed")).indent(2));
    }
    rows
}

/// Blocks with a blank line between them, each with columns of its own.
fn blocks(blocks: impl Iterator<Item = Vec<Row>>) -> Vec<Row> {
    let apart = |(number, block): (usize, Vec<Row>)| -> Vec<Row> {
        block.into_iter().map(|row| row.apart(ENVIRONMENTS, STEP * (number % APART))).collect()
    };
    let blocks: Vec<Vec<Row>> = blocks.enumerate().map(apart).collect();
    blocks.join(&Row::blank())
}

/// An environment, so many seconds after it was looked at.
fn block(status: &EnvironmentStatus, elapsed: i64) -> Vec<Row> {
    let mut rows = head(status, elapsed);
    for workload in &status.workloads {
        rows.extend(workload_rows(workload, elapsed));
    }
    rows
}

/// All of it but the workloads.
fn head(status: &EnvironmentStatus, elapsed: i64) -> Vec<Row> {
    let mut rows = vec![environment_row(status)];
    let lines = [
        status.deploy.as_ref().map(|deploy| origin(deploy, elapsed)),
        status.deploy.as_ref().and_then(|deploy| ending(deploy, status, elapsed)),
        status.lock.as_ref().map(|lock| at_work(lock, status, elapsed)),
        expiry(status, elapsed),
        addresses(&status.addresses),
    ];
    rows.extend(lines.into_iter().flatten().map(|line| Row::text(line).indent(4)));
    rows.extend(status.problem.iter().flat_map(unknown));
    rows.extend(traffic(status));
    rows
}

/// Why something is not known of an environment, and what to do about it.
fn unknown(problem: &Problem) -> Vec<Row> {
    let text = Line::new().attention(problem.code).plain(format!(": {}", problem.text));
    let hints = problem.hints.iter().map(|hint| Row::text(Line::new().dim(hint)).indent(6));
    std::iter::once(Row::text(text).indent(4)).chain(hints).collect()
}

fn environment_row(status: &EnvironmentStatus) -> Row {
    let namespace = Line::new().plain(&status.namespace);
    let namespace = status.context.iter().fold(namespace, |line, context| line.dim(format!(" ({context})")));
    let mut cells: Vec<Cell> =
        status.environment.iter().map(|name| Cell::cut(Line::new().strong(name)).gap(3)).collect();
    let tag = status.deploy.as_ref().map_or("", |deploy| deploy.tag.as_str());
    // the last cell would not share its column
    cells.extend([
        Cell::cut(namespace).gap(3),
        Cell::keep(health(status)).gap(3),
        Cell::cut(tag).gap(0),
        Cell::keep(""),
    ]);
    Row::new(cells).indent(2).group(ENVIRONMENTS)
}

fn health(status: &EnvironmentStatus) -> Line {
    let is_stuck = status.workloads.iter().any(|workload| workload.verdict == "waiting" && workload.problem.is_some());
    match status.health {
        Health::Healthy => Line::new().good("healthy"),
        Health::Progressing if is_stuck => Line::new().attention("not ready"),
        Health::Progressing => Line::new().attention("rolling out"),
        Health::Failing => Line::new().failed("failing"),
        Health::Absent => Line::new().dim("not deployed"),
        Health::Unknown => Line::new().attention("unknown"),
    }
}

/// `"Fix the cart" · A. Developer, 3 days ago · deployed 2 h ago by alice`
fn origin(deploy: &PastDeploy, elapsed: i64) -> Line {
    let ago = |seconds| solid(&short_age(seconds));
    let now = deploy.at.as_second() + deploy.age + elapsed;
    let mut parts = Vec::new();
    if let Some(commit) = &deploy.commit {
        parts.push(format!("\"{}\"", commit.subject));
        let age = ago(now - commit.time);
        parts.push(if commit.author.is_empty() { age } else { format!("{}, {age}", commit.author) });
    }
    let source = deploy.source.map(|revision| format!(", back to release {revision}")).unwrap_or_default();
    parts.push(format!("deployed {} by {}{source}", ago(deploy.age + elapsed), deploy.by));
    Line::new().dim(parts.join(" · "))
}

/// Said where the newest deploy is not what is proven to run.
fn ending(deploy: &PastDeploy, status: &EnvironmentStatus, elapsed: i64) -> Option<Line> {
    let line = match deploy.state {
        RecordState::Succeeded => return None,
        RecordState::Running if status.lock.as_ref().is_some_and(|lock| !lock.silent) => return None,
        RecordState::Running => Line::new().attention("this deploy has not come to its end"),
        RecordState::Failed => Line::new().attention("this deploy failed"),
        RecordState::Superseded => Line::new().attention("this deploy gave way to a newer one"),
    };
    let before = status.proven.as_ref().map_or_else(
        || "; none has succeeded before".to_owned(),
        |proven| format!("; {} succeeded {}", proven.tag, short_age(proven.age + elapsed)),
    );
    Some(line.plain(before))
}

/// `bob is at work for 12 s; 1 run waits`
fn at_work(lock: &LockStatus, status: &EnvironmentStatus, elapsed: i64) -> Line {
    if lock.silent {
        let unlock = format!("`shipway unlock --env {}`", status.environment.as_deref().unwrap_or_default());
        let text = format!(" by {}, who gives no sign of life any more", lock.by);
        return Line::new().attention("locked").plain(text).dim(format!(" ({})", solid(&unlock)));
    }
    let since = lock.seconds.map(|seconds| format!(" for {}", counts::whole((seconds + elapsed) as f64)));
    let waiting = match lock.waiting {
        0 => String::new(),
        1 => "; 1 run waits".to_owned(),
        many => format!("; {many} runs wait"),
    };
    Line::new().strong(&lock.by).attention(" is at work").plain(since.unwrap_or_default()).plain(waiting)
}

fn expiry(status: &EnvironmentStatus, elapsed: i64) -> Option<Line> {
    match status.expires_in.map(|left| left - elapsed) {
        _ if status.leaving => Some(Line::new().attention("is being deleted")),
        Some(left) if left <= 0 => {
            Some(Line::new().attention("expired").dim(" (`shipway destroy --expired` removes it)"))
        }
        Some(left) => Some(Line::new().dim(format!("expires in {}", counts::whole(left as f64)))),
        None => None,
    }
}

fn addresses(addresses: &[Address]) -> Option<Line> {
    let shown =
        addresses.iter().take(MOST_ADDRESSES).map(|address| solid(&address.url)).collect::<Vec<_>>().join(" · ");
    let more = addresses.len().saturating_sub(MOST_ADDRESSES);
    let more = if more > 0 { format!(" · and {more} more") } else { String::new() };
    (!addresses.is_empty()).then(|| Line::new().plain(shown).dim(more))
}

fn traffic(status: &EnvironmentStatus) -> Option<Row> {
    let service = &status.colors.first()?.service;
    let name = Cell::cut(service.to_string()).gap(3);
    let to = match status.serving() {
        Some(serving) => Line::new().plain("-> ").good(&serving.color),
        None => Line::new().attention("leads to no colour"),
    };
    Some(Row::new([name, Cell::keep("").gap(0), Cell::wrap(to)]).indent(4).group(WORKLOADS))
}

/// The workload, and of what is wrong with it the pods and the last words.
fn workload_rows(workload: &WorkloadStatus, elapsed: i64) -> Vec<Row> {
    let mut rows = vec![workload_row(workload, elapsed)];
    rows.extend(pods(workload, elapsed));
    let evidence = workload.problem.iter().flat_map(|problem| &problem.evidence);
    let told = evidence.filter(|evidence| matches!(evidence.label.as_str(), "last log" | "message"));
    rows.extend(told.flat_map(last_words));
    rows
}

fn workload_row(workload: &WorkloadStatus, elapsed: i64) -> Row {
    let name = Cell::cut(workload.object.to_string()).gap(3);
    let pods = Cell::keep(counted(workload)).gap(3);
    Row::new([name, pods, Cell::wrap(state(workload, elapsed))]).indent(4).group(WORKLOADS)
}

/// `2/3`, `2/3 · 1 old`; nothing where it runs no pods.
fn counted(workload: &WorkloadStatus) -> String {
    let progress = &workload.progress;
    if progress.wanted == 0 && progress.ready == 0 && progress.old == 0 {
        return String::new();
    }
    let old = if progress.old > 0 { format!(" · {} old", progress.old) } else { String::new() };
    format!("{}/{}{old}", progress.ready, progress.wanted)
}

/// Its images, or what is wrong with it.
fn state(workload: &WorkloadStatus, elapsed: i64) -> Line {
    let images: Vec<String> = workload.images.iter().map(|image| image.short()).collect();
    let mut line = Line::new();
    match (&workload.problem, workload.verdict) {
        (Some(problem), verdict) => line = line.join(reason(workload, problem, verdict)),
        (None, "ready") => line = line.plain(images.join(" ")),
        (None, "assumed") => line = line.plain(images.join(" ")).dim(" taken as good"),
        (None, verdict) => {
            // a pod that is awaited stands below with its reason
            let told = |what: &&String| !(what.starts_with("pod ") && workload.pods.iter().any(is_broken));
            let awaiting =
                workload.progress.awaiting.as_ref().filter(told).map_or_else(String::new, |what| format!(": {what}"));
            line = line.attention(verdict).plain(awaiting);
        }
    }
    let gap = if line.is_empty() { "" } else { "   " };
    line = workload.remark.iter().fold(line, |line, remark| line.dim(format!("{gap}{}", solid(remark))));
    let restarts = restarts(workload, elapsed).filter(|_| matches!(workload.verdict, "ready" | "assumed"));
    restarts.into_iter().fold(line, |line, text| line.dim(format!("   {}", solid(&text))))
}

/// `crash-loop: container web exits with code 3 (what to do)`
fn reason(workload: &WorkloadStatus, problem: &Problem, verdict: &str) -> Line {
    let meaning = if verdict == "waiting" { Meaning::Attention } else { Meaning::Failed };
    // the row begins with the object's name
    let about = format!("{} ", workload.object);
    let text = problem.text.strip_prefix(&about).unwrap_or(&problem.text);
    let line = Line::new().with(meaning, problem.code).plain(format!(": {text}"));
    problem.hints.iter().take(1).fold(line, |line, hint| line.dim(format!(" ({hint})")))
}

/// `7 restarts, the last 3 min ago`
fn restarts(workload: &WorkloadStatus, elapsed: i64) -> Option<String> {
    let count: u32 = workload.pods.iter().map(|pod| pod.restarts).fold(0, u32::saturating_add);
    let last = workload.pods.iter().filter_map(|pod| pod.restarted).min();
    (count > 0).then(|| restarted(count, last, elapsed))
}

fn restarted(count: u32, last: Option<i64>, elapsed: i64) -> String {
    let ago = last.map(|seconds| short_age(seconds + elapsed));
    let ago = ago.map(|ago| if count == 1 { format!(", {ago}") } else { format!(", the last {ago}") });
    format!("{}{}", counts::many(count as usize, "restart"), ago.unwrap_or_default())
}

fn is_broken(pod: &PodStatus) -> bool {
    !pod.ready && pod.reason.is_some()
}

/// Pods that are not ready, those that were restarted most first.
fn pods(workload: &WorkloadStatus, elapsed: i64) -> Vec<Row> {
    let mut broken: Vec<&PodStatus> = workload.pods.iter().filter(|pod| is_broken(pod)).collect();
    broken.sort_by_key(|pod| std::cmp::Reverse(pod.restarts));
    let mut rows: Vec<Row> = broken.iter().take(MOST_PODS).map(|pod| pod_row(pod, elapsed)).collect();
    let more = broken.len().saturating_sub(MOST_PODS);
    if more > 0 {
        let text =
            format!("and {} that {} not ready", counts::many(more, "more pod"), if more == 1 { "is" } else { "are" });
        rows.push(Row::text(Line::new().dim(text)).indent(6));
    }
    rows
}

fn pod_row(pod: &PodStatus, elapsed: i64) -> Row {
    let restarts =
        if pod.restarts > 0 { format!(", {}", restarted(pod.restarts, pod.restarted, elapsed)) } else { String::new() };
    let reason = format!("{}{restarts}", pod.reason.as_deref().unwrap_or_default());
    Row::new([Cell::cut(format!("pod/{}", pod.name)).gap(3), Cell::wrap(reason)]).indent(6).group(PODS)
}

fn last_words(evidence: &Evidence) -> Vec<Row> {
    let skipped = evidence.lines.len().saturating_sub(MOST_LINES);
    let label = |number| if number == 0 { evidence.label.as_str() } else { "" };
    let row = |(number, text): (usize, &String)| {
        let label = Cell::keep(Line::new().dim(label(number))).gap(3);
        Row::new([label, Cell::wrap(text.as_str())]).indent(6).group(EVIDENCE)
    };
    evidence.lines[skipped..].iter().enumerate().map(row).collect()
}
