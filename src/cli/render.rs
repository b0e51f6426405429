//! `shipway render`

use clap::Args;

use super::arguments::Manifests;
use crate::{
    model::Outcome,
    operations::{Context, render},
};

/// print the final manifests
#[derive(Debug, Args)]
pub(super) struct Render {
    #[command(flatten)]
    manifests: Manifests,
    /// print the values of Secrets, too
    #[arg(long)]
    reveal: bool,
}

impl Render {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        render::run(context, render::Options { files: self.manifests.files, secrets: self.reveal }).await
    }
}
