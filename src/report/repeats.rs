//! What was told of an object last, so that a line does not stand twice where only what it leaves out has changed.

use std::collections::HashMap;

use super::words::Said;
use crate::model::{Event, RolloutEvent};

#[derive(Default)]
pub(super) struct Repeats(HashMap<String, String>);

impl Repeats {
    /// The lines of an event without the one that stands there already.
    pub(super) fn left_out(&mut self, event: &Event, mut said: Vec<Said>) -> Vec<Said> {
        let Event::Rollout(of_rollout) = event.itself() else { return said };
        let RolloutEvent::Changed { object, .. } = &**of_rollout else { return said };
        let text: String = said.iter().map(|said| said.text.paint(false)).collect();
        let key = format!("{:?} {:?}", event.context(), object);
        if self.0.insert(key, text.clone()).is_some_and(|before| before == text) {
            said.clear();
        }
        said
    }
}
