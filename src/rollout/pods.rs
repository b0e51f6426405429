//! What each pod went through, by the server's clock: for those who draw it.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    kinds::read,
    model::{ObjectId, PodStep, RolloutEvent},
};

#[derive(Debug)]
struct Known {
    name: String,
    told: HashSet<(PodStep, i64)>,
}

/// The pods of one workload, by uid.
#[derive(Debug, Default)]
pub(super) struct Pods(HashMap<String, Known>);

impl Pods {
    /// What is new since this was asked last; `pulled` knows by the uid when a pod's image was there. A pod that is not there any more is gone as of `now`.
    pub(super) fn news(
        &mut self,
        object: &ObjectId,
        children: &[&Value],
        pulled: impl Fn(&str) -> Option<Timestamp>,
        now: Timestamp,
    ) -> Vec<RolloutEvent> {
        let mut news = Vec::new();
        let mut there = HashSet::new();
        for pod in children.iter().copied().filter(|child| read::is_kind(child, "Pod")) {
            let uid = read::uid(pod);
            there.insert(uid);
            let name = || read::name(pod).to_owned();
            let known = self.0.entry(uid.to_owned()).or_insert_with(|| Known { name: name(), told: HashSet::new() });
            let pulled = pulled(uid).map(|time| (PodStep::Pulled, 0, time));
            for (step, run, time) in steps(pod).into_iter().chain(pulled) {
                if known.told.insert((step, run)) {
                    news.push(RolloutEvent::Pod { object: object.clone(), pod: name(), step, time });
                }
            }
        }
        self.0.retain(|uid, known| {
            let stays = there.contains(uid.as_str());
            if !stays {
                let pod = std::mem::take(&mut known.name);
                news.push(RolloutEvent::Pod { object: object.clone(), pod, step: PodStep::Gone, time: now });
            }
            stays
        });
        news
    }
}

/// Each step with the number of the container's run, and when it was taken.
fn steps(pod: &Value) -> Vec<(PodStep, i64, Timestamp)> {
    let mut steps = Vec::new();
    let mut add = |step, run, time: &str| {
        if let Ok(time) = time.parse() {
            steps.push((step, run, time));
        }
    };
    add(PodStep::Created, 0, read::text(pod, &["metadata", "creationTimestamp"]));
    for (kind, step) in [("PodScheduled", PodStep::Scheduled), ("Ready", PodStep::Ready)] {
        if let Some(condition) = read::true_condition(pod, kind) {
            add(step, 0, condition.since);
        }
    }
    for status in read::list(pod, &["status", "containerStatuses"]) {
        let run = read::number(status, &["restartCount"]).unwrap_or(0);
        let step = if run == 0 { PodStep::Started } else { PodStep::Restarted };
        let began = ["running", "terminated"].map(|state| read::text(status, &["state", state, "startedAt"]));
        add(step, run, began.into_iter().find(|time| !time.is_empty()).unwrap_or_default());
        add(PodStep::Ended, run, read::text(status, &["state", "terminated", "finishedAt"]));
        // one that fell over between two looks
        add(PodStep::Ended, run - 1, read::text(status, &["lastState", "terminated", "finishedAt"]));
    }
    steps.extend(asked_to_leave(pod).map(|time| (PodStep::Leaving, 0, time)));
    steps
}

/// `deletionTimestamp` is when its grace ends.
fn asked_to_leave(pod: &Value) -> Option<Timestamp> {
    let end: Timestamp = read::text(pod, &["metadata", "deletionTimestamp"]).parse().ok()?;
    let grace = read::number(pod, &["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0);
    end.checked_sub(SignedDuration::from_secs(grace)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(news: &[RolloutEvent]) -> Vec<String> {
        let line = |event: &RolloutEvent| match event {
            RolloutEvent::Pod { pod, step, time, .. } => format!("{pod} {step:?} {}", time.strftime("%M:%S")),
            other => panic!("{other:?}"),
        };
        news.iter().map(line).collect()
    }

    #[test]
    fn each_step_is_told_once_with_the_servers_time() {
        let object = ObjectId { group: "apps".into(), kind: "Deployment".into(), namespace: None, name: "web".into() };
        let now: Timestamp = "2026-05-04T12:09:00Z".parse().unwrap();
        let mut pod = json!({"kind": "Pod", "metadata": {"name": "web-1", "uid": "1", "creationTimestamp": "2026-05-04T12:00:01Z"}});
        let pulled = |_: &str| "2026-05-04T12:00:04Z".parse().ok();
        let nothing = |_: &str| None;
        let mut pods = Pods::default();
        assert_eq!(told(&pods.news(&object, &[&pod], nothing, now)), ["web-1 Created 00:01"]);
        pod["status"] = json!({
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-05-04T12:00:02Z"},
                {"type": "Ready", "status": "False", "lastTransitionTime": "2026-05-04T12:00:02Z"}],
            "containerStatuses": [{"restartCount": 0, "state": {"running": {"startedAt": "2026-05-04T12:00:05Z"}}}],
        });
        let news = told(&pods.news(&object, &[&pod], pulled, now));
        assert_eq!(news, ["web-1 Scheduled 00:02", "web-1 Started 00:05", "web-1 Pulled 00:04"]);
        assert!(pods.news(&object, &[&pod], pulled, now).is_empty());
        pod["status"]["containerStatuses"] = json!([{"restartCount": 1, "state": {"running": {"startedAt": "2026-05-04T12:00:08Z"}},
            "lastState": {"terminated": {"finishedAt": "2026-05-04T12:00:07Z"}}}]);
        assert_eq!(told(&pods.news(&object, &[&pod], nothing, now)), ["web-1 Restarted 00:08", "web-1 Ended 00:07"]);
        pod["metadata"]["deletionTimestamp"] = json!("2026-05-04T12:01:00Z");
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
        assert_eq!(told(&pods.news(&object, &[&pod], nothing, now)), ["web-1 Leaving 00:30"]);
        assert_eq!(told(&pods.news(&object, &[], nothing, now)), ["web-1 Gone 09:00"]);
        assert!(pods.news(&object, &[], nothing, now).is_empty());
    }
}
