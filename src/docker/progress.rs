//! BuildKit's status messages as events: steps by digest, log lines in batches.

use std::collections::{HashMap, VecDeque};

use prost_types::Timestamp;

use crate::model::{BuildEvent, Listener, Reference, StepState};

use super::messages::{StatusResponse, Vertex, VertexLog};

/// Lines of a step's log that a failure shows.
const LAST_LINES: usize = 20;
/// A line longer than this is told in pieces.
const LONGEST_LINE: usize = 64 * 1024;

/// What is known of a build's steps.
pub(super) struct Progress<'a> {
    image: &'a Reference,
    listener: &'a dyn Listener,
    steps: HashMap<String, Step>,
    /// The first step that failed by itself.
    failed: Option<String>,
}

#[derive(Default)]
struct Step {
    name: String,
    state: Option<StepState>,
    error: String,
    /// Output after the last line break, for each stream.
    unfinished: HashMap<i64, Vec<u8>>,
    last: VecDeque<String>,
}

/// The step that ended a build.
pub(super) struct FailedStep<'a> {
    pub name: &'a str,
    pub error: &'a str,
    pub log: Vec<String>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(image: &'a Reference, listener: &'a dyn Listener) -> Self {
        Self { image, listener, steps: HashMap::new(), failed: None }
    }

    pub(super) fn update(&mut self, message: StatusResponse) {
        // logs first: a step's last lines arrive with its end
        for (vertex, lines) in self.lines(message.logs) {
            self.tell_lines(vertex, lines);
        }
        for vertex in message.vertexes {
            self.vertex(vertex);
        }
    }

    /// Instructions of the Dockerfile that make layers, and how many of them were cached. FROM makes none.
    pub(super) fn counts(&self) -> (usize, usize) {
        let instructions = self.steps.values().filter(|step| is_instruction(&step.name) && !is_from(&step.name));
        let cached = instructions.clone().filter(|step| step.state == Some(StepState::Cached)).count();
        (instructions.count(), cached)
    }

    pub(super) fn failed(&self) -> Option<FailedStep<'_>> {
        let step = self.steps.get(self.failed.as_deref()?)?;
        Some(FailedStep { name: &step.name, error: &step.error, log: step.last.iter().cloned().collect() })
    }

    fn vertex(&mut self, vertex: Vertex) {
        let step = self.steps.entry(vertex.digest.clone()).or_default();
        let state = state(&vertex);
        step.name = vertex.name.lines().next().unwrap_or_default().to_owned();
        step.error = vertex.error;
        let Some(state) = state else { return };
        // steps are shared within the engine, and begin and end anew for each that uses them
        let is_over = matches!(step.state, Some(StepState::Done | StepState::Cached)) && state != StepState::Failed;
        if is_over || step.state == Some(state) {
            return;
        }
        step.state = Some(state);
        if state == StepState::Failed && self.failed.is_none() {
            self.failed = Some(vertex.digest.clone());
        }
        let name = step.name.clone();
        if state != StepState::Running {
            let rest: Vec<_> =
                std::mem::take(&mut step.unfinished).into_values().filter(|rest| !rest.is_empty()).collect();
            self.tell_lines(vertex.digest.clone(), rest.iter().map(|line| shown(line)).collect());
        }
        if is_told(&name) {
            let seconds = seconds(vertex.started.as_ref(), vertex.completed.as_ref());
            let image = self.image.clone();
            self.listener.on(BuildEvent::Step { image, id: vertex.digest, name, state, seconds }.into());
        }
    }

    /// Whole lines by step, in the order in which the steps spoke.
    fn lines(&mut self, logs: Vec<VertexLog>) -> Vec<(String, Vec<String>)> {
        let mut batches: Vec<(String, Vec<String>)> = Vec::new();
        for log in logs {
            let step = self.steps.entry(log.vertex.clone()).or_default();
            let unfinished = step.unfinished.entry(log.stream).or_default();
            unfinished.extend_from_slice(&log.message);
            let Some(end) = end_of_lines(unfinished) else { continue };
            let rest = unfinished.split_off(end);
            let whole = std::mem::replace(unfinished, rest);
            let whole = whole.strip_suffix(b"\n").unwrap_or(&whole);
            let lines = whole.split(|byte| *byte == b'\n').map(shown);
            match batches.last_mut() {
                Some((vertex, batch)) if *vertex == log.vertex => batch.extend(lines),
                _ => batches.push((log.vertex, lines.collect())),
            }
        }
        batches
    }

    fn tell_lines(&mut self, vertex: String, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        if let Some(step) = self.steps.get_mut(&vertex) {
            step.last.extend(lines.iter().cloned());
            let surplus = step.last.len().saturating_sub(LAST_LINES);
            step.last.drain(..surplus);
        }
        self.listener.on(BuildEvent::Log { image: self.image.clone(), id: vertex, lines }.into());
    }
}

fn end_of_lines(output: &[u8]) -> Option<usize> {
    let end = output.iter().rposition(|byte| *byte == b'\n').map(|last| last + 1);
    end.or((output.len() > LONGEST_LINE).then_some(output.len()))
}

