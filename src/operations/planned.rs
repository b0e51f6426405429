//! A plan in a file: written by `plan --out`, carried out by `deploy --plan`.

use std::{
    hash::{BuildHasher as _, RandomState},
    path::{Path, PathBuf},
};

use super::{
    Context,
    application::Application,
    clusters,
    failure::Failure,
    namespace,
    prepare::{self, Base, Draft, Prepared},
    record, rights,
};
use crate::{
    cluster::{Cluster, History},
    config::ImageSettings,
    files, kinds,
    model::{
        Evidence, Exit, Image, Live, ObjectId, Origin, Problem, Reference, Release, Rendered, SourceEvent, Sourced,
        Target, Traffic,
    },
    plan::{self, Content, Planned, PlannedObject},
    registry::Registry,
};

/// Writes what was planned, for one cluster or several, into a file that only its owner may read.
pub(super) fn write(context: &Context, parts: &[Planned], file: &Path) -> Result<(), Failure> {
    let name = file.display().to_string();
    let text = plan::encode(parts).map_err(|error| {
        Problem::new("plan-file", Exit::Bug, format!("the plan cannot be written to {name}: {error}"))
    })?;
    Ok(files::write_private(&context.directory.join(file), &name, &text)?)
}

/// What is kept of a release that was prepared for one cluster.
pub(super) fn of(application: &Application, cluster: &Cluster, prepared: &Prepared) -> Planned {
    let Prepared { release, history, jobs, changes, .. } = prepared;
    let Release { target, images, color, objects } = release;
    let settings = &application.checkout.settings;
    let random = || RandomState::new().hash_one(std::process::id());
    let key = format!("{:016x}{:016x}", random(), random());
    let objects = objects.iter().zip(&prepared.live).zip(prepared.sent()).map(|((object, live), sent)| PlannedObject {
        id: object.id.clone(),
        content: match is_confidential(object) {
            true => Content::Keyed(plan::keyed(&key, &object.json)),
            false => Content::Rendered(Box::new(object.clone())),
        },
        live: plan::state(live, sent, &key),
    });
    Planned {
        at: jiff::Timestamp::now(),
        by: record::holder(target),
        server: cluster.connection().server.clone(),
        context: application.checkout.settings.context.as_ref().map(|context| context.value.clone()),
        app: target.app.clone(),
        environment: target.environment.value.clone(),
        namespace: target.namespace.value.clone(),
        branch: target.branch.as_ref().map(|branch| branch.value.clone()),
        git_tag: target.git_tag.as_ref().map(|tag| tag.value.clone()),
        commit: target.commit.clone(),
        pull_request: target.pull_request.clone(),
        tag: target.tag.value.clone(),
        images: images.clone(),
        color: color.clone(),
        live_color: prepared.live_color.clone(),
        revision: history.next,
        last: history.records.last().map(|record| (record.revision, record.state)),
        order: prepared.order.clone(),
        given: application.given,
        prune: [settings.prune, settings.prune_all, settings.yes_prune],
        objects: objects.collect(),
        jobs: jobs.clone(),
        skipped: changes.iter().filter(|change| change.change == crate::model::Change::Skipped).cloned().collect(),
        gone: plan::uids(&prepared.gone),
        key,
    }
}

fn is_confidential(object: &Rendered) -> bool {
    kinds::find(&object.id.group, &object.id.kind).is_some_and(|kind| kind.confidential)
}

/// Reads a plan, a part for each cluster.
///
/// # Errors
/// It is none, was changed, or is of another version.
pub(super) fn read(context: &Context, file: &Path) -> Result<Vec<Planned>, Failure> {
    let name = file.display().to_string();
    let text = files::read_text(&context.directory.join(file), &name)?;
    Ok(plan::decode(&text.text, &name)?)
}

