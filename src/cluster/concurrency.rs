//! How many requests may be under way at once: fewer after the server said that there are too many, one more after a
//! round in which it did not.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// As quick as any more on HTTP/1.1, and kind to the server.
pub(super) const MOST: usize = 32;

/// The rule alone, without waiting: additive increase, multiplicative decrease.
struct Window {
    allowed: usize,
    under_way: usize,
    /// Answers since `allowed` last changed.
    answered: usize,
    /// Counts the decreases. Requests that were under way at one of them say nothing new.
    round: u64,
}

/// What one request met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    Answer,
    /// 429
    TooMany,
    /// No answer, or nobody waited for it.
    Nothing,
}

impl Window {
    const fn new() -> Self {
        Self { allowed: MOST, under_way: 0, answered: 0, round: 0 }
    }

    /// The round that the request belongs to; none where it has to wait.
    fn enter(&mut self) -> Option<u64> {
        let free = self.under_way < self.allowed;
        free.then(|| {
            self.under_way += 1;
            self.round
        })
    }

    fn leave(&mut self, round: u64, met: Met) {
        self.under_way -= 1;
        match met {
            Met::TooMany if round == self.round => {
                self.allowed = (self.allowed / 2).max(1);
                self.answered = 0;
                self.round += 1;
            }
            Met::Answer if self.allowed < MOST => {
                self.answered += 1;
                if self.answered >= self.allowed {
                    self.allowed += 1;
                    self.answered = 0;
                }
            }
            _ => {}
        }
    }
}

/// Shared by all requests to one API server, watches left out: they stay open.
pub(super) struct Concurrency {
    window: Mutex<Window>,
    freed: Notify,
}

impl Concurrency {
    pub(super) const fn new() -> Self {
        Self { window: Mutex::new(Window::new()), freed: Notify::const_new() }
    }

    /// Waits until one more request may be sent.
    pub(super) async fn enter(&self) -> Slot<'_> {
        loop {
            let entered = self.window().enter();
            match entered {
                Some(round) => return Slot { of: self, round, met: Met::Nothing },
                None => self.freed.notified().await,
            }
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request's place. It is free again with this value.
pub(super) struct Slot<'c> {
    of: &'c Concurrency,
    round: u64,
    pub(super) met: Met,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let free = {
            let mut window = self.of.window();
            window.leave(self.round, self.met);
            window.allowed.saturating_sub(window.under_way)
        };
        // after an increase there is room for two
        (0..free.min(2)).for_each(|_| self.of.freed.notify_one());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_halve_it_once_a_round_and_answers_bring_it_back() {
        let mut window = Window::new();
        let rounds: Vec<_> = (0..40).map_while(|_| window.enter()).collect();
        assert_eq!(rounds.len(), MOST);
        // all that were under way are refused for the same reason
        rounds.iter().for_each(|round| window.leave(*round, Met::TooMany));
        assert_eq!((window.allowed, window.under_way), (16, 0));
        for expected in [8, 4, 2, 1, 1] {
            let round = window.enter().unwrap();
            window.leave(round, Met::TooMany);
            assert_eq!(window.allowed, expected);
        }
        let mut answers = 0;
        while window.allowed < MOST {
            let round = window.enter().unwrap();
            window.leave(round, Met::Answer);
            answers += 1;
        }
        assert_eq!(answers, (1..MOST).sum::<usize>(), "one more after as many answers as are allowed at once");
    }

    #[test]
    fn what_is_not_answered_changes_nothing() {
        let mut window = Window::new();
        let round = window.enter().unwrap();
        window.leave(round, Met::Nothing);
        assert_eq!((window.allowed, window.answered, window.round), (MOST, 0, 0));
    }

    #[tokio::test]
    async fn who_has_no_place_waits_for_one() {
        let concurrency = Concurrency::new();
        let mut slots = Vec::new();
        for _ in 0..MOST {
            slots.push(concurrency.enter().await);
        }
        let waiting = concurrency.enter();
        let mut waiting = std::pin::pin!(waiting);
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        slots.pop();
        let _slot = waiting.await;
        assert_eq!(concurrency.window().under_way, MOST);
    }
}
