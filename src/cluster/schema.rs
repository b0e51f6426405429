//! The server's odd answers to a manifest that does not fit its kind.
//!
//! Server-side apply answers 500 with nothing but a text (`failed to create typed patch object ..`); a POST as a dry run
//! then names every unknown field (400, `strict decoding error: ..`). This is the one place where a message's text
//! decides.

use serde_json::Value;

use super::error::FieldFinding;
use crate::model::{FieldPath, PathStep};

/// True for a 500 that the manifest is to blame for, so that asking again cannot help.
pub(super) fn blames_manifest(code: u16, message: &str) -> bool {
    let of_apply = message.starts_with("failed to create typed patch object")
        || message.starts_with("failed to convert new object");
    (code == 500 && of_apply) || (code == 400 && message.contains(CANNOT))
}

pub(super) const UNKNOWN: &str = "unknown field";

const CANNOT: &str = " cannot be handled as a ";

/// The findings in the apply's own message, located in the body that was sent.
pub(super) fn from_apply(message: &str, body: &Value) -> Vec<FieldFinding> {
    let Some((_, rest)) = message.split_once("): ").or_else(|| message.split_once(") to proper version: ")) else {
        return Vec::new();
    };
    let lines = rest.lines().map(str::trim).filter(|line| line.starts_with('.'));
    lines
        .filter_map(|line| {
            let (path, text) = split_path(line)?;
            let text = match text {
                "field not declared in schema" => UNKNOWN.to_owned(),
                text if text.starts_with("duplicate entries for key") => doubled(text),
                // what follows repeats the value
                text => expected(text.split(", got ").next().unwrap_or_default()),
            };
            Some(FieldFinding::new(located(path, body), text))
        })
        .collect()
}

/// The findings of the strict decoder.
pub(super) fn from_decoder(message: &str) -> Vec<FieldFinding> {
    let quoted = |part: &str, word: &str| {
        let name = part.trim().strip_prefix(word)?.strip_prefix(" \"")?.strip_suffix('"')?;
        Some(FieldFinding::new(FieldPath::parse(name), word))
    };
    let strict = message.split_once("strict decoding error: ").map(|(_, rest)| rest);
    let unknown = strict.into_iter().flat_map(|rest| rest.split(", "));
    let unknown = unknown.filter_map(|part| quoted(part, UNKNOWN).or_else(|| quoted(part, "duplicate field")));
    // `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`
    let typed = message.split_once("into Go struct field ").and_then(|(_, rest)| {
        let (field, kind) = rest.split_once(" of type ")?;
        let path = field.split_once('.').map_or(field, |(_, path)| path);
        Some(FieldFinding::new(FieldPath::parse(path), format!("expected {} in", words_of(kind))))
    });
    unknown.chain(typed).collect()
}

/// A Secret's values that are not base64; the server does not say which.
pub(super) fn not_base64(body: &Value) -> Vec<FieldFinding> {
    use base64::Engine as _;
    let data = body["data"].as_object().into_iter().flatten();
    let broken = data.filter(|(_, value)| {
        value.as_str().is_some_and(|text| base64::engine::general_purpose::STANDARD.decode(text).is_err())
    });
    broken
        .map(|(key, _)| {
            let path = FieldPath::default().key("data").key(key);
            FieldFinding::new(path, "no base64 (plain text goes into stringData) in")
        })
        .collect()
}

fn words_of(kind: &str) -> &str {
    match kind.trim_end_matches('.') {
        "int32" | "int64" | "int" => "a number",
        "bool" => "true or false",
        "string" => "text",
        kind => kind,
    }
}

/// `expected numeric (int or float)` in our words; those of the API's schema are few.
fn expected(text: &str) -> String {
    let kind = match text.strip_prefix("expected ") {
        Some("numeric (int or float)" | "numeric") => "a number",
        Some("string") => "text",
        Some("boolean") => "true or false",
        Some("list" | "array") => "a list",
        Some("map" | "object") => "a map",
        Some(other) => other,
        None => return format!("{text} in"),
    };
    format!("expected {kind} in")
}

/// `duplicate entries for key [name="A"]`
fn doubled(text: &str) -> String {
    let key = text.split_once('[').map_or("", |(_, key)| key).trim_end_matches(']');
    format!("{key} twice in")
}

/// `.spec.containers[name="a.b"].env: text`: the path ends at the first `: ` outside brackets.
fn split_path(line: &str) -> Option<(&str, &str)> {
    let mut depth = 0_i32;
    for (at, c) in line.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            ':' if depth == 0 => return Some((&line[1..at], line[at + 1..].trim())),
            _ => {}
        }
    }
    None
}

