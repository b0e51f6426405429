//! From objects and images to a plan: everything is asked, checked and rehearsed before the first write.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures::future::{join, try_join};

use super::{
    Context,
    application::Application,
    apply::Step,
    failure::Failure,
    faults,
    hooks::is_hook,
    namespace, ownership, places, prune,
    rehearsal::{Rehearsal, rehearse, release_bodies, slim, trusted},
    replicas, rights,
};
use crate::{
    cluster::{Cluster, ClusterError, History, Survey, Surveyed},
    kinds,
    model::{
        Ancestry, Applied, BlueGreen, Commit, Image, JobRun, Live, Note, ObjectChange, ObjectId, Record, RecordState,
        Release, Rendered, Stage, Traffic, Verdict,
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
    /// In the order of `release.objects`: what an apply would answer, where an object equals what is rendered.
    equal: Vec<Option<Arc<Applied>>>,
    /// The same order: true where it could not be rehearsed, for its kind is defined by this very release.
    pub(super) undefined: Vec<bool>,
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
    blue_green: Option<BlueGreen>,
}

impl Prepared {
    pub(super) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.release.objects.iter().zip(&self.live).zip(&self.changes).zip(&self.equal).map(
            |(((object, live), change), equal)| {
                let replicas = self.replicas.get(&object.id);
                let switched = self.blue_green.as_ref().filter(|blue_green| blue_green.switches(&object.id));
                let switched = switched.map(|blue_green| blue_green.label.as_str());
                Step { object, live, change, equal: equal.as_ref(), replicas, switched }
            },
        )
    }

    /// Takes in what became known of objects later, each by its place among those of the release.
    pub(super) fn learn(&mut self, learnt: Vec<(usize, Live, Rehearsal)>, replicas: replicas::Decided) {
        for (position, live, Rehearsal { change, equal }) in learnt {
            self.live[position] = live;
            self.changes[position] = change;
            self.equal[position] = equal;
            self.undefined[position] = false;
        }
        self.replicas.extend(replicas);
    }

    /// The objects as they are sent.
    pub(super) fn sent(&self) -> impl Iterator<Item = &Rendered> {
        let objects = self.release.objects.iter();
        objects.map(|object| self.replicas.get(&object.id).map_or(object, |replicas| &replicas.sent))
    }

    /// True where the cluster has all of it already, and nothing that would have to go.
    pub(super) fn writes_nothing(&self) -> bool {
        let mut steps = self.steps().filter(|step| step.object.stage != Stage::OnFailure);
        self.gone.is_empty() && steps.all(|step| step.equal.is_some())
    }

    /// What was read and is not written, for a rollout to take the bodies; nothing where a write made the look an old one.
    pub(super) fn fresh(&mut self) -> Vec<&mut Live> {
        if !self.writes_nothing() {
            return Vec::new();
        }
        let unwritten = self.live.iter_mut().zip(&self.equal).filter(|(_, equal)| equal.is_some());
        unwritten.map(|(live, _)| live).collect()
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
        still_serving(old, self.history.last_succeeded().map(|record| record.tag.as_str()))
    }
}

/// In words: so many old pods, of the deploy that succeeded last.
fn still_serving(pods: usize, last: Option<&str>) -> Option<String> {
    match (pods, last) {
        (0, None) => Some("nothing served before, and nothing does now".to_owned()),
        (0, Some(_)) => None,
        (1, Some(tag)) => Some(format!("the old version still serves: 1 pod runs {tag}")),
        (_, Some(tag)) => Some(format!("the old version still serves: {pods} pods run {tag}")),
        (1, None) => Some("1 older pod still serves".to_owned()),
        (_, None) => Some(format!("{pods} older pods still serve")),
    }
}

/// True for what a rollout judges by what it says, untouched or not. The Namespace is there: the lock is held in it.
pub(super) fn is_judged(id: &ObjectId) -> bool {
    id.kind != "Namespace" && !kinds::is_plain(&id.group, &id.kind)
}

/// What a release is made upon.
pub(super) struct Base {
    pub(super) history: History,
    pub(super) traffic: Option<Traffic>,
    /// The Namespace, where this run has just made it.
    pub(super) made: Option<Arc<Applied>>,
    /// The release as for a first deploy, where that was needed to make the Namespace.
    pub(super) first: Option<render::Prepared>,
}

/// Reads what earlier deploys recorded, and who serves.
pub(super) async fn base(application: &Application, cluster: &Cluster) -> Result<Base, Failure> {
    let (history, traffic) = try_join(history(application, cluster), application.traffic(cluster)).await?;
    Ok(Base { history, traffic, made: None, first: None })
}

