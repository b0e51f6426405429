//! `shipway schema`

use clap::Args;

use crate::{config, model::Answer};

/// print the JSON Schema of shipway.yaml
#[derive(Debug, Args)]
pub(super) struct Schema;

impl Schema {
    pub(super) fn answer(&self) -> Answer {
        Answer::Text(config::schema().to_owned())
    }
}
