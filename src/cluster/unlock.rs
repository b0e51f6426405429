//! Takes a lock away from whoever holds it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::sleep;

use super::{
    connect::Cluster,
    error::ClusterError,
    fence,
    lease::{Held, holder_of, lease_id, new_run, now, run_of, seconds_of, version_of},
    queue,
};
use crate::model::{Claim, ObjectId, Stop};

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
        let live = self.read_lease(&id).await?;
        Ok(live.filter(|live| !holder_of(live).is_empty()).map(|lease| Holder {
            by: holder_of(&lease),
            since: lease["spec"]["acquireTime"].as_str().and_then(|time| time.parse().ok()),
            waiting: queue::waiting(&lease),
            id,
            lease,
        }))
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

impl Seized {
    /// How long the run that lost it may write at most.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs(self.0.seconds)
    }
}
