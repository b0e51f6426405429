//! Waiting for an API server that does not answer: bounded, and told.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::connect::{Cluster, Inner};
use crate::model::{Note, short_duration};

/// Since when a request is waited for. Shared by all requests, so that 32 of them tell it once.
#[derive(Default)]
pub(super) struct Outage {
    silence: Option<Silence>,
    /// Requests that failed and are tried again, and watches that were cut.
    waiting: usize,
    answered: Option<Instant>,
}

struct Silence {
    since: Instant,
    told: Option<Instant>,
}

const FIRST_WORD: Duration = Duration::from_secs(1);
const BETWEEN_WORDS: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// A server that is busy, but there, is given at least so long.
const BUSY: Duration = Duration::from_secs(30);
/// A request may take so long before it is told.
const SLOW: Duration = Duration::from_secs(5);
const FEW_TRIES: u32 = 4;

impl Outage {
    /// A request failed and is to be tried again.
    fn begins(&mut self, now: Instant) {
        self.waiting += 1;
        self.silence.get_or_insert(Silence { since: now, told: None });
    }

    /// The seconds to tell, where it is time for a word; `sent` is when the request was that is waited for.
    fn lasts(&mut self, now: Instant, sent: Instant) -> Option<u64> {
        let quiet = self.answered.map_or(sent, |answered| answered.max(sent));
        if self.silence.is_none() && now - quiet >= SLOW {
            self.silence = Some(Silence { since: quiet, told: None });
        }
        let silence = self.silence.as_mut()?;
        let lasted = now - silence.since;
        let due = silence.told.map_or(lasted >= FIRST_WORD, |told| now - told >= BETWEEN_WORDS);
        due.then(|| {
            silence.told = Some(now);
            lasted.as_secs()
        })
    }

    /// A request that was tried again is not waited for any more.
    fn ends(&mut self) {
        self.waiting -= 1;
    }

    /// The seconds it lasted, where it had been told and nobody waits any more.
    fn answers(&mut self, now: Instant) -> Option<u64> {
        self.answered = Some(now);
        let silence = self.silence.take_if(|_| self.waiting == 0)?;
        silence.told.map(|_| (now - silence.since).as_secs())
    }
}

/// Something that failed and is tried again, until this value is gone.
pub(super) struct Waiting(Arc<Inner>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.outage().ends();
    }
}

/// One request's tries.
pub(super) struct Tries {
    since: Instant,
    count: u32,
    renewed: bool,
    may_be_done: bool,
    waiting: Option<Waiting>,
}

impl Tries {
    pub(super) fn new() -> Self {
        Self::since(Instant::now())
    }

    fn since(since: Instant) -> Self {
        Self { since, count: 0, renewed: false, may_be_done: false, waiting: None }
    }

    /// Notes whether the server may have done it at this try.
    pub(super) fn note(&mut self, may_be_done: bool) {
        self.may_be_done |= may_be_done;
    }

    /// True where one of the tries may have been done, its answer lost.
    pub(super) fn may_be_done(&self) -> bool {
        self.may_be_done
    }

    /// When a patience ends.
    pub(super) fn end(&self, patience: Duration) -> Instant {
        self.since + patience
    }

    /// The pause before the next try; none where patience is at its end. `asked` is what the server asks for.
    pub(super) fn next_pause(&mut self, now: Instant, patience: Duration, asked: Option<Duration>) -> Option<Duration> {
        let pause = Duration::from_millis(100) * 2_u32.saturating_pow(self.count.min(10));
        let pause = pause.min(LONGEST_PAUSE).max(asked.unwrap_or_default());
        self.count += 1;
        (now - self.since + pause <= patience).then_some(pause)
    }

    /// Notes that the request waits for another try.
    pub(super) fn wait(&mut self, cluster: &Cluster) {
        self.waiting.get_or_insert_with(|| cluster.waiting());
    }

    pub(super) fn answered(&mut self) -> Option<Waiting> {
        self.waiting.take()
    }

