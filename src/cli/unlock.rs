//! `shipway unlock`

use clap::Args;

use crate::{
    model::Outcome,
    operations::{Context, unlock},
};

/// take the lock away from the run that holds it
#[derive(Debug, Args)]
pub(super) struct Unlock;

impl Unlock {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        unlock::run(context).await
    }
}
