//! What was told of each object last, so that a line does not stand twice where only what it leaves out has changed.

use std::collections::HashMap;

use super::words::{self, Said};
use crate::model::{Event, ObjectId, RolloutEvent};

/// Of an object in a cluster, its last line.
#[derive(Default)]
pub(super) struct Repeats(HashMap<(String, ObjectId), String>);

impl Repeats {
    /// What is said of an event, and was not said before.
    pub(super) fn said(&mut self, event: &Event) -> Vec<Said> {
        let mut said = words::said(event);
        let context = if let Event::Within(within) = event { within.context.as_str() } else { "" };
        if let Event::Rollout(rollout) = event.itself()
            && let RolloutEvent::Changed { object, .. } = &**rollout
        {
            let text: String = said.iter().map(|said| said.text.paint(false)).collect();
            let before = self.0.insert((context.to_owned(), object.clone()), text.clone());
            said.retain(|_| before.as_ref() != Some(&text));
        }
        said
    }
}
