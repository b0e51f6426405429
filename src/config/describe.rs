//! Every value and where it comes from, for `shipway config`.

use serde_json::{Map, Value, json};

use crate::model::{ImagePath, Origin, Sourced, Target};

use super::{GivingWay, Settings};

/// The answer as JSON, and as name, value and origin for people. No value is a secret.
pub(crate) fn describe(settings: &Settings, target: &Target) -> (Value, Vec<[String; 3]>) {
    let mut texts = Vec::new();
    let mut entries = Map::new();
    for row in rows(settings, target) {
        let origin = row.origin.as_ref().map(Origin::to_string);
        texts.push([row.name.to_owned(), row.text(), origin.unwrap_or_default()]);
        let name = row.name.to_owned();
        entries.insert(name, row.entry());
    }
    (json!({"v": 1, "settings": entries}), texts)
}

struct Row {
    name: &'static str,
    value: Value,
    origin: Option<Origin>,
    /// The value for people, where JSON has another form.
    shown: Option<String>,
    /// What a rule goes by, where that has a place.
    base: Option<Origin>,
}

impl Row {
    fn new<T: Into<Value>>(name: &'static str, found: Option<Sourced<T>>) -> Self {
        match found {
            Some(found) => Self { origin: Some(found.origin), ..Self::bare(name, found.value.into()) },
            None => Self::bare(name, Value::Null),
        }
    }

    fn bare(name: &'static str, value: Value) -> Self {
        Self { name, value, origin: None, shown: None, base: None }
    }

    /// For programs an origin has one of five forms: `flag --env`, `variable CI_COMMIT_SHA`, `shipway.yaml:7:3`, `git`
    /// and `default`; what more there is to say is in `why`.
    fn entry(self) -> Value {
        if self.value.is_null() {
            return Value::Null;
        }
        let (origin, why) = match self.origin {
            Some(Origin::Git(what)) => ("git".to_owned(), Some(what)),
            Some(Origin::Rule(rule)) => (self.base.unwrap_or(Origin::Default).to_string(), Some(rule)),
            origin => (origin.unwrap_or(Origin::Default).to_string(), None),
        };
        let mut entry = json!({"value": self.value, "origin": origin});
        if let (Some(why), Some(fields)) = (why, entry.as_object_mut()) {
            fields.insert("why".to_owned(), why.into());
        }
        entry
    }

    /// Seconds, shown as they are written: `10m`.
    fn length(name: &'static str, seconds: &Sourced<f64>) -> Self {
        Self { shown: Some(written(seconds.value)), ..Self::new(name, Some(seconds.clone())) }
    }

    fn text(&self) -> String {
        if let Some(shown) = &self.shown {
            return shown.clone();
        }
        match &self.value {
            Value::Null => "-".into(),
            Value::String(text) => text.clone(),
            Value::Array(items) if items.is_empty() => "-".into(),
            Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(", "),
            value => short(value),
        }
    }
}

