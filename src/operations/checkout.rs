//! The checkout a verb works on: facts of git and CI, the configuration, the target.

use std::path::PathBuf;

use super::{Context, failure::Failure};
use crate::{
    config::{self, Settings},
    files,
    model::{Facts, Target},
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
        let file = match &context.config {
            Some(path) => Some(files::read_text(&context.directory.join(path), &path.display().to_string())?),
            None => files::read_if_there(&facts.root.join(config::FILE_NAME), config::FILE_NAME)?,
        };
        let settings = config::resolve(file.as_ref(), &context.flags, &context.variables, Some(&facts))?;
        Ok(Self { facts, folder, settings })
    }

    pub(super) fn target(&self) -> Result<Target, Failure> {
        Ok(plan::target(&self.settings, &self.facts)?)
    }
}
