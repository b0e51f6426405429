//! What stands in an environment, judged again and again by the judges of a rollout; nothing comes to an end.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    saved::{Manner, Scene, as_applied, look, only_explains, status},
    selections::{Backing, selections_standing},
    track::{later, seconds_between},
    view::View,
};
use crate::{
    kinds::{self, Judgement, read},
    model::{
        Applied, Exit, ObjectId, Problem, Question, Reply, Rules, Seen, Selection, Verdict, Watched, WorkloadStatus,
    },
};

const APP_LABEL: &str = "shipway.dev/app";
const ENVIRONMENT_LABEL: &str = "shipway.dev/env";

/// What an environment is known to have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Everything that its records name; it says what to look at.
    pub named: Vec<Arc<Applied>>,
    /// Of that, what must be there.
    pub expected: Vec<ObjectId>,
}

/// The objects of an app in an environment, as they are seen now.
#[derive(Debug)]
pub(crate) struct Standing {
    app: String,
    environment: String,
    rules: Rules,
    expected: Vec<ObjectId>,
    view: View,
    replies: HashMap<Question, Reply>,
    /// Since when a suspicion, or a wait, is known here.
    noticed: HashMap<(ObjectId, &'static str), Timestamp>,
}

/// What is true of an environment at one moment.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub workloads: Vec<WorkloadStatus>,
    /// What would explain more.
    pub questions: Vec<Question>,
    /// When something becomes another verdict just because it lasts.
    pub due: Option<Timestamp>,
}

impl Standing {
    pub(crate) fn new((app, environment): (&str, &str), namespace: &str, known: Known, rules: Rules) -> Self {
        let here = |applied: &&Arc<Applied>| applied.id.namespace.as_deref() == Some(namespace);
        let judged = |applied: &&Arc<Applied>| !kinds::is_plain(&applied.id.group, &applied.id.kind);
        let watched: Vec<Watched> = known.named.iter().filter(here).filter(judged).map(by_name).collect();
        Self {
            app: app.to_owned(),
            environment: environment.to_owned(),
            rules,
            expected: known.expected,
            view: View::new(selections_standing(app, &watched)),
            replies: HashMap::new(),
            noticed: HashMap::new(),
        }
    }

    /// What has to be read or watched to judge it. Events only explain.
    pub(crate) fn selections(&self) -> impl Iterator<Item = &Selection> {
        self.view.selections()
    }

    pub(crate) fn absorb(&mut self, seen: Seen) {
        self.view.absorb(seen);
    }

    /// Takes over from another one what must be there.
    pub(crate) fn expect_as(&mut self, other: Self) {
        self.expected = other.expected;
    }

    pub(crate) fn reply(&mut self, question: Question, reply: Reply) {
        self.replies.insert(question, reply);
    }

    /// True once everything but events was seen in full.
    pub(crate) fn is_complete(&self) -> bool {
        self.view.is_complete_but("Event")
    }

    /// Its objects of a kind, in the order of their names.
    pub(crate) fn objects(&self, kind: &str) -> Vec<&Value> {
        let mut found: Vec<&Value> = self.view.objects().filter(|object| read::is_kind(object, kind)).collect();
        found.sort_by_key(|object| read::name(object));
        found
    }

    /// Judges all that nothing else has made, and what is not there any more.
    pub(crate) fn judge(&mut self, now: Timestamp) -> Judged {
        let roots: Vec<Watched> = self.roots();
        let backing = Backing::of(&roots);
        // without slices nothing is known of endpoints
        let sees_slices = self.view.selections().any(|selection| selection.resource.kind == "EndpointSlice");
        let mut judged = Judged::default();
        let mut noticed = HashMap::new();
        for watched in &roots {
            let manner =
                Manner { rules: &self.rules, replies: &self.replies, changed: false, saved: false, now: Some(now) };
            let backed = watched.applied.id.kind == "Service" && sees_slices && backing.runs_behind(watched);
            let scene = Scene::of(watched, &self.view);
            let mut judgement = look(watched, backed, &scene, &manner);
            let due = self.settle(&mut judgement, &scene, now, &mut noticed);
            judged.due = judged.due.into_iter().chain(due).min();
            judged.questions.append(&mut judgement.questions);
            judged.questions.append(&mut judgement.logs);
            judged.workloads.push(status(watched, &scene, judgement, &manner));
        }
        self.noticed = noticed;
        judged.workloads.extend(self.missing());
        judged.workloads.sort_by_cached_key(order);
        judged.questions.retain(|question| !self.replies.contains_key(question));
        judged
    }

