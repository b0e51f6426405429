//! `shipway release`

use clap::Args;

use super::arguments::{Adoption, Allowances, Hooks, Pruning};
use crate::{
    model::Outcome,
    operations::{Context, release},
};

/// build, push and deploy
#[derive(Debug, Args)]
pub(super) struct Release {
    /// move traffic too, once the new version is proven
    #[arg(long)]
    switch: bool,

    #[command(flatten)]
    pub(super) allowances: Allowances,

    #[command(flatten)]
    pub(super) pruning: Pruning,

    #[command(flatten)]
    pub(super) adoption: Adoption,

    #[command(flatten)]
    pub(super) hooks: Hooks,
}

impl Release {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        release::run(context, release::Options { switch: self.switch }).await
    }
}
