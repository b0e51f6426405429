//! One deploy at a time: a `coordination.k8s.io/v1` Lease for each app and environment.
//!
//! It is created by POST and taken by PUT with its resourceVersion, so that of two takers one is refused. It has expired
//! when its holder was not *seen* to renew it for its length; clocks of different machines are never compared.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher as _, RandomState},
    pin::pin,
    time::Duration,
};

use http::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{
    connect::Cluster,
    error::{ClusterError, Reason},
    fence::Moment,
    queue,
    renewal::Lease,
    request::{Call, JSON, built_in, object_path, path},
};
use crate::model::{Claim, Head, LockEvent, MANAGER, ObjectId, Resource, Stop};

/// Which lock is wanted, and how long it may take.
#[derive(Clone, Debug)]
pub(crate) struct LeaseRequest {
    pub namespace: String,
    pub app: String,
    pub environment: String,
    /// For people: `ci run https://..`, `alice`.
    pub holder: String,
    /// None for a run that takes no part in the order of commits.
    pub head: Option<Head>,
    /// How long another holder is waited for.
    pub wait: Duration,
    /// Unrenewed for so long, it is free again. Renewed at a third of it.
    pub expiry: Duration,
    /// The Lease, where this run has read it a moment ago.
    pub seen: Option<SeenLease>,
}

/// A Lease as it was before it was asked for. Where it has changed since, the server refuses to give it over that version.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeenLease(Option<Value>);

/// Says of another run whether ours is newer; true for `came_before` where that one was there first.
pub(crate) type IsNewer<'n> = dyn Fn(&Claim, bool) -> bool + 'n;

/// What a run knows of its own Lease.
#[derive(Clone)]
pub(super) struct Held {
    pub id: ObjectId,
    pub claim: Claim,
    pub seconds: u64,
    pub transitions: i64,
    /// When it was taken, as the Lease has it.
    pub taken: String,
    pub version: String,
    /// Those who wait, as read with the version.
    pub waiting: Option<String>,
}

const POLL: Duration = Duration::from_secs(1);
const REQUEST_TIME: Duration = Duration::from_secs(5);
const SHORTEST_TIME: Duration = Duration::from_secs(1);
/// For leaving the queue; an entry that stays does no harm.
const LEAVE_TIME: Duration = Duration::from_secs(2);

impl Cluster {
    /// The Lease of an app in an environment (one GET), to be asked for later.
    pub(crate) async fn see_lease(
        &self,
        namespace: &str,
        app: &str,
        environment: &str,
    ) -> Result<SeenLease, ClusterError> {
        self.read_lease(&lease_id(namespace, app, environment)).await.map(SeenLease)
    }

    /// Takes the lock, waiting for another holder at most `wait`. Losing it later sets `stop`.
    ///
    /// What stands under the lock may be read while it is asked for: `read` begins after the Lease was seen to be free, and
    /// counts only where it is given over that very version. So nobody else had it in between.
    ///
    /// # Errors
    /// [`ClusterError::Locked`] after `wait`; [`ClusterError::Superseded`] where a newer run of the branch waits too or
    /// has come before; [`ClusterError::Stopped`] where `stop` is set meanwhile.
    pub(crate) async fn take_lease<T>(
        &self,
        request: &LeaseRequest,
        is_newer: &IsNewer<'_>,
        stop: &Stop,
        read: impl AsyncFn() -> T,
    ) -> Result<(Lease, T), ClusterError> {
        let mut turn = Turn::new(request, is_newer);
        let taken = self.wait_for(&mut turn, stop, &read).await;
        if taken.is_err() && turn.is_announced {
            // it is gone with the next taker too
            let _ = timeout(LEAVE_TIME, self.leave(&turn)).await;
        }
        taken
    }

