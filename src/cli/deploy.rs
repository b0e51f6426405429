//! `shipway deploy`

use clap::Args;

use super::arguments::{Allowances, Hooks, Manifests, Pruning};
use crate::{
    model::Outcome,
    operations::{Context, deploy},
};

/// apply to the branch's environment, wait for proof
#[derive(Debug, Args)]
pub(super) struct Deploy {
    #[command(flatten)]
    manifests: Manifests,

    #[command(flatten)]
    pub(super) allowances: Allowances,

    #[command(flatten)]
    pub(super) pruning: Pruning,

    #[command(flatten)]
    pub(super) hooks: Hooks,
}

impl Deploy {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        deploy::run(context, deploy::Options { files: self.manifests.files }).await
    }
}
