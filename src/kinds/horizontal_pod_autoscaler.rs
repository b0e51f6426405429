//! HorizontalPodAutoscaler: ready when it is there; a metric that cannot be read is a warning.

use super::{Judgement, Kind, Observation};
use crate::model::Stage;

pub(super) const KIND: Kind = Kind {
    group: "autoscaling",
    version: "v2",
    kind: "HorizontalPodAutoscaler",
    plural: "horizontalpodautoscalers",
    namespaced: true,
    stage: Stage::Workload,
    template: None,
    confidential: false,
    children: &[],
    judge,
};

fn judge<'o>(_: &Observation<'o>) -> Judgement<'o> {
    Judgement::ready()
}
