//! What a release changes, object by object.

use serde_json::Value;

use crate::{
    kinds,
    model::{Change, FieldChange, ObjectChange, ObjectId, Reference, Rendered, cut_middle},
};

use super::{
    diff::{Difference, Step, differences},
    owner,
};

const LONGEST_VALUE: usize = 72;
const MASKED: &str = "***";
/// The hash in a pod template by which a changed ConfigMap or Secret rolls its pods.
const CONFIGURATION: &str = "shipway.dev/config";
const SHORT_HASH: usize = 8;

/// What an apply would do to an object, as it is sent. `rehearsed` is the server's answer to a dry run, and none where there
/// was none: then what is rendered is compared, as far as it goes.
pub(crate) fn change(
    object: &Rendered,
    live: Option<&Value>,
    rehearsed: Option<&Value>,
    now: jiff::Timestamp,
) -> ObjectChange {
    match (live, rehearsed) {
        (None, _) => ObjectChange { object: object.id.clone(), change: Change::Created, fields: vec![], remark: None },
        (Some(live), Some(rehearsed)) => changed(&object.id, live, rehearsed, None, now),
        (Some(live), None) => {
            let rendered = overlaid(live, &object.body());
            changed(&object.id, live, &rendered, Some("not rehearsed".to_owned()), now)
        }
    }
}

fn changed(id: &ObjectId, live: &Value, next: &Value, remark: Option<String>, now: jiff::Timestamp) -> ObjectChange {
    let view = View::of(id, live, next);
    let fields: Vec<FieldChange> = differences(live, next)
        .iter()
        .map(|found| FieldChange {
            path: view.path(&found.path),
            before: view.value(found, found.before),
            after: view.value(found, found.after),
            remark: owner::taken_by(live, &found.path, now),
        })
        .collect();
    let change = if fields.is_empty() { Change::Unchanged } else { Change::Changed };
    ObjectChange { object: id.clone(), change, fields, remark }
}

/// `live` with what is rendered laid over it: lists whose items have names are merged, others replaced.
fn overlaid(live: &Value, rendered: &Value) -> Value {
    match (live, rendered) {
        (Value::Object(live), Value::Object(rendered)) => {
            let mut merged = live.clone();
            for (key, value) in rendered {
                let value = live.get(key).map_or_else(|| value.clone(), |below| overlaid(below, value));
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(live), Value::Array(rendered)) => {
            let name = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
            let merged = rendered.iter().map(|item| {
                let below = name(item).and_then(|wanted| live.iter().find(|live| name(live).as_ref() == Some(&wanted)));
                below.map_or_else(|| item.clone(), |below| overlaid(below, item))
            });
            Value::Array(merged.collect())
        }
        _ => rendered.clone(),
    }
}

/// How fields of one object are shown.
struct View {
    template: Option<&'static [&'static str]>,
    confidential: bool,
    /// True where a container need not be named.
    single_container: bool,
}

impl View {
    fn of(id: &ObjectId, live: &Value, next: &Value) -> Self {
        let kind = kinds::find(&id.group, &id.kind);
        let template = kind.and_then(|kind| kind.template);
        let containers = |body: &Value| {
            let pod = template?.iter().try_fold(body, |value, key| value.get(key))?.get("spec")?;
            pod.get("containers")?.as_array().map(Vec::len)
        };
        Self {
            template,
            confidential: kind.is_some_and(|kind| kind.confidential),
            single_container: containers(live) == Some(1) && containers(next) == Some(1),
        }
    }

    /// `containers[web].image`, `env[DEBUG]`, `template.metadata.labels[a/b]`, `spec.replicas`
    fn path(&self, path: &[Step]) -> String {
        let steps = self.within_template(path).unwrap_or(path);
        if is_configuration(steps) {
            return "configuration".to_owned();
        }
        let steps = match steps {
            [Step::Key(containers), Step::Item { .. }, Step::Key(env), rest @ ..]
                if self.single_container && containers == "containers" && env == "env" && !rest.is_empty() =>
            {
                &steps[2..]
            }
            steps => steps,
        };
        let steps = match steps {
            [head @ .., Step::Key(value)] if value == "value" && is_environment(head) => head,
            steps => steps,
        };
        shown(steps)
    }

    /// The path below the pod's spec; the template's own metadata keeps the template's name.
    fn within_template<'p>(&self, path: &'p [Step]) -> Option<&'p [Step]> {
        let template = self.template?;
        let below = path.get(template.len()..)?;
        let inside = path.iter().zip(template).all(|(step, key)| is_key(step, key));
        match below.split_first()? {
            (first, rest) if inside && is_key(first, "spec") && !rest.is_empty() => Some(rest),
            _ if inside && !template.is_empty() => path.get(template.len() - 1..),
            _ => None,
        }
    }

    fn value(&self, found: &Difference<'_>, value: Option<&Value>) -> Option<String> {
        let value = value?;
        let is_data = found.path.first().is_some_and(|step| is_key(step, "data") || is_key(step, "stringData"));
        if self.confidential && is_data {
            return Some(MASKED.to_owned());
        }
        let is_image = found.path.last().is_some_and(|step| is_key(step, "image"));
        Some(match value {
            Value::String(text) if is_image => image(text),
            Value::String(hash) if is_configuration(&found.path) => hash.chars().take(SHORT_HASH).collect(),
            value => cut_middle(&value.to_string(), LONGEST_VALUE),
        })
    }
}

