//! What runs where.

use crate::{
    model::{EnvironmentStatus, Health, PodStatus, Problem, Status, WorkloadStatus, short_age},
    report::{
        layout::{Cell, Row},
        style::{Line, Meaning},
    },
};

/// Groups of rows that share columns.
const ENVIRONMENTS: usize = 10;
const WORKLOADS: usize = 11;
const PODS: usize = 12;

pub(super) fn rows(status: &Status) -> Vec<Row> {
    let mut rows: Vec<Row> = status.app.iter().map(|app| Row::text(Line::new().strong(app))).collect();
    for (number, environment) in status.environments.iter().enumerate() {
        if number > 0 {
            rows.push(Row::blank());
        }
        rows.push(environment_row(environment));
        rows.extend(traffic(environment));
        for workload in &environment.workloads {
            rows.push(workload_row(workload));
            rows.extend(pods(workload));
        }
        rows.extend(environment.problem.iter().flat_map(unknown));
    }
    if status.environments.is_empty() {
        rows.push(Row::text(Line::new().dim("nothing is deployed")).indent(2));
    }
    rows
}

/// Why nothing is known of an environment, and what to do about it.
fn unknown(problem: &Problem) -> Vec<Row> {
    let text = Line::new().attention(problem.code).plain(format!(": {}", problem.text));
    let hints = problem.hints.iter().map(|hint| Row::text(Line::new().dim(hint)).indent(6));
    std::iter::once(Row::text(text).indent(4)).chain(hints).collect()
}

fn environment_row(status: &EnvironmentStatus) -> Row {
    let age = status.age.map(short_age).unwrap_or_default();
    let health = match status.health {
        Health::Healthy => Line::new().good("healthy"),
        Health::Progressing => Line::new().attention("rolling out"),
        Health::Failing => Line::new().failed("failing"),
        Health::Absent => Line::new().dim("not deployed"),
        Health::Unknown => Line::new().attention("unknown"),
    };
    let addresses = status.addresses.join(" ");
    let mut cells = vec![
        Cell::cut(Line::new().strong(&status.environment)).gap(3),
        Cell::cut(status.namespace.as_str()).gap(3),
        Cell::cut(status.tag.as_deref().unwrap_or_default()).gap(3),
        Cell::keep(Line::new().dim(age)).gap(3),
        Cell::keep(health).gap(3),
        Cell::below(addresses),
    ];
    if let Some(context) = &status.context {
        cells[1] = Cell::cut(Line::new().plain(&status.namespace).dim(format!(" ({context})"))).gap(3);
    }
    if status.environment.is_empty() {
        cells.remove(0);
    }
    Row::new(cells).indent(2).group(ENVIRONMENTS)
}

fn traffic(status: &EnvironmentStatus) -> Option<Row> {
    let traffic = status.traffic.as_ref()?;
    let name = Cell::cut(traffic.service.to_string()).gap(3);
    Some(Row::new([name, Cell::wrap(Line::new().plain("-> ").good(&traffic.color))]).indent(4).group(WORKLOADS))
}

fn workload_row(workload: &WorkloadStatus) -> Row {
    let name = Cell::cut(workload.object.to_string()).gap(3);
    let progress = &workload.progress;
    let pods = if progress.wanted > 0 || progress.ready > 0 {
        let old = if progress.old > 0 { format!(" · {} old", progress.old) } else { String::new() };
        format!("{}/{}{old}", progress.ready, progress.wanted)
    } else {
        String::new()
    };
    Row::new([name, Cell::keep(pods).gap(3), Cell::wrap(state(workload))]).indent(4).group(WORKLOADS)
}

/// Its images, or what is wrong with it.
fn state(workload: &WorkloadStatus) -> Line {
    let images: Vec<String> = workload.images.iter().map(|image| image.short()).collect();
    let mut line = Line::new();
    match (&workload.problem, workload.verdict) {
        (Some(problem), verdict) => {
            let meaning = if verdict == "waiting" { Meaning::Attention } else { Meaning::Failed };
            // the row begins with the object's name
            let about = format!("{} ", workload.object);
            let text = problem.text.strip_prefix(&about).unwrap_or(&problem.text);
            line = line.with(meaning, problem.code).plain(format!(": {text}"));
            line = problem.hints.iter().take(1).fold(line, |line, hint| line.dim(format!(" ({hint})")));
        }
        (None, "ready") => line = line.plain(images.join(" ")),
        (None, "assumed") => line = line.plain(images.join(" ")).dim("taken as good"),
        (None, verdict) => {
            let awaiting = workload.progress.awaiting.as_ref().map_or_else(String::new, |what| format!(": {what}"));
            line = line.attention(verdict).plain(awaiting);
        }
    }
    let gap = if line.is_empty() { "" } else { "   " };
    workload.remark.iter().fold(line, |line, remark| line.dim(format!("{gap}{remark}")))
}

/// Pods that are not ready, where nothing else says why.
fn pods(workload: &WorkloadStatus) -> Vec<Row> {
    if workload.problem.is_some() {
        return Vec::new();
    }
    let shown = workload.pods.iter().filter(|pod| !pod.ready && pod.reason.is_some());
    shown.map(pod).collect()
}

fn pod(pod: &PodStatus) -> Row {
    let restarts = if pod.restarts > 0 { format!(", {} restarts", pod.restarts) } else { String::new() };
    let reason = format!("{}{restarts}", pod.reason.as_deref().unwrap_or_default());
    Row::new([Cell::cut(format!("pod/{}", pod.name)).gap(3), Cell::wrap(reason)]).indent(6).group(PODS)
}
