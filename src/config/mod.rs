//! What is configured: flags, variables, shipway.yaml and defaults, in this order, each value with its origin.

mod contexts;
mod describe;
mod document;
mod error;
mod file;
mod images;
mod names;
mod preview;
mod resolve;
mod schema;
mod settings;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use describe::describe;
pub(crate) use error::ConfigError;
pub(crate) use file::OnFailure;
pub(crate) use resolve::{asked_commit, resolve};
pub(crate) use schema::schema;
pub(crate) use settings::{
    CopySecrets, DeploySettings, EnvironmentSettings, Flags, GivingWay, ImageSettings, PreviewSettings, SecretSettings,
    SecretSource, Settings,
};
pub(crate) use status::status_rules;

/// The name that is looked for in the repository's root.
pub(crate) const FILE_NAME: &str = "shipway.yaml";
