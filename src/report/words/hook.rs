//! Jobs that run at a moment of the deploy, with what they print.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{Part, Said, State, View, counts, lead};
use crate::{
    model::{Event, Hook, HookEvent, HookPhase, ObjectId},
    report::{
        layout::{Cell, Row},
        style::{Line, Sign},
    },
};

const STEP: &str = "hook";
/// Lines of its log that the live view shows.
const LOG_LINES: usize = 6;

pub(super) fn said(event: &HookEvent) -> Vec<Said> {
    match event {
        HookEvent::Started { hook } => {
            let text = Line::new().strong(hook.object.to_string()).plain(format!(" started ({})", phase(hook.phase)));
            vec![Said::new(STEP, Sign::Pending, text)]
        }
        HookEvent::Log { object, lines } => {
            let said = |line: &String| Line::new().plain(format!("{object} ")).dim(format!("| {line}"));
            lines.iter().map(|line| Said::new(STEP, Sign::None, said(line))).collect()
        }
        HookEvent::Done { object, seconds } => {
            let text =
                Line::new().strong(object.to_string()).good(" done").dim(format!("  {}", counts::took(*seconds)));
            vec![Said::new(STEP, Sign::Done, text)]
        }
    }
}

/// `before`, `after`, `on failure`
pub(super) fn phase(phase: HookPhase) -> &'static str {
    match phase {
        HookPhase::Before => "before",
        HookPhase::After => "after",
        HookPhase::OnFailure => "on failure",
    }
}

/// A Job while it runs.
struct Running {
    since: Timestamp,
    hook: Hook,
    log: VecDeque<String>,
    done: Option<f64>,
}

pub(super) fn open(at: Timestamp, event: &HookEvent) -> Option<Box<dyn Part>> {
    let HookEvent::Started { hook } = event else { return None };
    Some(Box::new(Running { since: at, hook: hook.clone(), log: VecDeque::new(), done: None }))
}

fn object(event: &HookEvent) -> &ObjectId {
    match event {
        HookEvent::Started { hook } => &hook.object,
        HookEvent::Log { object, .. } | HookEvent::Done { object, .. } => object,
    }
}

impl Part for Running {
    fn on(&mut self, _: Timestamp, event: &Event) -> bool {
        let Event::Hook(event) = event else { return false };
        if self.done.is_some() || *object(event) != self.hook.object {
            return false;
        }
        match event {
            HookEvent::Started { .. } => {}
            HookEvent::Log { lines, .. } => {
                self.log.extend(lines.iter().cloned());
                self.log.drain(..self.log.len().saturating_sub(LOG_LINES));
            }
            HookEvent::Done { seconds, .. } => self.done = Some(*seconds),
        }
        true
    }

    fn state(&self) -> State {
        if self.done.is_some() { State::Finished } else { State::Running }
    }

    fn rows(&self, view: &View) -> Vec<Row> {
        let name = Cell::cut(Line::new().strong(self.hook.object.to_string())).gap(3);
        let sign = if self.done.is_some() { Sign::Done } else { view.unfinished };
        let [sign, step] = lead(sign, STEP);
        let elapsed = self.done.map_or_else(|| counts::whole(counts::between(self.since, view.now)), counts::took);
        let text = Line::new().plain(phase(self.hook.phase)).dim(format!("   {elapsed}"));
        let mut rows = vec![Row::new([sign, step, name, Cell::wrap(text)])];
        if self.done.is_none() && view.unfinished == Sign::Pending {
            let log = self.log.iter().take(view.rows.saturating_sub(1));
            rows.extend(log.map(|line| Row::new([Cell::cut(Line::new().dim(format!("| {line}")))]).indent(11)));
        }
        rows
    }
}
