//! The checkout a verb works on: facts of git and CI, the configuration, the target.

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
    pub(super) settings: Settings,
}

impl Checkout {
    pub(super) fn read(context: &Context) -> Result<Self, Failure> {
        let asked = config::asked_commit(&context.flags, &context.variables);
        let asked = asked.as_ref().map(|commit| commit.value.as_str());
        let facts = source::read(&context.directory, asked, &context.variables)?;
        let file = match &context.config {
            Some(path) => Some(files::read_text(&context.directory.join(path), &path.display().to_string())?),
            None => files::read_if_there(&facts.root.join(config::FILE_NAME), config::FILE_NAME)?,
        };
        let settings = config::resolve(file.as_ref(), &context.flags, &context.variables, Some(&facts))?;
        Ok(Self { facts, settings })
    }

    pub(super) fn target(&self) -> Result<Target, Failure> {
        Ok(plan::target(&self.settings, &self.facts)?)
    }
}