    fn roots(&self) -> Vec<Watched> {
        let label = |object: &Value, name: &str| read::text(object, &["metadata", "labels", name]).to_owned();
        let own = |object: &&Value| {
            read::controller(object).is_none()
                && label(object, APP_LABEL) == self.app
                && label(object, ENVIRONMENT_LABEL) == self.environment
        };
        let judged = |object: &&Value| !only_explains(object);
        self.view.objects().filter(own).filter(judged).map(as_applied).collect()
    }

    /// Time turns a suspicion into a failure, and patience into trust, as in a rollout. Since nobody may have looked
    /// before, the objects themselves tell since when it is so. Answers when it has to be looked at again.
    fn settle(
        &self,
        judgement: &mut Judgement,
        scene: &Scene<'_>,
        now: Timestamp,
        noticed: &mut HashMap<(ObjectId, &'static str), Timestamp>,
    ) -> Option<Timestamp> {
        let (code, length, told) = match (&judgement.verdict, judgement.patience) {
            (Verdict::Suspect { problem, grace }, _) => (problem.code, *grace, suspicious_since(judgement, scene)),
            (Verdict::Waiting { .. }, Some(seconds)) => ("patience", seconds, made(scene.live)),
            _ => return None,
        };
        let key = (scene.id.clone(), code);
        let known = self.noticed.get(&key).copied().unwrap_or(now);
        let since = told.map_or(known, |told| told.min(known));
        noticed.insert(key, known);
        let due = later(since, length);
        if due > now {
            return Some(due);
        }
        judgement.verdict = match std::mem::replace(&mut judgement.verdict, Verdict::Ready) {
            Verdict::Suspect { problem, .. } => Verdict::Failed { problem },
            _ => {
                let awaited = judgement.progress.awaiting.as_deref().unwrap_or("it");
                Verdict::Assumed { why: format!("waited {:.0} s for {awaited}", seconds_between(since, now)) }
            }
        };
        None
    }

    /// What was deployed and is not there.
    fn missing(&self) -> impl Iterator<Item = WorkloadStatus> {
        let lasting = |id: &&ObjectId| id.kind != "Job";
        let seen = |id: &&ObjectId| self.view.has_listed(id) && self.view.find(id).is_none();
        self.expected.iter().filter(lasting).filter(seen).map(|id| {
            let problem = Problem::new("gone", Exit::Rollout, format!("{id} is not there any more"))
                .about(id.clone())
                .hint(format!("`shipway deploy --env {}` applies it again", self.environment));
            WorkloadStatus {
                object: id.clone(),
                verdict: Verdict::Gone { problem: problem.clone() }.word(),
                progress: Default::default(),
                images: Vec::new(),
                problem: Some(problem),
                pods: Vec::new(),
                color: None,
                remark: None,
            }
        })
    }
}

/// What says which list it is in.
fn by_name(applied: &Arc<Applied>) -> Watched {
    Watched {
        applied: Arc::clone(applied),
        body: Value::Null,
        changed: false,
        settled: false,
        shows_log: false,
        images: Vec::new(),
    }
}

/// Workloads by name, then all else.
fn order(status: &WorkloadStatus) -> (bool, String) {
    let id = &status.object;
    let runs = kinds::find(&id.group, &id.kind).is_none_or(|kind| kind.template.is_some());
    (!runs, id.to_string())
}

fn made(object: &Value) -> Option<Timestamp> {
    read::text(object, &["metadata", "creationTimestamp"]).parse().ok()
}

/// Since when the first of its newest pods is not ready; without pods, since when its controller says so.
fn suspicious_since(judgement: &Judgement, scene: &Scene<'_>) -> Option<Timestamp> {
    let newest: HashSet<&str> = judgement.pods.iter().map(String::as_str).collect();
    let not_ready = scene.pods().filter(|pod| newest.contains(read::uid(pod)) && !kinds::is_ready(pod));
    let since = |object: &Value, kind: &str| read::condition(object, kind).and_then(|found| found.since.parse().ok());
    let first = not_ready.filter_map(|pod| since(pod, "Ready").into_iter().chain(made(pod)).max()).min();
    first.or_else(|| since(scene.live, "ReplicaFailure"))
}
