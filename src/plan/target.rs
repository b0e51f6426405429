//! Where this commit goes.

use crate::{
    config::{EnvironmentSettings, Settings},
    model::{Facts, Note, Origin, PullRequestRef, Sourced, Target},
};

use super::{
    PRODUCTION, PlanError, QA,
    environment::{Chosen, choose},
    slug, tag,
};

/// App, environment, namespace and image tag, each with why.
///
/// # Errors
/// Nothing matches, sources contradict each other, or a rule forbids it: a pull request to production, a dirty tree.
pub(crate) fn target(settings: &Settings, facts: &Facts) -> Result<Target, PlanError> {
    let chosen = choose(settings, facts)?;
    if facts.dirty.is_some() && chosen.is_guarded() && !settings.allow_dirty && !settings.tag_is_asked() {
        return Err(PlanError::Dirty { environment: chosen.name.value });
    }
    Ok(Target {
        app: settings.app.value.clone(),
        namespace: namespace(settings, &chosen)?,
        confirm: chosen.confirm,
        environment: chosen.name,
        branch: settings.branch.clone(),
        git_tag: settings.git_tag.clone(),
        commit: Some(facts.commit.clone()),
        tag: image_tag(settings, facts)?,
        pull_request: facts.ci.as_ref().and_then(|ci| ci.pull_request.as_ref()).map(PullRequestRef::from),
        run_url: settings.run_url.as_ref().map(|url| url.value.clone()),
        user: settings.user.as_ref().map(|user| user.value.clone()),
    })
}

/// Every environment with its namespace, in the order of the configuration: what `status` shows. One whose namespace
/// depends on a branch is there only as the current branch's own.
pub(crate) fn environments(settings: &Settings, facts: &Facts) -> Vec<(String, String)> {
    let current = choose(settings, facts).ok().map(|chosen| chosen.name.value);
    let named = |name: &str, origin: Origin| Chosen {
        name: Sourced::new(name.to_owned(), origin),
        settings: settings.environment_named(name),
        confirm: false,
        unsure: false,
    };
    let all: Vec<Chosen<'_>> = match &settings.environment {
        Some(asked) => vec![named(&asked.value, asked.origin.clone())],
        None => environment_names(settings).iter().map(|name| named(name, Origin::Default)).collect(),
    };
    let changes = |chosen: &Chosen<'_>| {
        let template = chosen.settings.and_then(|found| found.namespace.as_ref());
        template.is_some_and(|template| moves(&template.value))
    };
    all.iter()
        .filter(|chosen| !changes(chosen) || current.as_ref() == Some(&chosen.name.value))
        .filter_map(|chosen| Some((chosen.name.value.clone(), namespace(settings, chosen).ok()?.value)))
        .collect()
}

/// The names of all environments, or of the one that was asked for.
pub(crate) fn environment_names(settings: &Settings) -> Vec<String> {
    if let Some(asked) = &settings.environment {
        return vec![asked.value.clone()];
    }
    if settings.environments.is_empty() {
        return [PRODUCTION, QA].map(str::to_owned).into();
    }
    settings.environments.iter().map(|environment| environment.name.value.clone()).collect()
}

/// What a person should know about a target before anything happens.
pub(crate) fn notes(settings: &Settings, facts: &Facts, target: &Target) -> Vec<Note> {
    let mut notes = Vec::new();
    if choose(settings, facts).is_ok_and(|chosen| chosen.unsure) {
        let text = format!(
            "the default branch is not known here, so this goes to {}: `environments:` in shipway.yaml, or `--env`, says it",
            target.environment.value
        );
        notes.push(Note::attention("plan", text));
    }
    if facts.dirty.is_some() {
        notes.push(Note::attention("plan", "tracked files are changed: what is built is not what is committed"));
    }
    if let Some(head) = settings.head.as_ref().filter(|head| head.value != facts.commit.sha) {
        let head = head.value.get(..8).unwrap_or(&head.value);
        notes.push(Note::new(
            "plan",
            format!("the pull request's head is {head}; what is built is what is checked out"),
        ));
    }
    if facts.checkout != facts.commit.sha {
        let other = facts.checkout.get(..8).unwrap_or(&facts.checkout);
        let text = format!("commit {} was asked for, {other} is checked out", facts.commit.short());
        notes.push(Note::attention("plan", text));
    }
    notes
}

