//! `shipway config`

use clap::Args;

use crate::{
    model::Outcome,
    operations::{Context, settings},
};

/// print every setting and where it comes from
#[derive(Debug, Args)]
pub(super) struct Config;

impl Config {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        settings::run(context).await
    }
}
