//! `build`: every image of the app for this commit, in parallel.

use std::path::Path;

use futures::future::join_all;

use super::{
    Context,
    application::Application,
    failure::{Failure, all, conclude},
    secret,
};
use crate::{
    config::ImageSettings,
    docker::{self, BuildRequest, Engine},
    model::{Answer, Commit, Outcome, Problem, Reference},
    registry::Registry,
};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Print what would be sent, and stop.
    pub(crate) list_context: bool,
}

pub(crate) async fn run(context: &Context, options: Options) -> Outcome {
    conclude(async |outcome| {
        let application = Application::read(context, &[])?;
        if options.list_context {
            application.describe(outcome);
            outcome.answer = Answer::Text(listed(&application)?);
            return Ok(());
        }
        application.announce(context, outcome);
        outcome.answer = Answer::Built(build(context, &application).await?);
        Ok(())
    })
    .await
}

/// Builds and tags; answers the references.
pub(super) async fn build(context: &Context, application: &Application) -> Result<Vec<Reference>, Failure> {
    let engine = Engine::connect(&context.variables).await?;
    let registry = application.registry(context);
    let images = &application.images;
    let builds = images.iter().map(|image| build_one(context, application, &engine, &registry, image));
    all(join_all(builds).await)
}

async fn build_one(
    context: &Context,
    application: &Application,
    engine: &Engine,
    registry: &Registry,
    image: &ImageSettings,
) -> Result<Reference, Failure> {
    let secrets = secret::of_build(context, &application.checkout.folder, image)?;
    let request = BuildRequest { secrets, ..request(application, image) };
    let logins = registry.logins()?;
    let built = engine.build(&request, &logins, context.listener.as_ref(), &context.stop).await;
    built.map_err(|error| shown_from(&application.checkout.facts.root, error.into()))?;
    Ok(request.reference)
}

/// Places are shown relative to the repository, as in the manifests' errors.
fn shown_from(root: &Path, mut problem: Problem) -> Problem {
    if let Some(place) = &mut problem.place
        && let Ok(relative) = Path::new(&place.file).strip_prefix(root)
    {
        place.file = relative.display().to_string();
    }
    problem
}

fn request(application: &Application, image: &ImageSettings) -> BuildRequest {
    let root = &application.checkout.folder;
    let reference = application.reference(image);
    BuildRequest {
        context: root.join(&image.context),
        dockerfile: root.join(&image.dockerfile),
        target: image.target.clone(),
        args: image.args.clone(),
        labels: application.target.commit.as_ref().map(|commit| labels(application, commit)).unwrap_or_default(),
        secrets: Vec::new(),
        platform: image.platform.clone(),
        shared_key: format!("{}:{}:{}", root.display(), image.dockerfile, image.target.as_deref().unwrap_or_default()),
        reference,
    }
}

/// Where the image comes from (github.com/opencontainers/image-spec: annotations). `created` is the commit's time, so
/// that one commit always gives one image.
fn labels(application: &Application, commit: &Commit) -> std::collections::BTreeMap<String, String> {
    let mut labels = std::collections::BTreeMap::new();
    labels.insert("org.opencontainers.image.revision".to_owned(), commit.sha.clone());
    if let Ok(created) = jiff::Timestamp::from_second(commit.time) {
        labels.insert("org.opencontainers.image.created".to_owned(), created.to_string());
    }
    if let Some(url) = &application.checkout.facts.remote_url {
        let source = url.strip_suffix(".git").unwrap_or(url).to_owned();
        labels.insert("org.opencontainers.image.source".to_owned(), source);
    }
    labels
}

/// The files that would be sent, one a line, with their sizes.
fn listed(application: &Application) -> Result<String, Failure> {
    let mut text = String::new();
    for image in &application.images {
        for file in docker::context_files(&request(application, image))? {
            text.push_str(&format!("{:>10}  {}\n", file.size, file.path));
        }
    }
    Ok(text)
}
