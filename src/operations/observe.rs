//! Reads what runs: workloads, pods and endpoints of an app, for `switch` and `status`.

use std::collections::{BTreeMap, HashMap};

use futures::future::try_join_all;
use serde_json::Value;

use super::{application::Application, failure::Failure};
use crate::{
    cluster::Cluster,
    kinds,
    model::{
        BlueGreen, Evidence, Problem, Record, RecordState, Reference, Resource, Seen, Selection, Target, Traffic,
        TrafficStatus,
    },
    plan::Readiness,
    rollout,
};

/// The label that every object of an app and its pods carry.
const APP_LABEL: &str = "shipway.dev/app";

fn resource(group: &str, kind: &str) -> Option<Resource> {
    kinds::find(group, kind).map(|kind| kind.resource())
}

fn selection(namespace: &str, group: &str, kind: &str, labels: String) -> Option<Selection> {
    let resource = resource(group, kind)?;
    Some(Selection { resource, namespace: Some(namespace.to_owned()), labels: Some(labels), fields: None })
}

/// Everything of these kinds that carries the app's label, one list a kind, at once.
pub(super) async fn app_objects(
    cluster: &Cluster,
    namespace: &str,
    app: &str,
    wanted: &[(&str, &str)],
) -> Result<Vec<Value>, Failure> {
    let lists = wanted
        .iter()
        .filter_map(|(group, kind)| selection(namespace, group, kind, format!("{APP_LABEL}={app}")))
        .map(async |selection| cluster.list(&selection).await);
    Ok(try_join_all(lists).await?.into_iter().flatten().collect())
}

/// The Deployments and pods of an app with colours.
pub(super) struct Colors {
    label: String,
    names: [String; 2],
    workloads: Vec<Value>,
    pods: Vec<Value>,
}

pub(super) async fn colors(
    application: &Application,
    cluster: &Cluster,
    blue_green: &BlueGreen,
) -> Result<Colors, Failure> {
    let Target { app, namespace, .. } = &application.target;
    let objects = app_objects(cluster, &namespace.value, app, &[("apps", "Deployment"), ("", "Pod")]).await?;
    Ok(Colors::of(objects, blue_green))
}

fn label<'v>(object: &'v Value, path: &str, label: &str) -> Option<&'v str> {
    object.pointer(path)?.get(label)?.as_str()
}

impl Colors {
    pub(super) fn of(objects: Vec<Value>, blue_green: &BlueGreen) -> Self {
        let (pods, workloads) = objects.into_iter().partition(|object| object["kind"] == "Pod");
        Self { label: blue_green.label.clone(), names: blue_green.colors.clone(), workloads, pods }
    }

    fn workload(&self, color: &str) -> Option<&Value> {
        let of_color =
            |workload: &&Value| label(workload, "/spec/template/metadata/labels", &self.label) == Some(color);
        self.workloads.iter().find(of_color)
    }

    /// The workloads whose pods the selector chooses: of a colour there may be more, which take no traffic.
    fn behind(&self, selector: &BTreeMap<String, String>) -> Vec<&Value> {
        let chooses = |workload: &&Value| {
            let has = |(key, value): (&String, &String)| {
                label(workload, "/spec/template/metadata/labels", key) == Some(value)
            };
            selector.iter().all(has)
        };
        self.workloads.iter().filter(chooses).collect()
    }

    /// One entry a colour: who serves, with what.
    pub(super) fn colors(&self, traffic: &Traffic, records: &[Record]) -> Vec<TrafficStatus> {
        self.names
            .iter()
            .filter_map(|color| {
                let workload = self.workload(color)?;
                let of_color =
                    |record: &&Record| record.color.as_ref() == Some(color) && record.state == RecordState::Succeeded;
                let is_pod = |pod: &&Value| label(pod, "/metadata/labels", &self.label) == Some(color);
                Some(TrafficStatus {
                    service: traffic.service.clone(),
                    color: color.clone(),
                    serves: traffic.color.as_ref() == Some(color),
                    pods: self.pods.iter().filter(is_pod).count(),
                    tag: records.iter().find(of_color).map(|record| record.tag.clone()),
                    image: first_image(workload),
                })
            })
            .collect()
    }

