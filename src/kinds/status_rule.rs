//! Custom resources whose status the configuration explains; what a rule leaves out is judged by convention.

use serde_json::Value;

use super::{
    Judgement, Observation,
    conventions::{self, is_of_before, look},
    finding::TWO_LOOKS,
    observation::present,
    read,
};
use crate::model::{Evidence, JsonPath, Problem, StatusCondition, StatusReading, StatusRule, Verdict};

pub(super) fn judge(o: &Observation<'_>, rule: &StatusRule) -> Judgement {
    let live = match present(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    let StatusReading::Conditions { ready, failed, reason } = &rule.reading else {
        return Judgement::assumed(format!("its status does not matter ({})", rule.kind.origin));
    };
    let generation = read::number(live, &["metadata", "generation"]).unwrap_or(0).max(o.applied.generation);
    if read::at(live, &["status"]).is_some_and(|status| is_of_before(status, generation)) {
        return Judgement::waiting("its controller to see the change", None);
    }
    let told = |code, how: &str, facts: &[String]| explained(o, rule, (code, how, facts), reason.as_ref(), live);
    if let Some(condition) = failed.iter().find(|condition| condition.holds_somewhere(live)) {
        let fact = format!("{} is {}", condition.path, condition.path.text_in(live));
        let problem = told("status-failed", "has failed", &[fact]);
        // of saved objects there is no second look
        return Judgement::new(match o.saved {
            true => Verdict::Failed { problem },
            false => Verdict::Suspect { problem, grace: TWO_LOOKS },
        });
    }
    if ready.is_empty() {
        return conventions::judge(o);
    }
    let missing: Vec<&StatusCondition> = ready.iter().filter(|condition| !condition.holds(live)).collect();
    let Some(first) = missing.first() else { return Judgement::ready() };
    let facts: Vec<String> = missing.iter().map(|condition| unlike(condition, live)).collect();
    let awaiting = format!("{} to be {}", first.path, first.in_words());
    Judgement::waiting(awaiting, Some(told("not-ready", "is not ready", &facts)))
}

/// `.status.phase is Creating, not Running`
fn unlike(condition: &StatusCondition, live: &Value) -> String {
    let (path, wanted) = (&condition.path, condition.in_words());
    match condition.path.text_in(live) {
        nothing if nothing.is_empty() => format!("{path} is not there yet, and is to be {wanted}"),
        found => format!("{path} is {found}, not {wanted}"),
    }
}

/// What the object says, and which rule reads it so.
fn explained(
    o: &Observation<'_>,
    rule: &StatusRule,
    (code, how, facts): (&'static str, &str, &[String]),
    reason: Option<&JsonPath>,
    live: &Value,
) -> Problem {
    let said = reason.map(|path| path.text_in(live)).filter(|said| !said.is_empty());
    let said = said.map(|said| format!(": {said}")).unwrap_or_default();
    let problem = o.problem(code, format!("{how}: {}{said}", facts.join(", and ")));
    problem.with(Evidence::new("rule", [format!("{}: {}", rule.kind.origin, rule.kind.value)])).hint(look(o))
}
