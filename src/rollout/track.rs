//! One watched object through time: what its judge said, since when, and what was told of it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    pods::Pods,
    selections::Backing,
    settling::{Clocks, Settling},
    view::{View, service_key},
};
use crate::{
    kinds::{self, Baseline, Judgement, Observation, event_time, read},
    model::{Applied, Exit, ObjectId, Problem, Progress, Question, Reply, RolloutEvent, Rules, Verdict, Watched},
};

/// Seconds for the first sight of an object after its apply.
const FIRST_SIGHT: f64 = 2.0;

/// So many children are looked at for each change; of more, changes are gathered for `REST` seconds a child.
const FEW: usize = 50;
const REST: f64 = 0.000_1;

#[derive(Debug)]
pub(super) struct Track {
    pub watched: Watched,
    /// For a Service: the workloads of this rollout whose pods it selects, and whether each was sent to run any.
    pub backers: Vec<(Arc<Applied>, bool)>,
    /// When this deploy last wrote something, if not this.
    pub renewed: Option<Timestamp>,
    /// For a Service: nothing of this rollout is selected by it.
    pub aimless: bool,
    pub verdict: Verdict,
    pub progress: Progress,
    pub warnings: Vec<Problem>,
    pub questions: Vec<Question>,
    pub logs: Vec<Question>,
    /// Its log is read for all whose findings are alike.
    pub speaks: bool,
    /// What explains a wait that has come to its end.
    pub clue: Option<Problem>,
    /// What was told last.
    pub said: Option<(&'static str, Option<&'static str>, Progress)>,
    pub warned: HashSet<(&'static str, String)>,
    pub dirty: bool,
    /// Not judged again before, so that a thousand pods are not looked at for each of a thousand changes.
    pub rests_until: Timestamp,
    /// Since when a suspicion, a failure or a patience lasts: its code and start.
    pub since: Option<(&'static str, Timestamp)>,
    pub due: Option<Timestamp>,
    /// What its pods went through, and what of it is not told yet.
    traced: Pods,
    pub steps: Vec<RolloutEvent>,
    seen: bool,
    completed: bool,
    baseline: Option<Baseline>,
    /// How far each pod has come, by uid.
    reached: HashMap<String, u8>,
    /// The uids of its new pods.
    pub pods: Vec<String>,
    pub ready_most: usize,
    pub endings: u32,
    pub settling: Settling,
}

/// What a track is judged with, beside itself.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'r> {
    pub view: &'r View,
    pub replies: &'r HashMap<Question, Reply>,
    pub rules: &'r Rules,
    pub now: Timestamp,
    pub started: Timestamp,
    pub closing: bool,
}

impl Track {
    /// One for each object; a Service knows whether a workload among them stands behind it.
    pub(super) fn all(judged: Vec<Watched>, renewed: Option<Timestamp>, now: Timestamp) -> Vec<Self> {
        let backing = Backing::of(&judged);
        let backer = |workload: &Watched| (Arc::clone(&workload.applied), kinds::wants_pods(&workload.body));
        let backers = |watched: &Watched| match watched.applied.id.kind.as_str() {
            "Service" => backing.behind(watched).into_iter().map(backer).collect(),
            _ => Vec::new(),
        };
        let backers: Vec<Vec<(Arc<Applied>, bool)>> = judged.iter().map(backers).collect();
        let new = |(watched, backers)| Self::new(watched, backers, (renewed, now));
        judged.into_iter().zip(backers).map(new).collect()
    }

    /// Which of them are looked at again, by what the view tells to have changed.
    pub(super) fn by_key(tracks: &[Self]) -> HashMap<String, Vec<usize>> {
        let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, track) in tracks.iter().enumerate() {
            track.keys().for_each(|key| by_key.entry(key).or_default().push(index));
        }
        by_key
    }

    /// The uids of an object and of what stands behind it, and the key of a Service's EndpointSlices.
    fn keys(&self) -> impl Iterator<Item = String> {
        let id = &self.watched.applied.id;
        let slices = (id.kind == "Service").then(|| service_key(id.namespace.as_deref().unwrap_or_default(), &id.name));
        let backers = self.backers.iter().map(|(workload, _)| workload.uid.clone());
        std::iter::once(self.watched.applied.uid.clone()).chain(slices).chain(backers)
    }

    fn new(
        watched: Watched,
        backers: Vec<(Arc<Applied>, bool)>,
        (renewed, now): (Option<Timestamp>, Timestamp),
    ) -> Self {
        Self {
            renewed,
            aimless: backers.is_empty(),
            backers,
            verdict: Verdict::Waiting { problem: None },
            progress: Progress::default(),
            warnings: Vec::new(),
            questions: Vec::new(),
            logs: Vec::new(),
            speaks: false,
            clue: None,
            said: None,
            warned: HashSet::new(),
            dirty: true,
            rests_until: now,
            since: None,
            due: None,
            traced: Pods::default(),
            steps: Vec::new(),
            seen: false,
            completed: false,
            baseline: None,
            reached: HashMap::new(),
            pods: Vec::new(),
            ready_most: 0,
            endings: 0,
            settling: Settling::default(),
            watched,
        }
    }

