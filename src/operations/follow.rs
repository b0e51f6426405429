//! Follows a rollout to its end: watches feed the reducer, its questions are answered, its words are told.

use std::pin::pin;

use futures::{FutureExt as _, StreamExt as _, future::LocalBoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;
use tokio::time::{Duration, Instant, sleep_until};

use super::{
    Context, evidence,
    failure::{Failure, interrupted},
    hook_logs::{self, HookLogs},
};
use crate::{
    cluster::Cluster,
    kinds,
    model::{Problem, Question, Reply},
    registry::Registry,
    rollout::{Conclusion, Effect, Input, Rollout},
};

/// Who answers the reducer's questions.
pub(super) struct Witnesses<'w> {
    pub(super) cluster: &'w Cluster,
    pub(super) registry: &'w Registry,
}

/// With no wake-up asked for, nothing is lost by looking at the clock this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Runs until the reducer has settled, whatever the verdict.
///
/// # Errors
/// Only where the run was stopped: a bad verdict is a conclusion.
pub(super) async fn follow(
    context: &Context,
    witnesses: &Witnesses<'_>,
    rollout: &mut Rollout,
) -> Result<Conclusion, Failure> {
    let mut seen = pin!(witnesses.cluster.watch(rollout.selections(), kinds::slim, &context.stop));
    let mut asked: FuturesUnordered<LocalBoxFuture<'_, (Question, Reply)>> = FuturesUnordered::new();
    let mut logs = HookLogs::default();
    let mut wake = Instant::now();
    loop {
        let input = tokio::select! {
            biased;
            () = context.stop.wait() => return Err(stopped().into()),
            Some((question, reply)) = asked.next(), if !asked.is_empty() => Input::Replied(question, reply),
            told = logs.next() => {
                hook_logs::tell(context, told);
                continue;
            }
            Some(seen) = seen.next() => Input::Seen(seen?),
            () = sleep_until(wake) => Input::Tick,
        };
        wake = Instant::now() + LONGEST_SLEEP;
        let effects = rollout.step(Timestamp::now(), input);
        if effects.iter().any(|effect| matches!(effect, Effect::Settled(_))) {
            logs.drain(context).await;
        }
        for effect in effects {
            match effect {
                Effect::Say(event) => context.tell(event),
                Effect::Ask(question) => asked.push(evidence::answer(witnesses, question).boxed_local()),
                Effect::ShowLog(source) => logs.add(witnesses.cluster, source),
                Effect::WakeAt(at) => wake = wake.min(instant_of(at)),
                Effect::Settled(conclusion) => return Ok(*conclusion),
            }
        }
    }
}

fn stopped() -> Problem {
    interrupted("while the rollout was followed; it goes on in the cluster").hint("the same command again follows it")
}

/// The moment of a timestamp on this process's own clock; at once where it has passed.
fn instant_of(at: Timestamp) -> Instant {
    let ahead = at.duration_since(Timestamp::now());
    Instant::now() + Duration::try_from(ahead).unwrap_or_default()
}
