//! What a run knows of the lock that it holds, and the fence before its writes.
//!
//! A run that was stopped for a while, or whose renewals do not get through, cannot know whether it still holds the lock.
//! So a write starts only where the lock was confirmed within half its expiry; else it waits for the next renewal.

use std::time::Duration;

use jiff::Timestamp;
use tokio::{sync::watch, time::Instant};

use super::{connect::Cluster, error::ClusterError};
use crate::model::{Claim, Stop};

/// After half its expiry a lock that nobody confirmed is no ground to write on.
pub(super) fn limit(expiry: Duration) -> Duration {
    expiry / 2
}

/// A moment on two clocks. The steady one stands still while a machine sleeps, and the other may be set: what has passed
/// is the longer of both, so that a clock that is set costs a renewal at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    steady: Instant,
    wall: Timestamp,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), wall: Timestamp::now() }
    }

    pub(super) fn elapsed(self) -> Duration {
        self.until(Self::now())
    }

    fn until(self, now: Self) -> Duration {
        let wall = Duration::try_from(now.wall.duration_since(self.wall)).unwrap_or_default();
        now.steady.saturating_duration_since(self.steady).max(wall)
    }
}

/// Shared by the renewal and by all who write under the lock.
#[derive(Clone, Debug)]
pub(super) struct Fence {
    standing: watch::Sender<Standing>,
    limit: Duration,
    /// Of the run that holds the lock.
    stop: Stop,
}

#[derive(Debug)]
struct Standing {
    /// When the last renewal that succeeded was sent.
    confirmed: Moment,
    /// Lost, or let go.
    over: bool,
    lost: bool,
    /// A newer run of the branch that waits.
    newer: Option<Claim>,
    /// True while nothing is written.
    may_give_way: bool,
    gave_way: bool,
}

impl Fence {
    pub(super) fn new(confirmed: Moment, expiry: Duration, stop: &Stop) -> Self {
        let standing =
            Standing { confirmed, over: false, lost: false, newer: None, may_give_way: false, gave_way: false };
        Self { standing: watch::Sender::new(standing), limit: limit(expiry), stop: stop.clone() }
    }

    /// Lets a write through, waiting until the lock is known to be held.
    ///
    /// # Errors
    /// It is lost or was let go.
    pub(super) async fn pass(&self) -> Result<(), ClusterError> {
        let mut standing = self.standing.subscribe();
        loop {
            {
                let standing = standing.borrow_and_update();
                if standing.over {
                    return Err(ClusterError::Stopped);
                }
                if standing.confirmed.elapsed() < self.limit {
                    return Ok(());
                }
            }
            // the sender lives in `self`, so the channel cannot close under us
            let _ = standing.changed().await;
        }
    }

    /// True where a write may start now.
    pub(super) fn is_open(&self) -> bool {
        let standing = self.standing.borrow();
        !standing.over && standing.confirmed.elapsed() < self.limit
    }

    pub(super) fn confirm(&self, at: Moment) {
        self.standing.send_modify(|standing| standing.confirmed = at);
    }

    /// Nothing more is written, and the run ends.
    pub(super) fn lose(&self) {
        self.standing.send_modify(|standing| (standing.over, standing.lost) = (true, true));
        self.stop.set();
    }

    pub(super) fn let_go(&self) {
        self.standing.send_modify(|standing| standing.over = true);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.standing.borrow().lost
    }

    /// A newer run waits: this one ends as soon as it only watches.
    pub(super) fn wanted_by(&self, newer: Claim) {
        self.standing.send_modify(|standing| standing.newer = Some(newer));
        self.give_way();
    }

    fn may_give_way(&self, may: bool) {
        self.standing.send_modify(|standing| standing.may_give_way = may);
        self.give_way();
    }

    fn give_way(&self) {
        self.standing.send_if_modified(|standing| {
            let now = standing.may_give_way && standing.newer.is_some() && !standing.gave_way && !self.stop.is_set();
            standing.gave_way |= now;
            now
        });
        if self.given_way_to().is_some() {
            self.stop.set();
        }
    }

    /// The newer run that this one ended for.
    pub(super) fn given_way_to(&self) -> Option<Claim> {
        let standing = self.standing.borrow();
        standing.newer.clone().filter(|_| standing.gave_way)
    }
}

impl Cluster {
    /// While nothing is written, a run that holds the lock ends for a newer one of its branch.
    pub(crate) fn may_give_way(&self, may: bool) {
        if let Some(fence) = &self.fence {
            fence.may_give_way(may);
        }
    }

    /// True where the run that holds the lock ended for a newer one.
    pub(crate) fn gave_way(&self) -> bool {
        self.fence.as_ref().is_some_and(|fence| fence.given_way_to().is_some())
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const EXPIRY: Duration = Duration::from_secs(30);

    fn claim() -> Claim {
        Claim { run: "2".to_owned(), by: "alice".to_owned(), head: None, over: Vec::new() }
    }

    fn long_ago() -> Moment {
        let now = Moment::now();
        Moment { steady: now.steady - EXPIRY / 2, ..now }
    }

    #[test]
    fn a_machine_that_slept_counts_the_time() {
        let (now, slept) = (Moment::now(), Duration::from_secs(3600));
        let seconds = |now: Moment, then: Moment| now.until(then).as_secs();
        assert_eq!(seconds(now, Moment { wall: now.wall + slept, ..now }), 3600);
        assert_eq!(seconds(now, Moment { steady: now.steady + slept, ..now }), 3600);
        // a clock that was set back takes nothing from the steady one
        assert_eq!(seconds(now, Moment { steady: now.steady + slept, wall: now.wall - slept }), 3600);
        assert_eq!(seconds(now, Moment { wall: now.wall - slept, ..now }), 0);
        let woken = Moment { wall: now.wall - slept, ..now };
        assert!(!Fence::new(woken, EXPIRY, &Stop::default()).is_open());
    }

    #[tokio::test]
    async fn a_write_waits_until_the_lock_is_confirmed_and_fails_once_it_is_lost() {
        let (stop, long_ago) = (Stop::default(), long_ago());
        let fence = Fence::new(long_ago, EXPIRY, &stop);
        assert!(fence.pass().now_or_never().is_none() && !fence.is_open());
        let (passed, ()) = tokio::join!(fence.pass(), async { fence.confirm(Moment::now()) });
        assert!(passed.is_ok() && fence.is_open());
        fence.confirm(long_ago);
        let (passed, ()) = tokio::join!(fence.pass(), async { fence.lose() });
        assert!(passed.is_err() && fence.is_lost() && stop.is_set());
    }

    #[tokio::test]
    async fn a_run_gives_way_while_it_watches_and_not_before() {
        let stop = Stop::default();
        let fence = Fence::new(Moment::now(), EXPIRY, &stop);
        fence.wanted_by(claim());
        assert!(!stop.is_set() && fence.given_way_to().is_none());
        fence.may_give_way(true);
        assert!(stop.is_set());
        fence.may_give_way(false);
        assert_eq!(fence.given_way_to(), Some(claim()));
    }

    #[tokio::test]
    async fn who_is_interrupted_does_not_give_way() {
        let stop = Stop::default();
        let fence = Fence::new(Moment::now(), EXPIRY, &stop);
        fence.may_give_way(true);
        stop.set();
        fence.wanted_by(claim());
        assert_eq!(fence.given_way_to(), None);
    }
}
