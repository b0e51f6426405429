//! An API server is killed and is away for a minute: a run that applies many objects and those that follow a rollout end
//! as they would have without. The server is the story's own, so nobody else misses it, and all go through one outage.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{
    Bench, Project, Run, Running, SecondCluster,
    cases::{DEPLOY, described},
    workloads::{RUNS, deployment, object},
};

/// Twice as long as the lock lasts.
const OUTAGE: Duration = Duration::from_secs(60);
const OBJECTS: usize = 800;
/// So many of them are there when the server is killed.
const WRITTEN: usize = 40;

/// One that goes to the second cluster; `settings` are those of shipway.yaml that are no default.
fn project(story: &str, cluster: &SecondCluster, (objects, settings): (Vec<Value>, &str)) -> Project {
    let mut project = described(story, objects);
    project.set("KUBECONFIG", &cluster.kubeconfig().display().to_string());
    project.set("SHIPWAY_TAG", "1");
    project.write("shipway.yaml", &format!("environments: {{qa: {{branches: [\"*\"], context: west}}}}\n{settings}"));
    project.commit("Say where to");
    project
}

/// Many objects that nobody has to see.
fn maps(story: &str, cluster: &SecondCluster) -> Project {
    let map = |number: usize| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("map-{number}")},
            "data": {"number": number.to_string()}})
    };
    project(story, cluster, ((0..OBJECTS).map(map).collect(), ""))
}

/// A workload whose pods somebody has to make, and a node to run.
fn web(story: &str, cluster: &SecondCluster, more: Vec<Value>) -> Project {
    let image = format!("{}/base/busybox", Bench.variable("REGISTRY"));
    let limits = json!({"limits": {"memory": "64Mi"}});
    let web = deployment(RUNS, json!({"image": format!("{image}:latest"), "resources": limits}));
    let settings = format!("images: [{{name: {image}}}]\ndeploy: {{settle: 0s}}\n");
    project(story, cluster, (more.into_iter().chain([web]).collect(), &settings))
}

fn in_qa(project: &Project, cluster: &SecondCluster, what: &str) -> Vec<Value> {
    let found = cluster.get("west", &["--namespace", &project.namespace("qa"), what]);
    found["items"].as_array().expect("a list").clone()
}

/// What a deploy leaves behind, without names and times of its own.
fn left(project: &Project, cluster: &SecondCluster) -> Vec<String> {
    let told = |object: Value| {
        let (meta, spec) = (&object["metadata"], &object["spec"]);
        let (state, number) = (&meta["labels"]["shipway.dev/state"], &object["data"]["number"]);
        let number = number.as_str().filter(|_| object["kind"] == "ConfigMap");
        let lock = [&spec["holderIdentity"], &spec["leaseTransitions"]];
        let told = json!([object["kind"], meta["name"], meta["generation"], number, state, lock]);
        told.to_string().replace(&project.app, "app")
    };
    let kinds = ["configmaps", "secrets", "leases"];
    kinds.iter().flat_map(|kind| in_qa(project, cluster, kind)).map(told).collect()
}

/// It lost the server, and found it again.
fn lost_the_server(run: &Run) {
    run.says("waiting for the API server").says("the API server answers again after");
    assert!(run.seconds > OUTAGE.as_secs_f64(), "{}", run.transcript());
}

/// How many objects were made before a moment of whole seconds, and how many then or later.
fn made_around(moment: Timestamp, objects: &[Value]) -> (usize, usize) {
    let made = |object: &Value| object["metadata"]["creationTimestamp"].as_str().and_then(|time| time.parse().ok());
    let before = objects.iter().filter(|object| made(object).is_some_and(|made: Timestamp| made < moment)).count();
    (before, objects.len() - before)
}

/// Kills the server, and starts it again a minute later; answers when that was.
fn go_through_an_outage(cluster: &mut SecondCluster, runs: [&Running; 4]) -> Timestamp {
    cluster.kill_server();
    std::thread::sleep(OUTAGE);
    assert!(runs.iter().all(|run| !run.has_ended()), "a run has ended without the server");
    let back = Timestamp::now();
    cluster.restart_server();
    back
}

/// What was written before the outage and what was written after it are together what an undisturbed run leaves.
fn ends_as_undisturbed(run: &Run, project: &Project, (cluster, back): (&SecondCluster, Timestamp)) {
    lost_the_server(run);
    let (before, after) = made_around(back, &in_qa(project, cluster, "configmaps"));
    assert!(before >= WRITTEN && after > 0, "{before} made before the outage and {after} after it");
    let calm = maps("calmapply", cluster);
    calm.run(DEPLOY).expect(0);
    assert_eq!(left(project, cluster), left(&calm, cluster));
}

#[test]
fn a_server_that_is_killed_and_away_for_a_minute_changes_no_end() {
    let (bench, _share) = Bench::shared();
    let mut cluster = SecondCluster::start(&bench);
    let applies = maps("killedapply", &cluster);
    let succeeds = web("killedwatch", &cluster, Vec::new());
    // its pods want more
    let limits = json!({"limits": [{"type": "Container", "max": {"memory": "32Mi"}}]});
    let fails = web("killedfails", &cluster, vec![object("v1", "LimitRange", "small", limits)]);

    let (watched, failing) = (succeeds.start(DEPLOY), fails.start(DEPLOY));
    for run in [&watched, &failing] {
        run.until_says("deployment/web created");
    }
    let waiting = succeeds.start(DEPLOY);
    waiting.until_says("waiting for ");
    let applied = applies.start(DEPLOY);
    while in_qa(&applies, &cluster, "configmaps").len() < WRITTEN {
        std::thread::sleep(Duration::from_millis(5));
    }
    let back = go_through_an_outage(&mut cluster, [&watched, &failing, &waiting, &applied]);
    // only now is there anybody who makes pods, or is kept from it
    cluster.start_controllers(&["deployment-controller", "replicaset-controller"]);
    let _node = cluster.play_node(&succeeds.namespace("qa"));

    ends_as_undisturbed(&applied.wait().expect(0), &applies, (&cluster, back));
    let (watched, failing) = (watched.wait().expect(0), failing.wait().expect(6));
    watched.says("1/1 pods run base/busybox");
    failing.says("error[admission-denied]").says("maximum memory usage per Container is 32Mi");
    // who waits for the lock has it next, and not before, though nobody could renew it for twice its length
    let waiting = waiting.wait().expect(0);
    waiting.says("1/1 pods run base/busybox").never_says("deployment/web created");
    [&watched, &failing, &waiting].into_iter().for_each(lost_the_server);
    for (project, transitions) in [(&applies, 0), (&succeeds, 1), (&fails, 0)] {
        let lock = &in_qa(project, &cluster, "leases")[0]["spec"];
        assert_eq!((&lock["holderIdentity"], &lock["leaseTransitions"]), (&json!(""), &json!(transitions)));
    }
}
