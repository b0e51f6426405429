//! How much longer than usual the pods of a workload must stay ready: what a node told late, or what fell over before, is
//! watched for longer.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::track::seconds_between;
use crate::kinds;

/// Seconds at most.
const LONGEST: f64 = 30.0;
/// Times of conditions are whole seconds.
const PRECISION: f64 = 1.0;

/// Moments on two clocks, of which only lengths are compared.
#[derive(Clone, Copy)]
pub(super) struct Clocks {
    /// The runner's: when the rollout began, right after the apply, and now.
    pub started: Timestamp,
    pub now: Timestamp,
    /// The server's: when it wrote what was applied.
    pub applied: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub(super) struct Settling {
    /// Since when each pod is ready, by uid, as the node says.
    ready: HashMap<String, Timestamp>,
    /// Seconds from when a pod got ready until that was seen here.
    late: f64,
    /// Seconds that a container which fell over had run.
    lived: f64,
}

impl Settling {
    /// Takes in the new pods that are ready.
    pub(super) fn look<'v>(&mut self, pods: impl Iterator<Item = &'v Value>, clocks: Clocks) {
        for pod in pods {
            let Some(since) = kinds::ready_since(pod) else { continue };
            let known = self.ready.insert(kinds::read::uid(pod).to_owned(), since);
            if known == Some(since) {
                continue;
            }
            self.lived = self.lived.max(kinds::last_run(pod));
            if let Some(applied) = clocks.applied {
                let late = seconds_between(clocks.started, clocks.now) - seconds_between(applied, since) - PRECISION;
                self.late = self.late.max(late);
            }
        }
    }

    /// Seconds to be added.
    pub(super) fn more(&self) -> f64 {
        (self.late + self.lived).clamp(0.0, LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ready(since: &str, lived: Option<(&str, &str)>) -> Value {
        let last = lived.map(|(from, to)| json!({"terminated": {"startedAt": from, "finishedAt": to}}));
        json!({"metadata": {"uid": "1"}, "status": {
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": since}],
            "containerStatuses": [{"name": "web", "lastState": last}]}})
    }

    fn more(pods: &[(Value, &str)]) -> f64 {
        let mut settling = Settling::default();
        for (pod, now) in pods {
            let clocks = Clocks {
                // the runner's clock is five minutes ahead
                started: "2026-05-04T12:05:00Z".parse().unwrap(),
                now: now.parse().unwrap(),
                applied: Some("2026-05-04T12:00:00Z".parse().unwrap()),
            };
            settling.look(std::iter::once(pod), clocks);
        }
        settling.more()
    }

    #[test]
    fn what_is_told_late_or_fell_over_is_watched_for_longer() {
        let soon = "2026-05-04T12:05:10.5Z";
        assert!(more(&[(ready("2026-05-04T12:00:10Z", None), soon)]).abs() < 0.01);
        assert!((more(&[(ready("2026-05-04T12:00:04Z", None), soon)]) - 5.5).abs() < 0.01);
        let again = (ready("2026-05-04T12:00:04Z", None), "2026-05-04T12:05:20Z");
        let twice = [(ready("2026-05-04T12:00:04Z", None), soon), again];
        assert!((more(&twice) - 5.5).abs() < 0.01, "only the first sight tells");
        let lived = Some(("2026-05-04T12:00:05Z", "2026-05-04T12:00:08Z"));
        assert!((more(&[(ready("2026-05-04T12:00:10Z", lived), soon)]) - 3.0).abs() < 0.6);
        assert!((more(&[(ready("2026-05-04T12:00:10Z", None), "2026-05-04T13:00:00Z")]) - 30.0).abs() < 0.01);
    }
}
