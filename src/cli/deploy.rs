//! `shipway deploy`

use std::path::PathBuf;

use clap::Args;

use super::arguments::{Adoption, Allowances, Hooks, Manifests, Pruning};
use crate::{
    model::Outcome,
    operations::{Context, deploy},
};

/// apply to the branch's environment, wait for proof
#[derive(Debug, Args)]
pub(super) struct Deploy {
    #[command(flatten)]
    manifests: Manifests,

    /// do what `plan --out` has written, or refuse
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "prune", "prune_all", "yes_prune", "rerun_hooks", "tag", "commit", "branch"
    ])]
    plan: Option<PathBuf>,

    #[command(flatten)]
    pub(super) allowances: Allowances,

    #[command(flatten)]
    pub(super) pruning: Pruning,

    #[command(flatten)]
    pub(super) adoption: Adoption,

    #[command(flatten)]
    pub(super) hooks: Hooks,
}

impl Deploy {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        deploy::run(context, deploy::Options { files: self.manifests.files, plan: self.plan }).await
    }
}