    pub(super) fn state(&self) -> (ObjectId, Verdict, Progress) {
        (self.watched.applied.id.clone(), self.verdict.clone(), self.progress.clone())
    }

    /// Judges the object; true where it has come further.
    pub(super) fn look(&mut self, around: Surroundings<'_>) -> bool {
        let live = around.view.find(&self.watched.applied.id);
        let children = self.children(around.view, live);
        let events = self.events(around.view, live, &children);
        let backed = self.is_backed(around.view);
        let baseline = self.baseline.get_or_insert_with(|| baseline(&self.watched, &children));
        if self.watched.applied.id.kind != "Service" {
            let pulled = |uid: &str| around.view.pulled_at(uid);
            self.steps.extend(self.traced.news(&self.watched.applied.id, &children, pulled, around.now));
        }
        self.seen |= live.is_some();
        self.dirty = false;
        self.rests_until = later(around.now, if children.len() < FEW { 0.0 } else { children.len() as f64 * REST });
        let judgement = kinds::judge(&Observation {
            live,
            applied: &self.watched.applied,
            body: &self.watched.body,
            images: &self.watched.images,
            children: &children,
            events: &events,
            replies: around.replies,
            rules: around.rules,
            baseline,
            changed: self.watched.changed,
            renewed: self.renewed,
            backed,
            aimless: self.aimless,
            cut_off: around.view.was_cut_off(&self.watched.applied.uid),
            closing: around.closing,
            saved: false,
        });
        let pods = || judgement.pods.iter().filter_map(|uid| around.view.by_uid(uid));
        let further = advance(&mut self.reached, pods());
        if further && self.since.is_some_and(|(code, _)| code == "unschedulable") {
            // room is made for one after the other
            self.since = None;
        }
        self.endings = pods().flat_map(kinds::endings).map(|(_, count)| count).sum();
        let clocks = Clocks { started: around.started, now: around.now, applied: self.applied_at() };
        self.settling.look(pods(), clocks);
        for pod in pods().filter(|pod| kinds::is_ready(pod)) {
            let told = around.view.events(read::uid(pod), &|_, _| true);
            let doubt = kinds::may_be_killed_within(pod, &told);
            doubt.into_iter().for_each(|seconds| self.settling.doubt(pod, seconds, around.now));
        }
        let gone = live.is_none();
        self.take(judgement, gone, around) || further
    }

    /// What the judge said becomes what holds: time turns suspicion into failure, and patience into trust.
    fn take(&mut self, judgement: Judgement, gone: bool, around: Surroundings<'_>) -> bool {
        // how it ended was seen
        if gone && self.completed {
            return false;
        }
        let Judgement { verdict, progress, questions, logs, warnings, clue, patience, pods } = judgement;
        (self.pods, self.questions, self.logs, self.warnings, self.clue) = (pods, questions, logs, warnings, clue);
        let held = self.verdict.holds();
        self.verdict = match verdict {
            // a list may be older than the apply
            Verdict::Gone { .. } if gone && !self.seen && !self.has_lasted("unseen", FIRST_SIGHT, around.now) => {
                Verdict::Waiting { problem: None }
            }
            Verdict::Suspect { problem, grace } if self.has_lasted(problem.code, grace, around.now) => {
                Verdict::Failed { problem }
            }
            Verdict::Waiting { problem } => match patience {
                Some(seconds) if self.has_lasted("patience", seconds, around.now) => {
                    let awaited = progress.awaiting.as_deref().unwrap_or("it");
                    // what is missing then is worth a word
                    self.warnings.extend(problem.map(|problem| Problem { exit: Exit::Done, ..problem }));
                    Verdict::Assumed { why: format!("waited {seconds:.0} s for {awaited}") }
                }
                Some(_) => Verdict::Waiting { problem },
                None => {
                    (self.since, self.due) = (None, None);
                    Verdict::Waiting { problem }
                }
            },
            other => {
                self.stands_since(&other, around.now);
                other
            }
        };
        self.watched.settled &= self.verdict.holds();
        self.completed |= self.watched.applied.id.kind == "Job" && self.verdict == Verdict::Ready;
        let further = progress.ready > self.ready_most || (!held && self.verdict.holds());
        self.ready_most = self.ready_most.max(progress.ready);
        self.progress = progress;
        further
    }

    /// Notes since when a failure stands; nothing else has a beginning that matters.
    fn stands_since(&mut self, verdict: &Verdict, now: Timestamp) {
        match verdict {
            Verdict::Suspect { .. } => {}
            Verdict::Failed { problem } => {
                self.due = None;
                if self.since.is_none_or(|(code, _)| code != problem.code) {
                    self.since = Some((problem.code, now));
                }
            }
            _ => (self.since, self.due) = (None, None),
        }
    }

