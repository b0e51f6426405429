//! `shipway status`

use std::path::PathBuf;

use clap::Args;

use crate::{
    model::Outcome,
    operations::{Context, status},
};

/// tell what runs where
#[derive(Debug, Args)]
pub(super) struct Status {
    /// judge objects saved from a cluster (kubectl get .. -o yaml), offline; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Status {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        status::run(context, status::Options { files: self.files }).await
    }
}
