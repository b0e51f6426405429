//! From objects and images to a plan: everything is asked, checked and rehearsed before the first write.

use futures::future::try_join;

use super::{
    Context, application::Application, apply::Step, failure::Failure, ownership, places, prune, replicas, rights,
};
use crate::{
    cluster::{Cluster, History, Rehearsed, is_untouched, owns_all},
    model::{
        Ancestry, ApplyEvent, Commit, FieldPath, Image, JobRun, Live, Note, ObjectChange, Record, RecordState, Release,
        Rendered, Traffic, Verdict,
    },
    plan,
    render::{self, Rendering},
    rollout::Conclusion,
    source,
};

/// A release that was rehearsed, with what the cluster has now.
pub(super) struct Prepared {
    pub(super) release: Release,
    /// In the order of `release.objects`.
    pub(super) live: Vec<Live>,
    /// The same order; after them what is passed over.
    pub(super) changes: Vec<ObjectChange>,
    /// In the order of `release.objects`: true where shipway owns every field that it would send.
    owned: Vec<bool>,
    replicas: replicas::Decided,
    pub(super) history: History,
    pub(super) jobs: Vec<JobRun>,
    /// The commit that is deployed now and how ours stands to it, in words.
    pub(super) order: Option<String>,
    /// What is deleted once all is healthy.
    pub(super) gone: Vec<Live>,
    /// True where the manifests came from another renderer.
    pub(super) given: bool,
    /// The revision that is gone back to.
    pub(super) source: Option<u64>,
    /// The colour that serves.
    pub(super) live_color: Option<String>,
}

impl Prepared {
    pub(super) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.release.objects.iter().zip(&self.live).zip(&self.changes).zip(&self.owned).map(
            |(((object, live), change), owned)| {
                let replicas = self.replicas.get(&object.id);
                Step { object, live, change, owned: *owned, replicas }
            },
        )
    }

    /// The objects as they are sent.
    pub(super) fn sent(&self) -> impl Iterator<Item = &Rendered> {
        let objects = self.release.objects.iter();
        objects.map(|object| self.replicas.get(&object.id).map_or(object, |replicas| &replicas.sent))
    }

    /// What is true while a rollout is under way, and stays true if the run is stopped in it.
    pub(super) fn what_is_unproven(&self) -> String {
        let applied = format!("{} is applied, but not proven", self.release.target.tag.value);
        match self.history.last_succeeded() {
            Some(record) => format!("{applied}; {} was proven last", record.tag),
            None => applied,
        }
    }

    /// What still serves after a failure: the last deploy that succeeded, where the rollout left old pods.
    pub(super) fn what_serves(&self, conclusion: &Conclusion) -> Option<String> {
        let old: usize = conclusion
            .states
            .iter()
            .filter(|(_, verdict, _)| !matches!(verdict, Verdict::Ready))
            .map(|(_, _, progress)| progress.old)
            .sum();
        match (old, self.history.last_succeeded()) {
            (0, None) => Some("nothing served before, and nothing does now".to_owned()),
            (0, Some(_)) => None,
            (pods, Some(record)) => Some(format!("the old version still serves: {pods} pods run {}", record.tag)),
            (pods, None) => Some(format!("{pods} older pods still serve")),
        }
    }
}

/// A release before the cluster was asked about its objects: rendered from manifests, or out of a record.
pub(super) struct Draft {
    pub(super) release: Release,
    pub(super) jobs: Vec<JobRun>,
    /// What of the manifests is no part of it.
    pub(super) skipped: Vec<ObjectChange>,
    pub(super) history: History,
    pub(super) traffic: Option<Traffic>,
    pub(super) order: Option<String>,
    /// The revision that is gone back to.
    pub(super) source: Option<u64>,
}

/// Reads what is there, renders the release for it, and rehearses every write at the server.
pub(super) async fn prepare(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    images: Vec<Image>,
) -> Result<Prepared, Failure> {
    let (history, traffic) = try_join(history(application, cluster), application.traffic(cluster)).await?;
    let (order, notes) = admit(application, history.last_succeeded())?;
    for note in notes {
        context.tell(note);
    }
    let render::Prepared { release, skipped, notes, jobs } =
        release(application, &images, traffic.as_ref(), Some(&history))?;
    for note in notes {
        context.tell(note);
    }
    survey(context, application, cluster, Draft { release, jobs, skipped, history, traffic, order, source: None }).await
}

