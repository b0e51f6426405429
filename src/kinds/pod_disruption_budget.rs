//! PodDisruptionBudget: ready when it is observed; one that can never allow an eviction is a warning.

use super::{Judgement, Kind, Observation, observation::observed, read, workload::warning};
use crate::model::{Problem, Stage, Verdict};

pub(super) const KIND: Kind = Kind {
    group: "policy",
    version: "v1",
    kind: "PodDisruptionBudget",
    plural: "poddisruptionbudgets",
    namespaced: true,
    stage: Stage::Workload,
    template: None,
    confidential: false,
    children: &[],
    judge,
};

/// Seconds for its controller to try again: what it failed at may be what this deploy has corrected.
const AGAIN: f64 = 5.0;

fn judge(o: &Observation<'_>) -> Judgement {
    let failing = sync_failed(o);
    let live = match observed(o) {
        Ok(live) => live,
        // what it fails at it does not call observed
        Err(answer) if failing.is_some() && matches!(answer.verdict, Verdict::Waiting { .. }) => {
            return Judgement {
                patience: Some(AGAIN),
                ..Judgement::waiting("its controller to count the pods", failing)
            };
        }
        Err(answer) => return *answer,
    };
    if failing.is_some() {
        return Judgement::ready().warn(failing);
    }
    let status = |key| read::count(live, &["status", key]);
    let (pods, needed) = (status("expectedPods"), status("desiredHealthy"));
    let forbids = pods > 0 && needed >= pods;
    Judgement::ready().warn(forbids.then(|| {
        let text = format!("lets no pod be evicted, so that no node can be drained: it wants {needed} of {pods}");
        warning(o, "forbids-eviction", text).hint("lower `minAvailable`, or raise the number of pods")
    }))
}

/// Its controller cannot tell how many pods are meant to be there: until it can, none may be evicted.
fn sync_failed(o: &Observation<'_>) -> Option<Problem> {
    let condition =
        read::condition(o.live?, "DisruptionAllowed").filter(|condition| condition.reason == "SyncFailed")?;
    let text = format!("lets no pod be evicted: its controller cannot count them: {}", condition.message);
    let warning = warning(o, "budget-failing", text);
    Some(warning.hint("write `minAvailable` with a number: all else needs pods of an owner that can be scaled"))
}