/// The app as the plan has it. Manifests are read only where the plan lacks values of Secrets.
///
/// # Errors
/// The plan is for another app, environment, namespace or other clusters than this checkout goes to; `files` say what the
/// plan has.
pub(super) fn application(context: &Context, parts: &[Planned], files: &[PathBuf]) -> Result<Application, Failure> {
    let planned = &parts[0];
    let mut application = Application::without_manifests(context)?;
    let settings = &mut application.checkout.settings;
    [settings.prune, settings.prune_all, settings.yes_prune] = planned.prune;
    let ours = application.target.clone();
    let place =
        |app: &str, environment: &str, namespace: &str| format!("{app} in {environment} (namespace {namespace})");
    let theirs = place(&planned.app, &planned.environment, &planned.namespace);
    let here = place(&ours.app, &ours.environment.value, &ours.namespace.value);
    if theirs != here {
        let text = format!("the plan is for {theirs}, and this is {here}");
        let hint = format!("run it in the repository of {}, with `--env {}`", planned.app, planned.environment);
        return Err(Problem::new("plan-elsewhere", Exit::Input, text).hint(hint).into());
    }
    same_clusters(parts, &application)?;
    let origin = || Origin::Rule(format!("the plan of {}", planned.at.strftime("%Y-%m-%d %H:%M UTC")));
    let sourced = |text: &String| Sourced::new(text.clone(), origin());
    application.target = Target {
        branch: planned.branch.as_ref().map(sourced),
        git_tag: planned.git_tag.as_ref().map(sourced),
        commit: planned.commit.clone(),
        pull_request: planned.pull_request.clone(),
        tag: sourced(&planned.tag),
        ..ours
    };
    let settings =
        |image: &Image| ImageSettings::conventional(Sourced::new(image.reference.repository.clone(), origin()));
    application.images = planned.images.iter().map(settings).collect();
    application.given = planned.given;
    let has_secrets = planned.objects.iter().any(|object| matches!(object.content, Content::Keyed(_)));
    let needs_files = has_secrets && planned.given;
    if !files.is_empty() && !needs_files {
        let text = "`--plan` does what is in its file, and `-f` names manifests";
        let hint = "leave out one of them; `-f` goes with a plan only where that was made with `-f` and has Secrets";
        return Err(Problem::new("usage", Exit::Input, text).hint(hint).into());
    }
    if has_secrets {
        application.read_manifests(context, files)?;
    }
    Ok(application)
}

/// The plan has a part for each cluster of this run, in their order. One for a single cluster is known by its server.
fn same_clusters(parts: &[Planned], application: &Application) -> Result<(), Failure> {
    let here: Vec<String> = application.contexts().into_iter().map(|context| context.value).collect();
    let theirs: Vec<String> = parts.iter().filter_map(|part| part.context.clone()).collect();
    if (parts.len() < 2 && here.len() < 2) || theirs == here {
        return Ok(());
    }
    let asked = application.checkout.settings.context.as_ref().map(|context| context.value.clone());
    let listed = |names: &[String]| if names.is_empty() { "one cluster".to_owned() } else { names.join(", ") };
    let here = if here.is_empty() { asked.into_iter().collect() } else { here };
    let text = format!("the plan is for {}, and this is for {}", listed(&theirs), listed(&here));
    let problem = Problem::new("plan-elsewhere", Exit::Input, text);
    Err(match &theirs[..] {
        [one] => problem.hint(format!("`--context {one}` takes that cluster alone")),
        _ => problem.hint("leave `--context` out, or make a plan for these clusters: `shipway plan --out FILE`"),
    }
    .into())
}

/// The part of the cluster that the application is on.
pub(super) fn part<'p>(parts: &'p [Planned], application: &Application) -> &'p Planned {
    let context = application.checkout.settings.context.as_ref().map(|context| &context.value);
    parts.iter().find(|part| part.context.as_ref() == context).unwrap_or(&parts[0])
}

/// Asks all clusters of a plan whether everything is as it was, so that none is written to where another has changed.
/// Each is asked again once its lock is held.
///
/// # Errors
/// What is not as it was, each with its cluster.
pub(super) async fn check(context: &Context, application: &Application, parts: &[Planned]) -> Result<(), Failure> {
    if parts.len() < 2 {
        return Ok(());
    }
    // what is kept, say, is told where it is carried out
    let quiet = context.unheard();
    let (_, problems) = clusters::ask(application.clone(), async |mut application| {
        let cluster = application.connect_quietly(context).await?;
        application.learn_kinds(&cluster).await?;
        let part = part(parts, &application);
        let same = async {
            let base = prepare::base(&application, &cluster).await?;
            prepare(&quiet, &application, &cluster, (part, None), base).await.map(drop)
        };
        rights::explain(&application, &cluster, same.await).await
    })
    .await;
    if problems.is_empty() { Ok(()) } else { Err(Failure(problems)) }
}

/// Asks the registry for the images of the plan, and tells them.
///
/// # Errors
/// One is not there any more, or its tag means another one by now.
pub(super) async fn images(
    context: &Context,
    application: &Application,
    (planned, registry): (&Planned, &Registry),
) -> Result<Vec<Image>, Failure> {
    if !application.checkout.settings.deploy.registry_check.value {
        return Ok(planned.images.clone());
    }
    let mut moved = Vec::new();
    for image in &planned.images {
        let found = registry.resolve(&Reference { digest: None, ..image.reference.clone() }).await?;
        if found.reference.digest != image.reference.digest {
            let short = |image: &Image| image.reference.short();
            moved.push(format!("the registry has {} under this tag, and had {}", short(&found), short(image)));
        }
        context.tell(SourceEvent::Image { image: found });
    }
    if moved.is_empty() { Ok(planned.images.clone()) } else { Err(outdated(planned, moved)) }
}