    /// True once what `code` names has lasted so long; before that it is looked at again then.
    fn has_lasted(&mut self, code: &'static str, seconds: f64, now: Timestamp) -> bool {
        let since = match self.since {
            Some((same, since)) if same == code => since,
            _ => now,
        };
        let due = later(since, seconds);
        (self.since, self.due) = (Some((code, since)), (due > now).then_some(due));
        due <= now
    }

    /// A workload behind it is meant to run pods now: whoever scales it has the last word.
    fn is_backed(&self, view: &View) -> bool {
        self.backers.iter().any(|(workload, sent)| view.find(&workload.id).map_or(*sent, kinds::wants_pods))
    }

    fn children<'v>(&self, view: &'v View, live: Option<&'v Value>) -> Vec<&'v Value> {
        let id = &self.watched.applied.id;
        match (id.kind.as_str(), live) {
            ("Service", _) => view.family(&service_key(id.namespace.as_deref().unwrap_or_default(), &id.name)),
            (_, Some(live)) => view.family(read::uid(live)),
            (_, None) => Vec::new(),
        }
    }

    /// Events of this rollout, the oldest first: by the server's clock since the apply, or told after the first list.
    fn events<'v>(&self, view: &'v View, live: Option<&'v Value>, children: &[&'v Value]) -> Vec<&'v Value> {
        let applied = self.applied_at();
        let counts = |event: &Value, late: bool| {
            late || kinds::stays_true(event)
                || applied.is_some_and(|applied| event_time::of(event).is_some_and(|time| time >= applied))
        };
        let not_ready = |object: &&&Value| !(read::is_kind(object, "Pod") && kinds::is_ready(object));
        let about = live.iter().chain(children.iter().filter(not_ready));
        let mut events: Vec<&Value> = about.flat_map(|object| view.events(read::uid(object), &counts)).collect();
        events.sort_by_cached_key(|event| event_time::of(event));
        events
    }

    /// When the server wrote what was applied; none where nothing was changed.
    fn applied_at(&self) -> Option<Timestamp> {
        self.watched.applied.at.as_ref().filter(|_| self.watched.changed)?.parse().ok()
    }
}

/// Terminations from before: of pods made before the apply. Where nothing was changed, all pods are this release's own.
fn baseline(watched: &Watched, children: &[&Value]) -> Baseline {
    let applied: Option<Timestamp> = watched.applied.at.as_ref().and_then(|at| at.parse().ok());
    let is_older = |pod: &Value| {
        let made: Option<Timestamp> = read::text(pod, &["metadata", "creationTimestamp"]).parse().ok();
        watched.changed && made.zip(applied).is_some_and(|(made, applied)| made < applied)
    };
    let older = children.iter().filter(|child| read::is_kind(child, "Pod") && is_older(child));
    older
        .flat_map(|pod| kinds::endings(pod).map(|(name, count)| ((read::uid(pod).to_owned(), name.to_owned()), count)))
        .collect()
}

/// Notes how far each pod has come; true where one is further than ever.
fn advance<'v>(reached: &mut HashMap<String, u8>, pods: impl Iterator<Item = &'v Value>) -> bool {
    let mut further = false;
    for pod in pods {
        let now = kinds::advance(pod);
        match reached.get_mut(read::uid(pod)) {
            Some(before) if *before >= now => {}
            Some(before) => (*before, further) = (now, true),
            None => {
                reached.insert(read::uid(pod).to_owned(), now);
                further = true;
            }
        }
    }
    further
}

/// So many seconds later.
pub(super) fn later(moment: Timestamp, seconds: f64) -> Timestamp {
    let length = jiff::SignedDuration::try_from_secs_f64(seconds).unwrap_or(jiff::SignedDuration::MAX);
    moment.checked_add(length).unwrap_or(Timestamp::MAX)
}

/// Seconds from one moment to another.
pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// Its pods make their way, or its controller is yet to make them, and nothing speaks against it.
pub(super) fn is_starting(track: &Track) -> bool {
    let id = &track.watched.applied.id;
    match &track.verdict {
        Verdict::Waiting { problem } => {
            let runs_pods = kinds::find(&id.group, &id.kind).is_some_and(|kind| kind.template.is_some());
            let harmless = |problem: &Problem| matches!(problem.code, "not-ready" | "volume-failing");
            runs_pods && problem.as_ref().is_none_or(harmless)
        }
        _ => false,
    }
}

/// While evidence is gathered a failure stays one, whatever the pod does meanwhile.
pub(super) fn keep_failure(track: &mut Track, before: Verdict) {
    let was = match &before {
        Verdict::Failed { problem } | Verdict::Gone { problem } => problem.code,
        _ => return,
    };
    match &track.verdict {
        Verdict::Waiting { problem: Some(problem) } | Verdict::Suspect { problem, .. } if problem.code == was => {
            track.verdict = Verdict::Failed { problem: problem.clone() };
        }
        Verdict::Failed { problem } | Verdict::Gone { problem } if problem.code == was => {}
        _ => track.verdict = before,
    }
}
