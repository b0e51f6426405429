//! Takes a lock away from whoever holds it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::sleep;

use super::{
    connect::Cluster,
    error::ClusterError,
    fence,
    lease::{Held, holder_of, lease_id, leases, new_run, now, run_of, seconds_of, version_of},
    queue,
};
use crate::model::{Claim, ObjectId, Selection, Stop};

/// Who holds a lock.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    /// For people: `ci run https://..`, `alice`.
    pub by: String,
    /// Since when, by the holder's clock.
    pub since: Option<Timestamp>,
    /// Those who wait and have announced themselves.
    pub waiting: Vec<Claim>,
    id: ObjectId,
    lease: Value,
}

/// A lock that was taken away and is nobody's yet.
pub(crate) struct Seized(Held);

const TRIES: usize = 10;

impl Cluster {
    /// Who holds the lock of an app in an environment; none where it is free.
    pub(crate) async fn lease_holder(
        &self,
        namespace: &str,
        app: &str,
        environment: &str,
    ) -> Result<Option<Holder>, ClusterError> {
        let id = lease_id(namespace, app, environment);
        Ok(self.read_lease(&id).await?.and_then(|lease| Holder::read(id, lease)))
    }

    /// Takes the lock from this holder and no other. None where it was let go meanwhile.
    ///
    /// The run that loses it may write for as long as its fence allows, so until then nobody has the lock:
    /// [`Cluster::free_seized`] waits for that.
    ///
    /// # Errors
    /// [`ClusterError::Locked`] where another run has it by now.
    pub(crate) async fn seize_lease(&self, holder: &Holder, by: &str) -> Result<Option<Seized>, ClusterError> {
        let mut held = Held {
            id: holder.id.clone(),
            claim: Claim { run: new_run(), by: format!("unlock by {by}"), head: None, over: Vec::new() },
            seconds: fence::limit(Duration::from_secs(seconds_of(&holder.lease))).as_secs_f64().ceil() as u64,
            transitions: holder.lease["spec"]["leaseTransitions"].as_i64().unwrap_or(0) + 1,
            taken: now(),
            version: version_of(&holder.lease),
            waiting: None,
        };
        let mut tries = 0;
        loop {
            tries += 1;
            match self.write_lease(&held, &held.claim.by).await {
                Ok(version) => {
                    held.version = version;
                    return Ok(Some(Seized(held)));
                }
                // renewed meanwhile, or the answer was lost: what is there tells
                Err(ClusterError::Stale { .. } | ClusterError::Unreachable { .. }) if tries < TRIES => {}
                Err(error) => return Err(error),
            }
            let Some(live) = self.read_lease(&held.id).await? else { return Ok(None) };
            held.version = version_of(&live);
            let (run, by) = (run_of(&live), holder_of(&live));
            if run == held.claim.run {
                return Ok(Some(Seized(held)));
            } else if by.is_empty() {
                return Ok(None);
            } else if run != run_of(&holder.lease) {
                return Err(ClusterError::Locked { holder: by, waited: 0 });
            }
        }
    }

    /// Waits until the run that lost the lock writes nothing more, then makes it free. A lock that is not made free here
    /// is so by itself, a moment later.
    ///
    /// # Errors
    /// [`ClusterError::Stopped`] where `stop` is set meanwhile.
    pub(crate) async fn free_seized(&self, seized: Seized, stop: &Stop) -> Result<(), ClusterError> {
        tokio::select! {
            () = sleep(seized.length()) => {}
            () = stop.wait() => return Err(ClusterError::Stopped),
        }
        match self.free_lease(seized.0).await {
            // somebody saw it expire
            Err(ClusterError::Stale { .. }) => Ok(()),
            ended => ended,
        }
    }
}

/// The lock of an app in an environment, to be watched.
pub(crate) fn lock_of(namespace: &str, app: &str, environment: &str) -> Selection {
    let id = lease_id(namespace, app, environment);
    let fields = Some(format!("metadata.name={}", id.name));
    Selection { resource: leases(), namespace: id.namespace, labels: None, fields }
}

impl Holder {
    /// Who holds this Lease; none where nobody does.
    pub(crate) fn of(lease: &Value) -> Option<Self> {
        let text = |field: &str| lease["metadata"][field].as_str().unwrap_or_default();
        let id = ObjectId { name: text("name").to_owned(), ..lease_id(text("namespace"), "", "") };
        Self::read(id, lease.clone())
    }

    fn read(id: ObjectId, lease: Value) -> Option<Self> {
        (!holder_of(&lease).is_empty()).then(|| Self {
            by: holder_of(&lease),
            since: moment(&lease, "acquireTime"),
            waiting: queue::waiting(&lease),
            id,
            lease,
        })
    }

    /// When the lock is free for others unless it is renewed, by the holder's clock: good for a word, not for a decision.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        let renewed = moment(&self.lease, "renewTime")?;
        renewed.checked_add(Duration::from_secs(seconds_of(&self.lease))).ok()
    }
}

fn moment(lease: &Value, field: &str) -> Option<Timestamp> {
    lease["spec"][field].as_str().and_then(|time| time.parse().ok())
}

impl Seized {
    /// How long the run that lost it may write at most.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs(self.0.seconds)
    }
}
