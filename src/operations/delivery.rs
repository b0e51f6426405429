//! A prepared release goes to the cluster: stage by stage, followed until it holds, then pruned and recorded. Every verb
//! that writes a release comes this way.

use std::{collections::HashMap, sync::Arc};

use tokio::time::{Duration, Instant};

use super::{
    Context, addresses,
    application::Application,
    apply::{Step, account, apply_stage},
    failure::{Failure, interrupted},
    follow::{Witnesses, follow},
    hooks::is_hook,
    look::settle_at_once,
    namespace,
    prepare::{Prepared, is_judged},
    prune, record,
};
use crate::{
    cluster::{Cluster, Packed},
    kinds,
    model::{
        ApplyEvent, Change, ObjectOutcome, Outcome, Record, RecordState, Rendered, RolloutEvent, SourceEvent, Stage,
        Verdict, Watched, shrink_to_fit,
    },
    plan,
    registry::Registry,
    rollout::{Conclusion, Proof, Rollout},
};

/// A run that holds the lock of an app and environment.
pub(super) struct Delivery<'d> {
    pub(super) context: &'d Context,
    pub(super) application: &'d Application,
    pub(super) cluster: &'d Cluster,
    pub(super) registry: &'d Registry,
}

/// A release that was not proven.
pub(super) struct Unproven {
    pub(super) failure: Failure,
    /// As far as it came; none where it was not begun.
    pub(super) record: Option<Box<Record>>,
}

impl From<Unproven> for Failure {
    fn from(unproven: Unproven) -> Self {
        unproven.failure
    }
}

