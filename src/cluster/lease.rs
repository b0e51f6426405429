//! One deploy at a time: a `coordination.k8s.io/v1` Lease for each app and environment.
//!
//! It is created by POST and taken by PUT with its resourceVersion, so that of two takers one is refused. It has expired
//! when no change has been *seen* for its length; clocks of different machines are never compared.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Method;
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};

use super::{
    connect::Cluster,
    error::{ClusterError, Reason},
    request::{Call, JSON, MANAGER, built_in, object_path, path},
};
use crate::model::{LockEvent, ObjectId, Resource, Stop};

/// Which lock is wanted, and how long it may take.
#[derive(Clone, Debug)]
pub(crate) struct LeaseRequest {
    pub namespace: String,
    pub app: String,
    pub environment: String,
    /// For people: `ci run https://..`, `alice`.
    pub holder: String,
    /// How long another holder is waited for.
    pub wait: Duration,
    /// Unrenewed for so long, it is free again. 30 s; renewed at a third of it.
    pub expiry: Duration,
}

/// A lock that is held and renewed until it is released.
pub(crate) struct Lease {
    cluster: Cluster,
    renewal: JoinHandle<Held>,
    end: oneshot::Sender<()>,
    lost: Arc<AtomicBool>,
}

/// What this run knows of its own Lease.
#[derive(Clone)]
struct Held {
    id: ObjectId,
    holder: String,
    /// Tells two runs with the same holder apart.
    run: String,
    seconds: u64,
    transitions: i64,
    version: String,
}

const RUN: &str = "shipway.dev/run";
const POLL: Duration = Duration::from_secs(1);
const REQUEST_TIME: Duration = Duration::from_secs(5);

impl Cluster {
    /// Takes the lock, waiting for another holder at most `wait`. Losing it later sets `stop`.
    ///
    /// # Errors
    /// [`ClusterError::Locked`] after `wait`; [`ClusterError::Stopped`] where `stop` is set meanwhile.
    pub(crate) async fn take_lease(&self, request: &LeaseRequest, stop: &Stop) -> Result<Lease, ClusterError> {
        let start = Instant::now();
        let mut held = Held::new(request);
        let mut seen: Option<(String, Instant)> = None;
        let mut told = String::new();
        loop {
            if stop.is_set() {
                return Err(ClusterError::Stopped);
            }
            let live = self.ask_if_there(&Call::get(object_path(&leases(), &held.id, &[])).about(&held.id)).await?;
            let version = live.as_ref().map(version_of).unwrap_or_default();
            let since = match &seen {
                Some((known, since)) if *known == version => *since,
                _ => seen.insert((version, Instant::now())).1,
            };
            if live.as_ref().is_none_or(|live| is_free(live, since.elapsed()))
                && self.claim(&mut held, live.as_ref()).await?
            {
                self.inner.listener.on(LockEvent::Taken { waited: start.elapsed().as_secs_f64() }.into());
                return Ok(self.keep(held, stop));
            }
            let holder = live.as_ref().map(holder_of).unwrap_or_default();
            if start.elapsed() >= request.wait {
                return Err(ClusterError::Locked { holder, waited: start.elapsed().as_secs() });
            }
            if holder != told && !holder.is_empty() {
                self.inner.listener.on(LockEvent::Waiting { holder: holder.clone() }.into());
                told = holder;
            }
            tokio::select! {
                () = tokio::time::sleep(POLL.min(request.expiry / 4)) => {}
                () = stop.wait() => {}
            }
        }
    }

    /// Who holds the lock of an app in an environment; none where it is free.
    pub(crate) async fn lease_holder(
        &self,
        namespace: &str,
        app: &str,
        environment: &str,
    ) -> Result<Option<String>, ClusterError> {
        let id = lease_id(namespace, app, environment);
        let live = self.ask_if_there(&Call::get(object_path(&leases(), &id, &[])).about(&id)).await?;
        Ok(live.as_ref().map(holder_of).filter(|holder| !holder.is_empty()))
    }

    /// One try to write our name; false where somebody was quicker.
    async fn claim(&self, held: &mut Held, live: Option<&Value>) -> Result<bool, ClusterError> {
        held.transitions = live.map_or(0, |live| live["spec"]["leaseTransitions"].as_i64().unwrap_or(0) + 1);
        held.version = live.map(version_of).unwrap_or_default();
        match self.write(held, &held.holder).await {
            Ok(version) => {
                held.version = version;
                Ok(true)
            }
            Err(ClusterError::Refused { reason: Reason::Exists, .. } | ClusterError::Stale { .. }) => Ok(false),
            // the answer was lost: what is there tells
            Err(ClusterError::Unreachable { .. }) => self.find_ours(held).await,
            Err(error) => Err(error),
        }
    }

    /// True, with the version taken over, where the Lease bears this run's mark.
    async fn find_ours(&self, held: &mut Held) -> Result<bool, ClusterError> {
        let live = self.ask_if_there(&Call::get(object_path(&leases(), &held.id, &[])).about(&held.id)).await?;
        let ours = live
            .filter(|live| live["metadata"]["annotations"][RUN] == held.run.as_str() && !holder_of(live).is_empty());
        if let Some(live) = &ours {
            held.version = version_of(live);
        }
        Ok(ours.is_some())
    }

