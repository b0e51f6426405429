//! `shipway history`

use clap::Args;

use crate::{
    model::Outcome,
    operations::{Context, history},
};

/// list what was deployed, when and by whom
#[derive(Debug, Args)]
pub(super) struct History {}

impl History {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        history::run(context).await
    }
}
