//! `config`: every value, and where it comes from.

use super::{Context, application::Application, checkout::Checkout, failure::conclude};
use crate::{
    config::{self, Settings},
    model::{Answer, Outcome},
};

pub(crate) async fn run(context: &Context) -> Outcome {
    conclude(async |outcome| {
        let checkout = Checkout::read(context)?;
        let target = checkout.target()?;
        // manifests that cannot be read are told by the commands that use them
        let settings = match Application::read_quietly(context, &[]) {
            Ok(application) => Settings { images: application.images, ..application.checkout.settings },
            Err(_) => checkout.settings,
        };
        let (json, rows) = config::describe(&settings, &target);
        outcome.answer = Answer::Data { json, rows };
        Ok(())
    })
    .await
}