    /// POST for a new Lease, else PUT over the very version that is known. Returns the new version.
    async fn write(&self, held: &Held, holder: &str) -> Result<String, ClusterError> {
        let query = [("fieldManager", MANAGER)];
        let is_new = held.version.is_empty();
        let (method, path) = if is_new {
            (Method::POST, path(&leases(), held.id.namespace.as_deref(), None, &query))
        } else {
            (Method::PUT, object_path(&leases(), &held.id, &query))
        };
        let mut call = Call::write(method, path, JSON, held.body(holder).to_string()).about(&held.id);
        call.time = REQUEST_TIME;
        self.ask(&call).await.map(|answer| version_of(&answer))
    }

    fn keep(&self, held: Held, stop: &Stop) -> Lease {
        let (end, ended) = oneshot::channel();
        let lost = Arc::new(AtomicBool::new(false));
        // a renewal has its own end, and is not to be held up by a stopped run
        let cluster = self.with_patience(Duration::ZERO, &Stop::default());
        let renewal = tokio::spawn(renew(cluster.clone(), held, ended, stop.clone(), Arc::clone(&lost)));
        Lease { cluster, renewal, end, lost }
    }
}

/// Renews until it is told to end, or the lock is lost: then `stop` is set, and nothing more may be written.
async fn renew(
    cluster: Cluster,
    mut held: Held,
    mut ended: oneshot::Receiver<()>,
    stop: Stop,
    lost: Arc<AtomicBool>,
) -> Held {
    let expiry = Duration::from_secs(held.seconds);
    let mut renewed = Instant::now();
    let mut pause = expiry / 3;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = &mut ended => return held,
        }
        let asked = Instant::now();
        let is_ours = match cluster.write(&held, &held.holder).await {
            Ok(version) => {
                held.version = version;
                true
            }
            // perhaps our own renewal, whose answer was lost
            Err(ClusterError::Stale { .. }) => match cluster.find_ours(&mut held).await {
                Ok(false) => break,
                found => found.is_ok(),
            },
            Err(error) if error.is_missing() => break,
            Err(_) => false,
        };
        if is_ours {
            renewed = asked;
            pause = expiry / 3;
        } else if renewed.elapsed() >= expiry {
            break;
        } else {
            pause = expiry / 15;
        }
    }
    lost.store(true, Ordering::SeqCst);
    stop.set();
    held
}

impl Lease {
    /// True once another run may hold it.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    /// Lets the lock go. A failure is not told: it expires by itself.
    pub(crate) async fn release(self) {
        let _ = self.end.send(());
        let Ok(mut held) = self.renewal.await else { return };
        if self.lost.load(Ordering::SeqCst) {
            return;
        }
        let mut done = self.cluster.write(&held, "").await;
        if matches!(done, Err(ClusterError::Stale { .. }))
            && matches!(self.cluster.find_ours(&mut held).await, Ok(true))
        {
            done = self.cluster.write(&held, "").await;
        }
        if done.is_ok() {
            self.cluster.inner.listener.on(LockEvent::Released.into());
        }
    }
}

impl Held {
    fn new(request: &LeaseRequest) -> Self {
        // a fresh RandomState is seeded by the operating system
        let run = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        Self {
            id: lease_id(&request.namespace, &request.app, &request.environment),
            holder: request.holder.clone(),
            run,
            seconds: request.expiry.as_secs().max(1),
            transitions: 0,
            version: String::new(),
        }
    }

    fn body(&self, holder: &str) -> Value {
        let now = format!("{:.6}", jiff::Timestamp::now());
        let mut metadata = json!({
            "name": self.id.name,
            "namespace": self.id.namespace,
            "annotations": {RUN: self.run},
        });
        if !self.version.is_empty() {
            metadata["resourceVersion"] = self.version.as_str().into();
        }
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": self.seconds,
                "leaseTransitions": self.transitions,
                "acquireTime": now,
                "renewTime": now,
            },
        })
    }
}

fn leases() -> Resource {
    built_in("coordination.k8s.io", "v1", "Lease", "leases")
}

fn lease_id(namespace: &str, app: &str, environment: &str) -> ObjectId {
    ObjectId {
        group: "coordination.k8s.io".to_owned(),
        kind: "Lease".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: format!("shipway.{app}.{environment}"),
    }
}

fn version_of(lease: &Value) -> String {
    lease["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}

fn holder_of(lease: &Value) -> String {
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

/// Nobody's, or not renewed for its own length, as seen from here.
fn is_free(lease: &Value, unchanged: Duration) -> bool {
    let seconds = lease["spec"]["leaseDurationSeconds"].as_u64().unwrap_or(30);
    holder_of(lease).is_empty() || unchanged >= Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_free_when_nobody_holds_or_renews_it() {
        let lease = |holder: &str| json!({"spec": {"holderIdentity": holder, "leaseDurationSeconds": 30}});
        let rows = [("", 0, true), ("ci", 0, false), ("ci", 29, false), ("ci", 30, true)];
        for (holder, unchanged, free) in rows {
            assert_eq!(is_free(&lease(holder), Duration::from_secs(unchanged)), free, "{holder} {unchanged}");
        }
    }

    #[test]
    fn two_runs_of_one_holder_differ() {
        let request = LeaseRequest {
            namespace: "demo".to_owned(),
            app: "demo".to_owned(),
            environment: "qa".to_owned(),
            holder: "alice".to_owned(),
            wait: Duration::ZERO,
            expiry: Duration::from_secs(30),
        };
        let (one, other) = (Held::new(&request), Held::new(&request));
        assert_ne!(one.run, other.run);
        assert_eq!(one.id.name, "shipway.demo.qa");
        assert_eq!(one.body("alice")["metadata"].get("resourceVersion"), None);
    }
}
