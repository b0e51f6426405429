//! Which environment, and why.

use crate::{
    config::{EnvironmentSettings, Settings},
    model::{CiFacts, Facts, Origin, Sourced},
};

use super::{PRODUCTION, PlanError, QA};

/// An environment as it was chosen; without a file there are production and qa.
pub(super) struct Chosen<'s> {
    pub name: Sourced<String>,
    pub settings: Option<&'s EnvironmentSettings>,
    pub confirm: bool,
    /// True where nobody knows the default branch, and qa was taken for safety.
    pub unsure: bool,
}

impl Chosen<'_> {
    /// True for what is guarded: dirty trees and pull requests stay out.
    pub(super) fn is_guarded(&self) -> bool {
        self.confirm || self.name.value == PRODUCTION
    }
}

pub(super) fn choose<'s>(settings: &'s Settings, facts: &Facts) -> Result<Chosen<'s>, PlanError> {
    let ci = facts.ci.as_ref();
    let request = ci.and_then(|ci| ci.pull_request.as_ref());
    if let Some(asked) = &settings.environment {
        let chosen = asked_for(settings, asked)?;
        if request.is_some() && chosen.is_guarded() {
            return Err(PlanError::PullRequest { environment: asked.value.clone() });
        }
        return Ok(chosen);
    }
    if let (Some(request), Some(ci)) = (request, ci)
        && request.from_fork
    {
        return Err(PlanError::Fork { system: ci.system });
    }
    match (&settings.git_tag, &settings.branch) {
        // a branch that was asked for goes before the tag that CI builds
        (Some(tag), None) => for_git_tag(settings, &tag.value),
        (_, Some(branch)) if settings.environments.is_empty() => by_default(&branch.value, facts, request.is_some()),
        (_, Some(branch)) => for_branch(settings, &branch.value, request.is_some()),
        (None, None) => Err(PlanError::NoBranch),
    }
}

fn asked_for<'s>(settings: &'s Settings, asked: &Sourced<String>) -> Result<Chosen<'s>, PlanError> {
    let found = settings.environment_named(&asked.value);
    if found.is_none() {
        let configured = settings.environments.iter().map(|environment| environment.name.value.clone());
        let mut known: Vec<String> = configured.collect();
        if known.is_empty() {
            known = vec![PRODUCTION.into(), QA.into()];
        }
        if !settings.environments.is_empty() || !known.contains(&asked.value) {
            return Err(PlanError::UnknownEnvironment {
                name: asked.value.clone(),
                origin: asked.origin.to_string(),
                known,
            });
        }
    }
    let confirm = found.map_or(asked.value == PRODUCTION, |found| found.confirm);
    Ok(Chosen { name: asked.clone(), settings: found, confirm, unsure: false })
}

fn for_git_tag<'s>(settings: &'s Settings, tag: &str) -> Result<Chosen<'s>, PlanError> {
    first_match(settings, tag, |environment| &environment.tags, |_| true)
        .map(|(environment, pattern)| chosen(environment, format!("git tag {tag} matches `{pattern}`")))
        .ok_or_else(|| PlanError::NoEnvironment { what: format!("git tag {tag}"), key: "tags", pattern: tag.into() })
}

/// A pull request passes by what is guarded.
fn for_branch<'s>(settings: &'s Settings, branch: &str, is_request: bool) -> Result<Chosen<'s>, PlanError> {
    let open = |environment: &EnvironmentSettings| {
        !(is_request && (environment.confirm || environment.name.value == PRODUCTION))
    };
    let what = if is_request { "the pull request of branch" } else { "branch" };
    first_match(settings, branch, |environment| &environment.branches, open)
        .map(|(environment, pattern)| chosen(environment, format!("{what} {branch} matches `{pattern}`")))
        .ok_or_else(|| PlanError::NoEnvironment {
            what: format!("{what} {branch}"),
            key: "branches",
            pattern: branch.into(),
        })
}

fn chosen(environment: &EnvironmentSettings, rule: String) -> Chosen<'_> {
    let rule = match &environment.name.origin {
        Origin::File(place) => format!("{rule}, {place}"),
        _ => rule,
    };
    Chosen {
        name: Sourced::new(environment.name.value.clone(), Origin::Rule(rule)),
        settings: Some(environment),
        confirm: environment.confirm,
        unsure: false,
    }
}

fn first_match<'s>(
    settings: &'s Settings,
    name: &str,
    patterns: impl Fn(&'s EnvironmentSettings) -> &'s Vec<String>,
    open: impl Fn(&EnvironmentSettings) -> bool,
) -> Option<(&'s EnvironmentSettings, &'s str)> {
    settings.environments.iter().filter(|environment| open(environment)).find_map(|environment| {
        let pattern = patterns(environment).iter().find(|pattern| matches(pattern, name))?;
        Some((environment, pattern.as_str()))
    })
}

/// `*` is any number of any characters, `/` too; all else is itself.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(head) else {
        return false;
    };
    name.char_indices().map(|(at, _)| at).chain([name.len()]).any(|at| matches(rest, &name[at..]))
}

/// The default branch is production, any other is qa.
fn by_default<'s>(branch: &str, facts: &Facts, is_request: bool) -> Result<Chosen<'s>, PlanError> {
    let plain = |name: &str, rule: String, unsure| Chosen {
        name: Sourced::new(name.to_owned(), Origin::Rule(rule)),
        settings: None,
        confirm: name == PRODUCTION,
        unsure,
    };
    if is_request {
        return Ok(plain(QA, format!("branch {branch} is a pull request's"), false));
    }
    Ok(match default_branch(branch, facts.ci.as_ref(), facts.default_branch.as_ref())? {
        Some((default, from)) if default == branch => {
            plain(PRODUCTION, format!("branch {branch} is the default branch, from {from}"), false)
        }
        Some((default, from)) => {
            plain(QA, format!("branch {branch} is not the default branch {default}, from {from}"), false)
        }
        None => plain(QA, format!("branch {branch}; the default branch is not known"), true),
    })
}

/// CI's word, else origin/HEAD, else the one of main and master that is there. CI and origin/HEAD must agree where that
/// decides about `branch`.
fn default_branch(
    branch: &str,
    ci: Option<&CiFacts>,
    git: Option<&Sourced<String>>,
) -> Result<Option<(String, String)>, PlanError> {
    let told = ci.and_then(|ci| Some((ci.system, ci.default_branch.as_ref()?)));
    let shown = |found: &Sourced<String>| match &found.origin {
        Origin::Git(what) => what.clone(),
        origin => origin.to_string(),
    };
    let Some((system, told)) = told else {
        return Ok(git.map(|found| (found.value.clone(), shown(found))));
    };
    let origin_head = git.filter(|found| found.origin == Origin::Git("origin/HEAD".into()));
    if let Some(found) = origin_head.filter(|found| found.value != told.value)
        && [&found.value, &told.value].contains(&&branch.to_owned())
    {
        return Err(PlanError::UnclearDefault {
            ci: system.to_owned(),
            theirs: told.value.clone(),
            git: shown(found),
            ours: found.value.clone(),
        });
    }
    Ok(Some((told.value.clone(), shown(told))))
}
