//! Why a controller cannot make pods.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    Observation,
    command::in_namespace,
    event_time,
    finding::{Finding, TWO_LOOKS, Weight},
    read,
    workload::pods_of,
};
use crate::model::ObjectId;

/// From its condition ReplicaFailure, or the last FailedCreate event about it.
pub(super) fn creation_failure(o: &Observation<'_>, owner: &Value) -> Option<Finding> {
    let about =
        |event: &&&Value| read::subject(event) == read::uid(owner) && read::text(event, &["reason"]) == "FailedCreate";
    let event = o.events.iter().rev().find(about);
    let id = &o.applied.id;
    if let Some(condition) = read::true_condition(owner, "ReplicaFailure") {
        let finding = creation_finding(id, condition.message).with("since", condition.since);
        let is_new = event.is_some_and(|event| tells_of_now(o, event)) || is_new(o, condition.since);
        return Some(if is_new { finding } else { from_before(o, finding) });
    }
    let event = event?;
    // none is told when it is over, but a pod that was made since
    let made = |pod: &&Value| read::text(pod, &["metadata", "creationTimestamp"]).parse::<Timestamp>().ok();
    let is_over = pods_of(o.children, read::uid(owner)).iter().any(|pod| made(pod) >= event_time::of(event));
    let finding = || creation_finding(id, read::text(event, &["message"]));
    (!is_over).then(|| if tells_of_now(o, event) { finding() } else { from_before(o, finding()) })
}

/// Seconds after the write of a quota in which a pod may still be refused for it: what it lets in stands in its status, which
/// a controller writes.
const LAG: SignedDuration = SignedDuration::from_secs(5);

/// Between the list of events and the write that mends what they tell of, an owner that stays as it is may be refused once
/// more, and a moment longer.
fn tells_of_now(o: &Observation<'_>, event: &Value) -> bool {
    let is_later = |written: Timestamp| event_time::of(event).is_none_or(|told| told.duration_since(written) > LAG);
    o.changed || o.renewed.is_none_or(is_later)
}

/// Since this deploy wrote the object, by the server's clock.
fn is_new(o: &Observation<'_>, since: &str) -> bool {
    let moment = |text: &str| text.parse::<Timestamp>().ok();
    let applied = o.applied.at.as_deref().and_then(moment);
    o.saved || o.changed && applied.is_none_or(|applied| moment(since).is_none_or(|since| since >= applied))
}

/// A controller that was refused tries again at ever longer intervals, up to a quarter of an hour, and tells of each time. Until
/// it does, what it was told before says little of a deploy that has changed something; of one that has not, it is soon
/// taken for true.
fn from_before(o: &Observation<'_>, finding: Finding) -> Finding {
    const UNCHANGED: Weight = Weight::Grace(10.0);
    let weight = if o.renewed.is_some() { Weight::Wait } else { UNCHANGED };
    let finding = Finding { weight, ..finding };
    // any write makes a controller look again, and this one changes no pod
    let command = format!("`kubectl{} annotate {} retry=now --overwrite`", in_namespace(&o.applied.id), o.applied.id);
    let mut finding = finding.hint(format!("{command} lets its controller try again at once"));
    finding.hints.rotate_right(1);
    finding
}

/// A refusal stays one.
const REFUSED: Weight = Weight::Grace(TWO_LOOKS);
/// What may come back by itself.
const TROUBLE: Weight = Weight::Grace(60.0);

/// Why pods are not made, as the server's refusal says it.
struct Cause {
    /// The refusal holds all words of one of these.
    says: &'static [&'static [&'static str]],
    code: &'static str,
    weight: Weight,
    hint: &'static str,
}

const ACCOUNT: &str = "add the ServiceAccount to the manifests, or correct serviceAccountName";

/// The first that fits counts.
const CAUSES: &[Cause] = &[
    Cause {
        says: &[&["because it is being terminated"]],
        code: "namespace-terminating",
        weight: Weight::Now,
        hint: "`shipway deploy`, once the namespace is gone",
    },
    Cause {
        says: &[&["exceeded quota"], &["failed quota"]],
        code: "quota-exceeded",
        weight: REFUSED,
        hint: "lower `resources` or `replicas`, or raise the ResourceQuota",
    },
    // each namespace gets its own by a controller, which may be busy
    Cause {
        says: &[&["serviceaccount \"default\" not found"]],
        code: "service-account-missing",
        weight: TROUBLE,
        hint: ACCOUNT,
    },
    Cause {
        says: &[&["error looking up service account"], &["serviceaccount", "not found"]],
        code: "service-account-missing",
        weight: REFUSED,
        hint: ACCOUNT,
    },
    Cause {
        says: &[&["failed calling webhook"], &["timeout"]],
        code: "admission-failing",
        weight: TROUBLE,
        hint: "`kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations` shows what serves the webhook: \
               let it run, or take the webhook away",
    },
    Cause {
        says: &[&["denied the request"], &["is forbidden"], &["is invalid"], &["violates"]],
        code: "admission-denied",
        weight: REFUSED,
        hint: "correct the pod template so that it is let in: what the message names decides about it",
    },
];

fn creation_finding(id: &ObjectId, message: &str) -> Finding {
    // `create Pod web-0 in StatefulSet web failed error: `, `Error creating: pods "web-" is forbidden: `
    let text = ["Error creating: ", "failed error: ", "is forbidden: "]
        .iter()
        .fold(message, |cause, lead| cause.split_once(lead).map_or(cause, |(_, rest)| rest));
    let says = |words: &&[&str]| words.iter().all(|word| message.contains(word));
    match CAUSES.iter().find(|cause| cause.says.iter().any(says)) {
        Some(cause) => Finding::new(cause.code, cause.weight, text).hint(cause.hint),
        None => {
            let command = format!("`kubectl{} get events --field-selector reason=FailedCreate`", in_namespace(id));
            Finding::new("cannot-create-pods", TROUBLE, text).hint(format!("{command} shows all that was refused"))
        }
    }
}