/// `None` for a step that has not begun, or was given up because another failed.
fn state(vertex: &Vertex) -> Option<StepState> {
    if vertex.error.contains("context canceled") {
        None
    } else if !vertex.error.is_empty() {
        Some(StepState::Failed)
    } else if vertex.cached {
        Some(StepState::Cached)
    } else if vertex.completed.is_some() {
        Some(StepState::Done)
    } else {
        vertex.started.as_ref().map(|_| StepState::Running)
    }
}

/// `[2/5] RUN make`, `[web 2/5] RUN make`
fn is_instruction(name: &str) -> bool {
    name.starts_with('[') && !name.starts_with("[internal]") && !name.starts_with("[auth]")
}

/// `[build 1/3] FROM busybox`
fn is_from(name: &str) -> bool {
    name.split_once("] ").is_some_and(|(_, instruction)| instruction.starts_with("FROM "))
}

/// BuildKit's own housekeeping says nothing to a reader; reading a base image's description may take a while.
fn is_told(name: &str) -> bool {
    is_instruction(name) || name.starts_with("[internal] load metadata") || !name.starts_with('[')
}

fn seconds(started: Option<&Timestamp>, completed: Option<&Timestamp>) -> Option<f64> {
    let (started, completed) = (started?, completed?);
    let whole = (completed.seconds - started.seconds) as f64;
    Some((whole + f64::from(completed.nanos - started.nanos) / 1e9).max(0.0))
}

/// A line as a terminal would show it in the end: without colours, and what a carriage return overwrote left out.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    let text = text.rsplit('\r').next().unwrap_or(text);
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c == '\u{1b}' {
            // an escape sequence ends with a letter
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use crate::model::Event;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Listener for Heard {
        fn on(&self, event: Event) {
            let text = match event {
                Event::Build(BuildEvent::Step { name, state, seconds, .. }) => format!("{name} {state:?} {seconds:?}"),
                Event::Build(BuildEvent::Log { id, lines, .. }) => format!("{id}: {}", lines.join("|")),
                other => format!("{other:?}"),
            };
            self.0.lock().unwrap().push(text);
        }
    }

    fn vertex(digest: &str, name: &str, times: (i64, i64)) -> Vertex {
        let time = |seconds| (seconds > 0).then_some(Timestamp { seconds, nanos: 0 });
        Vertex {
            digest: digest.into(),
            name: name.into(),
            started: time(times.0),
            completed: time(times.1),
            ..Vertex::default()
        }
    }

    fn log(vertex: &str, message: &str) -> VertexLog {
        VertexLog { vertex: vertex.into(), stream: 1, message: message.into() }
    }

    fn told(messages: Vec<(Vec<Vertex>, Vec<VertexLog>)>) -> (Vec<String>, (usize, usize), Option<String>) {
        let heard = Heard::default();
        let image = "demo:1".parse().unwrap();
        let mut progress = Progress::new(&image, &heard);
        for (vertexes, logs) in messages {
            progress.update(StatusResponse { vertexes, logs });
        }
        let failed = progress.failed().map(|step| format!("{}: {} <{}>", step.name, step.error, step.log.join("|")));
        let counts = progress.counts();
        (heard.0.into_inner().unwrap(), counts, failed)
    }

    #[test]
    fn steps_are_told_once_a_state() {
        let run = "[2/2] RUN make";
        let cached = Vertex { cached: true, ..vertex("b", "[1/2] COPY . .", (5, 5)) };
        let (events, counts, failed) = told(vec![
            (vec![vertex("a", run, (0, 0)), vertex("i", "[internal] load .dockerignore", (1, 2))], vec![]),
            (vec![vertex("a", run, (3, 0)), cached.clone()], vec![]),
            (vec![vertex("a", run, (3, 0)), cached], vec![]),
            (vec![vertex("a", run, (3, 7))], vec![]),
        ]);
        let expected =
            ["[2/2] RUN make Running None", "[1/2] COPY . . Cached Some(0.0)", "[2/2] RUN make Done Some(4.0)"];
        assert_eq!(events, expected);
        assert_eq!((counts, failed), ((2, 1), None));
    }

    #[test]
    fn logs_are_told_by_whole_lines() {
        let (events, ..) = told(vec![
            (vec![], vec![log("a", "one\ntw"), log("b", "x\n"), log("a", "o\r\n10%\r\u{1b}[32m100%\u{1b}[0m\nrest")]),
            (vec![vertex("a", "[1/1] RUN x", (1, 2))], vec![]),
        ]);
        assert_eq!(events, ["a: one", "b: x", "a: two|100%", "a: rest", "[1/1] RUN x Done Some(1.0)"]);
    }

    #[test]
    fn the_step_that_failed_by_itself_is_known_with_its_last_lines() {
        let failing = Vertex { error: "exit code: 2".into(), ..vertex("a", "[1/2] RUN x", (1, 2)) };
        let given_up = Vertex { error: "context canceled".into(), ..vertex("b", "[2/2] RUN y", (1, 2)) };
        let output: String = (0..30).map(|line| format!("line {line}\n")).collect();
        let (_, _, failed) = told(vec![(vec![given_up, failing], vec![log("a", &output)])]);
        let failed = failed.unwrap();
        assert!(failed.starts_with("[1/2] RUN x: exit code: 2 <line 10|"), "{failed}");
        assert!(failed.ends_with("|line 29>"), "{failed}");
    }
}
