//! `shipway build`

use clap::Args;

use crate::{
    model::Outcome,
    operations::{Context, build},
};

/// build every image of the app for this commit
#[derive(Debug, Args)]
pub(super) struct Build {
    /// print the files that would be sent to the engine, and stop
    #[arg(long)]
    list_context: bool,
}

impl Build {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        build::run(context, build::Options { list_context: self.list_context }).await
    }
}
