//! `shipway destroy`

use clap::Args;

use crate::{
    config::Flags,
    model::Outcome,
    operations::{Context, destroy},
};

/// remove an environment; production is none of them
#[derive(Debug, Args)]
pub(super) struct Destroy {
    /// environment; one for each branch needs --branch too, or the branch checked out
    #[arg(value_name = "ENV")]
    environment: Option<String>,

    /// all previews whose time to live has passed
    #[arg(long)]
    expired: bool,

    /// delete volumes and definitions too, where the namespace stays
    #[arg(long)]
    prune_all: bool,
}

impl Destroy {
    pub(super) fn lay_over(&self, flags: &mut Flags) {
        if self.environment.is_some() {
            flags.env.clone_from(&self.environment);
        }
    }

    pub(super) async fn run(self, context: &Context) -> Outcome {
        let named = context.flags.env.is_some() || context.flags.branch.is_some();
        destroy::run(context, destroy::Options { expired: self.expired, named, all: self.prune_all }).await
    }
}
