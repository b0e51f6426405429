//! Where this commit goes.

use crate::{
    config::Settings,
    model::{Facts, Note, Origin, Sourced, Target},
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
    let mut all: Vec<Chosen<'_>> = match &settings.environment {
        Some(asked) => vec![named(&asked.value, asked.origin.clone())],
        None => settings
            .environments
            .iter()
            .map(|environment| named(&environment.name.value, environment.name.origin.clone()))
            .collect(),
    };
    if all.is_empty() {
        all = [PRODUCTION, QA].map(|name| named(name, Origin::Default)).into();
    }
    let moves = |chosen: &Chosen<'_>| {
        let template = chosen.settings.and_then(|found| found.namespace.as_ref());
        template.is_some_and(|template| template.value.contains("{branch}") || template.value.contains("{user}"))
    };
    all.iter()
        .filter(|chosen| !moves(chosen) || current.as_ref() == Some(&chosen.name.value))
        .filter_map(|chosen| Some((chosen.name.value.clone(), namespace(settings, chosen).ok()?.value)))
        .collect()
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
    let template = configured.unwrap_or_else(|| {
        let template = if name == PRODUCTION { "{app}".to_owned() } else { format!("{{app}}-{name}") };
        Sourced::new(template, Origin::Rule(format!("environment {name}")))
    });
    let values = [
        ("{app}", Some(settings.app.value.as_str())),
        ("{branch}", branch_or_tag(settings)),
        ("{user}", settings.user.as_ref().map(|user| user.value.as_str())),
    ];
    if template.value.contains("{branch}") && values[1].1.is_none() {
        return Err(PlanError::NoBranch);
    }
    let text =
        slug::fill(&template.value, &values).ok_or_else(|| PlanError::Namespace { text: template.value.clone() })?;
    Ok(Sourced::new(text, template.origin))
}

/// On a git tag build the tag stands in for the branch.
fn branch_or_tag(settings: &Settings) -> Option<&str> {
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
