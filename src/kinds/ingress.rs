//! Ingress: ready when the server took it.

use super::{Judgement, Kind, Observation};
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

fn judge<'o>(_: &Observation<'o>) -> Judgement<'o> {
    Judgement::ready()
}