    async fn wait_for<T>(
        &self,
        turn: &mut Turn<'_>,
        stop: &Stop,
        read: &impl AsyncFn() -> T,
    ) -> Result<(Lease, T), ClusterError> {
        let mut seen = turn.request.seen.clone();
        let mut cluster = self.clone();
        loop {
            if stop.is_set() {
                return Err(ClusterError::Stopped);
            }
            let live = match seen.take() {
                Some(SeenLease(live)) => live,
                None => cluster.read_lease(&turn.held.id).await?,
            };
            turn.look(live.as_ref());
            if let Some(newer) = live.as_ref().and_then(|live| queue::newer_than(live, &turn.held.claim.run)) {
                return Err(ClusterError::Superseded { newer: Box::new(newer) });
            }
            if turn.is_free(live.as_ref())
                && let Some(taken) = cluster.claim_and_read(turn, live.as_ref(), stop, read).await?
            {
                return Ok(taken);
            }
            let waited = turn.since.elapsed();
            if waited >= turn.request.wait {
                let holder = live.as_ref().map(holder_of).unwrap_or_default();
                return Err(ClusterError::Locked { holder, waited: waited.as_secs() });
            }
            if let Some(live) = &live {
                self.tell_waiting(turn, live);
                cluster.announce(turn, live).await?;
            }
            // who waits for another run waits for the server, too
            let left = turn.request.wait.saturating_sub(turn.since.elapsed());
            cluster = self.with_patience(left.max(self.patience), stop);
            tokio::select! {
                () = tokio::time::sleep(turn.pause()) => {}
                () = stop.wait() => {}
            }
        }
    }

    /// One try to take it, with what is read meanwhile; none where somebody was quicker.
    async fn claim_and_read<T>(
        &self,
        turn: &mut Turn<'_>,
        live: Option<&Value>,
        stop: &Stop,
        read: &impl AsyncFn() -> T,
    ) -> Result<Option<(Lease, T)>, ClusterError> {
        let asked = Moment::now();
        let mut reading = pin!(read());
        let mut early = None;
        let claimed = {
            let mut claim = pin!(self.claim(&mut turn.held, live));
            loop {
                tokio::select! {
                    biased;
                    claimed = &mut claim => break claimed?,
                    read = &mut reading, if early.is_none() => early = Some(read),
                }
            }
        };
        if !claimed {
            return Ok(None);
        }
        self.inner.listener.on(LockEvent::Taken { waited: turn.since.elapsed().as_secs_f64() }.into());
        // renewed from now on, however long the reading takes
        let lease = self.keep(turn.held.clone(), asked, stop);
        let read = match early {
            Some(read) => read,
            None => reading.await,
        };
        Ok(Some((lease, read)))
    }

    fn tell_waiting(&self, turn: &mut Turn<'_>, live: &Value) {
        let holder = holder_of(live);
        if holder != turn.told && !holder.is_empty() {
            let since = live["spec"]["acquireTime"].as_str().and_then(|time| time.parse().ok());
            self.inner.listener.on(LockEvent::Waiting { holder: holder.clone(), since }.into());
            turn.told = holder;
        }
    }

    /// Enters the queue, or says of whom we are newer. Where somebody was quicker the next look does it again.
    async fn announce(&self, turn: &mut Turn<'_>, live: &Value) -> Result<(), ClusterError> {
        let claim = &turn.held.claim;
        let Some(changed) = claim.head.as_ref().and_then(|_| queue::changed(live, &claim.run, Some(claim))) else {
            return Ok(());
        };
        turn.is_announced = true;
        match self.put_lease(&turn.held.id, &changed, REQUEST_TIME).await {
            Err(error) if !error.is_missing() && !is_passing(&error) => Err(error),
            _ => Ok(()),
        }
    }

    async fn leave(&self, turn: &Turn<'_>) -> Result<(), ClusterError> {
        loop {
            let Some(live) = self.read_lease(&turn.held.id).await? else { return Ok(()) };
            let Some(changed) = queue::changed(&live, &turn.held.claim.run, None) else { return Ok(()) };
            match self.put_lease(&turn.held.id, &changed, REQUEST_TIME).await {
                Err(ClusterError::Stale { .. }) => {}
                ended => return ended.map(drop),
            }
        }
    }

    /// One try to write our name; false where somebody was quicker.
    async fn claim(&self, held: &mut Held, live: Option<&Value>) -> Result<bool, ClusterError> {
        held.transitions = live.map_or(0, |live| live["spec"]["leaseTransitions"].as_i64().unwrap_or(0) + 1);
        held.version = live.map(version_of).unwrap_or_default();
        held.taken = now();
        match self.write_lease(held, &held.claim.by).await {
            Ok(version) => {
                held.version = version;
                Ok(true)
            }
            Err(ClusterError::Refused { reason: Reason::Exists, .. } | ClusterError::Stale { .. }) => Ok(false),
            // it was deleted since it was read
            Err(error) if live.is_some() && error.is_missing() => Ok(false),
            // the answer was lost: what is there tells
            Err(ClusterError::Unreachable { .. }) => Ok(self.find_ours(held).await?.is_some()),
            Err(error) => Err(error),
        }
    }

