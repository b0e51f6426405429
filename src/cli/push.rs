//! `shipway push`

use clap::Args;

use crate::{
    model::Outcome,
    operations::{Context, push},
};

/// push the built images, print them as repo:tag@digest
#[derive(Debug, Args)]
pub(super) struct Push;

impl Push {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        push::run(context).await
    }
}
