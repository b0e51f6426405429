//! `status --watch`: every environment by watches, told anew with each change.

use std::{cell::RefCell, collections::HashMap, pin::pin};

use futures::{
    FutureExt as _, StreamExt as _,
    future::{LocalBoxFuture, join_all},
    stream::{BoxStream, FuturesUnordered, SelectAll, select_all},
};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Duration, Instant, interval, sleep_until},
};

use super::{
    picture::{Papers, Place, paint, without_objects},
    sight::{Sight, is_nothing, unknown},
    sites::Site,
    status::rank,
};
use crate::{
    cluster::{Cluster, ClusterError, Holder, lock_of, made_for, read_namespace, read_record, records_of},
    kinds,
    model::{
        EnvironmentStatus, Exit, LiveNamespace, Problem, Question, Record, Reply, Seen, Selection, StatusEvent, Stop,
    },
    rollout::{Standing, difference::difference},
};

/// After one look the next rests for so long, so that a hundred pods are not a hundred looks.
const REST: Duration = Duration::from_millis(100);
/// With nothing to wait for but the watches.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);
/// How often it is noticed that nobody reads any more.
const LISTENS: Duration = Duration::from_secs(1);

type News = (Selection, Result<Seen, ClusterError>);
type Namespaces = HashMap<String, watch::Sender<Option<LiveNamespace>>>;

/// What is known of all environments, as it was told last.
#[derive(Default)]
struct Told(RefCell<Vec<EnvironmentStatus>>);

/// Watches until the run is stopped (130), or nobody reads any more (0); the answer is what was true last.
pub(super) async fn run(sight: &Sight<'_>) -> (Exit, Vec<EnvironmentStatus>) {
    let told = Told::default();
    let sites = sight.sites();
    let exit = {
        let mut all = pin!(join_all(sites.iter().map(|site| of_site(sight, site, &told))));
        let mut look = interval(LISTENS);
        loop {
            tokio::select! {
                biased;
                () = sight.context.stop.wait() => break Exit::Interrupted,
                _ = look.tick() => if !sight.context.listener.is_heard() { break Exit::Done },
                // where there is no environment whose cluster could be watched, what is known is all there will be
                _ = &mut all => sight.context.stop.wait().await,
            }
        }
    };
    (exit, told.0.into_inner())
}

impl Told {
    /// Tells what is new about an environment.
    fn tell(&self, sight: &Sight<'_>, mut status: EnvironmentStatus) {
        status.rank = rank(sight.checkout, &status);
        let mut all = self.0.borrow_mut();
        let known = all.iter().position(|known| known.is_same_place(&status));
        let Some(changes) = difference(known.map(|at| &all[at]), &status) else { return };
        match known {
            Some(at) => all[at] = status.clone(),
            None => all.push(status.clone()),
        }
        sight.context.tell(StatusEvent::Environment { status: Box::new(status), changes });
    }

    fn forget(&self, sight: &Sight<'_>, place: &Place) {
        let mut all = self.0.borrow_mut();
        let Some(at) = all.iter().position(|known| known.is_same_place(&place.status())) else { return };
        sight.context.tell(StatusEvent::Gone { status: Box::new(all.remove(at)) });
    }
}

async fn of_site(sight: &Sight<'_>, site: &Site, told: &Told) {
    let places = sight.configured(site);
    let cluster = match site.connect(sight.context, sight.checkout).await {
        Ok(cluster) => cluster,
        Err(error) => {
            let problem = Problem::from(error);
            return places.iter().for_each(|place| told.tell(sight, unknown(place, &problem)));
        }
    };
    let mut namespaces = Namespaces::new();
    let mut followed: FuturesUnordered<LocalBoxFuture<'_, ()>> = FuturesUnordered::new();
    for place in places {
        let (sender, live) = watch::channel(None);
        namespaces.insert(place.namespace.clone(), sender);
        followed.push(follow(sight, cluster.clone(), place, live, told).boxed_local());
    }
    let made: Vec<Selection> = sight.has_previews().then(|| made_for(sight.app())).into_iter().collect();
    let mut made = watched(&cluster, made, &sight.context.stop);
    loop {
        tokio::select! {
            Some((_, seen)) = made.next() => match seen {
                Ok(seen) => {
                    for place in take_namespaces(sight, site, &mut namespaces, seen) {
                        let (sender, live) = watch::channel(place.live.clone());
                        namespaces.insert(place.namespace.clone(), sender);
                        followed.push(follow(sight, cluster.clone(), place, live, told).boxed_local());
                    }
                }
                Err(error) => sight.tell_unseen(&error),
            },
            Some(()) = followed.next() => {}
            else => return,
        }
    }
}