/// The path with `[name="web"]` as the index that the item has in the body.
fn located(path: &str, body: &Value) -> FieldPath {
    let mut steps = Vec::new();
    let mut at = Some(body);
    for part in parts(path) {
        let step = match part.strip_prefix('[') {
            Some(selector) => item(selector.trim_end_matches(']'), at),
            None => PathStep::Key(part.to_owned()),
        };
        at = at.and_then(|value| match &step {
            PathStep::Key(key) => value.get(key),
            PathStep::Index(index) => value.get(index),
        });
        steps.push(step);
    }
    FieldPath(steps)
}

/// `spec`, `containers`, `[name="a.b"]`: cut at dots and brackets, not inside brackets.
fn parts(path: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, c) in path.char_indices() {
        match c {
            '[' if depth == 0 => {
                parts.push(&path[start..at]);
                (start, depth) = (at, 1);
            }
            '[' => depth += 1,
            ']' => depth -= 1,
            '.' if depth == 0 => {
                parts.push(&path[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&path[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

/// `name="web"`, `containerPort=80,protocol="TCP"` or `0`.
fn item(selector: &str, list: Option<&Value>) -> PathStep {
    if let Ok(index) = selector.parse() {
        return PathStep::Index(index);
    }
    let keys: Vec<(&str, Value)> = selector
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(key, value)| Some((key, serde_json::from_str(value).ok()?)))
        .collect();
    let items = list.and_then(Value::as_array).into_iter().flatten();
    let found =
        items.enumerate().find(|(_, item)| keys.iter().all(|(key, value)| item.get(key).is_none_or(|v| v == value)));
    found.map_or_else(|| PathStep::Key(selector.to_owned()), |(index, _)| PathStep::Index(index))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(findings: Vec<FieldFinding>) -> Vec<String> {
        findings.into_iter().map(|found| format!("{} {}", found.text, found.path)).collect()
    }

    #[test]
    fn messages_of_server_side_apply() {
        let body = json!({"spec": {"template": {"spec": {"containers": [{"name": "a"}, {"name": "web.1", "env": [{"name": "A"}]}]}}}});
        let start = "failed to create typed patch object (demo/web; apps/v1, Kind=Deployment): ";
        let rows = [
            (
                "errors:\n  .spec.template.spec.containers[name=\"web.1\"].bar: field not declared in schema\n  .spec.foo: field not declared in schema",
                vec!["unknown field spec.template.spec.containers[1].bar", "unknown field spec.foo"],
            ),
            (
                ".spec.template.spec.containers[name=\"web.1\"].env: duplicate entries for key [name=\"A\"]",
                vec!["name=\"A\" twice in spec.template.spec.containers[1].env"],
            ),
            (".spec.replicas: expected numeric (int or float), got string", vec!["expected a number in spec.replicas"]),
            (
                ".spec.template.spec.containers[name=\"web.1\"].env[name=\"A\"].value: expected string, got &value.valueUnstructured{Value:12345}",
                vec!["expected text in spec.template.spec.containers[1].env[0].value"],
            ),
        ];
        for (message, expected) in rows {
            let message = format!("{start}{message}");
            assert!(blames_manifest(500, &message));
            assert_eq!(told(from_apply(&message, &body)), expected);
        }
    }

    #[test]
    fn messages_of_the_strict_decoder() {
        let start = "Deployment in version \"v1\" cannot be handled as a Deployment: ";
        let rows = [
            (
                "strict decoding error: unknown field \"spec.template.spec.containers[0].bar\", unknown field \"spec.foo\"",
                vec!["unknown field spec.template.spec.containers[0].bar", "unknown field spec.foo"],
            ),
            (
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
                vec!["expected a number in spec.replicas"],
            ),
        ];
        for (message, expected) in rows {
            let message = format!("{start}{message}");
            assert!(blames_manifest(400, &message));
            assert_eq!(told(from_decoder(&message)), expected);
        }
    }

    #[test]
    fn other_refusals_are_not_the_manifests() {
        assert!(!blames_manifest(500, "Internal error occurred: failed calling webhook \"x\""));
        assert!(!blames_manifest(400, "admission webhook \"x\" does not support dry run"));
    }

    #[test]
    fn values_that_are_not_base64_are_named_without_them() {
        let secret = json!({"kind": "Secret", "data": {"good": "aGVsbG8=", "bad": "hunter2!"}});
        assert_eq!(told(not_base64(&secret)), ["no base64 (plain text goes into stringData) in data.bad"]);
    }
}