/// The release as for a first deploy, and the target's own Namespace among it.
pub(super) fn first(
    application: &Application,
    images: &[Image],
) -> Result<(render::Prepared, Option<Rendered>), Failure> {
    let first = release(application, images, None, Some(&History::none()))?;
    let id = namespace::id_of(&application.target.namespace.value);
    let own = first.release.objects.iter().find(|object| object.id == id).cloned();
    Ok((first, own))
}

/// A release before the cluster was asked about its objects: rendered from manifests, or out of a record.
pub(super) struct Draft {
    pub(super) release: Release,
    pub(super) jobs: Vec<JobRun>,
    /// What of the manifests is no part of it.
    pub(super) skipped: Vec<ObjectChange>,
    pub(super) history: History,
    pub(super) traffic: Option<Traffic>,
    /// The Namespace, where this run has just made it.
    pub(super) made: Option<Arc<Applied>>,
    pub(super) order: Option<String>,
    /// The revision that is gone back to.
    pub(super) source: Option<u64>,
}

/// Renders the release for what is there, and rehearses every write at the server.
///
/// # Errors
/// Where the manifests have faults, all of them.
pub(super) async fn prepare(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    images: Vec<Image>,
    mut base: Base,
) -> Result<Prepared, Failure> {
    let (order, notes) = admit(application, base.history.last_succeeded())?;
    for note in notes {
        context.tell(note);
    }
    let first = base.first.take().filter(|_| base.history.is_none() && base.traffic.is_none());
    let again = || release(application, &images, base.traffic.as_ref(), Some(&base.history));
    let rendered = match first.map_or_else(again, Ok) {
        Ok(rendered) => rendered,
        Err(shown) => return Err(faults::with_rehearsal(context, application, cluster, (&images, &base), shown).await),
    };
    let render::Prepared { release, skipped, notes, jobs } = rendered;
    for note in notes {
        context.tell(note);
    }
    let Base { history, traffic, made, .. } = base;
    let draft = Draft { release, jobs, skipped, history, traffic, made, order, source: None };
    survey(context, application, cluster, draft).await
}

/// Asks what the cluster has of a release, and rehearses what of it would be written. Every release passes here.
pub(super) async fn survey(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    draft: Draft,
) -> Result<Prepared, Failure> {
    let Draft { release, jobs, skipped, history, traffic, made, order, source } = draft;
    let mut known = trusted(&history);
    known.extend(made.iter().map(|made| (&made.id, made)));
    let (surveyed, autoscalers) = look(cluster, &release.objects, &known).await;
    let mut surveyed = surveyed?;
    ownership::check(context, application, &release.objects, &surveyed.live)?;
    let rules = async {
        let writes = surveyed.live.iter().any(|live| live.body.is_none());
        let namespace = &application.target.namespace.value;
        if writes { Some(cluster.rules(namespace).await) } else { None }
    };
    let (rehearsed, rules) =
        join(rehearse(context, application, cluster, (&release.objects, &surveyed, autoscalers?)), rules).await;
    let (rehearsals, replicas) = rehearsed?;
    release_bodies(&mut surveyed.live, &rehearsals);
    let (live, undefined) = (surveyed.live, surveyed.undefined);
    let (mut changes, equal): (Vec<_>, Vec<_>) = rehearsals.into_iter().map(|of| (of.change, of.equal)).unzip();
    changes.extend(skipped);
    let found = prune::Known { release: &release, live: &live, history: &history, jobs: &jobs, changes: &changes };
    let gone = prune::decide(context, application, cluster, &found, traffic.as_ref()).await?;
    changes.extend(gone.iter().map(prune::change));
    rights::foresee(context, cluster, &release, rules, (&changes, &gone)).await?;
    Ok(Prepared {
        release,
        live,
        changes,
        equal,
        undefined,
        replicas,
        history,
        jobs,
        order,
        gone,
        given: application.given,
        source,
        live_color: traffic.and_then(|traffic| traffic.color),
        blue_green: application.checkout.settings.blue_green.clone(),
    })
}

