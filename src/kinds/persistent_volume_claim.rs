//! PersistentVolumeClaim: ready when it is bound, or waits for its first consumer.

use serde_json::Value;

use super::{Judgement, Kind, Observation, command::in_namespace, observation::present, read};
use crate::model::{Problem, Stage};

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

/// Why nothing is bound yet: the volume is chosen with the node of the first pod.
const FIRST_CONSUMER: &str = "WaitForFirstConsumer";
/// Seconds for a volume to be bound before the claim is taken as one that waits for its first pod.
const BINDING: f64 = 30.0;

/// What an event says of a claim for as long as it is not bound, whenever it was told: neither its class nor how that binds
/// can be changed. The controller repeats it, but seldom.
pub(crate) fn stays_true(event: &Value) -> bool {
    read::text(event, &["reason"]) == FIRST_CONSUMER
}

fn judge(o: &Observation<'_>) -> Judgement {
    let live = match present(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    let told = |reason: &str| o.events.iter().rev().find(|event| read::text(event, &["reason"]) == reason);
    match read::text(live, &["status", "phase"]) {
        "Bound" => Judgement::ready(),
        "Lost" => Judgement::failed(lost(o, live)),
        _ if told(FIRST_CONSUMER).is_some() => Judgement::ready(),
        _ => match told("ProvisioningFailed").or(told("FailedBinding")) {
            Some(event) => unbound(o, event),
            None => Judgement { patience: Some(BINDING), ..Judgement::waiting("its volume to be bound", None) },
        },
    }
}

/// The claim stays lost: only another one can be bound.
fn lost(o: &Observation<'_>, live: &Value) -> Problem {
    let volume = read::text(live, &["spec", "volumeName"]);
    let delete = format!("`kubectl{} delete {}`", in_namespace(&o.applied.id), o.applied.id);
    o.problem("volume-lost", format!("has lost its volume `{volume}`: it is not there any more"))
        .hint(format!("{delete} lets the next deploy claim another one; what was on it has to come from a backup"))
}

/// Somebody may still make the volume, or the class.
fn unbound(o: &Observation<'_>, event: &Value) -> Judgement {
    let problem = o.problem("volume-unbound", format!("gets no volume: {}", read::text(event, &["message"])));
    let hint =
        "`kubectl get storageclass` shows the classes: name one as `spec.storageClassName`, or make a PersistentVolume";
    Judgement::waiting("its volume to be bound", Some(problem.hint(hint)))
}
