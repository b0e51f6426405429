//! Ingress: ready when the server took it.

use super::{Judgement, Kind, Observation, observation::present};
use crate::model::Stage;

pub(super) const KIND: Kind = Kind {
    group: "networking.k8s.io",
    version: "v1",
    kind: "Ingress",
    plural: "ingresses",
    namespaced: true,
    stage: Stage::Service,
    template: None,
    confidential: false,
    children: &[],
    judge,
};

fn judge(o: &Observation<'_>) -> Judgement {
    present(o).map_or_else(|answer| *answer, |_| Judgement::ready())
}