    /// The Lease, with its version and queue taken over, where it bears this run's mark.
    pub(super) async fn find_ours(&self, held: &mut Held) -> Result<Option<Value>, ClusterError> {
        let live = self.read_lease(&held.id).await?;
        let ours = live.filter(|live| !holder_of(live).is_empty() && run_of(live) == held.claim.run);
        if let Some(live) = &ours {
            held.version = version_of(live);
            held.waiting = queue::waiting_text(live);
        }
        Ok(ours)
    }

    pub(super) async fn read_lease(&self, id: &ObjectId) -> Result<Option<Value>, ClusterError> {
        self.ask_if_there(&Call::get(object_path(&leases(), id, &[])).about(id)).await
    }

    /// POST for a new Lease, else PUT over the very version that is known. Returns the new version.
    pub(super) async fn write_lease(&self, held: &Held, holder: &str) -> Result<String, ClusterError> {
        let time = REQUEST_TIME.min(Duration::from_secs(held.seconds) / 2).max(SHORTEST_TIME);
        if !held.version.is_empty() {
            return self.put_lease(&held.id, &held.body(holder), time).await;
        }
        let path = path(&leases(), held.id.namespace.as_deref(), None, &[("fieldManager", MANAGER)]);
        let mut call = Call::write(Method::POST, path, JSON, held.body(holder).to_string()).about(&held.id);
        call.time = time;
        self.ask(&call).await.map(|answer| version_of(&answer))
    }

    /// Deletes the version that is known; done, where it is gone already.
    pub(super) async fn delete_lease(&self, held: &Held) -> Result<(), ClusterError> {
        self.delete_if(&leases(), &held.id, json!({"resourceVersion": held.version})).await.map(drop)
    }

    async fn put_lease(&self, id: &ObjectId, body: &Value, time: Duration) -> Result<String, ClusterError> {
        let path = object_path(&leases(), id, &[("fieldManager", MANAGER)]);
        let mut call = Call::write(Method::PUT, path, JSON, body.to_string()).about(id);
        call.time = time;
        self.ask(&call).await.map(|answer| version_of(&answer))
    }
}

/// Somebody was quicker, or the answer was lost.
fn is_passing(error: &ClusterError) -> bool {
    matches!(error, ClusterError::Stale { .. } | ClusterError::Unreachable { .. })
}

/// A run that wants the lock.
struct Turn<'t> {
    request: &'t LeaseRequest,
    is_newer: &'t IsNewer<'t>,
    held: Held,
    /// When it began to want it.
    since: Instant,
    seen: Option<Silence>,
    /// Runs that were compared with ours.
    known: BTreeSet<String>,
    has_looked: bool,
    is_announced: bool,
    told: String,
}

impl<'t> Turn<'t> {
    fn new(request: &'t LeaseRequest, is_newer: &'t IsNewer<'t>) -> Self {
        Self {
            request,
            is_newer,
            held: Held::new(request),
            since: Instant::now(),
            seen: None,
            known: BTreeSet::new(),
            has_looked: false,
            is_announced: false,
            told: String::new(),
        }
    }

    /// Notes the holder's sign of life, and which of the others are older than we are.
    fn look(&mut self, live: Option<&Value>) {
        let (sign, now) = (live.map(sign_of_life).unwrap_or_default(), Instant::now());
        let longest = live.map_or(0, seconds_of);
        let longest = (Duration::from_secs(longest) / 4).max(self.pause().mul_f32(1.5));
        self.seen = Some(match self.seen.take() {
            Some(seen) => seen.look(sign, now, longest),
            None => Silence { sign, lasted: Duration::ZERO, looked: now },
        });
        let came_before = !self.has_looked;
        self.has_looked = true;
        let Some(live) = live.filter(|_| self.held.claim.head.is_some()) else { return };
        let holder = queue::holder(live).filter(|_| !holder_of(live).is_empty());
        for other in queue::waiting(live).iter().chain(&holder) {
            let is_unknown = other.run != self.held.claim.run && self.known.insert(other.run.clone());
            if is_unknown && (self.is_newer)(other, came_before) {
                self.held.claim.over.push(other.run.clone());
            }
        }
    }

    /// Between two looks.
    fn pause(&self) -> Duration {
        POLL.min(self.request.expiry / 4)
    }

