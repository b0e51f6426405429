//! How long the pods of a workload must stay ready: what a node told late, or what fell over before, is watched for longer
//! than usual, as is one whose liveness probe has begun to fail, and what nobody asked whether it is ready for long enough that
//! its node would tell of its end.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::track::{Track, later, seconds_between};
use crate::kinds;

/// Seconds at most.
const LONGEST: f64 = 30.0;
/// Seconds after which a node has told of a container that ended: it looks once a second, and takes longer where it starts many.
const TELLS: f64 = 5.0;
/// Seconds for which a container is watched that fell over: a second fall is told late where the first has kept its node busy.
const SECOND_FALL: f64 = 10.0;
/// Seconds after which a node has usually told of a container that was started.
const LOOKS: f64 = 2.0;
/// Times of conditions and states are whole seconds.
const PRECISION: f64 = 1.0;

/// Moments on two clocks, of which only lengths are compared.
#[derive(Clone, Copy)]
pub(super) struct Clocks {
    /// The runner's: when the rollout began, right after the apply, and now.
    pub started: Timestamp,
    pub now: Timestamp,
    /// The server's: when it wrote what was applied; none where it was there already.
    pub applied: Option<Timestamp>,
}

impl Clocks {
    /// Seconds that have passed since then on the server's clock, at least; none for what was before the apply. Without an apply
    /// there is no moment on both clocks.
    fn late(self, then: Timestamp) -> Option<f64> {
        let Some(applied) = self.applied else { return Some(0.0) };
        (applied <= then).then(|| seconds_between(self.started, self.now) - seconds_between(applied, then) - PRECISION)
    }
}

#[derive(Debug, Default)]
pub(super) struct Settling {
    /// Since when each pod is ready, by uid, as the node says.
    ready: HashMap<String, Timestamp>,
    /// When the last container of each pod was started, in the same way.
    started: HashMap<String, Timestamp>,
    /// Seconds from when a pod got ready, or a container was started, until that was seen here: its end is told as late.
    late: f64,
    /// Seconds that a container which fell over had run; none where none did.
    lived: Option<i64>,
    /// Until when a pod whose liveness probe has failed may be killed for it, by uid, with the start that it is about.
    doubts: HashMap<String, (Timestamp, Timestamp)>,
    /// Of a pod nobody asked whether it is ready: it was started, and may have ended since.
    unasked: bool,
}

impl Settling {
    /// Takes in the new pods.
    pub(super) fn look<'v>(&mut self, pods: impl Iterator<Item = &'v Value>, clocks: Clocks) {
        for pod in pods {
            let uid = kinds::read::uid(pod);
            if let Some(started) = kinds::started_last(pod)
                && self.started.insert(uid.to_owned(), started) != Some(started)
            {
                self.late = self.late.max(clocks.late(started).unwrap_or_default() - LOOKS);
            }
            let Some(since) = kinds::ready_since(pod).filter(|_| kinds::is_ready(pod)) else { continue };
            self.lived = self.lived.max(kinds::last_run(pod));
            if self.ready.insert(uid.to_owned(), since) != Some(since)
                && let Some(late) = clocks.late(since)
            {
                self.unasked |= kinds::is_ready_unasked(pod);
                self.late = self.late.max(late);
            }
        }
    }

    /// Notes the first failure of a probe that may end in a kill `within` so many seconds.
    pub(super) fn doubt(&mut self, pod: &Value, within: f64, now: Timestamp) {
        let Some(started) = kinds::started_last(pod) else { return };
        let until = later(now, within.min(LONGEST) + TELLS);
        let noted = self.doubts.entry(kinds::read::uid(pod).to_owned()).or_insert((started, until));
        if noted.0 != started {
            *noted = (started, until);
        }
    }

    /// Until then a pod may be killed for a probe that has failed.
    fn doubted_until(&self) -> Option<Timestamp> {
        self.doubts.values().map(|(_, until)| *until).max()
    }

    /// Seconds, of which the rules ask for `settle`.
    fn window(&self, settle: f64) -> f64 {
        let unasked = if self.unasked { TELLS } else { 0.0 };
        let fallen = self.lived.map_or(0.0, |_| SECOND_FALL);
        settle.max(unasked).max(fallen) + (self.late + self.lived.unwrap_or_default() as f64).clamp(0.0, LONGEST)
    }
}

