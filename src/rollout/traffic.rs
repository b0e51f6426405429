//! Whether a colour can take traffic, and who takes it.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::kinds::{self, read};

/// How ready the pods are that a selector would choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrafficReady {
    /// Pods that match the selector and are ready.
    pub ready: usize,
    /// What the workloads want together.
    pub wanted: usize,
    /// Why pods that match are not counted: `web-1 runs, is not ready yet`; at most a few.
    pub not_ready: Vec<String>,
}

/// Which pods the future selector would choose, and whether they are ready.
/// `workloads` are those whose pods it is.
pub(crate) fn traffic_ready(selector: &BTreeMap<String, String>, pods: &[Value], workloads: &[&Value]) -> TrafficReady {
    const NAMED: usize = 5;
    let matches = |pod: &&Value| {
        selector.iter().all(|(key, value)| read::text(pod, &["metadata", "labels", key]) == value)
            && kinds::is_alive(pod)
    };
    let (ready, others): (Vec<&Value>, Vec<&Value>) = pods.iter().filter(matches).partition(|pod| kinds::is_ready(pod));
    TrafficReady {
        ready: ready.len(),
        wanted: workloads.iter().map(|workload| wanted(workload)).sum(),
        not_ready: others
            .iter()
            .take(NAMED)
            .map(|pod| format!("{} {}", read::name(pod), kinds::awaiting(pod)))
            .collect(),
    }
}

fn wanted(workload: &Value) -> usize {
    read::number(workload, &["spec", "replicas"]).map_or(1, |wanted| usize::try_from(wanted).unwrap_or(0))
}

/// Ready endpoints by whether their pod matches the new selector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoints {
    pub new: usize,
    pub old: usize,
}

/// Counts the endpoints that get traffic. An endpoint whose pod is not among `pods` is an old one. Each pod counts once,
/// however many slices (one an address family) name it.
pub(crate) fn endpoints(slices: &[Value], pods: &[Value], selector: &BTreeMap<String, String>) -> Endpoints {
    let by_name: HashMap<&str, &Value> = pods.iter().map(|pod| (read::name(pod), pod)).collect();
    let targets: std::collections::BTreeSet<&str> = slices
        .iter()
        .flat_map(kinds::ready_endpoints)
        .map(|endpoint| match read::text(endpoint, &["targetRef", "name"]) {
            "" => read::list(endpoint, &["addresses"]).first().and_then(Value::as_str).unwrap_or_default(),
            name => name,
        })
        .collect();
    let is_new = |name: &&&str| {
        by_name.get(**name).is_some_and(|pod| {
            selector.iter().all(|(key, value)| read::text(pod, &["metadata", "labels", key]) == value)
        })
    };
    let new = targets.iter().filter(is_new).count();
    Endpoints { new, old: targets.len() - new }
}
