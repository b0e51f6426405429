//! `shipway rollback`

use clap::Args;

use crate::{
    config::Flags,
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

    /// delete more than a few objects, and workloads of a guarded environment
    #[arg(long)]
    yes_prune: bool,
}

impl Rollback {
    pub(super) fn lay_over(&self, flags: &mut Flags) {
        flags.yes_prune = self.yes_prune;
    }

    pub(super) async fn run(self, context: &Context) -> Outcome {
        rollback::run(context, rollback::Options { revision: self.revision, hooks: self.hooks }).await
    }
}