/// Hands on what was seen of namespaces; answers the places that are new.
fn take_namespaces(sight: &Sight<'_>, site: &Site, known: &mut Namespaces, seen: Seen) -> Vec<Place> {
    let (all, objects, gone) = match seen {
        Seen::Listed { objects, .. } => (true, objects, None),
        Seen::Changed { object, .. } => (false, vec![object], None),
        Seen::Deleted { object, .. } => (false, Vec::new(), Some(read_namespace(&object).name)),
        Seen::Interrupted { .. } | Seen::Resumed { .. } => return Vec::new(),
    };
    let live: Vec<LiveNamespace> = objects.iter().map(read_namespace).collect();
    let configured = |name: &str| site.places.iter().any(|(_, namespace)| namespace == name);
    let is_gone = |name: &str| gone.as_deref() == Some(name) || all && !live.iter().any(|live| live.name == name);
    known.retain(|name, sender| {
        if configured(name) && is_gone(name) {
            sender.send_replace(None);
        }
        configured(name) || !is_gone(name)
    });
    let mut places = Vec::new();
    for live in live {
        match known.get(&live.name) {
            Some(sender) => _ = sender.send_replace(Some(live)),
            None => places.extend(sight.place_of(site, &live)),
        }
    }
    places
}

/// Each selection's news with its name.
fn watched(cluster: &Cluster, selections: Vec<Selection>, stop: &Stop) -> SelectAll<BoxStream<'static, News>> {
    let one = |selection: Selection| {
        let named = selection.clone();
        cluster.watch(vec![selection], kinds::slim, stop).map(move |seen| (named.clone(), seen)).boxed()
    };
    select_all(selections.into_iter().map(one))
}

/// One environment while it is followed.
struct Followed {
    place: Place,
    records: HashMap<String, Record>,
    /// Lists that have not come yet, of records and lock.
    missing: usize,
    papers: Papers,
    standing: Option<Standing>,
    asked: Vec<Question>,
    /// Why it cannot be told how it is.
    problem: Option<Problem>,
    due: Option<Timestamp>,
}

/// Follows one environment, until its namespace is gone or the run ends.
async fn follow(
    sight: &Sight<'_>,
    cluster: Cluster,
    place: Place,
    mut live: watch::Receiver<Option<LiveNamespace>>,
    told: &Told,
) {
    let (app, stop) = (sight.app(), &sight.context.stop);
    let named = (&place.namespace, &place.environment);
    let papers = vec![records_of(named.0, app, named.1), lock_of(named.0, app, named.1)];
    let mut followed = Followed::new(place, papers.len());
    let mut papers = watched(&cluster, papers, stop);
    let mut objects = watched(&cluster, Vec::new(), stop);
    let mut replies: FuturesUnordered<LocalBoxFuture<'_, (Question, Reply)>> = FuturesUnordered::new();
    // when it is to be looked at next
    let mut wake = Instant::now() + LONGEST_SLEEP;
    let mut looked = Instant::now() - REST;
    loop {
        tokio::select! {
            biased;
            changed = live.changed() => match changed {
                Ok(()) => followed.place.live.clone_from(&live.borrow_and_update()),
                Err(_) => return told.forget(sight, &followed.place),
            },
            Some((selection, seen)) = papers.next() => {
                if followed.take_papers(&selection, seen) && let Some(selections) = followed.begin(sight) {
                    objects = watched(&cluster, selections, stop);
                }
            }
            Some((selection, seen)) = objects.next() => followed.take_object(selection, seen),
            Some((question, reply)) = replies.next(), if !replies.is_empty() => {
                followed.standing.iter_mut().for_each(|standing| standing.reply(question.clone(), reply.clone()));
            }
            () = sleep_until(wake) => {
                looked = Instant::now();
                let (status, questions) = followed.look(sight, &cluster);
                status.into_iter().for_each(|status| told.tell(sight, status));
                let answers = questions.into_iter().map(|question| sight.answer(&cluster, question).boxed_local());
                replies.extend(answers);
                wake = looked + followed.rest();
                continue;
            }
        }
        wake = wake.min(looked + REST);
    }
}

impl Followed {
    fn new(place: Place, missing: usize) -> Self {
        Self {
            place,
            records: HashMap::new(),
            missing,
            papers: Papers::default(),
            standing: None,
            asked: Vec::new(),
            problem: None,
            due: None,
        }
    }

    /// Takes in what was seen of records or lock; true where other records are there.
    fn take_papers(&mut self, selection: &Selection, seen: Result<Seen, ClusterError>) -> bool {
        let is_lock = selection.resource.kind == "Lease";
        let interrupted = matches!(seen, Ok(Seen::Interrupted { .. } | Seen::Resumed { .. }));
        let first = matches!(seen, Ok(Seen::Listed { .. }) | Err(_));
        match (seen, is_lock) {
            (Ok(Seen::Interrupted { text, .. }), _) => self.note_silence(text),
            // what was known still holds
            (Ok(Seen::Resumed { .. }), _) => {}
            (Ok(seen), true) => self.papers.lock = lock_in(seen),
            (Ok(seen), false) => self.take_records(seen),
            // who may not watch the lock sees a run by its record
            (Err(_), true) => {}
            (Err(error), false) if error.is_denied() => self.papers.problem = Some(error.into()),
            (Err(error), false) => self.problem = Some(error.into()),
        }
        self.missing = self.missing.saturating_sub(usize::from(first));
        !is_lock && !interrupted
    }

