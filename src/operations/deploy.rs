//! `deploy`: from a commit whose images are at the registry to pods that are proven to run them.

use std::path::PathBuf;

use tokio::time::{Duration, Instant};

use super::{
    Context,
    application::Application,
    apply::{Step, account, apply_stage},
    consent,
    failure::{Failure, conclude, interrupted},
    follow::{Witnesses, follow},
    observe,
    prepare::{self, Prepared},
    prune, record,
};
use crate::{
    cluster::Cluster,
    model::{
        ApplyEvent, Change, Image, Note, ObjectId, ObjectOutcome, Outcome, PodsOnImage, Record, RecordState, Rendered,
        RolloutEvent, SourceEvent, Stage, Verdict, Watched, short_duration,
    },
    registry::Registry,
    rollout::{Conclusion, Proof, Rollout},
};

/// What `deploy` is asked for beyond the flags that every verb knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Ready manifests of another renderer; `-` is standard input.
    pub(crate) files: Vec<PathBuf>,
}

pub(crate) async fn run(context: &Context, options: Options) -> Outcome {
    conclude(async |outcome| {
        let mut application = Application::read(context, &options.files)?;
        let cluster = application.connect(context).await?;
        application.announce(context, outcome);
        consent::confirm(context, &application)?;
        application.learn_kinds(&cluster).await?;
        deploy(context, &application, &cluster, outcome).await
    })
    .await
}

/// Deploys, and writes into the outcome what is known at each moment.
pub(super) async fn deploy(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let started = Instant::now();
    let registry = application.registry(context);
    let images = application.resolve_images(context, &registry).await?;
    outcome.images = images.iter().map(|image| on_image(image, 0)).collect();
    let made = prepare::ensure_namespace(application, cluster, &images).await?;
    let lease = record::take_lease(context, application, cluster).await?;
    // from here on a server that is gone for a while is waited for
    let patience = Duration::from_secs_f64(application.checkout.settings.deploy.timeout.value);
    let cluster = cluster.with_patience(patience, &context.stop);
    let deploy = Deploy { context, application, cluster: &cluster, registry: &registry, made, started };
    let ended = deploy.under_lock(images, outcome).await;
    record::let_go(lease, ended).await
}

fn on_image(image: &Image, pods: usize) -> PodsOnImage {
    PodsOnImage {
        name: image.reference.repository.to_string(),
        tag: image.reference.tag.clone().unwrap_or_default(),
        digest: image.reference.digest.clone(),
        pods,
    }
}

/// Records kept beside the one that a deploy writes.
const KEPT_BEFORE: usize = 9;

/// A deploy that holds the lock.
struct Deploy<'d> {
    context: &'d Context,
    application: &'d Application,
    cluster: &'d Cluster,
    registry: &'d Registry,
    /// The Namespace, where this deploy made it before anything else.
    made: Option<ObjectId>,
    started: Instant,
}