    /// Nobody's, or not renewed for its own length, as seen from here.
    fn is_free(&self, live: Option<&Value>) -> bool {
        let unchanged = self.seen.as_ref().map(|seen| seen.lasted).unwrap_or_default();
        live.is_none_or(|live| is_free(live, unchanged))
    }
}

/// How long the holder was seen to give no other sign of life than this.
struct Silence {
    sign: String,
    lasted: Duration,
    looked: Instant,
}

impl Silence {
    /// Of the time between two looks at most `longest` counts: while the server was gone, the holder could not renew.
    fn look(self, sign: String, now: Instant, longest: Duration) -> Self {
        let lasted = if sign == self.sign { self.lasted + (now - self.looked).min(longest) } else { Duration::ZERO };
        Self { sign, lasted, looked: now }
    }
}

impl Held {
    fn new(request: &LeaseRequest) -> Self {
        let run = new_run();
        Self {
            id: lease_id(&request.namespace, &request.app, &request.environment),
            claim: Claim { run, by: request.holder.clone(), head: request.head.clone(), over: Vec::new() },
            seconds: request.expiry.as_secs().max(1),
            transitions: 0,
            taken: String::new(),
            version: String::new(),
            waiting: None,
        }
    }

    fn body(&self, holder: &str) -> Value {
        let mut metadata = json!({
            "name": self.id.name,
            "namespace": self.id.namespace,
            "annotations": {queue::HOLDER: json!(self.claim).to_string()},
        });
        if !self.version.is_empty() {
            metadata["resourceVersion"] = self.version.as_str().into();
        }
        if let Some(waiting) = &self.waiting {
            metadata["annotations"][queue::WAITING] = waiting.as_str().into();
        }
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": self.seconds,
                "leaseTransitions": self.transitions,
                "acquireTime": self.taken,
                "renewTime": now(),
            },
        })
    }
}

/// Tells two runs with the same holder apart: a fresh `RandomState` is seeded by the operating system.
pub(super) fn new_run() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

pub(super) fn now() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}

pub(super) fn leases() -> Resource {
    built_in("coordination.k8s.io", "v1", "Lease", "leases")
}

pub(super) fn lease_id(namespace: &str, app: &str, environment: &str) -> ObjectId {
    ObjectId {
        group: "coordination.k8s.io".to_owned(),
        kind: "Lease".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: format!("shipway.{app}.{environment}"),
    }
}