/// `90s`, `10m`, `1h30m`
fn written(seconds: f64) -> String {
    let whole = seconds as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        _ if seconds.fract() != 0.0 => format!("{seconds}s"),
        (0, 0, seconds) => format!("{seconds}s"),
        (0, 1, seconds) if seconds > 0 => format!("{whole}s"),
        (hours, minutes, seconds) => [(hours, 'h'), (minutes, 'm'), (seconds, 's')]
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, unit)| format!("{count}{unit}"))
            .collect(),
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
    let chosen = settings.environment_named(&target.environment.value);
    let base = chosen.map(|environment| environment.name.origin.clone());
    let deploy = &settings.deploy;
    let mut rows = vec![
        Row::new("app", Some(settings.app.clone())),
        Row { base, ..Row::new("environment", Some(target.environment.clone())) },
        Row::new("namespace", Some(target.namespace.clone())),
        Row::new("branch", settings.branch.clone()),
        Row::new("commit", settings.commit.clone()),
        Row::new("head", settings.head.clone()),
        Row::new("git_tag", settings.git_tag.clone()),
        Row::new("tag", Some(target.tag.clone())),
        Row::new("run_url", settings.run_url.clone()),
        Row::new("ci", settings.ci.clone()),
        Row::new("context", settings.context.clone().or_else(of_environment)),
        Row::new("server", settings.server.clone()),
    ];
    rows.extend(preview(settings, target));
    rows.extend([
        Row::new("user", settings.user.clone()),
        images(settings),
        image_paths(settings),
        Row::new("manifests", Some(settings.manifests.clone())),
        Row::new("substitute", Some(settings.substitute.clone())),
        Row::length("deploy.timeout", &deploy.timeout),
        Row::length("deploy.max_time", &deploy.max_time),
        Row::length("deploy.settle", &deploy.settle),
        Row::new("deploy.restarts", Some(deploy.restarts.clone())),
        Row::new("deploy.registry_check", Some(deploy.registry_check.clone())),
        Row::new("deploy.prune", Some(deploy.prune.clone())),
        Row::new("deploy.superseded", Some(deploy.superseded.clone().map(GivingWay::word))),
        Row::new("deploy.on_failure", Some(on_failure(settings, target))),
        Row::new("deploy.history", Some(deploy.history.clone())),
        Row::length("deploy.lock_expiry", &deploy.lock_expiry),
        blue_green(settings),
        status(settings),
    ]);
    rows
}

/// What is done about the namespace of the environment.
fn preview(settings: &Settings, target: &Target) -> [Row; 3] {
    let environment = settings.environment_named(&target.environment.value);
    let origin = environment.map_or(Origin::Default, |environment| environment.name.origin.clone());
    let preview = environment.map(|environment| environment.preview.clone()).unwrap_or_default();
    let ttl = match &preview.ttl {
        Some(ttl) => Row::length("ttl", ttl),
        None => Row::new::<Value>("ttl", None),
    };
    let copied = preview.copy_secrets.map(|copied| {
        let names: Vec<Value> = copied.names.into_iter().map(Value::from).collect();
        Sourced::new(Value::from(names), copied.from.origin)
    });
    let created = preview.create_namespace.then(|| Sourced::new(true, origin));
    [Row::new("create_namespace", created), ttl, Row::new("copy_secrets", copied)]
}

/// As it holds for the target.
fn on_failure(settings: &Settings, target: &Target) -> Sourced<String> {
    settings.on_failure(&target.environment.value).clone().map(|found| found.word().to_owned())
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
            "secrets": image.secrets.iter().map(|secret| &secret.id).collect::<Vec<_>>(),
            "platform": image.platform,
        })
    });
    let origin = settings.images.first().map(|image| image.repository.origin.clone());
    Row { origin, ..Row::bare("images", described.collect()) }
}

fn image_paths(settings: &Settings) -> Row {
    let paths = |paths: Vec<ImagePath>| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
    Row::new("image_paths", Some(settings.image_paths.clone().map(paths)))
}

fn blue_green(settings: &Settings) -> Row {
    let name = "blue_green";
    match &settings.blue_green {
        None => Row::new::<Value>(name, None),
        Some(found) => {
            let value = json!({"name": found.service, "label": found.label, "colors": found.colors});
            Row { origin: settings.blue_green_origin.clone(), ..Row::bare(name, value) }
        }
    }
}

/// The kinds with a rule.
fn status(settings: &Settings) -> Row {
    let first = settings.status.first().map(|rule| rule.kind.origin.clone());
    let kinds = settings.status.iter().map(|rule| Value::from(rule.kind.value.to_string()));
    Row { origin: first, ..Row::bare("status", kinds.collect()) }
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn a_length_is_shown_as_it_is_written() {
        for (seconds, expected) in
            [(0.0, "0s"), (5.0, "5s"), (90.0, "90s"), (600.0, "10m"), (5400.0, "1h30m"), (3600.0, "1h"), (0.5, "0.5s")]
        {
            assert_eq!(written(seconds), expected);
        }
    }
}
