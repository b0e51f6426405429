//! Images that are built.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{Part, Said, State, View, counts, lead};
use crate::{
    model::{BuildEvent, Event, Reference, StepState},
    report::{
        layout::{Cell, Row},
        style::{Line, Sign},
    },
};

const STEP: &str = "build";
/// Lines of a running step's log that the live view shows.
const LOG_LINES: usize = 4;
/// The group of rows about the running step.
const CURRENT: usize = 1;
/// A step that took longer is named with its time, in seconds.
const SLOW: f64 = 1.0;

pub(super) fn said(event: &BuildEvent) -> Vec<Said> {
    let named = |image: &Reference| Line::new().strong(image.short());
    match event {
        BuildEvent::Started { image, dockerfile } => {
            vec![Said::new(STEP, Sign::Pending, named(image).plain(format!(" from {dockerfile}")))]
        }
        BuildEvent::Context { image, files, bytes } => {
            vec![Said::new(STEP, Sign::None, named(image).dim(format!(" {}", sent(*files, *bytes)))).detail()]
        }
        BuildEvent::Step { name, state, seconds, .. } => vec![step(&short_digests(name), *state, *seconds)],
        BuildEvent::Log { lines, .. } => lines
            .iter()
            .map(|line| Said::new(STEP, Sign::None, Line::new().dim(format!("| {line}"))).detail())
            .collect(),
        BuildEvent::Done { image, steps, cached, seconds, .. } => {
            let text = named(image).plain(format!(" built: {}", steps_done(*steps, *cached)));
            vec![Said::new(STEP, Sign::Done, text.dim(format!("  {}", counts::took(*seconds))))]
        }
    }
}

fn step(name: &str, state: StepState, seconds: Option<f64>) -> Said {
    let took = seconds.map_or_else(String::new, |seconds| format!("  {}", counts::took(seconds)));
    match state {
        StepState::Running => Said::new(STEP, Sign::Pending, name),
        StepState::Cached => Said::new(STEP, Sign::Same, Line::new().plain(name).dim("  cached")),
        StepState::Done => {
            let said = Said::new(STEP, Sign::Done, Line::new().plain(name).good("  done").dim(took));
            if seconds.is_some_and(|seconds| seconds >= SLOW) { said } else { said.detail() }
        }
        StepState::Failed => {
            Said::new(STEP, Sign::Failed, Line::new().plain(name).failed("  failed").dim(took)).attention()
        }
    }
}

/// `FROM demo/base@sha256:` and 64 digits as `FROM demo/base@` and 8.
fn short_digests(name: &str) -> String {
    let mut parts = name.split("@sha256:");
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits == 64 {
            short.push_str(&format!("@{}{}", &part[..8], &part[64..]));
        } else {
            short.push_str(&format!("@sha256:{part}"));
        }
    }
    short
}

fn sent(files: u64, bytes: u64) -> String {
    format!("context: {} files, {}", files, counts::size(bytes))
}

/// `9 steps, 7 cached`
fn steps_done(steps: usize, cached: usize) -> String {
    let cached = if cached == 0 { String::new() } else { format!(", {cached} cached") };
    format!("{}{cached}", counts::many(steps, "step"))
}

struct Step {
    id: String,
    name: String,
    state: StepState,
    since: Timestamp,
}

/// One image's build.
struct Build {
    since: Timestamp,
    image: Reference,
    context: Option<(u64, u64)>,
    steps: Vec<Step>,
    log: VecDeque<String>,
    done: Option<(usize, usize, f64)>,
}

pub(super) fn open(at: Timestamp, event: &BuildEvent) -> Option<Box<dyn Part>> {
    let mut part = Build {
        since: at,
        image: image(event).clone(),
        context: None,
        steps: Vec::new(),
        log: VecDeque::new(),
        done: None,
    };
    part.take(at, event);
    Some(Box::new(part))
}

fn image(event: &BuildEvent) -> &Reference {
    match event {
        BuildEvent::Started { image, .. }
        | BuildEvent::Context { image, .. }
        | BuildEvent::Step { image, .. }
        | BuildEvent::Log { image, .. }
        | BuildEvent::Done { image, .. } => image,
    }
}

