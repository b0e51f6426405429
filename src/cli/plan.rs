//! `shipway plan`

use std::path::PathBuf;

use clap::Args;

use super::arguments::{Adoption, Allowances, Hooks, Manifests, Pruning};
use crate::{
    model::Outcome,
    operations::{Context, plan},
};

/// tell what deploy would do, and do nothing
#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    manifests: Manifests,

    #[command(flatten)]
    pub(super) allowances: Allowances,

    #[command(flatten)]
    pub(super) pruning: Pruning,

    #[command(flatten)]
    pub(super) adoption: Adoption,

    #[command(flatten)]
    pub(super) hooks: Hooks,

    /// exit 10 if there are changes
    #[arg(long)]
    exit_code: bool,

    /// keep the plan in a file, for `deploy --plan`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Plan {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let options = plan::Options { files: self.manifests.files, exit_code: self.exit_code, out: self.out };
        plan::run(context, options).await
    }
}
