//! A hundred workloads and a thousand pods at once. They are real to the API server and the controllers; the node that
//! runs them is one that only tells so.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use serde_json::{Value, json};

use crate::support::{
    Figures, Project, Run,
    kubelet::{Health, Node},
    proxy::{Answer, Fault, Proxy, Rule, Seen, Then},
    wire::Watcher,
};

const WORKLOADS: usize = 100;
const REPLICAS: usize = 10;
/// Of the workloads, those that are changed and then have a pod that crashes.
const FAILING: usize = 20;
/// kB; of a build without optimisation.
const MOST_MEMORY: u64 = 100_000;

/// All workloads; the first so many are told apart by this label of their pods.
fn objects(project: &Project, node: &Node, (changed, round): (usize, &str)) -> Value {
    let workload = |number: usize| {
        let name = format!("web-{number}");
        let mut spec = node.placed();
        spec["containers"] = json!([{"name": "web", "image": "registry.example.com/team/web:1"}]);
        let round = if number < changed { round } else { "one" };
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
            "replicas": REPLICAS, "selector": {"matchLabels": {"app": name}},
            "strategy": {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}},
            "template": {"metadata": {"labels": {"app": name, "round": round}}, "spec": spec}}})
    };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": project.namespace("qa")}});
    let items: Vec<Value> = std::iter::once(namespace).chain((0..WORKLOADS).map(workload)).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

/// Of each workload the first pod of the second round crashes.
fn health() -> impl Fn(&Value) -> Health + Send {
    let seen = RefCell::new(HashSet::new());
    move |pod| {
        let labels = &pod["metadata"]["labels"];
        let app = labels["app"].as_str().unwrap_or_default().to_owned();
        let crashes = labels["round"] == "two" && seen.borrow_mut().insert(app);
        if crashes { Health::Crashes { after: 0 } } else { Health::Ready }
    }
}

/// How often each selection was watched.
fn watches(proxy: &Proxy) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for seen in proxy.seen().iter().filter(|seen| seen.is_watch()) {
        *found.entry(super::delays::selected(&seen.path)).or_default() += 1;
    }
    found
}

fn is_of(plural: &'static str) -> impl Fn(&Seen) -> bool + Send {
    move |seen| seen.is_watch() && seen.path.contains(&format!("/{plural}?"))
}

/// In the middle of it the pods' watch is cut and has no history to go on from; that of the Deployments is only cut.
fn disturb(proxy: &Proxy) {
    let gone = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
        "message": "too old resource version"});
    let gone = Answer::status(410).body(gone.to_string());
    proxy.rule(Rule::when(is_of("pods"), Fault::After(Then::Cut(4_000_000))).times(1));
    proxy.rule(Rule::when(is_of("pods"), Fault::Instead(Then::Answer(gone))).times(1));
    proxy.rule(Rule::when(is_of("deployments"), Fault::After(Then::Cut(1_000_000))).times(1));
}

fn when(run: &Run, fits: impl Fn(&Value) -> bool) -> Option<Instant> {
    run.arrivals().into_iter().filter(|(_, event)| fits(event)).map(|(at, _)| at).next_back()
}

/// The later of the last word of the kubelet and that of the controllers.
fn last_change(node: &Node, watcher: &Watcher) -> Instant {
    let controllers = (0..WORKLOADS).filter_map(|number| {
        let name = format!("web-{number}");
        watcher.first(|object| object["metadata"]["name"] == *name && object["status"]["availableReplicas"] == REPLICAS)
    });
    controllers.chain(node.written()).max().expect("changes")
}

fn figures(name: &str, run: &Run, proxy: &Proxy) -> Figures {
    let mut figures = Figures::new(if name == "ready" { "scale-ready" } else { "scale-failing" });
    let seen = proxy.seen();
    let looks = seen.iter().filter(|seen| seen.method == hyper::Method::GET).count();
    figures.at_most(format!("1,000 pods, {name}: memory"), run.peak as f64 / 1000.0, "MB", 100.0);
    figures.add(format!("1,000 pods, {name}: requests"), seen.len() as f64, "requests");
    figures.add(format!("1,000 pods, {name}: of these lists and watches"), looks as f64, "requests");
    figures.add(format!("1,000 pods, {name}: time of a processor"), run.work, "s");
    figures.add(format!("1,000 pods, {name}: time of the run"), run.seconds, "s");
    assert!(run.peak < MOST_MEMORY, "{} kB", run.peak);
    figures
}

