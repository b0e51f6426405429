//! PodDisruptionBudget: ready when it is observed; one that can never allow an eviction is a warning.

use super::{Judgement, Kind, Observation, observation::observed, read, workload::warning};
use crate::model::Stage;

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

fn judge(o: &Observation<'_>) -> Judgement {
    let live = match observed(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    let status = |key| read::count(live, &["status", key]);
    let (pods, needed) = (status("expectedPods"), status("desiredHealthy"));
    let forbids = pods > 0 && needed >= pods;
    Judgement::ready().warn(forbids.then(|| {
        let text = format!("lets no pod be evicted, so that no node can be drained: it wants {needed} of {pods}");
        warning(o, "forbids-eviction", text).hint("lower `minAvailable`, or raise the number of pods")
    }))
}
