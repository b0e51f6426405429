//! Traffic from one colour to the other.

use jiff::Timestamp;

use super::{Part, Said, State, View, counts, lead};
use crate::{
    model::{Event, SwitchEvent, TrafficStatus},
    report::{
        layout::{Cell, Row},
        style::{Line, Sign},
    },
};

const STEP: &str = "switch";

pub(super) fn said(event: &SwitchEvent) -> Vec<Said> {
    match event {
        SwitchEvent::Planned { service, from, to, colors } => {
            let text = Line::new().strong(service.to_string()).plain(format!(" {from} -> ")).strong(to);
            let mut all = vec![Said::new(STEP, Sign::None, text)];
            let widest = colors.iter().map(|color| color.color.chars().count()).max().unwrap_or(0);
            all.extend(colors.iter().map(|color| Said::new(STEP, Sign::None, side(color, widest))));
            all
        }
        SwitchEvent::Checked { color, ready } => {
            let text = format!("{} of {color} match the new selector", counts::many(*ready, "ready pod"));
            vec![Said::new(STEP, Sign::Done, text)]
        }
        SwitchEvent::Selector { service, color } => {
            let text = format!("selector of {service} changed to {color}, waiting for its endpoints");
            vec![Said::new(STEP, Sign::Pending, text)]
        }
        SwitchEvent::Endpoints { new, old, seconds } => vec![endpoints(*new, *old, *seconds)],
        SwitchEvent::Unneeded { service, color, why } => {
            let why = if why.is_empty() { String::new() } else { format!(", {why}") };
            let text = Line::new().strong(service.to_string()).plain(format!(": {color} serves already")).dim(why);
            vec![Said::new(STEP, Sign::Same, text)]
        }
    }
}

/// `blue   serves   3 pods   master-1a2b3c4d   team/demo@9c1f0d2e`
fn side(color: &TrafficStatus, width: usize) -> Line {
    let line = Line::new().strong(format!("{:width$}", color.color));
    let line = if color.serves { line.good("  serves") } else { line.dim("  idle  ") };
    let tag = color.tag.as_ref().map_or_else(String::new, |tag| format!("  {tag}"));
    let image = color.image.as_ref().map_or_else(String::new, |image| format!("  {}", image.short()));
    line.plain(format!("  {}{tag}", counts::many(color.pods, "pod"))).dim(image)
}

fn endpoints(new: usize, old: usize, seconds: f64) -> Said {
    let text =
        Line::new().plain(format!("endpoints: {new} new, {old} old")).dim(format!("  {}", counts::took(seconds)));
    let sign = if old == 0 { Sign::Done } else { Sign::Pending };
    Said::new(STEP, sign, text)
}

/// From the changed selector to endpoints that follow it.
struct Moving {
    since: Timestamp,
    color: String,
    new: usize,
    old: Option<usize>,
    took: f64,
}

pub(super) fn open(at: Timestamp, event: &SwitchEvent) -> Option<Box<dyn Part>> {
    let SwitchEvent::Selector { color, .. } = event else { return None };
    Some(Box::new(Moving { since: at, color: color.clone(), new: 0, old: None, took: 0.0 }))
}

impl Part for Moving {
    fn on(&mut self, _: Timestamp, event: &Event) -> bool {
        let Event::Switch(SwitchEvent::Endpoints { new, old, seconds }) = event else { return false };
        (self.new, self.old, self.took) = (*new, Some(*old), *seconds);
        true
    }

    fn state(&self) -> State {
        if self.old == Some(0) { State::Finished } else { State::Running }
    }

    fn rows(&self, view: &View) -> Vec<Row> {
        let finished = self.state() == State::Finished;
        let [sign, step] = lead(if finished { Sign::Done } else { view.unfinished }, STEP);
        let counted = self.old.map_or_else(String::new, |old| format!(": {} {}, {old} old", self.new, self.color));
        let (word, elapsed) = if finished {
            ("selector changed, endpoints moved", counts::took(self.took))
        } else {
            ("selector changed, endpoints move", counts::whole(counts::between(self.since, view.now)))
        };
        let text = Line::new().plain(format!("{word}{counted}")).dim(format!("   {elapsed}"));
        vec![Row::new([sign, step, Cell::wrap(text)])]
    }
}