pub(super) fn version_of(lease: &Value) -> String {
    lease["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}

pub(super) fn holder_of(lease: &Value) -> String {
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

pub(super) fn run_of(lease: &Value) -> String {
    queue::holder(lease).map(|claim| claim.run).unwrap_or_default()
}

/// Its length in seconds; 30 where it does not tell.
pub(super) fn seconds_of(lease: &Value) -> u64 {
    lease["spec"]["leaseDurationSeconds"].as_u64().unwrap_or(30)
}

/// What changes with each renewal, and not with those who wait.
fn sign_of_life(lease: &Value) -> String {
    format!("{} {} {}", holder_of(lease), run_of(lease), lease["spec"]["renewTime"])
}

fn is_free(lease: &Value, unchanged: Duration) -> bool {
    holder_of(lease).is_empty() || unchanged >= Duration::from_secs(seconds_of(lease))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> LeaseRequest {
        LeaseRequest {
            namespace: "demo".to_owned(),
            app: "demo".to_owned(),
            environment: "qa".to_owned(),
            holder: "alice".to_owned(),
            head: Some(Head { branch: "cart".to_owned(), commit: "a".repeat(40) }),
            wait: Duration::ZERO,
            expiry: Duration::from_secs(30),
            seen: None,
        }
    }

    #[tokio::test]
    async fn what_is_read_beside_a_claim_counts_only_with_it() {
        use std::sync::{Arc, Mutex};

        use crate::cluster::wire;

        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let (heard, free) = (Arc::clone(&said), json!({"metadata": {"resourceVersion": "7"}, "spec": {}}).to_string());
        let script: wire::Script = Arc::new(move |line: &str| {
            let verb = line.split(' ').next().unwrap_or_default().to_owned();
            let mut heard = heard.lock().unwrap();
            let before = heard.iter().filter(|said| **said == verb).count();
            heard.push(verb.clone());
            match (verb.as_str(), before) {
                ("PUT", 0) => {
                    let status = json!({"kind": "Status", "code": 409, "reason": "Conflict", "message": "changed"});
                    Some(wire::ok(&status.to_string()).replacen("200 OK", "409 Conflict", 1))
                }
                _ => Some(wire::ok(&free)),
            }
        });
        let (cluster, _) = wire::cluster(script).await;
        let seen =
            SeenLease(Some(serde_json::from_str(r#"{"metadata": {"resourceVersion": "6"}, "spec": {}}"#).unwrap()));
        // who takes no part in the order of commits asks for nothing else meanwhile
        let request = LeaseRequest {
            head: None,
            seen: Some(seen),
            wait: Duration::from_secs(20),
            expiry: Duration::from_secs(1),
            ..request()
        };
        let reads = std::cell::Cell::new(0);
        let read = async || {
            reads.set(reads.get() + 1);
            reads.get()
        };
        let (lease, read) = cluster.take_lease(&request, &|_, _| false, &Stop::default(), read).await.unwrap();
        // the Lease was seen before, so the first request is the claim that fails
        assert_eq!(said.lock().unwrap()[..3], ["PUT", "GET", "PUT"]);
        assert_eq!(read, 2, "what was read beside the claim that failed does not count");
        lease.release().await;
    }

    #[test]
    fn a_lease_is_free_when_nobody_holds_or_renews_it() {
        let lease = |holder: &str| json!({"spec": {"holderIdentity": holder, "leaseDurationSeconds": 30}});
        let rows = [("", 0, true), ("ci", 0, false), ("ci", 29, false), ("ci", 30, true)];
        for (holder, unchanged, free) in rows {
            assert_eq!(is_free(&lease(holder), Duration::from_secs(unchanged)), free, "{holder} {unchanged}");
        }
    }

    #[test]
    fn time_in_which_the_server_was_gone_does_not_count_against_the_holder() {
        let (start, longest) = (Instant::now(), Duration::from_secs(7));
        let looks = [(1, "a"), (2, "a"), (62, "a"), (63, "a"), (64, "b"), (65, "b")];
        let mut seen = Silence { sign: "a".to_owned(), lasted: Duration::ZERO, looked: start };
        let lasted = looks.map(|(second, sign)| {
            let now = start + Duration::from_secs(second);
            let last = std::mem::replace(&mut seen, Silence { sign: String::new(), lasted: longest, looked: now });
            seen = last.look(sign.to_owned(), now, longest);
            seen.lasted.as_secs()
        });
        assert_eq!(lasted, [1, 2, 9, 10, 0, 1]);
    }

    #[test]
    fn two_runs_of_one_holder_differ() {
        let (one, other) = (Held::new(&request()), Held::new(&request()));
        assert_ne!(one.claim.run, other.claim.run);
        assert_eq!(one.id.name, "shipway.demo.qa");
        let body = one.body("alice");
        assert_eq!(body["metadata"].get("resourceVersion"), None);
        assert_eq!(run_of(&body), one.claim.run);
    }

    #[test]
    fn who_waits_is_no_sign_of_life_of_the_holder() {
        let held = Held { version: "1".to_owned(), ..Held::new(&request()) };
        let lease = held.body("alice");
        let waiting = queue::changed(&lease, "2", Some(&Claim { run: "2".to_owned(), ..held.claim.clone() })).unwrap();
        assert_eq!(sign_of_life(&lease), sign_of_life(&waiting));
        let mut renewed = lease.clone();
        renewed["spec"]["renewTime"] = "later".into();
        assert_ne!(sign_of_life(&lease), sign_of_life(&renewed));
    }

    #[test]
    fn each_of_the_others_is_compared_once_and_who_was_there_came_before() {
        let asked = std::cell::RefCell::new(Vec::new());
        let is_newer = |other: &Claim, before: bool| {
            asked.borrow_mut().push((other.run.clone(), before));
            before
        };
        let request = request();
        let mut turn = Turn::new(&request, &is_newer);
        let other = |run: &str| Claim { run: run.to_owned(), ..turn.held.claim.clone() };
        let (holder, early, late) = (other("holder"), other("early"), other("late"));
        let mut lease = Held { claim: holder, ..Held::new(&request) }.body("bob");
        for entry in [&early, &late] {
            lease = queue::changed(&lease, &entry.run, Some(entry)).unwrap();
            turn.look(Some(&lease));
            turn.look(Some(&lease));
        }
        assert_eq!(
            *asked.borrow(),
            [("early", true), ("holder", true), ("late", false)].map(|(run, b)| (run.to_owned(), b))
        );
        assert_eq!(turn.held.claim.over, ["early", "holder"]);
    }
}