fn is_key(step: &Step, wanted: &str) -> bool {
    matches!(step, Step::Key(key) if key == wanted)
}

/// True for the hash of what a pod is configured by.
fn is_configuration(path: &[Step]) -> bool {
    path.last().is_some_and(|step| is_key(step, CONFIGURATION))
}

/// `.. env[NAME]`
fn is_environment(path: &[Step]) -> bool {
    matches!(path, [.., Step::Key(env), Step::Item { .. }] if env == "env")
}

fn shown(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Key(key) if key.contains(['.', '/']) => text.push_str(&format!("[{key}]")),
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Step::Item { value, .. } => text.push_str(&format!("[{value}]")),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// With the digest cut: `team/demo:master-fc598063@05ee9b3c`.
fn image(text: &str) -> String {
    let Ok(reference) = text.parse::<Reference>() else {
        return text.to_owned();
    };
    let mut shown = reference.repository.short().to_owned();
    if let Some(tag) = &reference.tag {
        shown.push_str(&format!(":{tag}"));
    }
    if let Some(digest) = &reference.digest {
        shown.push_str(&format!("@{}", digest.short()));
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(group: &str, kind: &str) -> ObjectId {
        ObjectId { group: group.into(), kind: kind.into(), namespace: Some("demo".into()), name: "web".into() }
    }

    fn told(id: &ObjectId, live: &Value, next: &Value) -> Vec<String> {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let change = changed(id, live, next, None, now);
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "gone".into());
        change
            .fields
            .iter()
            .map(|field| format!("{} {} -> {}", field.path, text(&field.before), text(&field.after)))
            .collect()
    }

    fn deployment(image: &str, env: &Value, more: &Value) -> Value {
        let mut containers = vec![json!({"name": "web", "image": image, "env": env})];
        if !more.is_null() {
            containers.push(more.clone());
        }
        json!({"metadata": {"name": "web"}, "spec": {"replicas": 3, "template": {
            "metadata": {"labels": {"shipway.dev/app": image}}, "spec": {"containers": containers}}}})
    }

    #[test]
    fn fields_of_a_workload_are_told_from_its_pods_on() {
        let digest = |digit: &str| format!("@sha256:{}", digit.repeat(64));
        let live = deployment(
            &format!("r.example.com/t/demo:a{}", digest("1")),
            &json!([{"name": "DEBUG", "value": "1"}]),
            &Value::Null,
        );
        let next = deployment(&format!("r.example.com/t/demo:b{}", digest("2")), &json!([]), &Value::Null);
        assert_eq!(
            told(&id("apps", "Deployment"), &live, &next),
            [
                format!("template.metadata.labels[shipway.dev/app] {} -> {}", cut(&live), cut(&next)),
                "containers[web].image t/demo:a@11111111 -> t/demo:b@22222222".into(),
                "env[DEBUG] {\"name\":\"DEBUG\",\"value\":\"1\"} -> gone".into(),
            ]
        );
        let two = |value: &str| {
            let env = json!([{"name": "A", "value": value}]);
            deployment("x", &env, &json!({"name": "side"}))
        };
        assert_eq!(told(&id("apps", "Deployment"), &two("1"), &two("2")), ["containers[web].env[A] \"1\" -> \"2\""]);
        let replicas = |count: u8| json!({"spec": {"replicas": count}});
        assert_eq!(told(&id("apps", "Deployment"), &replicas(1), &replicas(2)), ["spec.replicas 1 -> 2"]);
    }

    fn cut(deployment: &Value) -> String {
        let label = &deployment["spec"]["template"]["metadata"]["labels"]["shipway.dev/app"];
        cut_middle(&label.to_string(), LONGEST_VALUE)
    }

    #[test]
    fn changed_configuration_is_told_in_short() {
        let template = |hash: &str| json!({"spec": {"template": {"metadata": {"annotations": {CONFIGURATION: hash}}}}});
        let (before, after) = (template("70ad708bbcd675f2"), template("7998c5b15c686002"));
        assert_eq!(told(&id("apps", "Deployment"), &before, &after), ["configuration 70ad708b -> 7998c5b1"]);
    }

    #[test]
    fn values_of_secrets_are_masked() {
        let secret = |value: &str| json!({"data": {"password": value}, "type": "Opaque"});
        assert_eq!(told(&id("", "Secret"), &secret("b25l"), &secret("dHdv")), ["data.password *** -> ***"]);
        let empty = json!({"type": "Opaque"});
        assert_eq!(told(&id("", "Secret"), &empty, &secret("dHdv")), ["data gone -> ***"]);
        let map = |value: &str| json!({"data": {"flag": value}});
        assert_eq!(told(&id("", "ConfigMap"), &map("on"), &map("off")), ["data.flag \"on\" -> \"off\""]);
    }

    #[test]
    fn without_a_rehearsal_only_what_is_rendered_counts() {
        let live = json!({"spec": {"a": 1, "default": true, "c": [{"name": "x", "image": "1", "default": 1}]}});
        let rendered = json!({"spec": {"a": 1, "c": [{"name": "x", "image": "2"}]}});
        assert_eq!(told(&id("x.io", "Thing"), &live, &overlaid(&live, &rendered)), ["spec.c[x].image 1 -> 2"]);
    }
}
