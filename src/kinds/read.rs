//! Reading fields of objects as the API server writes them: absent, null and empty are one.

use serde_json::Value;

use crate::model::ObjectId;

/// The value at a path, where there is one.
pub(crate) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| value.get(key)).filter(|value| !value.is_null())
}

/// The text at a path; empty where there is none.
pub(crate) fn text<'v>(value: &'v Value, path: &[&str]) -> &'v str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// The whole number at a path, where there is one.
pub(crate) fn number(value: &Value, path: &[&str]) -> Option<i64> {
    at(value, path).and_then(Value::as_i64)
}

/// The count at a path: the API leaves zero out.
pub(crate) fn count(value: &Value, path: &[&str]) -> usize {
    number(value, path).and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

pub(crate) fn flag(value: &Value, path: &[&str]) -> bool {
    at(value, path).and_then(Value::as_bool).unwrap_or(false)
}

/// The items at a path; none where there is no list.
pub(crate) fn list<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    at(value, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, &["metadata", "name"])
}

pub(crate) fn uid(object: &Value) -> &str {
    text(object, &["metadata", "uid"])
}

/// The uid of what an event is about (`involvedObject.uid`).
pub(crate) fn subject(event: &Value) -> &str {
    text(event, &["involvedObject", "uid"])
}

pub(crate) fn is_kind(object: &Value, kind: &str) -> bool {
    text(object, &["kind"]) == kind
}

/// True from the moment somebody asked for its deletion.
pub(crate) fn is_terminating(object: &Value) -> bool {
    at(object, &["metadata", "deletionTimestamp"]).is_some()
}

/// The identity as the object itself tells it.
pub(crate) fn id(object: &Value) -> ObjectId {
    let api_version = text(object, &["apiVersion"]);
    let namespace = text(object, &["metadata", "namespace"]);
    ObjectId {
        group: api_version.split_once('/').map_or("", |(group, _)| group).to_owned(),
        kind: text(object, &["kind"]).to_owned(),
        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
        name: name(object).to_owned(),
    }
}

/// The uid of the owner that controls it.
pub(crate) fn controller(object: &Value) -> Option<&str> {
    list(object, &["metadata", "ownerReferences"])
        .iter()
        .find(|owner| flag(owner, &["controller"]))
        .map(|owner| text(owner, &["uid"]))
}

/// One of `status.conditions`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition<'v> {
    /// `True`, `False`, `Unknown`
    pub status: &'v str,
    pub reason: &'v str,
    pub message: &'v str,
    /// `lastTransitionTime`
    pub since: &'v str,
}

impl Condition<'_> {
    pub(crate) fn is_true(&self) -> bool {
        self.status == "True"
    }

    /// `Reason: message`, or what there is of them.
    pub(crate) fn said(&self) -> String {
        match (self.reason, self.message) {
            ("", message) => message.to_owned(),
            (reason, "") => reason.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }
}

/// The condition of this type, whatever its status.
pub(crate) fn condition<'v>(object: &'v Value, kind: &str) -> Option<Condition<'v>> {
    list(object, &["status", "conditions"]).iter().find(|condition| text(condition, &["type"]) == kind).map(
        |condition| Condition {
            status: text(condition, &["status"]),
            reason: text(condition, &["reason"]),
            message: text(condition, &["message"]),
            since: text(condition, &["lastTransitionTime"]),
        },
    )
}

/// The condition of this type, where its status is `True`.
pub(crate) fn true_condition<'v>(object: &'v Value, kind: &str) -> Option<Condition<'v>> {
    condition(object, kind).filter(Condition::is_true)
}