#[test]
fn a_hundred_workloads_of_a_thousand_pods() {
    let mut project = Project::new("scale");
    project.branch("feature");
    let node = Node::start(&project.app, health());
    let proxy = Proxy::start(&project.bench);
    proxy.guard(&mut project);
    disturb(&proxy);
    let deploy = |changed| {
        project.write("objects.json", &objects(&project, &node, changed).to_string());
        project.commit("Describe them");
        proxy.forget_seen();
        proxy.run(&project, &["deploy", "-f", "objects.json", "--output", "json"])
    };

    let deployments = format!("/apis/apps/v1/namespaces/{}/deployments", project.namespace("qa"));
    let watcher = Watcher::start(&project.bench, vec![deployments]);
    let run = deploy((0, "one")).expect(0);
    drop(watcher_settled(&run, &node, &watcher, &proxy));
    let found = watches(&proxy);
    for (selection, times) in &found {
        let least = match selection {
            pods if pods.contains("/pods ") => 3,
            deployments if deployments.contains("/deployments ") => 2,
            _ => 1,
        };
        // on a crowded machine there are more: the server ends the watch of one who reads slowly
        assert!(*times >= least, "{found:#?}");
        assert!(selection.contains("labelSelector=") || selection.contains("/events "), "{found:#?}");
    }
    assert_eq!(found.len(), 5, "{found:#?}");
    let ready =
        run.outcome()["objects"].as_array().into_iter().flatten().filter(|object| object["verdict"] == "ready").count();
    assert_eq!(ready, WORKLOADS + 1);

    let run = deploy((FAILING, "two")).expect(6);
    let outcome = run.outcome();
    let problems = outcome["problems"].as_array().expect("findings");
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!((&problems[0]["code"], &problems[0]["count"]), (&json!("crash-loop"), &json!(FAILING)), "{problems:#?}");
    assert_eq!(watches(&proxy).len(), found.len(), "{:#?}", watches(&proxy));
    // of one workload: the last run's log of the pod that is shown, and where there is none, the present one's; until all
    // of its pods have crashed, another may be shown
    let seen = proxy.seen();
    let logs: Vec<&str> = seen.iter().map(|seen| seen.path.as_str()).filter(|path| path.contains("/log?")).collect();
    let workload =
        |path: &&str| path.split_once("/pods/").and_then(|(_, pod)| pod.rsplitn(3, '-').nth(2).map(str::to_owned));
    let workloads: std::collections::BTreeSet<Option<String>> = logs.iter().map(workload).collect();
    assert!(workloads.len() == 1 && logs.len() <= 2 * REPLICAS, "{logs:#?}");
    let crashed = node.written().into_iter().max().expect("a crash");
    let mut figures = figures("failing", &run, &proxy);
    let ended = when(&run, |event| event["event"] == "outcome").expect("an outcome");
    figures.add(
        "1,000 pods, failing: outcome after the last pod",
        ended.saturating_duration_since(crashed).as_secs_f64(),
        "s",
    );
}

/// The figures of a run in which all became ready.
fn watcher_settled(run: &Run, node: &Node, watcher: &Watcher, proxy: &Proxy) -> Figures {
    assert_eq!(node.written().len(), WORKLOADS * REPLICAS);
    let settled = when(run, |event| event["event"] == "rollout.settling").expect("all ready");
    let delay = settled.saturating_duration_since(last_change(node, watcher)).as_secs_f64();
    let mut figures = figures("ready", run, proxy);
    figures.add("1,000 pods, ready: verdict after the last change", delay, "s");
    assert!(delay < 5.0, "{delay} s after the last change");
    figures
}
