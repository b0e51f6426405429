//! Lays flags, variables, file and defaults over each other.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{Allow, BlueGreen, Facts, FieldPath, Origin, PathStep, SourceText, Sourced, Variables};

use super::{
    ConfigError, DeploySettings, EnvironmentSettings, Flags, GivingWay, Settings, contexts,
    document::Document,
    file::{AllowFile, BlueGreenFile, DeployFile, EnvironmentFile, File, Length, OnFailure},
    images::{image_paths, images},
    names::{dns_label, is_dns_label, of_remote},
    preview, status,
};

const DEFAULT_TAG: &str = "{branch}-{sha8}";
const KEPT_RECORDS: usize = 10;
const DEFAULT_MANIFESTS: &str = "kubernetes";
/// Seconds.
const LOCK_EXPIRY: f64 = 30.0;
pub(super) const PRODUCTION: &str = "production";

/// The commit that is asked for, to be handed to `source::read`.
pub(crate) fn asked_commit(flags: &Flags, variables: &Variables) -> Option<Sourced<String>> {
    given(flags.commit.as_ref(), "--commit", variables, "SHIPWAY_COMMIT")
}

/// What is meant. `file` is shipway.yaml where there is one; `facts` are none outside a repository.
///
/// # Errors
/// Everything that is wrong with the file comes with its place: unknown keys with the nearest known one, wrong types and
/// values.
pub(crate) fn resolve(
    file: Option<&SourceText>,
    flags: &Flags,
    variables: &Variables,
    facts: Option<&Facts>,
) -> Result<Settings, ConfigError> {
    let document = Document::read(file)?;
    let content: File = serde_json::from_value(document.value.clone())
        .map_err(|error| document.wrong(&FieldPath::default(), format!("cannot be read: {error}"), None))?;
    let environments = environments(&document, content.environments)?;
    let ci = facts.and_then(|facts| facts.ci.as_ref());
    let latest = content.latest.unwrap_or_default();
    document.known_environments(&latest, &environments)?;
    Ok(Settings {
        app: app(&document, content.app, variables, facts)?,
        environment: given(flags.env.as_ref(), "--env", variables, "SHIPWAY_ENV"),
        namespace: label(given(flags.namespace.as_ref(), "--namespace", variables, "SHIPWAY_NAMESPACE"))?,
        branch: branch(flags, variables, facts),
        commit: facts.map(|facts| commit(flags, variables, facts)),
        head: ci.and_then(|ci| ci.pull_request.as_ref()).and_then(|request| request.head.clone()),
        git_tag: ci.and_then(|ci| ci.git_tag.clone()),
        tag: tag(&document, content.tag, given(flags.tag.as_ref(), "--tag", variables, "SHIPWAY_TAG"))?,
        run_url: ci.and_then(|ci| ci.run_url.clone()),
        ci: ci.map(|ci| Sourced::new(ci.system, Origin::Variable(ci.told_by.to_owned()))),
        user: ci
            .and_then(|ci| ci.user.clone())
            .or_else(|| ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| variables.sourced(name))),
        images: images(&document, content.images.unwrap_or_default())?,
        image_paths: image_paths(&document, content.image_paths)?,
        substitute: document
            .sourced("substitute", content.substitute)
            .unwrap_or_else(|| Sourced::new(false, Origin::Default)),
        latest,
        manifests: document
            .sourced("manifests", content.manifests)
            .unwrap_or_else(|| Sourced::new(vec![DEFAULT_MANIFESTS.into()], Origin::Default)),
        environments,
        blue_green_origin: content.blue_green.as_ref().map(|_| document.origin(&FieldPath::parse("blue_green"))),
        blue_green: blue_green(&document, content.blue_green)?,
        deploy: deploy(&document, content.deploy.unwrap_or_default(), flags, variables)?,
        allow: allow(content.allow.unwrap_or_default()),
        status: status::rules(&document, content.status.unwrap_or_default())?,
        context: given(flags.context.as_ref(), "--context", variables, "SHIPWAY_CONTEXT"),
        server: given(flags.server.as_ref(), "--server", variables, "SHIPWAY_SERVER"),
        yes: flags.yes,
        allow_dirty: flags.allow_dirty,
        allow_older: flags.allow_older,
        prune: flags.prune,
        prune_all: flags.prune_all,
        yes_prune: flags.yes_prune,
        adopt: flags.adopt.clone(),
        rerun_hooks: flags.rerun_hooks,
    })
}

