//! A lock that is held: renewed until it is let go, lost, or given up for a newer run.

use std::time::Duration;

use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    connect::Cluster,
    error::ClusterError,
    fence::{Fence, Moment},
    lease::Held,
    queue,
};
use crate::model::{Claim, LockEvent, Stop};

/// A lock that is held and renewed until it is released.
pub(crate) struct Lease {
    cluster: Cluster,
    renewal: JoinHandle<Held>,
    end: oneshot::Sender<()>,
    fence: Fence,
}

enum Renewed {
    Done,
    /// Another run has it, or it was deleted.
    Taken,
    /// The server is silent or busy: nobody can have it, until it answers others.
    Silent,
    Unknown,
}

impl Cluster {
    /// `asked` is when the lock was asked for that is held now.
    pub(super) fn keep(&self, held: Held, asked: Moment, stop: &Stop) -> Lease {
        let (end, ended) = oneshot::channel();
        let fence = Fence::new(asked, Duration::from_secs(held.seconds), stop);
        // a renewal has its own end, and is not to be held up by a stopped run
        let cluster = self.with_patience(Duration::ZERO, &Stop::default());
        let renewal = tokio::spawn(renew(cluster.clone(), held, ended, fence.clone()));
        Lease { cluster, renewal, end, fence }
    }

    async fn renew_once(&self, held: &mut Held, fence: &Fence) -> Renewed {
        match self.write_lease(held, &held.claim.by).await {
            Ok(version) => {
                held.version = version;
                Renewed::Done
            }
            // somebody entered the queue; or it was our own renewal, whose answer was lost
            Err(ClusterError::Stale { .. }) => match self.find_ours(held).await {
                Ok(None) => Renewed::Taken,
                Ok(Some(live)) => {
                    if let Some(newer) = queue::newer_than(&live, &held.claim.run) {
                        fence.wanted_by(newer);
                    }
                    match self.write_lease(held, &held.claim.by).await {
                        Ok(version) => {
                            held.version = version;
                            Renewed::Done
                        }
                        Err(error) => unknown(&error),
                    }
                }
                Err(error) => unknown(&error),
            },
            Err(error) if error.is_missing() => Renewed::Taken,
            Err(error) => unknown(&error),
        }
    }
}

fn unknown(error: &ClusterError) -> Renewed {
    if error.is_of_the_moment() { Renewed::Silent } else { Renewed::Unknown }
}

/// Renews until it is told to end, or the lock is lost: then nothing more may be written.
async fn renew(cluster: Cluster, mut held: Held, mut ended: oneshot::Receiver<()>, fence: Fence) -> Held {
    let expiry = Duration::from_secs(held.seconds);
    let mut confirmed = Moment::now();
    let mut pause = expiry / 3;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = &mut ended => return held,
        }
        let asked = Moment::now();
        match cluster.renew_once(&mut held, &fence).await {
            Renewed::Done => {
                confirmed = asked;
                fence.confirm(asked);
                pause = expiry / 3;
            }
            // the fence holds writes back meanwhile; the next renewal that is answered tells whose the lock is
            Renewed::Silent => pause = expiry / 15,
            Renewed::Unknown if confirmed.elapsed() < expiry => pause = expiry / 15,
            Renewed::Unknown | Renewed::Taken => {
                fence.lose();
                return held;
            }
        }
    }
}

impl Lease {
    /// The same cluster, where every write waits until the lock is known to be held, and none starts once it is lost.
    pub(crate) fn guard(&self, cluster: &Cluster) -> Cluster {
        Cluster { fence: Some(self.fence.clone()), ..cluster.clone() }
    }

    /// True once another run may hold it.
    pub(crate) fn is_lost(&self) -> bool {
        self.fence.is_lost()
    }

    /// The newer run of the branch that this one ended for.
    pub(crate) fn given_way_to(&self) -> Option<Claim> {
        self.fence.given_way_to()
    }

    /// Lets the lock go. A failure is not told: it expires by itself.
    pub(crate) async fn release(self) {
        self.end(async |cluster, held| cluster.free_lease(held).await).await;
    }

    /// Lets the lock go and removes it, for its environment is no more. Where that may not be done it is let go, as ever.
    pub(crate) async fn remove(self) {
        self.end(async |cluster, held| match cluster.remove_lease(held.clone()).await {
            Ok(()) => Ok(()),
            Err(_) => cluster.free_lease(held).await,
        })
        .await;
    }

    async fn end(self, let_go: impl AsyncFnOnce(Cluster, Held) -> Result<(), ClusterError>) {
        self.fence.let_go();
        let _ = self.end.send(());
        let Ok(held) = self.renewal.await else { return };
        let cluster = self.cluster.with_patience(RELEASE_TIME, &Stop::default());
        if !self.fence.is_lost() && let_go(cluster, held).await.is_ok() {
            self.cluster.inner.listener.on(LockEvent::Released.into());
        }
    }
}

/// For looking whether the lock was let go, where the answer was lost.
const RELEASE_TIME: Duration = Duration::from_secs(5);
/// Those who wait change the version now and then.
const TRIES: usize = 5;

impl Cluster {
    /// Writes that nobody holds it, if we do.
    pub(super) async fn free_lease(&self, mut held: Held) -> Result<(), ClusterError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.write_lease(&held, "").await {
                // another run entered the queue; or the answer was lost, of this very request perhaps
                Err(ClusterError::Stale { .. } | ClusterError::Unreachable { .. }) if tries < TRIES => {
                    if self.find_ours(&mut held).await?.is_none() {
                        return Ok(());
                    }
                }
                ended => return ended.map(drop),
            }
        }
    }

    /// Deletes the very version that we hold, and no other. Who waits finds no lock, and makes one.
    async fn remove_lease(&self, mut held: Held) -> Result<(), ClusterError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.delete_lease(&held).await {
                Err(ClusterError::Stale { .. }) if tries < TRIES => {
                    if self.find_ours(&mut held).await?.is_none() {
                        return Ok(());
                    }
                }
                ended => return ended,
            }
        }
    }
}
