//! What is wrong with the manifests is told at once: what the files show, and what the server finds in a rehearsal.

use std::{path::PathBuf, time::Duration};

use tokio::time::timeout;

use super::{
    Context,
    application::Application,
    failure::Failure,
    places,
    prepare::{self, Base},
    rehearsal::{rehearse, trusted},
};
use crate::{
    cluster::Cluster,
    model::{Exit, Image, Problem},
    render,
};

/// What the files show does not wait longer for a server.
const FIRST_ANSWER: Duration = Duration::from_secs(4);
/// For a server that has answered.
const REHEARSAL: Duration = Duration::from_secs(10);

/// Reads the app for a verb that writes to the cluster, or says what it would write. Where the files show faults, the
/// server is asked for its own; nothing is written for that, the lock neither.
///
/// # Errors
/// All faults, in the order of the files; those of the files alone where no server tells at once.
pub(super) async fn read(context: &Context, files: &[PathBuf]) -> Result<Application, Failure> {
    let application = Application::read_with_faults(context, files)?;
    let shown = shown(&application);
    if shown.0.is_empty() {
        return Ok(application);
    }
    let found = tokio::select! {
        found = rehearsed(context, application.on_first()) => found,
        () = context.stop.wait() => Vec::new(),
    };
    Err(with(&application, shown, found))
}

/// What the files show before a release is made of them.
fn shown(application: &Application) -> Failure {
    let (manifests, settings) = (&application.manifests, &application.checkout.settings);
    let built = application.images.iter().map(|image| &image.repository.value);
    let unused = render::unused(manifests, built, &settings.image_paths.value);
    places::of_rendering([manifests.faults(), &unused].concat(), &application.images)
}

/// Why a deploy would go no further than its rehearsal.
async fn rehearsed(context: &Context, mut application: Application) -> Vec<Problem> {
    let asked = async {
        let Ok(cluster) = application.connect_quietly(context).await else { return Ok(None) };
        let cluster = cluster.with_patience(Duration::ZERO, &context.stop);
        application.learn_kinds(&cluster).await?;
        let base = prepare::base(&application, &cluster).await?;
        Ok::<_, Failure>(Some((cluster, base)))
    };
    let (cluster, base) = match timeout(FIRST_ANSWER, asked).await {
        Ok(Ok(Some(answered))) => answered,
        Ok(Err(Failure(problems))) => return problems,
        Ok(Ok(None)) | Err(_) => return Vec::new(),
    };
    // whether they are at the registry makes no difference to the server
    let images = application.images_by_tag();
    let prepared = prepare::prepare(&context.unheard(), &application, &cluster, images, base).await;
    prepared.map_or_else(|Failure(problems)| problems, |_| Vec::new())
}

/// The faults that keep a release from being made, together with those that the server finds in what can be made.
pub(super) async fn with_rehearsal(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    (images, base): (&[Image], &Base),
    shown: Failure,
) -> Failure {
    let (objects, known) = (prepare::sound(application, images, base), trusted(&base.history));
    let rehearsed = async {
        let (surveyed, autoscalers) = prepare::look(cluster, &objects, &known).await;
        rehearse(&context.unheard(), application, cluster, (&objects, &surveyed?, autoscalers?)).await
    };
    match timeout(REHEARSAL, rehearsed).await {
        Ok(Err(Failure(found))) => with(application, shown, found),
        Ok(Ok(_)) | Err(_) => shown,
    }
}

fn with(application: &Application, shown: Failure, mut found: Vec<Problem>) -> Failure {
    // a kind that is not served may be defined by what is lacking
    found.retain(|found| !(found.code == "api-version" && application.manifests.lack_some()));
    together(shown, found)
}

/// Adds what is the manifests' own fault. What the server finds at a place that is told already is the same fault.
fn together(Failure(shown): Failure, found: Vec<Problem>) -> Failure {
    let is_same = |one: &Problem, other: &Problem| one == other || (one.place.is_some() && one.place == other.place);
    let is_of_the_manifests =
        |found: &Problem| found.exit == Exit::Input || matches!(found.code, "invalid" | "immutable-field");
    let is_new = |found: &Problem| is_of_the_manifests(found) && !shown.iter().any(|shown| is_same(shown, found));
    let found: Vec<Problem> = found.into_iter().filter(is_new).collect();
    places::in_order([shown, found].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Place;

    #[test]
    fn faults_of_the_manifests_are_told_once_and_in_the_order_of_the_files() {
        let problem = |code, exit, file: &str, line| {
            let place = Place { file: file.to_owned(), line, column: 1, snippet: None };
            Problem::new(code, exit, format!("{code} {file}")).at(place)
        };
        let nowhere = Problem::new("color", Exit::Input, "no manifest is of the colour blue");
        let shown = vec![nowhere.clone(), problem("duplicate-key", Exit::Input, "b.yaml", 12)];
        let found = vec![
            problem("immutable-field", Exit::Cluster, "a.yaml", 1),
            problem("quota-exceeded", Exit::Cluster, "a.yaml", 1),
            problem("manifest", Exit::Input, "b.yaml", 12),
            problem("manifest", Exit::Input, "b.yaml", 9),
            problem("manifest", Exit::Input, "a.yaml", 20),
            nowhere,
        ];
        let Failure(told) = together(Failure(shown), found);
        let told: Vec<_> =
            told.iter().map(|problem| (problem.code, problem.place.as_ref().map_or(0, |place| place.line))).collect();
        let expected = [("manifest", 20), ("manifest", 9), ("duplicate-key", 12), ("color", 0), ("immutable-field", 1)];
        assert_eq!(told, expected);
    }
}