/// What the plan makes of the target's namespace, where it is not there.
pub(super) fn namespace(planned: &Planned) -> Option<Rendered> {
    planned.objects.iter().filter(|object| object.id == namespace::id_of(&planned.namespace)).find_map(rendered)
}

/// Takes the release out of the plan, and surveys it: what is carried out afterwards is what was planned. `made` is the
/// Namespace, where this run has just made it.
///
/// # Errors
/// Anything that is not as it was, each named; a Secret of the manifests that is not as planned.
pub(super) async fn prepare(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    (planned, made): (&Planned, Option<&ObjectId>),
    base: Base,
) -> Result<Prepared, Failure> {
    if cluster.connection().server != planned.server {
        let text = format!("the plan is for {}, and this is {}", planned.server, cluster.connection().server);
        let hint = "choose the cluster by `--context` or `--server`";
        return Err(Problem::new("plan-elsewhere", Exit::Input, text).hint(hint).into());
    }
    let Base { history, traffic, made: applied, .. } = base;
    // all that follows stands on these
    refuse(planned, plan::moved_on(planned, history.next, history.records.last(), traffic.as_ref()))?;
    let (objects, changed) = objects(application, planned, &history, traffic.as_ref())?;
    refuse(planned, changed)?;
    let release = Release {
        target: application.target.clone(),
        images: planned.images.clone(),
        objects,
        color: planned.color.clone(),
    };
    let (jobs, skipped, order) = (planned.jobs.clone(), planned.skipped.clone(), planned.order.clone());
    let draft = Draft { release, jobs, skipped, history, traffic, made: applied, order, source: None };
    let prepared = prepare::survey(context, application, cluster, draft).await?;
    let own = prepared.live.iter().find(|live| made == Some(&live.id));
    let own = own.map(|live| Live { id: live.id.clone(), resource: live.resource.clone(), body: None });
    let live = prepared.live.iter().map(|live| own.as_ref().filter(|own| own.id == live.id).unwrap_or(live));
    let there: Vec<_> = live.zip(prepared.sent()).collect();
    refuse(planned, plan::differences(planned, &there, &prepared.gone, jiff::Timestamp::now()))?;
    Ok(prepared)
}

/// The objects of the plan; Secrets are rendered anew, and what of them is not as planned is told.
fn objects(
    application: &Application,
    planned: &Planned,
    history: &History,
    traffic: Option<&Traffic>,
) -> Result<(Vec<Rendered>, Vec<String>), Failure> {
    let has_secrets = planned.objects.iter().any(|object| matches!(object.content, Content::Keyed(_)));
    let fresh = match has_secrets {
        true => prepare::release(application, &planned.images, traffic, Some(history))?.release.objects,
        false => Vec::new(),
    };
    let (mut objects, mut changed) = (Vec::with_capacity(planned.objects.len()), Vec::new());
    for object in &planned.objects {
        let again = |hash: &String| {
            let found = fresh.iter().find(|fresh| fresh.id == object.id);
            found.filter(|found| plan::keyed(&planned.key, &found.json) == *hash).cloned()
        };
        let taken = match &object.content {
            Content::Rendered(_) => rendered(object),
            Content::Keyed(hash) => again(hash),
        };
        match taken {
            Some(taken) => objects.push(taken),
            None if planned.given => {
                changed.push(format!("{} is not in the manifests as it was; the plan was made with -f", object.id));
            }
            None => changed.push(format!("{} is not in the manifests as it was", object.id)),
        }
    }
    Ok((objects, changed))
}

fn rendered(object: &PlannedObject) -> Option<Rendered> {
    match &object.content {
        Content::Rendered(rendered) => Some(rendered.as_ref().clone()),
        Content::Keyed(_) => None,
    }
}

fn refuse(planned: &Planned, differences: Vec<String>) -> Result<(), Failure> {
    if differences.is_empty() { Ok(()) } else { Err(outdated(planned, differences)) }
}

fn outdated(planned: &Planned, differences: Vec<String>) -> Failure {
    let at = planned.at.strftime("%Y-%m-%d %H:%M UTC");
    let text = format!("nothing was deployed: not all is as it was when the plan was made ({at}, by {})", planned.by);
    Problem::new("plan-outdated", Exit::Cluster, text)
        .with(Evidence::new("changed since", differences))
        .hint("`shipway plan --out FILE` makes a new one")
        .into()
}