impl Delivery<'_> {
    /// Brings a release to the cluster, and ends when it is proven there. What is known at each moment stands in the
    /// outcome, whatever the end. Answers where it can be reached from outside.
    ///
    /// # Errors
    /// What the server refused or the rollout died of; the record of it is written, and the Jobs for it have run.
    pub(super) async fn carry_out(
        &self,
        prepared: &mut Prepared,
        outcome: &mut Outcome,
    ) -> Result<Vec<String>, Unproven> {
        if let Some(order) = &prepared.order {
            self.context.tell(SourceEvent::Order { order: order.clone() });
        }
        for change in prepared.changes.iter().filter(|change| change.change == Change::Skipped) {
            self.context.tell(ApplyEvent::Object { change: change.clone() });
        }
        let planned = prepared.changes.iter().filter(|change| change.change != Change::Pruned);
        outcome.objects = planned.map(object_outcome).collect();
        outcome.objects.shrink_to_fit();
        let (mut record, objects) = match record::begin(self.application, self.cluster, prepared).await {
            Ok(begun) => begun,
            Err(failure) => {
                if !self.context.stop.is_set() {
                    record::trim(self, prepared, &prepared.history.records.iter().collect::<Vec<_>>()).await;
                }
                return Err(Unproven { failure, record: None });
            }
        };
        let ended = self.write_and_follow(prepared, (&mut record, &objects), outcome).await.map_err(|mut failure| {
            account(&mut failure, &prepared.steps().collect::<Vec<_>>(), &record.applied);
            failure
        });
        record.state = match ended {
            Ok(_) => RecordState::Succeeded,
            Err(_) if self.cluster.gave_way() => RecordState::Superseded,
            Err(_) => RecordState::Failed,
        };
        let namespace = &prepared.release.target.namespace.value;
        let mut recorded = record::complete(self, prepared, (&record, &objects)).await;
        if prepared.writes_nothing() && recorded.is_ok() {
            recorded = self.cluster.save_objects(namespace, &record, &objects).await;
        }
        if ended.is_err() && !self.context.stop.is_set() {
            self.after_failure(prepared, (&mut record, &objects), outcome).await;
        }
        let ended = ended.and_then(|addresses| recorded.map(|()| addresses).map_err(Failure::from));
        ended.map_err(|failure| Unproven { failure, record: Some(Box::new(record)) })
    }

    /// Stage by stage; hooks before the workloads are waited for, everything else at the end.
    async fn write_and_follow(
        &self,
        prepared: &mut Prepared,
        (record, objects): (&mut Record, &Packed),
        outcome: &mut Outcome,
    ) -> Result<Vec<String>, Failure> {
        let started = Instant::now();
        let first = self.define(prepared, record, outcome).await?;
        let is_foundation = |object: &Rendered| object.stage == Stage::Foundation && !first.contains(&object.id);
        let mut watched = self.write(prepared, &is_foundation, record).await?;
        // begun in this order, but none waits for another's end: what needs them all are the pods
        let is_before_pods =
            |object: &Rendered| matches!(object.stage, Stage::Rights | Stage::Configuration | Stage::Service);
        watched.extend(self.write(prepared, &is_before_pods, record).await?);
        self.hooks(prepared, Stage::Before, (record, objects), outcome).await?;
        let is_workload = |object: &Rendered| object.stage == Stage::Workload;
        watched.extend(self.write(prepared, &is_workload, record).await?);
        self.context.tell(counted(prepared, started.elapsed().as_secs_f64()));
        self.cluster.may_give_way(true);
        let followed = self.follow(prepared, watched, record, outcome).await;
        self.cluster.may_give_way(false);
        let addresses = followed?;
        self.hooks(prepared, Stage::After, (record, objects), outcome).await?;
        let all = self.application.checkout.settings.prune_all;
        outcome.objects.extend(prune::delete(self.context, self.cluster, (&prepared.gone, all), &record.applied).await);
        Ok(addresses)
    }

    /// Jobs that are to run after a failure; what they end with changes nothing about it.
    async fn after_failure(
        &self,
        prepared: &mut Prepared,
        (record, objects): (&mut Record, &Packed),
        outcome: &mut Outcome,
    ) {
        let truth = outcome.truth.take();
        if let Err(Failure(problems)) = self.hooks(prepared, Stage::OnFailure, (record, objects), outcome).await {
            for problem in problems {
                self.context.tell(RolloutEvent::Warning { problem });
            }
        }
        outcome.truth = truth;
    }

    /// Writes the objects that `is_due`; answers what is to be watched.
    pub(super) async fn write(
        &self,
        prepared: &Prepared,
        is_due: &dyn Fn(&Rendered) -> bool,
        record: &mut Record,
    ) -> Result<Vec<Watched>, Failure> {
        if self.context.stop.is_set() {
            return Err(interrupted("before all objects were written").into());
        }
        let steps: Vec<Step<'_>> = prepared.steps().filter(|step| is_due(step.object)).collect();
        let before = record.applied.len();
        record.applied.reserve_exact(steps.len());
        apply_stage(self.context, self.cluster, &steps, &mut record.applied).await?;
        let written = steps.iter().zip(&record.applied[before..]);
        let proven = plan::proven_last(&prepared.history.records);
        // watching the Namespace takes a right over the whole cluster
        let watched = written.filter(|(step, _)| step.object.id.kind != "Namespace").map(|(step, applied)| Watched {
            applied: Arc::clone(applied),
            body: if is_judged(&step.object.id) { judged_body(step.object) } else { serde_json::Value::Null },
            changed: step.change.change != Change::Unchanged,
            settled: step.change.change == Change::Unchanged && proven.contains(&applied.id),
            shows_log: is_hook(step.object.stage),
            images: prepared.release.images.clone(),
        });
        Ok(watched.collect())
    }

    pub(super) async fn follow(
        &self,
        prepared: &mut Prepared,
        watched: Vec<Watched>,
        record: &mut Record,
        outcome: &mut Outcome,
    ) -> Result<Vec<String>, Failure> {
        outcome.truth = Some(prepared.what_is_unproven());
        let conclusion = self.conclude(prepared, watched, record).await?;
        outcome.truth = None;
        self.take_in(&conclusion, outcome);
        if conclusion.problems.is_empty() {
            let server = &self.cluster.connection().server;
            return Ok(conclusion.entrances.iter().flat_map(|object| addresses::urls(object, server)).collect());
        }
        outcome.truth = prepared.what_serves(&conclusion);
        let namespace = &prepared.release.target.namespace.value;
        Err(Failure(namespace::behind(self.cluster, namespace, conclusion.problems).await))
    }

    /// By one look where all of it was proven as it is and is well, else by watches.
    async fn conclude(
        &self,
        prepared: &mut Prepared,
        mut watched: Vec<Watched>,
        record: &mut Record,
    ) -> Result<Conclusion, Failure> {
        let rules = || self.application.checkout.settings.rules();
        let app = &self.application.target.app;
        let moves = |watched: &Watched| watched.shows_log || !watched.settled && is_judged(&watched.applied.id);
        if !watched.iter().any(moves) {
            let rollout = Rollout::at_rest(app, watched, rules(), jiff::Timestamp::now());
            match settle_at_once(self.context, self.cluster, rollout, prepared.fresh()).await? {
                Ok(conclusion) => {
                    record::note_jobs(record, &conclusion.states);
                    return Ok(conclusion);
                }
                Err(unsettled) => watched = unsettled,
            }
        }
        let mut rollout = Rollout::new(app, watched, rules(), jiff::Timestamp::now());
        let cluster = self.cluster.seeing_within(Duration::from_secs_f64(rules().timeout));
        let witnesses = Witnesses { cluster: &cluster, registry: self.registry };
        let ended = follow(self.context, &witnesses, &mut rollout).await;
        // whatever has ended the wait: what a Job has come to holds
        record::note_jobs(record, &rollout.states());
        ended
    }

    /// Writes the verdicts into the outcome and tells the proof.
    fn take_in(&self, conclusion: &Conclusion, outcome: &mut Outcome) {
        let states: HashMap<_, _> = conclusion.states.iter().map(|(id, verdict, _)| (id, verdict)).collect();
        for object in &mut outcome.objects {
            if let Some(verdict) = states.get(&object.id) {
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
}

/// What a rollout looks at of an object that was sent.
fn judged_body(object: &Rendered) -> serde_json::Value {
    let mut body = object.body();
    body.as_object_mut().and_then(|body| body.shift_remove("metadata"));
    kinds::slim(&object.resource, &mut body);
    shrink_to_fit(&mut body);
    body
}

fn object_outcome(change: &crate::model::ObjectChange) -> ObjectOutcome {
    let verdict = Verdict::Assumed { why: String::new() };
    let word = match change.change {
        Change::Skipped => verdict.word(),
        // everything else is written into it
        _ if change.object.kind == "Namespace" => Verdict::Ready.word(),
        _ => "waiting",
    };
    ObjectOutcome { id: change.object.clone(), change: change.change, verdict: word, why: None, context: None }
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
