//! What differs between two objects, field by field; items of lists are told by name, not by place.

use serde_json::{Map, Value};

/// One step into an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    /// The item whose field (`name`, `mountPath`, ..) has this value.
    Item {
        field: &'static str,
        value: String,
    },
    Index(usize),
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference<'v> {
    pub path: Vec<Step>,
    pub before: Option<&'v Value>,
    pub after: Option<&'v Value>,
}

/// What Kubernetes tells the items of its lists by, the most telling first.
const IDENTITIES: &[&str] =
    &["name", "mountPath", "devicePath", "containerPort", "port", "ip", "key", "topologyKey", "type"];

/// What the server keeps for itself, and annotations that repeat the object.
const UNSAID: &[&[&str]] = &[
    &["status"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
    &["metadata", "generation"],
    &["metadata", "uid"],
    &["metadata", "selfLink"],
    &["metadata", "creationTimestamp"],
    &["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"],
    &["metadata", "annotations", "deployment.kubernetes.io/revision"],
    &["metadata", "annotations", "deprecated.daemonset.template.generation"],
];

/// All fields that differ, in the order of `before`, then what is new.
pub(super) fn differences<'v>(before: &'v Value, after: &'v Value) -> Vec<Difference<'v>> {
    let mut found = Vec::new();
    compare(Some(before), Some(after), &mut Vec::new(), &mut found);
    found
}

fn compare<'v>(
    before: Option<&'v Value>,
    after: Option<&'v Value>,
    path: &mut Vec<Step>,
    found: &mut Vec<Difference<'v>>,
) {
    if before == after || is_unsaid(path) {
        return;
    }
    let both = before.is_some() && after.is_some();
    let are = |kind: fn(&Value) -> bool| before.is_none_or(kind) && after.is_none_or(kind);
    // a mapping that comes or goes is told as a whole, unless a part of it goes without saying
    if are(Value::is_object) && (both || holds_unsaid(path)) {
        for key in keys(before, after) {
            let of = |value: Option<&'v Value>| value.and_then(|value| value.get(key));
            descend(path, Step::Key(key.clone()), of(before), of(after), found);
        }
        return;
    }
    if both && are(Value::is_array) {
        let known = found.len();
        if let (Some(before), Some(after)) = (before.and_then(Value::as_array), after.and_then(Value::as_array)) {
            lists(before, after, path, found);
        }
        if found.len() > known {
            return;
        }
        // the same items in another order: a variable may use only those before it
    }
    found.push(Difference { path: path.clone(), before, after });
}

fn descend<'v>(
    path: &mut Vec<Step>,
    step: Step,
    before: Option<&'v Value>,
    after: Option<&'v Value>,
    found: &mut Vec<Difference<'v>>,
) {
    path.push(step);
    compare(before, after, path, found);
    path.pop();
}

/// Those of `before` in their order, then those that are new.
fn keys<'v>(before: Option<&'v Value>, after: Option<&'v Value>) -> Vec<&'v String> {
    let of = |value: Option<&'v Value>| value.and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let mut keys: Vec<&String> = of(before).collect();
    let new: Vec<&String> = of(after).filter(|key| !keys.contains(key)).collect();
    keys.extend(new);
    keys
}

fn lists<'v>(before: &'v [Value], after: &'v [Value], path: &mut Vec<Step>, found: &mut Vec<Difference<'v>>) {
    let Some(field) = identity(before, after) else {
        for index in 0..before.len().max(after.len()) {
            descend(path, Step::Index(index), before.get(index), after.get(index), found);
        }
        return;
    };
    let name = |item: &Value| item.get(field).and_then(scalar).unwrap_or_default();
    let named = |items: &'v [Value], wanted: &str| items.iter().find(|item| name(item) == wanted);
    let mut names: Vec<String> = before.iter().map(name).collect();
    let new: Vec<String> = after.iter().map(name).filter(|name| !names.contains(name)).collect();
    names.extend(new);
    for value in names {
        let (before, after) = (named(before, &value), named(after, &value));
        descend(path, Step::Item { field, value }, before, after, found);
    }
}

fn identity(before: &[Value], after: &[Value]) -> Option<&'static str> {
    IDENTITIES.iter().copied().find(|field| is_identity(before, field) && is_identity(after, field))
}

fn is_identity(items: &[Value], field: &str) -> bool {
    let mut names: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        match item.get(field).and_then(scalar) {
            Some(name) if !names.contains(&name) => names.push(name),
            _ => return false,
        }
    }
    true
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn is_unsaid(path: &[Step]) -> bool {
    UNSAID.iter().any(|unsaid| unsaid.len() == path.len() && starts(path, unsaid))
}

fn holds_unsaid(path: &[Step]) -> bool {
    UNSAID.iter().any(|unsaid| unsaid.len() > path.len() && starts(path, unsaid))
}

/// True where the shorter of both is the beginning of the other.
fn starts(path: &[Step], keys: &[&str]) -> bool {
    path.iter().zip(keys).all(|(step, key)| matches!(step, Step::Key(name) if name == key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: &Value, after: &Value) -> Vec<String> {
        differences(before, after)
            .into_iter()
            .map(|found| {
                let steps: Vec<String> = found
                    .path
                    .iter()
                    .map(|step| match step {
                        Step::Key(key) => key.clone(),
                        Step::Item { value, .. } => format!("[{value}]"),
                        Step::Index(index) => format!("[{index}]"),
                    })
                    .collect();
                let text = |value: Option<&Value>| value.map_or("-".to_owned(), Value::to_string);
                format!("{} {} {}", steps.join("/"), text(found.before), text(found.after))
            })
            .collect()
    }

    #[test]
    fn items_are_told_by_name() {
        let before = json!({"c": [{"name": "web", "image": "a"}, {"name": "side", "image": "b"}], "args": ["x", "y"]});
        let after = json!({"c": [{"name": "side", "image": "b"}, {"name": "web", "image": "c"}], "args": ["x"]});
        assert_eq!(told(&before, &after), ["c/[web]/image \"a\" \"c\"", "args/[1] \"y\" -"]);
        let ports =
            |number: u16| json!({"ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": number}]});
        assert_eq!(
            told(&ports(81), &ports(82)),
            ["ports/[81] {\"containerPort\":81} -", "ports/[82] - {\"containerPort\":82}"]
        );
    }

    #[test]
    fn another_order_is_a_difference() {
        let list = |names: [&str; 2]| json!({"env": [{"name": names[0]}, {"name": names[1]}]});
        let expected = r#"env [{"name":"b"},{"name":"a"}] [{"name":"a"},{"name":"b"}]"#;
        assert_eq!(told(&list(["b", "a"]), &list(["a", "b"])), [expected]);
    }

    #[test]
    fn what_the_server_keeps_goes_without_saying() {
        let before = json!({"metadata": {"name": "x", "resourceVersion": "1", "generation": 1}, "status": {"a": 1}});
        let after = json!({"metadata": {"name": "x", "resourceVersion": "2", "annotations":
            {"kubectl.kubernetes.io/last-applied-configuration": "{}", "own": "1"}}});
        assert_eq!(told(&before, &after), ["metadata/annotations/own - \"1\""]);
        assert!(told(&after, &after).is_empty());
    }
}