/// A flag, else a variable.
fn given(flag: Option<&String>, name: &'static str, variables: &Variables, variable: &str) -> Option<Sourced<String>> {
    match flag {
        Some(value) => Some(Sourced::new(value.clone(), Origin::Flag(name))),
        None => variables.sourced(variable),
    }
}

fn label(given: Option<Sourced<String>>) -> Result<Option<Sourced<String>>, ConfigError> {
    match given {
        Some(found) if !is_dns_label(&found.value) => Err(ConfigError::Given {
            origin: found.origin.to_string(),
            value: found.value,
            wrong: "which is no name for a namespace (a-z, 0-9 and `-`, at most 63)".into(),
        }),
        found => Ok(found),
    }
}

fn app(
    document: &Document<'_>,
    written: Option<String>,
    variables: &Variables,
    facts: Option<&Facts>,
) -> Result<Sourced<String>, ConfigError> {
    if let Some(found) = label(variables.sourced("SHIPWAY_APP"))? {
        return Ok(found);
    }
    if let Some(name) = written {
        if !is_dns_label(&name) {
            let hint = dns_label(&name).map(|label| format!("write `{label}`"));
            let wrong = "may hold a-z, 0-9 and `-`, at most 63, and starts and ends with a letter or digit";
            return Err(document.wrong(&FieldPath::parse("app"), wrong, hint));
        }
        return Ok(Sourced::new(name, document.origin(&FieldPath::parse("app"))));
    }
    let facts = facts.ok_or(ConfigError::NoApp)?;
    if let Some(name) = facts.remote_url.as_deref().and_then(of_remote) {
        return Ok(Sourced::new(name, Origin::Git("remote origin".into())));
    }
    let folder = facts.root.file_name().and_then(|name| dns_label(&name.to_string_lossy()));
    folder.map(|name| Sourced::new(name, Origin::Rule("the folder's name".into()))).ok_or(ConfigError::NoApp)
}

/// On a git tag build there is no branch, whatever is checked out.
fn branch(flags: &Flags, variables: &Variables, facts: Option<&Facts>) -> Option<Sourced<String>> {
    if let Some(branch) = given(flags.branch.as_ref(), "--branch", variables, "SHIPWAY_BRANCH") {
        return Some(branch);
    }
    let facts = facts?;
    let of_git = || facts.branch.clone().map(|branch| Sourced::new(branch, Origin::Git("HEAD".into())));
    match &facts.ci {
        Some(ci) if ci.branch.is_some() || ci.git_tag.is_some() || ci.pull_request.is_some() => ci.branch.clone(),
        _ => of_git(),
    }
}

/// What is checked out is what is built, so CI's word counts only where it says the same.
fn commit(flags: &Flags, variables: &Variables, facts: &Facts) -> Sourced<String> {
    let said = facts.ci.as_ref().and_then(|ci| ci.commit.as_ref()).filter(|said| said.value == facts.commit.sha);
    let origin = asked_commit(flags, variables)
        .map(|asked| asked.origin)
        .or_else(|| said.map(|said| said.origin.clone()))
        .unwrap_or_else(|| Origin::Git("HEAD".into()));
    Sourced::new(facts.commit.sha.clone(), origin)
}

fn tag(
    document: &Document<'_>,
    written: Option<String>,
    asked: Option<Sourced<String>>,
) -> Result<Sourced<String>, ConfigError> {
    if let Some(asked) = asked {
        return Ok(asked);
    }
    let Some(template) = written else {
        return Ok(Sourced::new(DEFAULT_TAG.into(), Origin::Default));
    };
    let path = FieldPath::parse("tag");
    placeholders(document, &path, &template, &["branch", "sha8", "sha"])?;
    Ok(Sourced::new(template, document.origin(&path)))
}

