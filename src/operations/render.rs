//! `render`: the final manifests on stdout, without a cluster.

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    Context,
    application::Application,
    failure::{Failure, conclude},
    places,
};
use crate::{
    kinds,
    model::{Answer, Note, ObjectId, Outcome},
    render::{self, Rendering},
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) files: Vec<PathBuf>,
    /// Print the values of Secrets too.
    pub(crate) secrets: bool,
}

pub(crate) async fn run(context: &Context, options: Options) -> Outcome {
    conclude(async |outcome| {
        let application = Application::read(context, &options.files)?;
        application.describe(outcome);
        outcome.answer = Answer::Text(rendered(context, &application, options.secrets).await?);
        Ok(())
    })
    .await
}

async fn rendered(context: &Context, application: &Application, secrets: bool) -> Result<String, Failure> {
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
        image_paths: &settings.image_paths.value,
        elsewhere: &[],
        revision: None,
        runs: &[],
        given: application.given,
        own: &BTreeSet::new(),
        is_first: false,
    };
    let prepared = render::release(&application.target, &application.manifests, &rendering)
        .map_err(|errors| places::of_rendering(errors, &application.images))?;
    let is_confidential = |id: &ObjectId| kinds::find(&id.group, &id.kind).is_some_and(|kind| kind.confidential);
    if !secrets && prepared.release.objects.iter().any(|object| is_confidential(&object.id)) {
        let text = "the values of Secrets are left out, so no server takes them; `shipway render --reveal` prints them";
        context.tell(Note::attention("render", text));
    }
    for note in prepared.notes {
        context.tell(note);
    }
    Ok(render::print(&prepared.release, secrets))
}
