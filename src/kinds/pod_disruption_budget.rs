//! PodDisruptionBudget: ready when it is observed.

use super::{Judgement, Kind, Observation, observation::observed};
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
    observed(o).map_or_else(|answer| *answer, |_| Judgement::ready())
}