fn placeholders(document: &Document<'_>, path: &FieldPath, text: &str, known: &[&str]) -> Result<(), ConfigError> {
    let listed = || Some(format!("known here: {{{}}}", known.join("}, {")));
    for part in text.split('{').skip(1) {
        let Some((name, _)) = part.split_once('}') else {
            return Err(document.wrong(path, "has a `{` without its `}`", listed()));
        };
        if !known.contains(&name) {
            return Err(document.wrong(path, format!("holds `{{{name}}}`, which is nothing"), listed()));
        }
    }
    Ok(())
}

/// In the order of the file, which the parsed map has lost.
fn environments(
    document: &Document<'_>,
    written: Option<BTreeMap<String, Option<EnvironmentFile>>>,
) -> Result<Vec<EnvironmentSettings>, ConfigError> {
    let mut written = written.unwrap_or_default();
    let names: Vec<String> = document
        .value
        .get("environments")
        .and_then(Value::as_object)
        .map(|found| found.keys().cloned().collect())
        .unwrap_or_default();
    names
        .into_iter()
        .map(|name| environment(document, written.remove(&name).flatten().unwrap_or_default(), name))
        .collect()
}

fn environment(
    document: &Document<'_>,
    mut written: EnvironmentFile,
    name: String,
) -> Result<EnvironmentSettings, ConfigError> {
    let path = FieldPath(vec![PathStep::Key("environments".into()), PathStep::Key(name.clone())]);
    if !is_dns_label(&name) {
        let hint = dns_label(&name).map(|label| format!("write `{label}`"));
        return Err(document.wrong(&path, "is no name for an environment (a-z, 0-9 and `-`)", hint));
    }
    let at = |key: &str, value: Option<String>| value.map(|value| Sourced::new(value, document.origin(&path.key(key))));
    if let Some(namespace) = &written.namespace {
        let place = path.key("namespace");
        placeholders(document, &place, namespace, &["app", "branch", "user"])?;
        let filled =
            ["{app}", "{branch}", "{user}"].iter().fold(namespace.clone(), |text, name| text.replace(name, "x"));
        if !is_dns_label(&filled) {
            return Err(document.wrong(&place, "is no name for a namespace (a-z, 0-9 and `-`, at most 63)", None));
        }
    }
    let confirm = written.confirm.unwrap_or(name == PRODUCTION);
    let on_failure = written.on_failure.map(|found| Sourced::new(found, document.origin(&path.key("on_failure"))));
    let contexts = contexts::read(document, &path, &mut written)?;
    let preview = preview::read(document, &path, &mut written, confirm)?;
    Ok(EnvironmentSettings {
        branches: written.branches.unwrap_or_default(),
        tags: written.tags.unwrap_or_default(),
        namespace: at("namespace", written.namespace),
        context: at("context", written.context),
        confirm,
        contexts,
        preview,
        on_failure,
        name: Sourced::new(name, document.origin(&path)),
    })
}

fn blue_green(document: &Document<'_>, written: Option<BlueGreenFile>) -> Result<Option<BlueGreen>, ConfigError> {
    let Some(written) = written else {
        return Ok(None);
    };
    let colors = written.colors.unwrap_or_else(|| ["blue".into(), "green".into()]);
    if colors[0] == colors[1] || colors.iter().any(String::is_empty) {
        return Err(document.wrong(&FieldPath::parse("blue_green.colors"), "must be two different names", None));
    }
    Ok(Some(BlueGreen {
        service: written.service,
        label: written.label.unwrap_or_else(|| BlueGreen::LABEL.into()),
        colors,
    }))
}

