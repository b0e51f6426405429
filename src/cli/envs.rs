//! `shipway envs`

use clap::Args;

use crate::{
    model::Outcome,
    operations::{Context, envs},
};

/// list the environments and what was made for branches
#[derive(Debug, Args)]
pub(super) struct Envs {}

impl Envs {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        envs::run(context).await
    }
}
