//! Images that are pushed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Part, Said, State, View, counts, lead};
use crate::{
    model::{Event, LayerState, PushEvent, Reference},
    report::{
        layout::{Cell, Row},
        style::{Line, Sign},
    },
};

const STEP: &str = "push";

pub(super) fn said(event: &PushEvent) -> Vec<Said> {
    match event {
        PushEvent::Started { reference } => {
            vec![Said::new(STEP, Sign::Pending, Line::new().strong(reference.to_string()))]
        }
        PushEvent::Layer { layer, state, total, .. } => layer_said(layer, *state, *total).into_iter().collect(),
        PushEvent::Done { reference, digest, seconds } => {
            let pushed = Line::new().strong(reference.with_digest(digest.clone()).short()).good(" pushed");
            vec![Said::new(STEP, Sign::Done, pushed.dim(format!("  {}", counts::took(*seconds))))]
        }
    }
}

/// Progress within a layer is for the live view.
fn layer_said(layer: &str, state: LayerState, total: u64) -> Option<Said> {
    let word = match state {
        LayerState::Pushing => return None,
        LayerState::Pushed if total > 0 => format!("pushed, {}", counts::size(total)),
        LayerState::Pushed => "pushed".to_owned(),
        LayerState::Exists => "already there".to_owned(),
    };
    Some(Said::new(STEP, Sign::None, Line::new().dim(format!("layer {layer} {word}"))).detail())
}

#[derive(Clone, Copy)]
struct Layer {
    state: LayerState,
    sent: u64,
    total: u64,
}

/// One image's push.
struct Push {
    since: Timestamp,
    reference: Reference,
    layers: BTreeMap<String, Layer>,
    /// The reference with its digest, and how long it took.
    done: Option<(Reference, f64)>,
}

pub(super) fn open(at: Timestamp, event: &PushEvent) -> Option<Box<dyn Part>> {
    let mut part = Push { since: at, reference: reference(event).clone(), layers: BTreeMap::new(), done: None };
    part.take(event);
    Some(Box::new(part))
}

fn reference(event: &PushEvent) -> &Reference {
    match event {
        PushEvent::Started { reference } | PushEvent::Layer { reference, .. } | PushEvent::Done { reference, .. } => {
            reference
        }
    }
}

impl Push {
    fn take(&mut self, event: &PushEvent) {
        match event {
            PushEvent::Started { .. } => {}
            PushEvent::Layer { layer, state, sent, total, .. } => {
                let known = self.layers.get(layer).map_or(0, |layer| layer.total);
                let total = if *total == 0 { known } else { *total };
                self.layers.insert(layer.clone(), Layer { state: *state, sent: *sent, total });
            }
            PushEvent::Done { digest, seconds, .. } => {
                self.done = Some((self.reference.with_digest(digest.clone()), *seconds));
            }
        }
    }

    fn count(&self, state: LayerState) -> usize {
        self.layers.values().filter(|layer| layer.state == state).count()
    }

    /// Bytes that are at the registry, of those to send.
    fn bytes(&self) -> (u64, u64) {
        let to_send = self.layers.values().filter(|layer| layer.state != LayerState::Exists);
        to_send.fold((0, 0), |(sent, total), layer| {
            let done = if layer.state == LayerState::Pushed { layer.total } else { layer.sent.min(layer.total) };
            (sent + done, total + layer.total)
        })
    }

    /// `7 layers, 5 already there`
    fn layers(&self) -> String {
        let there = self.count(LayerState::Exists);
        let there = if there == 0 { String::new() } else { format!(", {there} already there") };
        format!("{}{there}", counts::many(self.layers.len(), "layer"))
    }
}

impl Part for Push {
    fn on(&mut self, _: Timestamp, event: &Event) -> bool {
        match event {
            Event::Push(event) if self.done.is_none() && *reference(event) == self.reference => {
                self.take(event);
                true
            }
            _ => false,
        }
    }

    fn state(&self) -> State {
        if self.done.is_some() { State::Finished } else { State::Running }
    }

    fn rows(&self, view: &View) -> Vec<Row> {
        let name = |reference: &Reference| Cell::cut(Line::new().strong(reference.short())).gap(3);
        if let Some((reference, seconds)) = &self.done {
            let [sign, step] = lead(Sign::Done, STEP);
            let text = Line::new().plain(self.layers()).dim(format!("   {}", counts::took(*seconds)));
            return vec![Row::new([sign, step, name(reference), Cell::wrap(text)])];
        }
        let [sign, step] = lead(view.unfinished, STEP);
        let elapsed = counts::whole(counts::between(self.since, view.now));
        let (sent, total) = self.bytes();
        let text = if total > 0 {
            let amount = format!("  {} of {}", counts::size(sent), counts::size(total));
            Line::new().plain(counts::bar(sent, total)).plain(amount)
        } else if self.layers.is_empty() {
            "starting".into()
        } else {
            self.layers().into()
        };
        let text = text.dim(format!("   {elapsed}"));
        vec![Row::new([sign, step, name(&self.reference), Cell::cut(text)])]
    }
}