    fn take_records(&mut self, seen: Seen) {
        self.problem = None;
        let name = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        match seen {
            Seen::Listed { objects, .. } => {
                let read = |object: &Value| Some((name(object), read_record(object)?));
                self.records = objects.iter().filter_map(read).collect();
            }
            Seen::Changed { object, .. } => {
                self.records.extend(read_record(&object).map(|record| (name(&object), record)));
            }
            Seen::Deleted { object, .. } => _ = self.records.remove(&name(&object)),
            Seen::Interrupted { .. } | Seen::Resumed { .. } => {}
        }
        self.papers.records = self.records.values().cloned().collect();
        self.papers.records.sort_by_key(|record| record.revision);
    }

    /// What has to be watched from now on, where that is something else than before.
    fn begin(&mut self, sight: &Sight<'_>) -> Option<Vec<Selection>> {
        let selections = |standing: &Option<Standing>| -> Vec<Selection> {
            standing.iter().flat_map(Standing::selections).cloned().collect()
        };
        let before = selections(&self.standing);
        let standing = sight.standing(&self.place, &self.papers);
        let now = selections(&standing);
        if before == now {
            // other objects may be expected of the same lists
            if let (Some(known), Some(standing)) = (&mut self.standing, standing) {
                known.expect_as(standing);
            }
            return None;
        }
        (self.standing, self.asked) = (standing, Vec::new());
        Some(now)
    }

    fn take_object(&mut self, selection: Selection, seen: Result<Seen, ClusterError>) {
        let Some(standing) = &mut self.standing else { return };
        match seen {
            Ok(Seen::Interrupted { text, .. }) => self.note_silence(text),
            Ok(seen) => {
                self.problem = None;
                standing.absorb(seen);
            }
            Err(error) if is_nothing(&error) => standing.absorb(Seen::Listed { selection, objects: Vec::new() }),
            Err(_) if selection.is_of("", "Event") => {}
            Err(error) => self.problem = Some(error.into()),
        }
    }

    /// Before the first picture there is nothing else to show; later the wait is told as it is everywhere.
    fn note_silence(&mut self, text: String) {
        let is_complete = self.missing == 0 && self.standing.as_ref().is_none_or(Standing::is_complete);
        if !is_complete {
            self.problem = Some(Problem::new("cluster-unreachable", Exit::Cluster, text));
        }
    }

    /// How it is now, once that is known, and what would explain more.
    fn look(&mut self, sight: &Sight<'_>, cluster: &Cluster) -> (Option<EnvironmentStatus>, Vec<Question>) {
        let now = Timestamp::now();
        self.due = self.papers.lock.as_ref().and_then(Holder::expires).filter(|expires| *expires > now);
        if let Some(problem) = &self.problem {
            return (Some(unknown(&self.place, problem)), Vec::new());
        }
        if self.missing > 0 {
            return (None, Vec::new());
        }
        let Some(standing) = &mut self.standing else {
            return (Some(without_objects(&self.place, &self.papers, now)), Vec::new());
        };
        if !standing.is_complete() {
            return (None, Vec::new());
        }
        let mut judged = standing.judge(now);
        self.due = self.due.into_iter().chain(judged.due).min();
        let mut questions = std::mem::take(&mut judged.questions);
        questions.retain(|question| !self.asked.contains(question));
        self.asked.extend(questions.iter().cloned());
        let surroundings = (&sight.checkout.settings, cluster.connection().server.as_str());
        let status = paint(surroundings, &self.place, &self.papers, (standing, judged), now);
        (Some(status), questions)
    }

    /// Until it changes by itself.
    fn rest(&self) -> Duration {
        let ahead = self.due.map(|due| due.duration_since(Timestamp::now()));
        let ahead = ahead.map(|ahead| Duration::try_from(ahead).unwrap_or_default());
        ahead.unwrap_or(LONGEST_SLEEP).clamp(REST, LONGEST_SLEEP)
    }
}

/// Who holds the lock, of a list of one.
fn lock_in(seen: Seen) -> Option<Holder> {
    match seen {
        Seen::Listed { objects, .. } => objects.first().and_then(Holder::of),
        Seen::Changed { object, .. } => Holder::of(&object),
        Seen::Deleted { .. } | Seen::Interrupted { .. } | Seen::Resumed { .. } => None,
    }
}
