//! What is in a Secret of the manifests, or is a secret of a build, must be in no output, whatever is said about it.

use std::path::{Path, PathBuf};

use base64::Engine as _;

use super::{Context, failure::Failure};
use crate::{
    config::{ImageSettings, SecretSettings, SecretSource},
    files, kinds,
    model::{BuildSecret, Exit, MaskedBytes, Object, Origin, Problem, Redactor},
};

/// Teaches the redactor every value of every confidential object, decoded where it is encoded.
pub(super) fn learn(redactor: &Redactor, objects: impl Iterator<Item = Object>) {
    for object in objects {
        if !kinds::find(&object.id.group, &object.id.kind).is_some_and(|kind| kind.confidential) {
            continue;
        }
        for value in values(&object, "stringData") {
            redactor.learn(value);
        }
        for value in values(&object, "data") {
            redactor.learn(value);
            let decoded = base64::engine::general_purpose::STANDARD.decode(value.trim());
            if let Some(text) = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
                redactor.learn(&text);
            }
        }
    }
}

/// BuildKit takes no larger one.
const LARGEST_BUILD_SECRET: u64 = 500 * 1024;

/// Reads the secrets of a build, and teaches them to the redactor.
///
/// # Errors
/// Files and variables that are not there, each with its place in the configuration.
pub(super) fn of_build(context: &Context, root: &Path, image: &ImageSettings) -> Result<Vec<BuildSecret>, Failure> {
    let (mut secrets, mut problems) = (Vec::new(), Vec::new());
    for secret in &image.secrets {
        match value(context, root, secret) {
            Ok(value) => {
                learn_bytes(&context.redactor, &value);
                secrets.push(BuildSecret { id: secret.id.clone(), value: MaskedBytes::new(value) });
            }
            Err(problem) => problems.push(match &secret.source.origin {
                Origin::File(place) => problem.at(place.clone()),
                _ => *problem,
            }),
        }
    }
    if problems.is_empty() { Ok(secrets) } else { Err(Failure(problems)) }
}

fn value(context: &Context, root: &Path, secret: &SecretSettings) -> Result<Vec<u8>, Box<Problem>> {
    match &secret.source.value {
        SecretSource::Variable(name) => {
            context.variables.get(name).map(|value| value.as_bytes().to_vec()).ok_or_else(|| {
                let text = format!(
                    "the variable {name} is not set, and the build's secret `{}` is to come from it",
                    secret.id
                );
                Problem::new("build-secret", Exit::Input, text)
                    .hint(format!("set {name} in the CI system, or export it here"))
                    .into()
            })
        }
        SecretSource::File(file) => {
            let home = || context.variables.get("HOME").or_else(|| context.variables.get("USERPROFILE"));
            let path = match (file.strip_prefix("~/"), home()) {
                (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
                _ => root.join(file),
            };
            files::read_bytes(&path, file, LARGEST_BUILD_SECRET).map_err(|error| {
                let problem = Problem::from(error);
                let text = format!("the build's secret `{}`: {}", secret.id, problem.text);
                Box::new(Problem { code: "build-secret", text, ..problem })
            })
        }
    }
}

/// The whole, and what the usual forms hold: `_authToken=..`, `password ..`, `"token": ".."`.
fn learn_bytes(redactor: &Redactor, value: &[u8]) {
    let Ok(text) = std::str::from_utf8(value) else { return };
    redactor.learn(text);
    for line in text.lines() {
        let ends = [line.rsplit_once('='), line.rsplit_once(": "), line.trim_end().rsplit_once(' ')];
        for (_, end) in ends.into_iter().flatten() {
            let end = end.trim().trim_matches(['"', '\'', ',']);
            if end.len() >= SHORTEST_PART {
                redactor.learn(end);
            }
        }
    }
}

/// Shorter parts of a file are words rather than secrets.
const SHORTEST_PART: usize = 8;

/// All strings below a field, however deep: a Secret in the wrong shape is a secret too.
fn values<'o>(object: &'o Object, field: &str) -> Vec<&'o str> {
    let mut found = Vec::new();
    let mut rest: Vec<_> = object.body.get(field).into_iter().collect();
    while let Some(value) = rest.pop() {
        match value {
            serde_json::Value::String(text) => found.push(text.as_str()),
            serde_json::Value::Array(items) => rest.extend(items),
            serde_json::Value::Object(fields) => rest.extend(fields.values()),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{ObjectId, Resource};

    #[test]
    fn the_parts_of_a_builds_secret_are_learnt() {
        let redactor = Redactor::default();
        learn_bytes(&redactor, b"//registry.npmjs.org/:_authToken=npm_abcdef123\nalways-auth=true\n");
        learn_bytes(&redactor, b"machine example.com login me password s3cr3t-word\n");
        learn_bytes(&redactor, b"{\n  \"token\": \"json-token-1\",\n}");
        learn_bytes(&redactor, &[0xff, 0xfe, 0]);
        for secret in ["npm_abcdef123", "s3cr3t-word", "json-token-1"] {
            assert_eq!(redactor.clean(&format!("got {secret}!")), "got ***!");
        }
        assert_eq!(redactor.clean("the machine is true"), "the machine is true");
    }

    #[test]
    fn values_of_secrets_are_learnt_as_written_and_decoded() {
        let object = |kind: &str, fields: serde_json::Value| Object {
            id: ObjectId { group: String::new(), kind: kind.to_owned(), namespace: None, name: "a".to_owned() },
            resource: Resource {
                group: String::new(),
                version: "v1".to_owned(),
                kind: kind.to_owned(),
                plural: String::new(),
                namespaced: true,
            },
            body: fields,
            from: Vec::new(),
        };
        let objects = [
            object(
                "Secret",
                json!({"data": {"a": "aHVudGVyMg=="}, "stringData": {"b": "tiger789", "c": ["deep-one"]}}),
            ),
            object("ConfigMap", json!({"data": {"a": "in-the-open"}})),
        ];
        let redactor = Redactor::default();
        learn(&redactor, objects.into_iter());
        for (text, shown) in [
            ("aHVudGVyMg==", false),
            ("hunter2", false),
            ("tiger789", false),
            ("deep-one", false),
            ("in-the-open", true),
        ] {
            assert_eq!(redactor.clean(text).contains(text), shown, "{text}");
        }
    }
}