impl Build {
    fn take(&mut self, at: Timestamp, event: &BuildEvent) {
        match event {
            BuildEvent::Started { .. } => {}
            BuildEvent::Context { files, bytes, .. } => self.context = Some((*files, *bytes)),
            BuildEvent::Step { id, name, state, .. } => self.step(at, id, name, *state),
            BuildEvent::Log { lines, .. } => {
                self.log.extend(lines.iter().cloned());
                self.log.drain(..self.log.len().saturating_sub(LOG_LINES));
            }
            BuildEvent::Done { steps, cached, seconds, .. } => self.done = Some((*steps, *cached, *seconds)),
        }
    }

    fn step(&mut self, at: Timestamp, id: &str, name: &str, state: StepState) {
        // the log is that of the running step
        self.log.clear();
        match self.steps.iter_mut().find(|step| step.id == id) {
            Some(step) => step.state = state,
            None => self.steps.push(Step { id: id.to_owned(), name: short_digests(name), state, since: at }),
        }
    }

    fn running(&self) -> Text {
        let count = |state| self.steps.iter().filter(|step| step.state == state).count();
        let cached = count(StepState::Cached);
        let counted = match (self.steps.is_empty(), self.context) {
            (true, Some((files, bytes))) => sent(files, bytes),
            (true, None) => "starting".to_owned(),
            (false, _) => steps_done(count(StepState::Done) + cached, cached),
        };
        let failed = self.steps.iter().rev().find(|step| step.state == StepState::Failed);
        let current = failed.or_else(|| self.steps.iter().rev().find(|step| step.state == StepState::Running));
        Text { counted, current: current.map(|step| (step.name.clone(), step.since)) }
    }
}

struct Text {
    counted: String,
    current: Option<(String, Timestamp)>,
}

impl Part for Build {
    fn on(&mut self, at: Timestamp, event: &Event) -> bool {
        match event {
            Event::Build(event) if self.done.is_none() && *image(event) == self.image => {
                self.take(at, event);
                true
            }
            _ => false,
        }
    }

    fn state(&self) -> State {
        if self.done.is_some() { State::Finished } else { State::Running }
    }

    fn rows(&self, view: &View) -> Vec<Row> {
        let name = Cell::cut(Line::new().strong(self.image.short())).gap(3);
        if let Some((steps, cached, seconds)) = self.done {
            let [sign, label] = lead(Sign::Done, STEP);
            let text = Line::new().plain(steps_done(steps, cached)).dim(format!("   {}", counts::took(seconds)));
            return vec![Row::new([sign, label, name, Cell::wrap(text)])];
        }
        let [sign, label] = lead(view.unfinished, STEP);
        let Text { counted, current } = self.running();
        let elapsed = counts::whole(counts::between(self.since, view.now));
        let mut rows =
            vec![Row::new([sign, label, name, Cell::cut(Line::new().plain(counted).dim(format!("   {elapsed}")))])];
        if let Some((name, since)) = current {
            let elapsed = counts::whole(counts::between(since, view.now));
            rows.push(Row::new([Cell::cut(name), Cell::optional(Line::new().dim(elapsed))]).indent(11).group(CURRENT));
        }
        if view.unfinished == Sign::Pending {
            let log = self.log.iter().take(view.rows.saturating_sub(rows.len()));
            rows.extend(
                log.map(|line| Row::new([Cell::cut(Line::new().dim(format!("| {line}")))]).indent(11).group(CURRENT)),
            );
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::short_digests;

    #[test]
    fn a_digest_is_cut_to_eight() {
        let digest = "351449ff019f89b09a6477c151f17e61fb3b1472806ecce25342112ddc646eb7";
        for (name, expected) in [
            (
                format!("[1/2] FROM localhost:15000/base:1@sha256:{digest}"),
                "[1/2] FROM localhost:15000/base:1@351449ff",
            ),
            (format!("FROM a@sha256:{digest} AS b"), "FROM a@351449ff AS b"),
            ("RUN echo a@sha256:12".to_owned(), "RUN echo a@sha256:12"),
        ] {
            assert_eq!(short_digests(&name), expected);
        }
    }
}
