//! `render`: the final manifests on stdout, without a cluster.

use std::path::PathBuf;

use super::{
    Context,
    application::Application,
    failure::{Failure, conclude},
};
use crate::{
    model::{Answer, Outcome},
    render::{self, Rendering},
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) files: Vec<PathBuf>,
}

pub(crate) async fn run(context: &Context, options: Options) -> Outcome {
    conclude(async |outcome| {
        let application = Application::read(context, &options.files)?;
        application.describe(outcome);
        outcome.answer = Answer::Text(rendered(context, &application).await?);
        Ok(())
    })
    .await
}

async fn rendered(context: &Context, application: &Application) -> Result<String, Failure> {
    let registry = application.registry(context);
    let images = application.resolve_images(context, &registry).await?;
    let settings = &application.checkout.settings;
    let blue_green = settings.blue_green.as_ref();
    let rendering = Rendering {
        images: &images,
        blue_green,
        color: blue_green.map(|blue_green| blue_green.other(None)),
        live_selector: None,
        allow: &settings.allow,
    };
    let prepared = render::release(&application.target, &application.manifests, &rendering)?;
    for note in prepared.notes {
        context.tell(note);
    }
    Ok(render::print(&prepared.release))
}
