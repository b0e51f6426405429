//! Every value and where it comes from, for `shipway config`.

use serde_json::{Map, Value, json};

use crate::model::{Origin, Sourced, Target};

use super::Settings;

/// The answer as JSON, and as aligned lines. No value is a secret.
pub(crate) fn describe(settings: &Settings, target: &Target) -> (Value, String) {
    let rows = rows(settings, target);
    let width = |column: fn(&Row) -> usize| rows.iter().map(column).filter(|width| *width <= 48).max().unwrap_or(0);
    let (names, values) = (width(|row| row.name.len()), width(|row| row.text().chars().count()));
    let mut text = String::new();
    let mut entries = Map::new();
    for row in rows {
        let origin = row.origin.as_ref().map(Origin::to_string);
        let line = format!("{:names$}  {:values$}  {}", row.name, row.text(), origin.as_deref().unwrap_or_default());
        text.push_str(line.trim_end());
        text.push('\n');
        let entry = if row.value.is_null() { Value::Null } else { json!({"value": row.value, "origin": origin}) };
        entries.insert(row.name.to_owned(), entry);
    }
    (json!({"v": 1, "settings": entries}), text)
}

struct Row {
    name: &'static str,
    value: Value,
    origin: Option<Origin>,
}

impl Row {
    fn new<T: Into<Value>>(name: &'static str, found: Option<Sourced<T>>) -> Self {
        match found {
            Some(found) => Self { name, value: found.value.into(), origin: Some(found.origin) },
            None => Self { name, value: Value::Null, origin: None },
        }
    }

    fn text(&self) -> String {
        match &self.value {
            Value::Null => "-".into(),
            Value::String(text) => text.clone(),
            Value::Array(items) if items.is_empty() => "-".into(),
            Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(", "),
            value => short(value),
        }
    }
}

/// A mapping is shown by its name, if it has one.
fn short(value: &Value) -> String {
    match value.get("name").unwrap_or(value) {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn rows(settings: &Settings, target: &Target) -> Vec<Row> {
    let of_environment = || settings.environment_named(&target.environment.value)?.context.clone();
    let rule = |value: Option<String>, rule: &str| value.map(|value| Sourced::new(value, Origin::Rule(rule.into())));
    let ci = rule(settings.ci.map(str::to_owned), "the CI system's variables");
    let deploy = &settings.deploy;
    vec![
        Row::new("app", Some(settings.app.clone())),
        Row::new("environment", Some(target.environment.clone())),
        Row::new("namespace", Some(target.namespace.clone())),
        Row::new("branch", settings.branch.clone()),
        Row::new("commit", settings.commit.clone()),
        Row::new("head", rule(settings.head.clone(), "the pull request's head")),
        Row::new("git_tag", settings.git_tag.clone()),
        Row::new("tag", Some(target.tag.clone())),
        Row::new("run_url", settings.run_url.clone()),
        Row::new("ci", ci),
        Row::new("context", settings.context.clone().or_else(of_environment)),
        Row::new("server", settings.server.clone()),
        Row::new("user", settings.user.clone()),
        images(settings),
        Row::new("manifests", Some(settings.manifests.clone())),
        Row::new("deploy.timeout", Some(deploy.timeout.clone())),
        Row::new("deploy.max_time", Some(deploy.max_time.clone())),
        Row::new("deploy.settle", Some(deploy.settle.clone())),
        Row::new("deploy.restarts", Some(deploy.restarts.clone())),
        Row::new("deploy.registry_check", Some(deploy.registry_check.clone())),
        blue_green(settings),
    ]
}

/// Build arguments are named, not shown: people put tokens there.
fn images(settings: &Settings) -> Row {
    let described = settings.images.iter().map(|image| {
        json!({
            "name": image.repository.value.to_string(),
            "context": image.context,
            "dockerfile": image.dockerfile,
            "target": image.target,
            "args": image.args.keys().collect::<Vec<_>>(),
            "platform": image.platform,
        })
    });
    let origin = settings.images.first().map(|image| image.repository.origin.clone());
    let origin = origin.unwrap_or_else(|| Origin::Rule("the only floating image of the manifests".into()));
    Row { name: "images", value: described.collect(), origin: Some(origin) }
}

fn blue_green(settings: &Settings) -> Row {
    let name = "blue_green";
    match &settings.blue_green {
        None => Row { name, value: Value::Null, origin: None },
        Some(found) => {
            let value = json!({"name": found.service, "label": found.label, "colors": found.colors});
            Row { name, value, origin: settings.blue_green_origin.clone() }
        }
    }
}
