//! The checkout a verb works on: facts of git and CI, the configuration, the target.

use std::path::{Path, PathBuf};

use super::{Context, failure::Failure};
use crate::{
    config::{self, Settings},
    files, kinds,
    model::{Exit, Facts, Origin, Problem, SourceText, StatusRule, Target},
    plan, source,
};

#[derive(Clone)]
pub(super) struct Checkout {
    pub(super) facts: Facts,
    /// What the paths of the configuration are relative to: its own folder, else the repository's root.
    pub(super) folder: PathBuf,
    pub(super) settings: Settings,
}

impl Checkout {
    pub(super) fn read(context: &Context) -> Result<Self, Failure> {
        let asked = config::asked_commit(&context.flags, &context.variables);
        let asked = asked.as_ref().map(|commit| commit.value.as_str());
        let facts = source::read(&context.directory, asked, &context.variables)?;
        let given = context.config.as_ref().map(|path| context.directory.join(path));
        let folder = given.as_ref().and_then(|path| path.parent()).unwrap_or(&facts.root).to_owned();
        let file = configuration(context, &facts.root)?;
        let settings = config::resolve(file.as_ref(), &context.flags, &context.variables, Some(&facts))?;
        refuse_rules_for_known_kinds(&settings.status)?;
        Ok(Self { facts, folder, settings })
    }

    pub(super) fn target(&self) -> Result<Target, Failure> {
        Ok(plan::target(&self.settings, &self.facts)?)
    }
}

/// The text of shipway.yaml: of `--config`, else in this folder where there is one.
fn configuration(context: &Context, root: &Path) -> Result<Option<SourceText>, Failure> {
    Ok(match &context.config {
        Some(path) => Some(files::read_text(&context.directory.join(path), &path.display().to_string())?),
        None => files::read_if_there(&root.join(config::FILE_NAME), config::FILE_NAME)?,
    })
}

/// The rules for custom resources, where no repository and no app is needed.
pub(super) fn saved_rules(context: &Context) -> Result<Vec<StatusRule>, Failure> {
    let facts = source::read(&context.directory, None, &context.variables);
    let root = facts.map_or_else(|_| context.directory.clone(), |facts| facts.root);
    let rules = config::status_rules(configuration(context, &root)?.as_ref())?;
    refuse_rules_for_known_kinds(&rules)?;
    Ok(rules)
}

/// What shipway judges by itself needs no rule, and a rule for it would never be read.
fn refuse_rules_for_known_kinds(rules: &[StatusRule]) -> Result<(), Failure> {
    let known = rules.iter().find(|rule| kinds::find(&rule.kind.value.group, &rule.kind.value.kind).is_some());
    let Some(rule) = known else { return Ok(()) };
    let text = format!("`status` has a rule for {}, which shipway judges by itself", rule.kind.value);
    let problem = Problem::new("configuration", Exit::Input, text).hint("remove it: rules are for custom resources");
    Err(match &rule.kind.origin {
        Origin::File(place) => problem.at(place.clone()),
        _ => problem,
    }
    .into())
}
