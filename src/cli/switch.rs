//! `shipway switch`

use clap::Args;

use crate::{
    model::Outcome,
    operations::{Context, switch},
};

/// move traffic to the colour of the newest proven release
#[derive(Debug, Args)]
pub(super) struct Switch {
    /// the colour to move to, whatever is newest
    #[arg(value_name = "COLOR")]
    color: Option<String>,

    /// move back to the other colour
    #[arg(long, conflicts_with = "color")]
    back: bool,
}

impl Switch {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        switch::run(context, switch::Options { color: self.color, back: self.back }).await
    }
}