/// Asks what the cluster has of a release, and rehearses what of it would be written. Every release passes here.
pub(super) async fn survey(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    draft: Draft,
) -> Result<Prepared, Failure> {
    let Draft { release, jobs, skipped, history, traffic, order, source } = draft;
    let live = cluster.survey(&release.objects).await?;
    ownership::check(context, application, &release.objects, &live)?;
    let (rehearsed, replicas) =
        rehearse_touched(context, application, cluster, (&release.objects, &live), &history).await?;
    let owned = live.iter().zip(&rehearsed).map(|pair| match pair {
        (Live { body: Some(live), .. }, Some(rehearsed)) => owns_all(live, rehearsed),
        _ => false,
    });
    let owned = owned.collect();
    let objects = release.objects.iter();
    let sent: Vec<&Rendered> =
        objects.map(|object| replicas.get(&object.id).map_or(object, |replicas| &replicas.first)).collect();
    let mut changes = plan::changes(&sent, &live, &rehearsed, jiff::Timestamp::now());
    changes.extend(skipped);
    let found = prune::Known { release: &release, live: &live, history: &history, jobs: &jobs, changes: &changes };
    let gone = prune::decide(context, application, cluster, &found, traffic.as_ref()).await?;
    changes.extend(gone.iter().map(prune::change));
    rights::foresee(context, cluster, &release, (&changes, &gone)).await?;
    let (given, live_color) = (application.given, traffic.and_then(|traffic| traffic.color));
    Ok(Prepared { release, live, changes, owned, replicas, history, jobs, order, gone, given, source, live_color })
}

pub(super) async fn history(application: &Application, cluster: &Cluster) -> Result<History, Failure> {
    let target = &application.target;
    Ok(cluster.history(&target.namespace.value, &target.app, &target.environment.value).await?)
}

/// Refuses what would go backwards; says how the commit stands to the deployed one.
fn admit(application: &Application, latest: Option<&Record>) -> Result<(Option<String>, Vec<Note>), Failure> {
    let target = &application.target;
    let deployed = latest.and_then(|record| record.commit.as_ref());
    let ancestry = match (latest, deployed, &target.commit) {
        (Some(latest), Some(deployed), Some(ours)) => {
            let by_git = source::ancestry(&application.checkout.facts.root, &deployed.sha, &ours.sha);
            plan::ancestry(latest, ours, by_git)
        }
        _ => Ancestry::Unknown,
    };
    let notes = plan::admit(target, latest, ancestry, application.checkout.settings.allow_older)?;
    Ok((deployed.map(|deployed| plan::order(&deployed.sha, ancestry)), notes))
}

/// Rendered for what serves and ran before; without either as for a first deploy.
pub(super) fn release(
    application: &Application,
    images: &[Image],
    traffic: Option<&Traffic>,
    history: Option<&History>,
) -> Result<render::Prepared, Failure> {
    let settings = &application.checkout.settings;
    let blue_green = settings.blue_green.as_ref();
    let live_color = traffic.and_then(|traffic| traffic.color.as_deref());
    let serves =
        live_color.filter(|color| history.is_some_and(|history| is_release_of(application, images, history, color)));
    let color = blue_green.map(|blue_green| serves.unwrap_or_else(|| blue_green.other(live_color)).to_owned());
    let rendering = Rendering {
        images,
        blue_green,
        color: color.as_deref(),
        live_selector: traffic.map(|traffic| &traffic.selector),
        allow: &settings.allow,
        image_paths: &settings.image_paths.value,
        elsewhere: &application.elsewhere,
        revision: history.map(|history| history.next),
        runs: &history.map(|history| earlier_runs(history, settings.rerun_hooks)).unwrap_or_default(),
        is_first: history.is_none_or(|history| history.last_succeeded().is_none()),
    };
    let released = render::release(&application.target, &application.manifests, &rendering);
    released.map_err(|errors| places::of_rendering(errors, &application.images))
}

