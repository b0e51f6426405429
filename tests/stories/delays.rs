//! How soon a verdict follows what happened, and what waiting costs the API server. A watcher beside shipway says when
//! the cluster told it; the figures lie in `target/bench/`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Audit, Figures, Project, Run,
    proxy::{Proxy, Seen},
    wire::{Watcher, is_true},
    workloads::{RUNS, container, deployment, template, workload},
};

/// Workloads, each with a verdict of its own.
const VERDICTS: usize = 20;

/// A project whose objects lie in one file, in a namespace of its own.
fn project(story: &str, objects: &[Value]) -> Project {
    let project = Project::new(story);
    project.branch("feature");
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": project.namespace("qa")}});
    let items: Vec<&Value> = std::iter::once(&namespace).chain(objects).collect();
    project.write("objects.json", &json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
    project.commit("Describe it");
    project
}

fn named(name: &str, mut object: Value) -> Value {
    object["metadata"]["name"] = json!(name);
    object["spec"]["selector"]["matchLabels"]["app"] = json!(name);
    object["spec"]["template"]["metadata"]["labels"]["app"] = json!(name);
    object
}

/// Pods and Deployments of the namespace, as somebody else sees them.
fn watch(project: &Project) -> Watcher {
    let namespace = project.namespace("qa");
    let paths =
        [format!("/api/v1/namespaces/{namespace}/pods"), format!("/apis/apps/v1/namespaces/{namespace}/deployments")];
    Watcher::start(&project.bench, paths.to_vec())
}

/// When the line of a verdict came.
fn told(run: &Run, workload: &str, verdict: &str) -> Instant {
    let is_it = |event: &Value| {
        event["event"] == "rollout.changed"
            && event["object"]["name"] == workload
            && event["verdict"]["verdict"] == verdict
    };
    let arrivals = run.arrivals();
    let found = arrivals.iter().find(|(_, event)| is_it(event));
    found.unwrap_or_else(|| panic!("{workload} is never {verdict}\n{}", run.transcript())).0
}

/// Milliseconds; 0 where shipway was told sooner than its witness.
fn delay(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1000.0
}

fn median(delays: &mut [f64]) -> f64 {
    delays.sort_by(f64::total_cmp);
    delays[delays.len() / 2]
}

#[test]
fn a_verdict_follows_at_once() {
    let names: Vec<String> = (0..VERDICTS).map(|number| format!("web-{number}")).collect();
    let objects: Vec<Value> = names.iter().map(|name| named(name, deployment(RUNS, json!({})))).collect();
    let project = project("delay", &objects);
    let watcher = watch(&project);
    let run = project.run(&["deploy", "-f", "objects.json", "--output", "json"]).expect(0);
    let mut delays: Vec<f64> =
        names.iter().map(|name| delay(held(&watcher, name), told(&run, name, "ready"))).collect();
    assert_eq!(delays.len(), VERDICTS);
    let mut figures = Figures::new("verdicts");
    let median = median(&mut delays);
    figures.at_most("verdict after the status change, median", median, "ms", 100.0);
    figures.add("verdict after the status change, worst", delays[VERDICTS - 1], "ms");
    assert!(median < 1000.0, "{delays:?}");
}

/// The later of what makes a workload ready: its pod is, and its controller says so.
fn held(watcher: &Watcher, name: &str) -> Instant {
    let pod = watcher.first(|object| object["metadata"]["labels"]["app"] == name && is_true(object, "Ready"));
    let complete = watcher.first(|object| {
        object["metadata"]["name"] == name
            && object["status"]["observedGeneration"] == object["metadata"]["generation"]
            && ["updatedReplicas", "availableReplicas"].iter().all(|count| object["status"][count] == 1)
    });
    pod.expect("a ready pod").max(complete.expect("a complete Deployment"))
}

#[test]
fn a_missing_image_is_told_at_once() {
    let image = format!("{}/base/busybox:nothere", crate::support::Bench.variable("REGISTRY"));
    let runs: Vec<_> = (0..5)
        .map(|number| {
            let project = project(&format!("absent{number}"), &[deployment(RUNS, json!({"image": image}))]);
            let watcher = watch(&project);
            let running = project.start(&["deploy", "-f", "objects.json", "--output", "json"]);
            (project, watcher, running)
        })
        .collect();
    let (mut verdicts, mut ends) = (Vec::new(), Vec::new());
    for (_project, watcher, running) in runs {
        let run = running.wait().expect(6);
        assert_eq!(run.outcome()["problems"][0]["code"], "image-not-found", "{}", run.transcript());
        let reported = watcher
            .first(|object| object["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ErrImagePull");
        let reported = reported.expect("a report of the kubelet");
        verdicts.push(delay(reported, told(&run, "web", "failed")));
        ends.push(delay(reported, run.arrivals().pop().expect("an outcome").0));
    }
    let mut figures = Figures::new("missing-image");
    for (name, mut delays) in [("verdict", verdicts), ("outcome", ends)] {
        let median = median(&mut delays);
        figures.at_most(
            format!("missing image: {name} after the kubelet's first report, median"),
            median,
            "ms",
            1000.0,
        );
        figures.add(format!("missing image: {name} after the kubelet's first report, worst"), delays[4], "ms");
        assert!(median < 3000.0, "{name}: {delays:?}");
    }
}

/// So long nothing happens; three renewals of the lock, and a reminder.
const WAIT: u64 = 35;

#[test]
fn who_waits_asks_nothing() {
    let slow = json!({"readinessProbe": {"exec": {"command": ["/bin/true"]}, "initialDelaySeconds": WAIT, "periodSeconds": 1}});
    let web = workload("Deployment", template(container(RUNS, slow), json!({})), json!({}));
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    let mut project = project("patient", &[web, service]);
    let (proxy, watcher) = (Proxy::start(&project.bench), watch(&project));
    proxy.guard(&mut project);
    let audit = Audit::begin(&project.bench);
    let run = proxy.run(&project, &["deploy", "-f", "objects.json", "--output", "plain"]).expect(0);
    run.says("waiting   deployment/web 0/1 new ready: pod web-").says("runs, is not ready yet (");
    let ready = watcher.first(|object| object["kind"] == "Pod" && is_true(object, "Ready")).expect("a ready pod");
    let seen = proxy.seen();
    let watches: Vec<&Seen> = seen.iter().filter(|seen| seen.is_watch()).collect();
    let open = watches.iter().map(|seen| seen.at).max().expect("watches");
    let waited = ready.duration_since(open);
    assert!(waited > Duration::from_secs(WAIT - 5), "waited {waited:?} only");
    let meanwhile: Vec<String> = seen
        .iter()
        .filter(|seen| seen.at > open && seen.at < ready)
        .map(|seen| format!("{} {}", seen.method, seen.path))
        .collect();
    let lease = format!("PUT /apis/coordination.k8s.io/v1/namespaces/{}/leases/", project.namespace("qa"));
    assert!(meanwhile.iter().all(|line| line.starts_with(&lease)), "{meanwhile:#?}");
    let most = waited.as_secs() / 10 + 1;
    assert!(meanwhile.len() as u64 <= most, "{} renewals in {waited:?}", meanwhile.len());
    // none was sent beside the proxy
    assert_eq!(
        audit.requests(&project.namespace("qa")).len(),
        seen.iter().filter(|seen| names(seen, &project)).count()
    );
    is_narrow(&watches);
    let mut figures = Figures::new("waiting");
    figures.add("requests while waiting beside the lock's renewals", 0.0, "requests");
    figures.add("the lock's renewals", meanwhile.len() as f64, "requests");
    figures.add("seconds of waiting", waited.as_secs_f64(), "s");
    figures.add("watches", watches.len() as f64, "requests");
}

fn names(seen: &Seen, project: &Project) -> bool {
    seen.path.contains(&project.namespace("qa"))
}

/// Each kind is watched once, and none in whole: by the app's label, by its Service, or by the type of its events.
pub fn is_narrow(watches: &[&Seen]) {
    let mut kinds: Vec<String> = watches.iter().map(|seen| selected(&seen.path)).collect();
    kinds.sort();
    let before = kinds.len();
    kinds.dedup();
    assert_eq!(kinds.len(), before, "a kind is watched twice: {kinds:#?}");
    for kind in kinds {
        let is_narrow =
            ["shipway.dev%2Fapp", "kubernetes.io%2Fservice-name", "fieldSelector=type", "fieldSelector=reason"];
        assert!(is_narrow.iter().any(|part| kind.contains(part)), "watched in whole: {kind}");
    }
}

/// What a watch selects: its path and its selectors.
pub fn selected(path: &str) -> String {
    let (list, query) = path.split_once('?').unwrap_or((path, ""));
    let selectors: Vec<&str> = query.split('&').filter(|part| part.contains("Selector=")).collect();
    format!("{list} {}", selectors.join(" "))
}
