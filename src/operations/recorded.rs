//! A release out of a record: what was deployed before enters the survey again.

use std::collections::HashMap;

use futures::future::try_join_all;

use super::{
    Context,
    application::Application,
    failure::Failure,
    prepare::{self, Base, Draft, Prepared},
    secret,
};
use crate::{
    cluster::{Cluster, Survey},
    model::{
        Change, Exit, Image, ObjectChange, ObjectId, Origin, Problem, Record, Release, Rendered, SourceEvent, Sourced,
        Target,
    },
    plan,
    registry::Registry,
    render::{self, Again},
};

/// The target of a recorded release: the same place, with what was deployed there then.
pub(super) fn target(application: &Application, source: &Record) -> Target {
    let origin = || Origin::Rule(format!("revision {}", source.revision));
    Target {
        branch: source.branch.clone().map(|branch| Sourced::new(branch, origin())),
        git_tag: None,
        commit: source.commit.clone(),
        pull_request: source.pull_request.clone(),
        tag: Sourced::new(source.tag.clone(), origin()),
        ..application.target.clone()
    }
}

/// Asks the registry for the images of a record, and tells them.
///
/// # Errors
/// One is not there any more.
pub(super) async fn ask_for_images(
    context: &Context,
    application: &Application,
    registry: &Registry,
    source: &Record,
) -> Result<(), Failure> {
    if !application.checkout.settings.deploy.registry_check.value {
        return Ok(());
    }
    let found = try_join_all(source.images.iter().map(async |image: &Image| {
        let found = registry.resolve(&image.reference).await?;
        Ok::<_, Failure>(Image { reference: image.reference.clone(), ..found })
    }));
    for image in found.await? {
        context.tell(SourceEvent::Image { image });
    }
    Ok(())
}

/// Reads what is there, takes the objects out of the record, and rehearses what of them would be written.
///
/// # Errors
/// The objects are not kept, or the record's colour needs a switch and no rollback.
pub(super) async fn prepare(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    source: &Record,
    hooks: bool,
) -> Result<Prepared, Failure> {
    let Base { history, traffic, .. } = prepare::base(application, cluster).await?;
    let live = traffic.as_ref().and_then(|traffic| traffic.color.as_deref());
    let blue_green = application.checkout.settings.blue_green.as_ref();
    plan::may_go_back(source, &history.records, blue_green, live)?;
    let objects = objects(context, application, cluster, source).await?;
    let hooks = hooks.then_some(history.next);
    let how = Again { blue_green, live_color: live, hooks, runs: &source.jobs };
    let recorded = render::again(objects, &how);
    let (objects, mut skipped) = without_lost_volumes(cluster, recorded.objects).await?;
    skipped.extend(recorded.skipped);
    skipped.extend(of_the_other_color(&history.records, source, &objects));
    let release = Release {
        target: target(application, source),
        images: source.images.clone(),
        objects,
        color: source.color.clone(),
    };
    let draft = Draft {
        release,
        jobs: recorded.jobs,
        skipped,
        history,
        traffic,
        made: None,
        order: None,
        source: Some(source.revision),
    };
    prepare::survey(context, application, cluster, draft).await
}

async fn objects(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    source: &Record,
) -> Result<Vec<Rendered>, Failure> {
    let namespace = &application.target.namespace.value;
    let Some(objects) = cluster.kept_objects(namespace, source).await? else {
        let text = format!("the objects of revision {} are not kept", source.revision);
        let hint =
            format!("`shipway deploy --tag {}` deploys its image with the manifests of the checkout", source.tag);
        return Err(Problem::new("objects-missing", Exit::Input, text).hint(hint).into());
    };
    secret::learn(&context.redactor, objects.iter().map(Rendered::object));
    Ok(objects)
}

/// Volumes that were deleted since come back as empty ones at best: they are left out, and told.
async fn without_lost_volumes(
    cluster: &Cluster,
    objects: Vec<Rendered>,
) -> Result<(Vec<Rendered>, Vec<ObjectChange>), Failure> {
    let is_volume = |object: &&Rendered| {
        object.id.group.is_empty() && ["PersistentVolumeClaim", "PersistentVolume"].contains(&object.id.kind.as_str())
    };
    let volumes: Vec<Rendered> = objects.iter().filter(is_volume).cloned().collect();
    if volumes.is_empty() {
        return Ok((objects, Vec::new()));
    }
    let survey = Survey { objects: &volumes, known: &HashMap::new(), reads: |_| false, slim: |_, _| {} };
    let live = cluster.survey(survey).await?.live;
    let lost: Vec<ObjectId> = live.into_iter().filter(|live| live.body.is_none()).map(|live| live.id).collect();
    let left = objects.into_iter().filter(|object| !lost.contains(&object.id)).collect();
    let remark = "it is gone, and a rollback brings no volume back";
    Ok((left, lost.into_iter().map(|id| passed_over(id, remark.to_owned())).collect()))
}

/// In an app of two colours a release has one of them: what belongs to the other is not gone.
fn of_the_other_color(records: &[Record], source: &Record, objects: &[Rendered]) -> Vec<ObjectChange> {
    let mut theirs = plan::of_the_other_color(records, source);
    for object in objects {
        theirs.remove(&object.id);
    }
    theirs.into_iter().map(|(id, color)| passed_over(id.clone(), format!("of {color}"))).collect()
}

fn passed_over(object: ObjectId, remark: String) -> ObjectChange {
    ObjectChange { object, change: Change::Skipped, fields: Vec::new(), remark: Some(remark) }
}
