//! Custom resources, judged by what their status says by convention: observed generation, conditions, phase.
//!
//! The conventions are those of kstatus (Ready, Reconciling, Stalled), which Flux, cert-manager and Knative follow, the
//! condition Synced of Sealed Secrets, and the phases of Argo Rollouts, whose conditions say less than the phase does.

use serde_json::Value;

use super::{Judgement, Observation, command::describe, finding::TWO_LOOKS, observation::present, read};
use crate::model::{Question, Reply, Verdict};

/// Seconds for a status that may never come.
const STATUS: f64 = 10.0;
/// Seconds for a controller to come right by itself.
const RECOVERY: f64 = 10.0;

pub(crate) fn judge(o: &Observation<'_>) -> Judgement {
    let live = match present(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    let Some(status) = read::at(live, &["status"]) else {
        if o.saved {
            return Judgement::assumed("it has no status");
        }
        return without_status(o);
    };
    let generation = read::number(live, &["metadata", "generation"]).unwrap_or(0).max(o.applied.generation);
    if is_of_before(status, generation) {
        return Judgement::waiting("its controller to see the change", None);
    }
    by_conditions(o, live).unwrap_or_else(|| by_phase(o, status))
}

/// One that its definition allows may still come; none is waited for where there can be none.
fn without_status(o: &Observation<'_>) -> Judgement {
    let question = Question::HasStatus(o.applied.resource.clone());
    if o.replies.get(&question) == Some(&Reply::HasStatus(false)) {
        return Judgement::assumed("its kind has no status");
    }
    Judgement { patience: Some(STATUS), questions: vec![question], ..Judgement::waiting("a status", None) }
}

/// True where the controller has not seen this generation: Argo Rollouts writes the number as a text.
pub(super) fn is_of_before(status: &Value, generation: i64) -> bool {
    let observed = |of: &Value| match read::at(of, &["observedGeneration"]) {
        Some(Value::String(text)) => text.parse().ok(),
        other => other.and_then(Value::as_i64),
    };
    let of_conditions = read::list(status, &["conditions"]).iter().filter_map(observed).max();
    observed(status).or(of_conditions).is_some_and(|observed| observed < generation)
}

/// None where no condition decides.
fn by_conditions(o: &Observation<'_>, live: &Value) -> Option<Judgement> {
    if let Some(stalled) = ["Stalled", "Failed"].iter().find_map(|kind| read::true_condition(live, kind)) {
        let problem = o.problem("stalled", format!("does not come right: {}", stalled.said())).hint(look(o));
        return Some(Judgement::new(Verdict::Suspect { problem, grace: TWO_LOOKS }));
    }
    if let Some(reconciling) = read::true_condition(live, "Reconciling") {
        return Some(Judgement::waiting(reconciling.said(), None));
    }
    let phase = read::text(live, &["status", "phase"]);
    // Available is also true while a new version rolls out
    let decides: &[&str] = if phase.is_empty() { &["Ready", "Synced", "Available"] } else { &["Ready", "Synced"] };
    let ready = decides.iter().find_map(|kind| read::condition(live, kind))?;
    if ready.is_true() {
        return Some(Judgement::ready());
    }
    let problem = o.problem("not-ready", format!("is not ready: {}", ready.said())).hint(look(o));
    Some(Judgement::waiting(ready.said(), Some(problem)))
}

/// Only its own controller knows more.
pub(super) fn look(o: &Observation<'_>) -> String {
    format!("{} shows what its controller says", describe(&o.applied.id))
}

fn by_phase(o: &Observation<'_>, status: &Value) -> Judgement {
    let message = read::text(status, &["message"]);
    match read::text(status, &["phase"]) {
        "Healthy" => Judgement::ready(),
        "Progressing" => Judgement::waiting(if message.is_empty() { "its rollout" } else { message }, None),
        "Paused" => Judgement::assumed("it is paused, and goes on when somebody promotes it"),
        "Degraded" => {
            let problem = o.problem("degraded", format!("is degraded: {message}")).hint(look(o));
            Judgement::new(Verdict::Suspect { problem, grace: RECOVERY })
        }
        _ => Judgement::assumed("nothing is known of this kind, and its status tells nothing"),
    }
}