/// What the cluster has of the objects; `known` is what the last deploy wrote.
pub(super) async fn look(
    cluster: &Cluster,
    objects: &[Rendered],
    known: &HashMap<&ObjectId, &Arc<Applied>>,
) -> (Result<Surveyed, ClusterError>, Result<replicas::Autoscalers, Failure>) {
    let survey = Survey { objects, known, reads: is_judged, slim };
    join(cluster.survey(survey), replicas::autoscalers(cluster, objects, known)).await
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
///
/// In an app of two colours it goes to the idle one. Only where this very release is what serves, it goes there again: a CI job
/// that is repeated must find nothing to do, and leave the other colour as the way back.
pub(super) fn release(
    application: &Application,
    images: &[Image],
    traffic: Option<&Traffic>,
    history: Option<&History>,
) -> Result<render::Prepared, Failure> {
    let (target, manifests) = (&application.target, &application.manifests);
    let render_to = |color: Option<&str>| {
        let release = |rendering: &Rendering<'_>| render::release(target, manifests, rendering);
        let released = rendered(application, images, (traffic, history), color, release);
        released.map_err(|errors| places::of_rendering(errors, &application.images))
    };
    if let Some(record) = served_by_this_commit(application, images, (traffic, history)) {
        let again = render_to(record.color.as_deref())?;
        if is_release_of(&again.release, record, application.checkout.settings.blue_green.as_ref()) {
            return Ok(again);
        }
    }
    render_to(None)
}

/// What can be rendered of manifests with faults.
pub(super) fn sound(application: &Application, images: &[Image], base: &Base) -> Vec<Rendered> {
    let (target, manifests) = (&application.target, &application.manifests);
    let known = (base.traffic.as_ref(), Some(&base.history));
    let color = served_by_this_commit(application, images, known).and_then(|record| record.color.as_deref());
    let sound = |rendering: &Rendering<'_>| render::sound(target, manifests, rendering);
    rendered(application, images, known, color, sound)
}

/// Rendered to this colour, else to the idle one.
fn rendered<T>(
    application: &Application,
    images: &[Image],
    (traffic, history): (Option<&Traffic>, Option<&History>),
    color: Option<&str>,
    render: impl FnOnce(&Rendering<'_>) -> T,
) -> T {
    let settings = &application.checkout.settings;
    let blue_green = settings.blue_green.as_ref();
    let live_color = traffic.and_then(|traffic| traffic.color.as_deref());
    let color = blue_green.map(|blue_green| color.unwrap_or_else(|| blue_green.other(live_color)));
    let rendering = Rendering {
        images,
        blue_green,
        color,
        live_selector: traffic.map(|traffic| &traffic.selector),
        allow: &settings.allow,
        image_paths: &settings.image_paths.value,
        elsewhere: &application.elsewhere,
        revision: history.map(|history| history.next),
        runs: &history.map(|history| earlier_runs(history, settings.rerun_hooks)).unwrap_or_default(),
        given: application.given,
        own: &history.filter(|_| application.given).map(|history| plan::own(&history.records)).unwrap_or_default(),
        is_first: history.is_none_or(|history| history.last_succeeded().is_none()),
    };
    render(&rendering)
}

/// The record of the colour that serves, where it was last proven to run this very commit with the same images.
fn served_by_this_commit<'h>(
    application: &Application,
    images: &[Image],
    (traffic, history): (Option<&Traffic>, Option<&'h History>),
) -> Option<&'h Record> {
    application.checkout.settings.blue_green.as_ref()?;
    let serves = traffic?.color.as_deref()?;
    let record = history?.records.iter().rev().find(|record| record.color.as_deref() == Some(serves))?;
    let sha = |commit: &Option<Commit>| commit.as_ref().map(|commit| commit.sha.clone());
    let is_same = sha(&record.commit) == sha(&application.target.commit) && record.images == images;
    (is_same && record.state == RecordState::Succeeded).then_some(record)
}

/// True where all of a release was applied as it is: the manifests of one commit may differ, as another renderer's do. A Job is
/// named after its release, a hook has a moment that may not have come, and the Service that is switched goes its own way.
fn is_release_of(release: &Release, record: &Record, blue_green: Option<&BlueGreen>) -> bool {
    let is_switched = |id: &ObjectId| blue_green.is_some_and(|blue_green| blue_green.switches(id));
    let counts = |object: &&Rendered| object.id.kind != "Job" && !is_hook(object.stage) && !is_switched(&object.id);
    let recorded: HashMap<&ObjectId, &str> =
        record.applied.iter().map(|applied| (&applied.id, applied.hash.as_str())).collect();
    release.objects.iter().filter(counts).all(|object| recorded.get(&object.id) == Some(&object.hash.as_str()))
}

/// The last run of each Job, where it need not be made anew: one that completed, and one whose end is not known, which may
/// still run. One that failed is run again, and with `--rerun-hooks` one that completed as well.
fn earlier_runs(history: &History, rerun: bool) -> Vec<JobRun> {
    let mut seen = HashSet::new();
    let newest_first = history.records.iter().rev().flat_map(|record| &record.jobs);
    let last = newest_first.filter(|run| seen.insert((&run.job, &run.hash)));
    last.filter(|run| if run.done { !rerun } else { !run.failed }).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HookRules, Target};

    fn rendered(group: &str, kind: &str, name: &str, stage: Stage) -> Rendered {
        let id = ObjectId { group: group.into(), kind: kind.into(), namespace: None, name: name.into() };
        let resource = kinds::find(group, kind).expect("a kind").resource();
        let (hash, json, hook) = (format!("{stage:?} {name}"), "{}".into(), HookRules::default());
        Rendered { id, resource, stage, hook, hash, json, from: Vec::new() }
    }

    #[test]
    fn what_still_serves_is_told_in_words() {
        let said = |pods, last| still_serving(pods, last).unwrap_or_default();
        assert_eq!(said(2, Some("a-1")), "the old version still serves: 2 pods run a-1");
        assert_eq!(said(1, Some("a-1")), "the old version still serves: 1 pod runs a-1");
        assert_eq!(
            (said(1, None), said(2, None)),
            ("1 older pod still serves".into(), "2 older pods still serve".into())
        );
        assert_eq!((said(0, None).is_empty(), said(0, Some("a-1")).is_empty()), (false, true));
    }

    #[test]
    fn a_hook_tells_no_release_from_another() {
        let web = rendered("apps", "Deployment", "web", Stage::Workload);
        let hooks =
            [Stage::Before, Stage::After, Stage::OnFailure].map(|stage| rendered("", "ConfigMap", "words", stage));
        let release = |objects: &[Rendered]| Release {
            target: Target::sample("qa"),
            images: Vec::new(),
            objects: objects.to_vec(),
            color: Some("blue".into()),
        };
        let applied = Applied { hash: web.hash.clone(), ..Applied::named(web.id.clone(), web.resource.clone()) };
        let record = Record { applied: vec![applied.into()], ..Record::sample(1, RecordState::Succeeded) };
        let objects = [&hooks[..], &[web]].concat();
        assert!(is_release_of(&release(&objects), &record, None));
        let flags = rendered("", "ConfigMap", "flags", Stage::Configuration);
        assert!(!is_release_of(&release(&[&objects[..], &[flags]].concat()), &record, None));
    }

    #[test]
    fn of_each_job_the_last_run_says_whether_it_is_run_again() {
        use RecordState::{Failed, Running, Succeeded};
        let run = |revision: u64, end: &str| JobRun {
            job: "migrate".into(),
            name: format!("migrate-{revision}"),
            namespace: None,
            hash: "h".into(),
            done: end == "done",
            failed: end == "failed",
        };
        for (runs, kept, kept_for_rerun) in [
            (&[(Succeeded, 1, "done")][..], Some("migrate-1"), None),
            // interrupted, or its time was up
            (&[(Failed, 1, "unknown")], Some("migrate-1"), Some("migrate-1")),
            (&[(Running, 1, "unknown")], Some("migrate-1"), Some("migrate-1")),
            (&[(Failed, 1, "failed")], None, None),
            // taken up from a run that was killed, and told as failed: for all that the older record says
            (&[(Running, 1, "unknown"), (Failed, 1, "failed")], None, None),
            (
                &[(Running, 1, "unknown"), (Failed, 1, "failed"), (Failed, 3, "unknown")],
                Some("migrate-3"),
                Some("migrate-3"),
            ),
            (&[(Succeeded, 1, "done"), (Failed, 2, "unknown")], Some("migrate-2"), Some("migrate-2")),
            (&[(Succeeded, 1, "done"), (Failed, 2, "failed")], None, None),
            (&[(Failed, 1, "unknown"), (Succeeded, 1, "done")], Some("migrate-1"), None),
        ] {
            let record = |(revision, (state, of, end)): (u64, &(RecordState, u64, &str))| Record {
                jobs: vec![run(*of, end)],
                ..Record::sample(revision, *state)
            };
            let history = History { records: (1..).zip(runs).map(record).collect(), next: 9 };
            let name = |rerun| earlier_runs(&history, rerun).first().map(|run| run.name.clone());
            assert_eq!((name(false).as_deref(), name(true).as_deref()), (kept, kept_for_rerun), "{runs:?}");
        }
    }
}