fn namespace(settings: &Settings, chosen: &Chosen<'_>) -> Result<Sourced<String>, PlanError> {
    if let Some(asked) = &settings.namespace {
        return Ok(asked.clone());
    }
    let name = &chosen.name.value;
    let configured = chosen.settings.and_then(|found| found.namespace.clone());
    let template = configured
        .unwrap_or_else(|| Sourced::new(default_namespace(name), Origin::Rule(format!("environment {name}"))));
    let mut values = Vec::new();
    for (name, value) in [("{branch}", branch_or_tag(settings)), ("{user}", user(settings))] {
        match value {
            Some(value) => values.push((name, value)),
            None if !template.value.contains(name) => {}
            None if name == "{branch}" => return Err(PlanError::NoBranch),
            None => return Err(PlanError::NoUser),
        }
    }
    let filled = slug::fill(&template.value, ("{app}", &settings.app.value), &values);
    let text = filled.map_err(|unfit| match unfit {
        slug::Unfit::NoRoom => PlanError::LongNamespace { template: template.value.clone() },
        slug::Unfit::NoLabel => PlanError::Namespace { text: template.value.clone() },
    })?;
    refuse_fixed(settings, name, &template.value, &text)?;
    Ok(Sourced::new(text, template.origin))
}

/// A branch named `qa` must not land in the namespace of qa.
fn refuse_fixed(settings: &Settings, name: &str, template: &str, namespace: &str) -> Result<(), PlanError> {
    if !moves(template) {
        return Ok(());
    }
    let fixed = |other: &&EnvironmentSettings| {
        let template = other.namespace.as_ref().map(|template| template.value.clone());
        let template = template.unwrap_or_else(|| default_namespace(&other.name.value));
        !moves(&template) && template.replace("{app}", &settings.app.value) == namespace
    };
    match settings.environments.iter().filter(|other| other.name.value != *name).find(fixed) {
        Some(other) => Err(PlanError::TakenNamespace {
            environment: name.to_owned(),
            namespace: namespace.to_owned(),
            other: other.name.value.clone(),
        }),
        None => Ok(()),
    }
}

fn default_namespace(environment: &str) -> String {
    if environment == PRODUCTION { "{app}".to_owned() } else { format!("{{app}}-{environment}") }
}

/// True where the namespace is another one for each branch or each user.
pub(super) fn moves(template: &str) -> bool {
    template.contains("{branch}") || template.contains("{user}")
}

pub(super) fn user(settings: &Settings) -> Option<&str> {
    settings.user.as_ref().map(|user| user.value.as_str())
}

/// On a git tag build the tag stands in for the branch.
pub(super) fn branch_or_tag(settings: &Settings) -> Option<&str> {
    settings.branch.as_ref().or(settings.git_tag.as_ref()).map(|found| found.value.as_str())
}

fn image_tag(settings: &Settings, facts: &Facts) -> Result<Sourced<String>, PlanError> {
    let template = &settings.tag;
    if settings.tag_is_asked() && !template.value.contains('{') {
        return match tag::is_tag(&template.value) {
            true => Ok(template.clone()),
            false => Err(PlanError::Tag { text: template.value.clone() }),
        };
    }
    let branch = branch_or_tag(settings);
    if branch.is_none() && template.value.contains("{branch}") {
        return Err(PlanError::NoBranch);
    }
    let filled = tag::fill(&template.value, branch, &facts.commit, facts.dirty.as_deref());
    let text = filled.ok_or_else(|| PlanError::Tag { text: template.value.clone() })?;
    Ok(Sourced::new(text, template.origin.clone()))
}

#[cfg(test)]
mod tests;