    /// How many ready pods the future selector chooses, of those that the workloads behind it want.
    pub(super) fn readiness(&self, future: &BTreeMap<String, String>) -> Readiness {
        let behind = self.behind(future);
        if behind.is_empty() {
            return Readiness { ready: 0, wanted: 0 };
        }
        let found = rollout::traffic_ready(future, &self.pods, &behind);
        Readiness { ready: found.ready, wanted: found.wanted }
    }
}

impl Colors {
    /// The same with the workload it is about, and what each pod that is not ready waits for.
    pub(super) fn explain(&self, problem: Problem, future: &BTreeMap<String, String>) -> Problem {
        let behind = self.behind(future);
        let Some(workload) = behind.first() else { return problem };
        let not_ready = rollout::traffic_ready(future, &self.pods, &behind).not_ready;
        problem.about(kinds::read::id(workload)).with(Evidence::new("pods", not_ready))
    }
}

fn first_image(workload: &Value) -> Option<Reference> {
    workload.pointer("/spec/template/spec/containers/0/image")?.as_str()?.parse().ok()
}

/// What has to be watched to see who takes a Service's traffic.
pub(super) fn traffic_selections(application: &Application, service: &str) -> Vec<Selection> {
    let Target { app, namespace, .. } = &application.target;
    [
        selection(
            &namespace.value,
            "discovery.k8s.io",
            "EndpointSlice",
            format!("kubernetes.io/service-name={service}"),
        ),
        selection(&namespace.value, "", "Pod", format!("{APP_LABEL}={app}")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Objects as the watches have them now, by kind.
#[derive(Default)]
pub(super) struct Pool(HashMap<String, BTreeMap<String, Value>>);

impl Pool {
    pub(super) fn take(&mut self, seen: Seen) {
        let uid =
            |object: &Value| object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
        match seen {
            Seen::Listed { selection, objects } => {
                let listed = objects.into_iter().map(|object| (uid(&object), object)).collect();
                self.0.insert(selection.resource.kind, listed);
            }
            Seen::Changed { selection, object } => {
                self.0.entry(selection.resource.kind).or_default().insert(uid(&object), object);
            }
            Seen::Deleted { selection, object } => {
                self.0.entry(selection.resource.kind).or_default().remove(&uid(&object));
            }
            Seen::Interrupted { .. } | Seen::Resumed { .. } => {}
        }
    }

    /// The objects of two kinds, once both were listed.
    pub(super) fn both(&self, one: &str, other: &str) -> Option<(Vec<Value>, Vec<Value>)> {
        let objects = |kind: &str| Some(self.0.get(kind)?.values().cloned().collect());
        Some((objects(one)?, objects(other)?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_workload_that_the_service_does_not_select_says_nothing_of_its_traffic() {
        let labels = |app: &str| json!({"app": app, "color": "blue"});
        let deployment = |app: &str, replicas: u32| {
            let template = json!({"metadata": {"labels": labels(app)}});
            json!({"kind": "Deployment", "metadata": {"name": app}, "spec": {"replicas": replicas, "template": template}})
        };
        let pod = |app: &str, number: usize, ready: bool| {
            let condition = json!({"type": "Ready", "status": if ready { "True" } else { "False" }});
            let metadata = json!({"name": format!("{app}-{number}"), "labels": labels(app)});
            json!({"kind": "Pod", "metadata": metadata, "status": {"phase": "Running", "conditions": [condition]}})
        };
        let blue_green =
            BlueGreen { service: "web".into(), label: "color".into(), colors: ["blue".into(), "green".into()] };
        let future: BTreeMap<String, String> =
            [("app", "web"), ("color", "blue")].map(|(key, value)| (key.into(), value.into())).into();
        for (other, ready, wanted) in [(1, 1, 5), (9, 5, 5)] {
            let mut objects = vec![deployment("api", other), deployment("web", 5), pod("api", 0, true)];
            objects.extend((0..5).map(|number| pod("web", number, number < ready)));
            let colors = Colors::of(objects, &blue_green);
            assert_eq!(colors.readiness(&future), Readiness { ready, wanted });
            let told = colors.explain(Problem::new("not-ready", crate::model::Exit::Rollout, "x"), &future);
            assert_eq!(told.object.expect("what it is about").name, "web");
        }
        let nothing = Colors::of(vec![deployment("api", 1), pod("web", 0, true)], &blue_green);
        assert_eq!(nothing.readiness(&future), Readiness { ready: 0, wanted: 0 });
    }
}
