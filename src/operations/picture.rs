//! What was read of one environment, put together.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{addresses, history::past_deploy, observe::Colors};
use crate::{
    cluster::{Holder, traffic_of},
    config::Settings,
    kinds::{self, read},
    model::{
        Applied, EnvironmentStatus, Health, LiveNamespace, LockStatus, ObjectId, Problem, Record, RecordState, Verdict,
        WorkloadStatus,
    },
    plan,
    rollout::{Judged, Known, Standing},
};

/// What is looked at where no record says what was deployed.
const USUAL_KINDS: [(&str, &str); 7] = [
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("", "Service"),
    ("networking.k8s.io", "Ingress"),
];

/// An environment in one cluster.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) environment: String,
    pub(super) namespace: String,
    /// The kubeconfig's context, where one is named.
    pub(super) context: Option<String>,
    /// Of a preview.
    pub(super) live: Option<LiveNamespace>,
}

impl Place {
    pub(super) fn status(&self) -> EnvironmentStatus {
        let mut status = EnvironmentStatus::new(Some(&self.environment), &self.namespace, self.context.as_deref());
        if let Some(live) = &self.live {
            (status.leaving, status.expires) = (live.leaving, live.marks.expires);
        }
        status
    }
}

/// All that was read of a place but its objects.
#[derive(Clone, Debug, Default)]
pub(super) struct Papers {
    /// The oldest first.
    pub(super) records: Vec<Record>,
    pub(super) lock: Option<Holder>,
    /// Why there is no record.
    pub(super) problem: Option<Problem>,
}

impl Papers {
    /// What is to be looked at in the cluster; none where nothing is deployed.
    pub(super) fn known(&self, place: &Place) -> Option<Known> {
        if self.problem.is_some() {
            let named = USUAL_KINDS.iter().filter_map(|(group, kind)| any_of(group, kind, &place.namespace)).collect();
            return Some(Known { named, expected: Vec::new() });
        }
        let proven = self.records.iter().rev().find(|record| record.state == RecordState::Succeeded);
        let named: Vec<Arc<Applied>> = self.records.iter().rev().flat_map(|record| record.applied.clone()).collect();
        let expected = proven.into_iter().flat_map(|record| &record.applied).map(|applied| applied.id.clone());
        (!self.records.is_empty()).then(|| Known { named, expected: expected.collect() })
    }
}

/// Any object of a kind.
fn any_of(group: &str, kind: &str, namespace: &str) -> Option<Arc<Applied>> {
    let resource = kinds::find(group, kind)?.resource();
    let (group, kind) = (group.to_owned(), kind.to_owned());
    let id = ObjectId { group, kind, namespace: Some(namespace.to_owned()), name: String::new() };
    Some(Arc::new(Applied::named(id, resource)))
}

/// The environment as it is at this moment.
pub(super) fn paint(
    (settings, server): (&Settings, &str),
    place: &Place,
    papers: &Papers,
    (standing, judged): (&Standing, Judged),
    now: Timestamp,
) -> EnvironmentStatus {
    let mut status = without_objects(place, papers, now);
    let mut workloads = judged.workloads;
    workloads.retain(is_shown);
    for problem in workloads.iter_mut().filter_map(|workload| workload.problem.as_mut()) {
        // it is this very command
        problem.hints.retain(|hint| !hint.contains("shipway status"));
    }
    color(&mut status, &mut workloads, settings, (standing, papers));
    status.health = health(&workloads, status.deploy.is_some());
    status.workloads = workloads;
    let entrances = ["Ingress", "HTTPRoute", "Service"].into_iter().flat_map(|kind| standing.objects(kind));
    status.addresses = addresses::of(entrances, server);
    status
}

/// What the records and the lock tell.
pub(super) fn without_objects(place: &Place, papers: &Papers, now: Timestamp) -> EnvironmentStatus {
    let mut status = place.status();
    let newest = papers.records.last();
    let proven = papers.records.iter().rev().find(|record| record.state == RecordState::Succeeded);
    let proven = proven.filter(|proven| newest.is_some_and(|newest| newest.revision != proven.revision));
    status.deploy = newest.map(|record| past_deploy(record.clone(), now));
    status.proven = proven.map(|record| past_deploy(record.clone(), now));
    status.lock = papers.lock.as_ref().map(|holder| lock(holder, now));
    status.expires_in = status.expires.map(|expires| expires.duration_since(now).as_secs());
    status.problem.clone_from(&papers.problem);
    status
}

fn lock(holder: &Holder, now: Timestamp) -> LockStatus {
    LockStatus {
        by: holder.by.clone(),
        since: holder.since,
        seconds: holder.since.map(|since| now.as_second() - since.as_second()),
        waiting: holder.waiting.len(),
        silent: holder.expires().is_some_and(|expires| expires < now),
    }
}

/// What runs something, and whatever is not as it should be.
pub(super) fn is_shown(workload: &WorkloadStatus) -> bool {
    let id = &workload.object;
    let runs = kinds::find(&id.group, &id.kind).is_none_or(|kind| kind.template.is_some());
    runs || workload.problem.is_some() || workload.verdict == (Verdict::Waiting { problem: None }).word()
}

/// Says of each workload its colour, and what an idle one that is ready and has pods is for: the way back, or the newest
/// release, which no switch has gone to.
fn color(
    status: &mut EnvironmentStatus,
    workloads: &mut [WorkloadStatus],
    settings: &Settings,
    (standing, papers): (&Standing, &Papers),
) {
    let Some(blue_green) = &settings.blue_green else { return };
    let services = standing.objects("Service");
    let Some(service) = services.into_iter().find(|service| read::name(service) == blue_green.service) else { return };
    let traffic = traffic_of(read::id(service), service, &blue_green.label);
    let deployments = standing.objects("Deployment");
    let objects = deployments.iter().chain(&standing.objects("Pod")).map(|object| Value::clone(object)).collect();
    let newest_first: Vec<Record> = papers.records.iter().rev().cloned().collect();
    let newest = plan::newest_color(blue_green, &newest_first);
    status.colors = Colors::of(objects, blue_green).colors(&traffic, &newest_first);
    for workload in workloads.iter_mut().filter(|workload| workload.object.kind == "Deployment") {
        let object = deployments.iter().find(|object| read::name(object) == workload.object.name);
        let label = ["spec", "template", "metadata", "labels", &blue_green.label];
        let name = object
            .map(|object| read::text(object, &label))
            .filter(|name| blue_green.colors.iter().any(|color| color == name));
        workload.color = name.map(str::to_owned);
        let serves = traffic.color.as_deref() == name;
        let can_serve = workload.verdict == Verdict::Ready.word() && workload.progress.ready > 0;
        let remark = match (serves, can_serve) {
            (true, _) => "serves",
            (false, true) if newest == name => "newest, idle",
            (false, true) => "way back",
            (false, false) => "idle",
        };
        workload.remark = name.map(|_| remark.to_owned());
    }
}

/// The worst of all; `deployed` where there may be something that runs nothing.
pub(super) fn health(workloads: &[WorkloadStatus], deployed: bool) -> Health {
    let any = |word: &str| workloads.iter().any(|workload| workload.verdict == word);
    if any("failed") || any("gone") {
        Health::Failing
    } else if any("waiting") {
        Health::Progressing
    } else if workloads.is_empty() && !deployed {
        Health::Absent
    } else {
        Health::Healthy
    }
}