/// Seconds that all must stay ready, of which the rules ask for `settle`.
pub(super) fn window(tracks: &[Track], settle: f64) -> f64 {
    unsettled(tracks).map(|settling| settling.window(settle)).fold(settle, f64::max)
}

/// The moment from which it counts that all is ready `since` then.
pub(super) fn trusted_from(tracks: &[Track], settle: f64, since: Timestamp) -> Timestamp {
    unsettled(tracks).filter_map(Settling::doubted_until).fold(later(since, window(tracks, settle)), Timestamp::max)
}

fn unsettled(tracks: &[Track]) -> impl Iterator<Item = &Settling> {
    tracks.iter().filter(|track| !track.watched.settled).map(|track| &track.settling)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ready(since: &str, lived: Option<(&str, &str)>) -> Value {
        let last = lived.map(|(from, to)| json!({"terminated": {"startedAt": from, "finishedAt": to}}));
        let container = json!({"name": "web", "readinessProbe": {}});
        json!({"metadata": {"uid": "1"}, "spec": {"containers": [container]}, "status": {
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": since}],
            "containerStatuses": [{"name": "web", "lastState": last}]}})
    }

    fn clocks(now: &str) -> Clocks {
        Clocks {
            // the runner's clock is five minutes ahead
            started: "2026-05-04T12:05:00Z".parse().unwrap(),
            now: now.parse().unwrap(),
            applied: Some("2026-05-04T12:00:00Z".parse().unwrap()),
        }
    }

    fn more(pods: &[(Value, &str)]) -> f64 {
        let mut settling = Settling::default();
        for (pod, now) in pods {
            settling.look(std::iter::once(pod), clocks(now));
        }
        settling.window(0.0)
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
        assert!((more(&[(ready("2026-05-04T12:00:10Z", lived), soon)]) - 13.0).abs() < 0.6);
        assert!((more(&[(ready("2026-05-04T12:00:10Z", None), "2026-05-04T13:00:00Z")]) - 30.0).abs() < 0.01);
    }

    #[test]
    fn a_node_that_tells_late_of_a_start_would_tell_late_of_an_end() {
        let started = |at: &str| {
            let mut pod = ready("2026-05-04T12:00:09Z", None);
            pod["status"]["containerStatuses"][0]["state"] = json!({"running": {"startedAt": at}});
            pod
        };
        let more = |at: &str| more(&[(started(at), "2026-05-04T12:05:10.5Z")]);
        assert!((more("2026-05-04T12:00:08Z") - 0.5).abs() < 0.01, "no longer than its readiness");
        assert!((more("2026-05-04T12:00:01Z") - 6.5).abs() < 0.01);
        assert!((more("2026-05-04T11:00:00Z") - 0.5).abs() < 0.01, "it ran before the apply");
    }

    #[test]
    fn what_has_no_probe_is_watched_until_its_node_would_tell_of_its_end() {
        let (soon, started) = ("2026-05-04T12:05:10.5Z", "2026-05-04T12:00:10Z");
        let mut unasked = ready(started, None);
        unasked["spec"]["containers"][0] = json!({"name": "web", "livenessProbe": {}});
        let window = |pod: Value, settle: f64| {
            let mut settling = Settling::default();
            settling.look(std::iter::once(&pod), clocks(soon));
            settling.window(settle)
        };
        assert!((window(unasked.clone(), 1.0) - 5.0).abs() < 0.01);
        assert!((window(unasked.clone(), 7.0) - 7.0).abs() < 0.01);
        assert!((window(ready(started, None), 1.0) - 1.0).abs() < 0.01);
        let mut settling = Settling::default();
        settling.look(std::iter::once(&unasked), Clocks { applied: None, ..clocks(soon) });
        assert!((settling.window(1.0) - 5.0).abs() < 0.01, "it was applied by an earlier deploy");
        unasked["status"]["conditions"][0]["lastTransitionTime"] = json!("2026-05-04T12:00:04Z");
        assert!((window(unasked, 1.0) - 10.5).abs() < 0.01, "a node that told of its start late");
    }
}