fn deploy(
    document: &Document<'_>,
    written: DeployFile,
    flags: &Flags,
    variables: &Variables,
) -> Result<DeploySettings, ConfigError> {
    let length = |key: &str, written: Option<Length>, default: f64| -> Result<Sourced<f64>, ConfigError> {
        let path = FieldPath::parse(&format!("deploy.{key}"));
        let Some(written) = written else {
            return Ok(Sourced::new(default, Origin::Default));
        };
        let hint = || Some("write it as in `90s`, `10m`, `1h30m`".to_owned());
        let seconds = seconds(&written).ok_or_else(|| document.wrong(&path, "is no length of time", hint()))?;
        Ok(Sourced::new(seconds, document.origin(&path)))
    };
    let asked = match given(flags.timeout.as_ref(), "--timeout", variables, "SHIPWAY_TIMEOUT") {
        None => None,
        Some(asked) => Some(asked_length(asked)?),
    };
    Ok(DeploySettings {
        timeout: match asked {
            Some(asked) => asked,
            None => length("timeout", written.timeout, 600.0)?,
        },
        max_time: length("max_time", written.max_time, 3600.0)?,
        settle: length("settle", written.settle, 5.0)?,
        restarts: document
            .sourced("deploy.restarts", written.restarts)
            .unwrap_or_else(|| Sourced::new(2, Origin::Default)),
        registry_check: document
            .sourced("deploy.registry_check", written.registry_check)
            .unwrap_or_else(|| Sourced::new(true, Origin::Default)),
        prune: document.sourced("deploy.prune", written.prune).unwrap_or_else(|| Sourced::new(true, Origin::Default)),
        superseded: giving_way(document, written.superseded)?,
        on_failure: document
            .sourced("deploy.on_failure", written.on_failure)
            .unwrap_or_else(|| Sourced::new(OnFailure::Hold, Origin::Default)),
        history: history(document, written.history)?,
        lock_expiry: lock_expiry(variables)?,
    })
}

fn giving_way(document: &Document<'_>, written: Option<String>) -> Result<Sourced<GivingWay>, ConfigError> {
    let path = FieldPath::parse("deploy.superseded");
    let Some(word) = written else { return Ok(Sourced::new(GivingWay::Fine, Origin::Default)) };
    match [GivingWay::Fine, GivingWay::Failure].into_iter().find(|known| known.word() == word) {
        Some(known) => Ok(Sourced::new(known, document.origin(&path))),
        None => Err(document.wrong(&path, "is neither `ok` nor `fail`", None)),
    }
}

/// Only a variable: it is for those who test or watch the lock, not for a project.
fn lock_expiry(variables: &Variables) -> Result<Sourced<f64>, ConfigError> {
    let Some(asked) = variables.sourced("SHIPWAY_LOCK_EXPIRY") else {
        return Ok(Sourced::new(LOCK_EXPIRY, Origin::Default));
    };
    match seconds(&Length::Text(asked.value.clone())) {
        // a Lease counts whole seconds
        Some(seconds) if seconds >= 1.0 && seconds.fract() == 0.0 => Ok(Sourced::new(seconds, asked.origin)),
        _ => Err(ConfigError::Given {
            origin: asked.origin.to_string(),
            value: asked.value,
            wrong: "which is no length in whole seconds: write it as in `30s`".into(),
        }),
    }
}

fn history(document: &Document<'_>, written: Option<u32>) -> Result<Sourced<usize>, ConfigError> {
    match document.sourced("deploy.history", written) {
        None => Ok(Sourced::new(KEPT_RECORDS, Origin::Default)),
        Some(found) if found.value == 0 => {
            let hint = "the last deploy that succeeded is always remembered: write 1".to_owned();
            Err(document.wrong(&FieldPath::parse("deploy.history"), "must be at least 1", Some(hint)))
        }
        Some(found) => Ok(found.map(|count| count as usize)),
    }
}

fn asked_length(asked: Sourced<String>) -> Result<Sourced<f64>, ConfigError> {
    match seconds(&Length::Text(asked.value.clone())) {
        Some(seconds) => Ok(Sourced::new(seconds, asked.origin)),
        None => Err(ConfigError::Given {
            origin: asked.origin.to_string(),
            value: asked.value,
            wrong: "which is no length of time: write it as in `90s`, `10m`, `1h30m`".into(),
        }),
    }
}

/// A bare number is seconds.
pub(super) fn seconds(length: &Length) -> Option<f64> {
    let seconds = match length {
        Length::Seconds(seconds) => *seconds,
        Length::Text(text) => match text.parse::<f64>() {
            Ok(seconds) => seconds,
            Err(_) => text.parse::<jiff::SignedDuration>().ok()?.as_secs_f64(),
        },
    };
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
}

fn allow(written: AllowFile) -> Allow {
    Allow {
        namespaces: written.namespaces.unwrap_or_default(),
        cluster_scoped: written.cluster_scoped.unwrap_or_default(),
    }
}
