//! What has to be watched to judge a set of objects: one list-and-watch a kind and namespace.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use crate::{
    kinds::{self, read},
    model::{Resource, Selection, Watched},
};

/// The label that stands on every object and pod template of an app.
const APP_LABEL: &str = "shipway.dev/app";
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// What is told of pods beside warnings, without what their own status tells as well. Autoscalers have several words for the same,
/// and the API selects no more than one by its name.
const TOLD_OF_PODS: &str = "type=Normal,involvedObject.kind=Pod,reason!=Scheduled,\
                            reason!=Created,reason!=Started,reason!=Killing";

/// The selections, each once: the objects themselves, what they create, and events about them.
pub(super) fn selections(app: &str, watched: &[Watched]) -> Vec<Selection> {
    let mut found = Vec::new();
    let mut add = |selection: Selection| {
        if !found.contains(&selection) {
            found.push(selection);
        }
    };
    let labels = format!("{APP_LABEL}={app}");
    let mut services: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut eventful: BTreeSet<(&str, &str)> = BTreeSet::new();
    for watched in watched {
        let id = &watched.applied.id;
        let namespace = id.namespace.as_deref();
        let resource = watched.applied.resource.clone();
        add(match namespace {
            Some(namespace) => labelled(resource, namespace, &labels),
            // rights to cluster-scoped objects are given by name
            None => Selection {
                resource,
                namespace: None,
                labels: None,
                fields: Some(format!("metadata.name={}", id.name)),
            },
        });
        let (Some(kind), Some(namespace)) = (kinds::find(&id.group, &id.kind), namespace) else { continue };
        for (group, child) in kind.children {
            match *child {
                // of a Service whose name is not known nothing can be selected
                "EndpointSlice" if id.name.is_empty() => {}
                "EndpointSlice" => _ = services.insert((namespace, &id.name)),
                _ => resource_of(group, child)
                    .into_iter()
                    .for_each(|resource| add(labelled(resource, namespace, &labels))),
            }
        }
        // the API selects events by type or by reason, not by either
        if kind.template.is_some() {
            eventful.extend([(namespace, "type=Warning"), (namespace, TOLD_OF_PODS)]);
        } else if kind.kind == "PersistentVolumeClaim" {
            eventful.insert((namespace, "involvedObject.kind=PersistentVolumeClaim"));
        }
    }
    for namespace in namespaces(&services) {
        let names: Vec<&str> = services.iter().filter(|(of, _)| *of == namespace).map(|(_, name)| *name).collect();
        let labels = format!("{SERVICE_LABEL} in ({})", names.join(","));
        let slices = resource_of("discovery.k8s.io", "EndpointSlice");
        slices.into_iter().for_each(|resource| add(labelled(resource, namespace, &labels)));
    }
    for (namespace, fields) in eventful {
        let (namespace, fields) = (Some(namespace.to_owned()), Some(fields.to_owned()));
        let events = resource_of("", "Event");
        if let Some(resource) = events {
            add(Selection { resource, namespace, labels: None, fields });
        }
    }
    found
}

fn labelled(resource: Resource, namespace: &str, labels: &str) -> Selection {
    Selection { resource, namespace: Some(namespace.to_owned()), labels: Some(labels.to_owned()), fields: None }
}

fn namespaces<'s>(services: &BTreeSet<(&'s str, &'s str)>) -> BTreeSet<&'s str> {
    services.iter().map(|(namespace, _)| *namespace).collect()
}

fn resource_of(group: &str, kind: &str) -> Option<Resource> {
    kinds::find(group, kind).map(|known| known.resource())
}

/// The same without what each start of a pod tells and a run alone shows.
pub(super) fn selections_standing(app: &str, watched: &[Watched]) -> Vec<Selection> {
    let mut selections = selections(app, watched);
    let told = selections.iter_mut().filter_map(|selection| selection.fields.as_mut());
    told.filter(|fields| *fields == TOLD_OF_PODS).for_each(|fields| fields.push_str(",reason!=Pulled"));
    selections
}

/// The same without what only tells of changes: events, and the endpoints of Services, which follow from ready pods.
pub(super) fn selections_at_rest(app: &str, watched: &[Watched]) -> Vec<Selection> {
    let mut selections = selections(app, watched);
    let follows =
        |selection: &Selection| selection.is_of("", "Event") || selection.is_of("discovery.k8s.io", "EndpointSlice");
    selections.retain(|selection| !follows(selection));
    selections
}

/// A label in a namespace.
type Label<'w> = (Option<&'w str>, &'w str, &'w Value);

/// The workloads by the labels of their pods, found by any one of them.
pub(super) struct Backing<'w>(HashMap<Label<'w>, Vec<&'w Watched>>);

impl<'w> Backing<'w> {
    pub(super) fn of(all: &'w [Watched]) -> Self {
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        for (watched, labels) in all.iter().filter_map(|watched| Some((watched, labels_of_pods(watched)?))) {
            let namespace = watched.applied.id.namespace.as_deref();
            for (key, value) in labels {
                found.entry((namespace, key.as_str(), value)).or_default().push(watched);
            }
        }
        Self(found)
    }

    /// The workloads whose pods the Service selects.
    pub(super) fn behind(&self, service: &Watched) -> Vec<&'w Watched> {
        let selector = read::at(&service.body, &["spec", "selector"]).and_then(Value::as_object);
        let namespace = service.applied.id.namespace.as_deref();
        let Some((selector, (key, value))) = selector.and_then(|selector| Some((selector, selector.iter().next()?)))
        else {
            return Vec::new();
        };
        let sharing = self.0.get(&(namespace, key.as_str(), value)).into_iter().flatten();
        let selects = |labels: &Map<String, Value>| selector.iter().all(|(key, value)| labels.get(key) == Some(value));
        sharing.filter(|workload| labels_of_pods(workload).is_some_and(selects)).copied().collect()
    }

    /// True where one of them is meant to run pods, by its body.
    pub(super) fn runs_behind(&self, service: &Watched) -> bool {
        self.behind(service).iter().any(|workload| kinds::wants_pods(&workload.body))
    }
}

/// The labels of the pods that a workload keeps running.
fn labels_of_pods(watched: &Watched) -> Option<&Map<String, Value>> {
    let id = &watched.applied.id;
    let template = read::at(&watched.body, kinds::find(&id.group, &id.kind)?.template?)?;
    let serves = !matches!(id.kind.as_str(), "Job" | "CronJob" | "PodTemplate");
    read::at(template, &["metadata", "labels"]).filter(|_| serves)?.as_object()
}
