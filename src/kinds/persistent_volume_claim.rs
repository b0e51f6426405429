//! PersistentVolumeClaim: ready when it is bound, or waits for its first consumer.

use super::{Judgement, Kind, Observation, observation::present, read};
use crate::model::Stage;

pub(super) const KIND: Kind = Kind {
    group: "",
    version: "v1",
    kind: "PersistentVolumeClaim",
    plural: "persistentvolumeclaims",
    namespaced: true,
    stage: Stage::Configuration,
    template: None,
    confidential: false,
    children: &[],
    judge,
};

/// Seconds for a volume to be bound before the claim is taken as one that waits for its first pod.
const BINDING: f64 = 30.0;

fn judge(o: &Observation<'_>) -> Judgement {
    let live = match present(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    let first_consumer = || o.events.iter().any(|event| read::text(event, &["reason"]) == "WaitForFirstConsumer");
    match read::text(live, &["status", "phase"]) {
        "Bound" => Judgement::ready(),
        "Lost" => Judgement::failed(o.problem("volume-lost", "has lost its volume")),
        _ if first_consumer() => Judgement::ready(),
        _ => Judgement { patience: Some(BINDING), ..Judgement::waiting("its volume to be bound", None) },
    }
}