/// True where this very commit, with the same images, is what a colour was last proven to run: a CI job that is repeated
/// must find nothing to do, and leave the other colour as the way back.
fn is_release_of(application: &Application, images: &[Image], history: &History, color: &str) -> bool {
    let newest = history.records.iter().rev().find(|record| record.color.as_deref() == Some(color));
    let sha = |commit: &Option<Commit>| commit.as_ref().map(|commit| commit.sha.clone());
    newest.is_some_and(|record| {
        record.state == RecordState::Succeeded
            && sha(&record.commit) == sha(&application.target.commit)
            && record.images == images
    })
}

/// Jobs that need not be made anew: those that completed, and those of a run that was killed before it knew. One that
/// failed is run again, and with `--rerun-hooks` one that completed as well.
fn earlier_runs(history: &History, rerun: bool) -> Vec<JobRun> {
    let counts = |record: &Record, run: &JobRun| record.state == RecordState::Running || (run.done && !rerun);
    let newest_first = history.records.iter().rev();
    newest_first.flat_map(|record| record.jobs.iter().filter(|run| counts(record, run)).cloned()).collect()
}

/// Rehearses what the last record does not prove to be as it was written; what it proves stands for its own rehearsal.
async fn rehearse_touched(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    (objects, live): (&[Rendered], &[Live]),
    history: &History,
) -> Result<(Vec<Option<serde_json::Value>>, replicas::Decided), Failure> {
    // a run that failed or was killed may have written what it could not record
    let last = history.records.last().filter(|record| record.state == RecordState::Succeeded);
    let is_proven = |object: &Rendered, live: &serde_json::Value| {
        let recorded = last.and_then(|record| record.applied.iter().find(|applied| applied.id == object.id));
        recorded.is_some_and(|recorded| is_untouched(recorded, object, live))
    };
    let mut bodies: Vec<Option<serde_json::Value>> = objects
        .iter()
        .zip(live)
        .map(|(object, live)| live.body.clone().filter(|body| is_proven(object, body)))
        .collect();
    let untouched = { objects.iter().zip(&bodies) }.filter_map(|(object, body)| Some((object, body.as_ref()?)));
    replicas::tell_kept(context, objects, untouched);
    let touched: Vec<usize> = (0..bodies.len()).filter(|position| bodies[*position].is_none()).collect();
    let release = objects;
    let mut objects: Vec<Rendered> = touched.iter().map(|position| objects[*position].clone()).collect();
    let live: Vec<Live> = touched.iter().map(|position| live[*position].clone()).collect();
    let decided = replicas::decide(context, cluster, (&objects, &live), release).await?;
    for object in &mut objects {
        *object = decided.get(&object.id).map_or_else(|| object.clone(), |replicas| replicas.first.clone());
    }
    let rehearsed = rehearse(context, application, cluster, &objects, &live).await?;
    for (position, body) in touched.into_iter().zip(rehearsed) {
        bodies[position] = body;
    }
    Ok((bodies, decided))
}

/// Every write as the server would do it. All refusals are told at once, with their places in the files.
async fn rehearse(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    objects: &[Rendered],
    live: &[Live],
) -> Result<Vec<Option<serde_json::Value>>, Failure> {
    let mut bodies = Vec::with_capacity(objects.len());
    let mut problems = Vec::new();
    for (object, answer) in objects.iter().zip(cluster.rehearse(objects, live).await) {
        match answer {
            Ok(Rehearsed::Done { mut body, leaving, adopts, .. }) => {
                FieldPath::remove_all(&leaving, &mut body);
                if !adopts.is_empty() {
                    context.tell(ApplyEvent::Adopted { object: object.id.clone(), managers: adopts });
                }
                bodies.push(Some(body));
            }
            Ok(Rehearsed::NotYet) => bodies.push(None),
            Ok(Rehearsed::Unsupported { why }) => {
                context.tell(Note::new("plan", format!("{} is not rehearsed: {why}", object.id)));
                bodies.push(None);
            }
            Err(error) => problems.extend(places::locate(&application.manifests, object, error)),
        }
    }
    if problems.is_empty() { Ok(bodies) } else { Err(Failure(problems)) }
}