    /// True the few times that a fault without a name is worth.
    pub(super) fn are_few(&self) -> bool {
        self.count + 1 < FEW_TRIES
    }

    /// True once: a login that was renewed and is refused again will not get better.
    pub(super) fn may_renew(&mut self) -> bool {
        !std::mem::replace(&mut self.renewed, true)
    }
}

impl Cluster {
    /// How long a request is tried: longer where the server answers that it has no time, and not beyond the deadline.
    pub(super) fn patience_for(&self, tries: &Tries, is_busy: bool) -> Duration {
        let patience = if is_busy && !self.patience.is_zero() { self.patience.max(BUSY) } else { self.patience };
        self.deadline.map_or(patience, |deadline| patience.min(deadline - tries.since))
    }

    /// Something failed and is to be tried again.
    pub(super) fn waiting(&self) -> Waiting {
        self.inner.outage().begins(Instant::now());
        Waiting(Arc::clone(&self.inner))
    }

    /// Waits for something, and says now and then for how long.
    pub(super) async fn telling<T>(&self, waiting: impl Future<Output = T>) -> T {
        let sent = Instant::now();
        let mut waiting = std::pin::pin!(waiting);
        loop {
            tokio::select! {
                biased;
                done = &mut waiting => return done,
                () = tokio::time::sleep(FIRST_WORD) => {}
            }
            let lasted = self.inner.outage().lasts(Instant::now(), sent);
            if let Some(seconds) = lasted {
                let text = format!("waiting for the API server, {}", short_duration(seconds));
                self.inner.listener.on(Note::attention("cluster", text).into());
            }
        }
    }

    /// Something was answered, which `waiting` was about, if it had been tried before.
    pub(super) fn note_answer(&self, waiting: Option<Waiting>) {
        drop(waiting);
        let lasted = self.inner.outage().answers(Instant::now());
        if let Some(seconds) = lasted {
            let text = format!("the API server answers again after {}", short_duration(seconds));
            self.inner.listener.on(Note::new("cluster", text).into());
        }
    }
}

impl Inner {
    fn outage(&self) -> std::sync::MutexGuard<'_, Outage> {
        self.outage.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_long_silence_is_told_now_and_then_and_its_end_once() {
        let start = Instant::now();
        let mut outage = Outage::default();
        outage.begins(start);
        let told: Vec<_> = (0..25).filter_map(|second| outage.lasts(at(start, second), start)).collect();
        assert_eq!(told, [1, 11, 21]);
        assert_eq!(outage.answers(at(start, 25)), None, "others are answered");
        outage.ends();
        assert_eq!(outage.answers(at(start, 26)), Some(26));
        assert_eq!(outage.answers(at(start, 27)), None);
    }

    #[test]
    fn a_short_silence_is_not_told() {
        let start = Instant::now();
        let mut outage = Outage::default();
        outage.begins(start);
        assert_eq!(outage.lasts(start, start), None);
        outage.ends();
        assert_eq!(outage.answers(start + Duration::from_millis(300)), None);
    }

    #[test]
    fn a_slow_answer_is_told_where_nobody_else_gets_one() {
        let start = Instant::now();
        let mut outage = Outage::default();
        let told: Vec<_> = (0..17).filter_map(|second| outage.lasts(at(start, second), start)).collect();
        assert_eq!(told, [5, 15]);
        assert_eq!(outage.answers(at(start, 17)), Some(17));
        assert_eq!(outage.lasts(at(start, 21), start), None, "others were answered");
        assert_eq!(outage.lasts(at(start, 22), start), Some(5));
    }

    #[test]
    fn tries_end_with_patience() {
        let start = Instant::now();
        let (mut tries, mut now) = (Tries::since(start), start);
        while let Some(pause) = tries.next_pause(now, Duration::from_secs(10), None) {
            now += pause;
        }
        let waited = now - start;
        assert!(waited > Duration::from_secs(6) && waited <= Duration::from_secs(10), "{waited:?}");
        let asked = Some(Duration::from_secs(11));
        assert_eq!(Tries::since(start).next_pause(start, Duration::from_secs(10), asked), None);
    }
}
