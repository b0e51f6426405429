//! `shipway rollback`

use clap::Args;

use super::arguments::Pruning;
use crate::{
    model::Outcome,
    operations::{Context, rollback},
};

/// apply an earlier release again, wait for proof
#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// its number in `shipway history` [default: what stands before the current one]
    #[arg(value_name = "N")]
    revision: Option<u64>,

    /// run its hooks again
    #[arg(long)]
    hooks: bool,

    #[command(flatten)]
    pub(super) pruning: Pruning,
}

impl Rollback {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        rollback::run(context, rollback::Options { revision: self.revision, hooks: self.hooks }).await
    }
}
