//! `push`: the images of this commit to their registries; the digest is what the registry answers.

use futures::future::join_all;

use super::{
    Context,
    application::Application,
    failure::{Failure, all, conclude},
};
use crate::{
    config::ImageSettings,
    docker::Engine,
    model::{Answer, Image, Note, Outcome},
    registry::Registry,
};

pub(crate) async fn run(context: &Context) -> Outcome {
    conclude(async |outcome| {
        let application = Application::read(context, &[])?;
        application.announce(context, outcome);
        outcome.answer = Answer::Pushed(push(context, &application).await?);
        Ok(())
    })
    .await
}

/// Pushes every image of the app, and moves `latest` where that is configured.
pub(super) async fn push(context: &Context, application: &Application) -> Result<Vec<Image>, Failure> {
    let engine = Engine::connect(&context.variables).await?;
    let registry = application.registry(context);
    let images = &application.images;
    let pushes = images.iter().map(|image| push_one(context, application, &engine, &registry, image));
    all(join_all(pushes).await)
}

async fn push_one(
    context: &Context,
    application: &Application,
    engine: &Engine,
    registry: &Registry,
    image: &ImageSettings,
) -> Result<Image, Failure> {
    let reference = application.reference(image);
    let login = registry.login(&reference.repository.registry)?;
    // asked first: the engine itself tries an absent registry for minutes
    registry.reach(&reference).await?;
    let digest = engine.push(&reference, login.as_ref(), context.listener.as_ref(), &context.stop).await?;
    let pushed = registry.resolve(&reference.with_digest(digest)).await?;
    if application.moves_latest() {
        registry.rename(&pushed.reference, "latest").await?;
        context.tell(Note::new("push", format!("{}:latest moved", reference.repository)));
    }
    Ok(pushed)
}
