//! `shipway status`

use std::path::PathBuf;

use clap::Args;

use crate::{
    model::Outcome,
    operations::{Context, status},
};

/// tell what runs where
///
/// Exits 0 where all that is deployed is healthy, 6 where something fails, 7 where something is not ready yet, 5 where an
/// environment could not be asked.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// judge objects saved from a cluster (kubectl get .. -o yaml), offline; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// go on and tell what changes, until Ctrl-C
    #[arg(short = 'w', long, conflicts_with = "files")]
    watch: bool,
}

impl Status {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        status::run(context, status::Options { files: self.files, watch: self.watch }).await
    }
}
