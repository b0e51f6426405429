//! `config`: every value, and where it comes from.

use super::{Context, checkout::Checkout, failure::conclude};
use crate::{
    config,
    model::{Answer, Outcome},
};

pub(crate) async fn run(context: &Context) -> Outcome {
    conclude(async |outcome| {
        let checkout = Checkout::read(context)?;
        let target = checkout.target()?;
        let (json, text) = config::describe(&checkout.settings, &target);
        outcome.answer = Answer::Data { json, text };
        Ok(())
    })
    .await
}
