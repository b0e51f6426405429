//! Objects that are written.

use jiff::Timestamp;

use super::{Part, Said, State, View, counts, lead};
use crate::{
    model::{ApplyEvent, Change, Event, ObjectChange},
    report::{
        layout::{Cell, Row},
        style::{Line, Sign},
    },
};

const STEP: &str = "apply";

pub(super) fn said(event: &ApplyEvent) -> Vec<Said> {
    vec![match event {
        ApplyEvent::Object { change } => object(change),
        ApplyEvent::Adopted { object, managers } => {
            let from = format!(" taken over from {}", managers.join(", "));
            Said::new(STEP, Sign::None, Line::new().strong(object.to_string()).plain(from))
        }
        ApplyEvent::Done { created, changed, unchanged, seconds } => {
            let took = format!("  {}", counts::took(*seconds));
            Said::new(STEP, Sign::Done, summary(*changed, *created, *unchanged).dim(took))
        }
    }]
}

fn object(change: &ObjectChange) -> Said {
    let name = Line::new().strong(change.object.to_string());
    let sign = sign(change.change);
    let said = Said::new(STEP, sign, name.plain(format!(" {}{}", word(change.change), what(change))));
    if matches!(change.change, Change::Unchanged | Change::Skipped) { said.detail() } else { said }
}

/// `+` for created, and so on: the same in plans.
pub(super) fn sign(change: Change) -> Sign {
    match change {
        Change::Created => Sign::Added,
        Change::Changed => Sign::Pending,
        Change::Unchanged => Sign::Same,
        Change::Pruned => Sign::Removed,
        Change::Skipped => Sign::None,
    }
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Skipped => "passed over",
        other => other.word(),
    }
}

/// More fields than these are counted, not named.
const NAMED_FIELDS: usize = 3;

/// `: image, env[DEBUG]`, or why it was passed over
fn what(change: &ObjectChange) -> String {
    if let Some(remark) = &change.remark {
        return format!(": {remark}");
    }
    if change.change != Change::Changed || change.fields.is_empty() {
        return String::new();
    }
    let named: Vec<&str> = change.fields.iter().take(NAMED_FIELDS).map(|field| field.path.as_str()).collect();
    let more = change.fields.len().saturating_sub(NAMED_FIELDS);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!(": {}{more}", named.join(", "))
}

/// `2 changed, 1 created, 4 unchanged`
fn summary(changed: usize, created: usize, unchanged: usize) -> Line {
    let parts: Vec<String> = [(changed, "changed"), (created, "created"), (unchanged, "unchanged")]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if parts.is_empty() { "nothing to apply".into() } else { parts.join(", ").into() }
}

/// The objects of a deploy while they are written.
struct Writing {
    since: Timestamp,
    changed: usize,
    created: usize,
    unchanged: usize,
    last: String,
    /// How long it took.
    finished: Option<f64>,
}

pub(super) fn open(at: Timestamp, event: &ApplyEvent) -> Option<Box<dyn Part>> {
    let ApplyEvent::Object { .. } = event else { return None };
    let mut part = Writing { since: at, changed: 0, created: 0, unchanged: 0, last: String::new(), finished: None };
    part.take(event);
    Some(Box::new(part))
}

impl Writing {
    fn take(&mut self, event: &ApplyEvent) -> bool {
        match event {
            ApplyEvent::Object { change } => {
                match change.change {
                    Change::Created => self.created += 1,
                    Change::Changed => self.changed += 1,
                    Change::Unchanged => self.unchanged += 1,
                    Change::Pruned | Change::Skipped => return false,
                }
                self.last = change.object.to_string();
            }
            ApplyEvent::Done { created, changed, unchanged, seconds } => {
                (self.created, self.changed, self.unchanged) = (*created, *changed, *unchanged);
                self.finished = Some(*seconds);
            }
            ApplyEvent::Adopted { .. } => return false,
        }
        true
    }
}

impl Part for Writing {
    fn on(&mut self, _: Timestamp, event: &Event) -> bool {
        matches!(event, Event::Apply(event) if self.take(event))
    }

    fn state(&self) -> State {
        if self.finished.is_some() { State::Finished } else { State::Running }
    }

    fn rows(&self, view: &View) -> Vec<Row> {
        let counted = summary(self.changed, self.created, self.unchanged);
        let (sign, text) = match self.finished {
            Some(seconds) => (Sign::Done, counted.dim(format!("   {}", counts::took(seconds)))),
            None => {
                let elapsed = counts::whole(counts::between(self.since, view.now));
                (view.unfinished, counted.dim(format!("   {}   {elapsed}", self.last)))
            }
        };
        let [sign, step] = lead(sign, STEP);
        vec![Row::new([sign, step, Cell::cut(text)])]
    }
}
