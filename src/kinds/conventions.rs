//! Custom resources, judged by what their status says by convention: observed generation, then conditions.

use super::{Judgement, Observation, observation::present, read};

/// Seconds for a status that may never come.
const STATUS: f64 = 10.0;

pub(crate) fn judge(o: &Observation<'_>) -> Judgement {
    let live = match present(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    let Some(status) = read::at(live, &["status"]) else {
        return Judgement { patience: Some(STATUS), ..Judgement::waiting("a status", None) };
    };
    let generation = read::number(live, &["metadata", "generation"]).unwrap_or(0).max(o.applied.generation);
    if read::number(status, &["observedGeneration"]).is_some_and(|observed| observed < generation) {
        return Judgement::waiting("its controller to see the change", None);
    }
    if let Some(stalled) = ["Stalled", "Failed"].iter().find_map(|kind| read::true_condition(live, kind)) {
        return Judgement::failed(o.problem("stalled", format!("does not come right: {}", stalled.said())));
    }
    let Some(ready) = ["Ready", "Available"].iter().find_map(|kind| read::condition(live, kind)) else {
        return Judgement::assumed("nothing is known of this kind, and its status tells nothing");
    };
    if ready.is_true() {
        return Judgement::ready();
    }
    Judgement::waiting(ready.said(), Some(o.problem("not-ready", format!("is not ready: {}", ready.said()))))
}
