//! Waiting for an API server that does not answer: bounded, and told.

use std::time::Duration;

use tokio::time::Instant;

use super::connect::{Cluster, Inner};
use crate::model::{Note, short_duration};

/// Since when nothing is answered. Shared by all requests, so that 32 of them tell it once.
#[derive(Default)]
pub(super) struct Outage(Option<Silence>);

struct Silence {
    since: Instant,
    told: Option<Instant>,
}

const FIRST_WORD: Duration = Duration::from_secs(1);
const BETWEEN_WORDS: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

impl Outage {
    /// The seconds to tell, where it is time for a word.
    fn lasts(&mut self, now: Instant) -> Option<u64> {
        let silence = self.0.get_or_insert(Silence { since: now, told: None });
        let lasted = now - silence.since;
        let due = silence.told.map_or(lasted >= FIRST_WORD, |told| now - told >= BETWEEN_WORDS);
        due.then(|| {
            silence.told = Some(now);
            lasted.as_secs()
        })
    }

    /// The seconds it lasted, where it had been told.
    fn ends(&mut self, now: Instant) -> Option<u64> {
        let silence = self.0.take()?;
        silence.told.map(|_| (now - silence.since).as_secs())
    }
}

/// One request's tries.
pub(super) struct Tries {
    since: Instant,
    count: u32,
}

impl Tries {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), count: 0 }
    }

    /// The pause before the next try; none where patience is at its end.
    pub(super) fn next_pause(&mut self, now: Instant, patience: Duration, asked: Option<Duration>) -> Option<Duration> {
        let pause = Duration::from_millis(100) * 2_u32.saturating_pow(self.count.min(10));
        let pause = pause.min(LONGEST_PAUSE).max(asked.unwrap_or_default());
        self.count += 1;
        (now - self.since + pause <= patience).then_some(pause)
    }
}

impl Cluster {
    pub(super) fn tell_silence(&self) {
        let lasted = self.inner.outage().lasts(Instant::now());
        if let Some(seconds) = lasted {
            let text = format!("waiting for the API server, {}", short_duration(seconds));
            self.inner.listener.on(Note::attention("cluster", text).into());
        }
    }

    pub(super) fn tell_answer(&self) {
        let lasted = self.inner.outage().ends(Instant::now());
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

    #[test]
    fn a_long_silence_is_told_now_and_then_and_its_end_once() {
        let start = Instant::now();
        let mut outage = Outage::default();
        let told: Vec<_> = (0..25).filter_map(|second| outage.lasts(start + Duration::from_secs(second))).collect();
        assert_eq!(told, [1, 11, 21]);
        assert_eq!(outage.ends(start + Duration::from_secs(26)), Some(26));
        assert_eq!(outage.ends(start + Duration::from_secs(27)), None);
    }

    #[test]
    fn a_short_silence_is_not_told() {
        let start = Instant::now();
        let mut outage = Outage::default();
        assert_eq!(outage.lasts(start), None);
        assert_eq!(outage.ends(start + Duration::from_millis(300)), None);
    }

    #[test]
    fn tries_end_with_patience() {
        let start = Instant::now();
        let (mut tries, mut now) = (Tries { since: start, count: 0 }, start);
        while let Some(pause) = tries.next_pause(now, Duration::from_secs(10), None) {
            now += pause;
        }
        let waited = now - start;
        assert!(waited > Duration::from_secs(6) && waited <= Duration::from_secs(10), "{waited:?}");
        let asked = Some(Duration::from_secs(11));
        assert_eq!(Tries { since: start, count: 0 }.next_pause(start, Duration::from_secs(10), asked), None);
    }
}