impl Deploy<'_> {
    async fn under_lock(&self, images: Vec<Image>, outcome: &mut Outcome) -> Result<(), Failure> {
        let mut prepared = prepare::prepare(self.context, self.application, self.cluster, images).await?;
        for change in prepared.changes.iter_mut().filter(|change| self.made.as_ref() == Some(&change.object)) {
            change.change = Change::Created;
        }
        if let Some(order) = &prepared.order {
            self.context.tell(SourceEvent::Order { order: order.clone() });
        }
        for change in prepared.changes.iter().filter(|change| change.change == Change::Skipped) {
            self.context.tell(ApplyEvent::Object { change: change.clone() });
        }
        let planned = prepared.changes.iter().filter(|change| change.change != Change::Pruned);
        outcome.objects = planned.map(object_outcome).collect();
        let mut record = record::begin(self.application, self.cluster, &prepared).await?;
        let ended = self.write_and_follow(&prepared, &mut record, outcome).await.map_err(|mut failure| {
            account(&mut failure, &prepared.steps().collect::<Vec<_>>(), &record.applied);
            failure
        });
        record.state = if ended.is_ok() { RecordState::Succeeded } else { RecordState::Failed };
        let namespace = &self.application.target.namespace.value;
        let recorded = self.cluster.save_record(namespace, &record).await;
        if ended.is_err() && !self.context.stop.is_set() {
            self.after_failure(&prepared, &mut record, outcome).await;
        }
        ended?;
        recorded?;
        outcome.truth = Some(self.truth(&prepared).await);
        // the deploy is done: what is only kept too long does not fail it
        if let Err(error) = self.cluster.trim_history(namespace, &prepared.history, KEPT_BEFORE).await {
            self.context.tell(Note::attention("record", format!("old records stay: {error}")));
        }
        Ok(())
    }

    /// Stage by stage; hooks before the workloads are waited for, everything else at the end.
    async fn write_and_follow(
        &self,
        prepared: &Prepared,
        record: &mut Record,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let mut watched = Vec::new();
        for stage in [Stage::Foundation, Stage::Rights, Stage::Configuration, Stage::Service] {
            watched.extend(self.write(prepared, stage, record).await?);
        }
        self.hooks(prepared, Stage::Before, record, outcome).await?;
        watched.extend(self.write(prepared, Stage::Workload, record).await?);
        self.context.tell(counted(prepared, started.elapsed().as_secs_f64()));
        self.follow(prepared, watched, record, outcome).await?;
        self.hooks(prepared, Stage::After, record, outcome).await?;
        let all = self.application.checkout.settings.prune_all;
        outcome.objects.extend(prune::delete(self.context, self.cluster, (&prepared.gone, all), &record.applied).await);
        Ok(())
    }

    async fn hooks(
        &self,
        prepared: &Prepared,
        stage: Stage,
        record: &mut Record,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let watched = self.write(prepared, stage, record).await?;
        if watched.is_empty() {
            return Ok(());
        }
        self.follow(prepared, watched, record, outcome).await
    }

    /// Jobs that are to run after a failure; what they end with changes nothing about it.
    async fn after_failure(&self, prepared: &Prepared, record: &mut Record, outcome: &mut Outcome) {
        let truth = outcome.truth.take();
        if let Err(Failure(problems)) = self.hooks(prepared, Stage::OnFailure, record, outcome).await {
            for problem in problems {
                self.context.tell(RolloutEvent::Warning { problem });
            }
        }
        outcome.truth = truth;
    }

    /// Writes the objects of a stage; answers what is to be watched.
    async fn write(&self, prepared: &Prepared, stage: Stage, record: &mut Record) -> Result<Vec<Watched>, Failure> {
        if self.context.stop.is_set() {
            return Err(interrupted("before all objects were written").into());
        }
        let steps: Vec<Step<'_>> = prepared.steps().filter(|step| step.object.stage == stage).collect();
        let before = record.applied.len();
        apply_stage(self.context, self.cluster, &steps, &mut record.applied).await?;
        let written = steps.iter().zip(&record.applied[before..]);
        // the lock is held in the Namespace, so it is there; watching it takes a right over the whole cluster
        let watched = written.filter(|(step, _)| step.object.id.kind != "Namespace").map(|(step, applied)| Watched {
            applied: applied.clone(),
            body: step.object.body(),
            changed: step.change.change != Change::Unchanged,
            images: prepared.release.images.clone(),
        });
        Ok(watched.collect())
    }

    async fn follow(
        &self,
        prepared: &Prepared,
        watched: Vec<Watched>,
        record: &mut Record,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let rules = self.application.checkout.settings.deploy.rules();
        let app = &self.application.target.app;
        let rollout = Rollout::new(app, watched, rules, jiff::Timestamp::now());
        let witnesses = Witnesses { cluster: self.cluster, registry: self.registry };
        outcome.truth = Some(prepared.what_is_unproven());
        let conclusion = follow(self.context, &witnesses, rollout).await?;
        outcome.truth = None;
        self.take_in(&conclusion, outcome);
        record::note_jobs(record, &conclusion);
        if conclusion.problems.is_empty() {
            return Ok(());
        }
        outcome.truth = prepared.what_serves(&conclusion);
        Err(Failure(conclusion.problems))
    }

    /// Writes the verdicts into the outcome and tells the proof.
    fn take_in(&self, conclusion: &Conclusion, outcome: &mut Outcome) {
        for (id, verdict, _) in &conclusion.states {
            if let Some(object) = outcome.objects.iter_mut().find(|object| object.id == *id) {
                object.verdict = verdict.word();
                object.why = verdict.problem().cloned();
            }
        }
        for Proof { image, proven, pods } in &conclusion.proof {
            if conclusion.problems.is_empty() {
                let image = image.reference.clone();
                self.context.tell(RolloutEvent::Proof { image, proven: *proven, pods: *pods });
            }
            if let Some(entry) = outcome.images.iter_mut().find(|entry| entry.digest == image.reference.digest) {
                entry.pods += proven;
            }
        }
    }

    async fn truth(&self, prepared: &Prepared) -> String {
        let target = &self.application.target;
        let color = prepared.release.color.as_ref().map(|color| format!(" ({color})")).unwrap_or_default();
        let seconds = short_duration(self.started.elapsed().as_secs());
        let addresses: String = self.addresses(prepared).await.iter().map(|address| format!(" · {address}")).collect();
        format!("deployed {} to {}{color} in {seconds}{addresses}", target.tag.value, target.environment.value)
    }

    /// Where this release can be reached from outside; nothing is asked where no object says so, and nothing fails.
    async fn addresses(&self, prepared: &Prepared) -> Vec<String> {
        let shown = |object: &&Rendered| {
            object.id.kind == "Ingress" || ["NodePort", "LoadBalancer"].iter().any(|kind| object.json.contains(kind))
        };
        let open: Vec<&ObjectId> = prepared.release.objects.iter().filter(shown).map(|object| &object.id).collect();
        let kinds = [("", "Service"), ("networking.k8s.io", "Ingress")];
        let kinds: Vec<_> = kinds.into_iter().filter(|(_, kind)| open.iter().any(|id| id.kind == *kind)).collect();
        let target = &self.application.target;
        let found = observe::app_objects(self.cluster, &target.namespace.value, &target.app, &kinds).await;
        let server = &self.cluster.connection().server;
        let is_ours = |object: &&serde_json::Value| open.contains(&&crate::kinds::read::id(object));
        let found = found.unwrap_or_default();
        found.iter().filter(is_ours).filter_map(|object| observe::address(object, server)).collect()
    }
}

fn object_outcome(change: &crate::model::ObjectChange) -> ObjectOutcome {
    let verdict = Verdict::Assumed { why: String::new() };
    let word = match change.change {
        Change::Skipped => verdict.word(),
        // everything else is written into it
        _ if change.object.kind == "Namespace" => Verdict::Ready.word(),
        _ => "waiting",
    };
    ObjectOutcome { id: change.object.clone(), change: change.change, verdict: word, why: None }
}

fn counted(prepared: &Prepared, seconds: f64) -> ApplyEvent {
    let count = |change| prepared.changes.iter().filter(|c| c.change == change).count();
    ApplyEvent::Done {
        created: count(Change::Created),
        changed: count(Change::Changed),
        unchanged: count(Change::Unchanged),
        seconds,
    }
}
