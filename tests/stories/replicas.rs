//! How many pods: the manifest's word, an autoscaler's, a person's. No deploy makes the count jump.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

use crate::support::{Project, manifests};

/// Every count that a Deployment's specification has held, as the API server tells it to a watch.
struct Counts {
    watch: Child,
    seen: JoinHandle<Vec<String>>,
}

impl Counts {
    fn watch(project: &Project) -> Self {
        let mut watch = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("script/cluster"))
            .args(["kubectl", "-n", &project.namespace("qa"), "get", "deployment", "web", "--watch"])
            .args(["-o", "jsonpath={.spec.replicas}{\"\\n\"}"])
            .env("KUBECONFIG", project.bench.variable("KUBECONFIG"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
        // the watch is under way once the first count is there
        let first = lines.next().expect("a count").expect("a line");
        let seen = std::thread::spawn(move || {
            let mut seen = vec![first];
            for count in lines.map_while(Result::ok) {
                if seen.last() != Some(&count) {
                    seen.push(count);
                }
            }
            seen
        });
        Self { watch, seen }
    }

    fn end(mut self) -> Vec<String> {
        self.watch.kill().expect("a watch to end");
        self.watch.wait().expect("its end");
        self.seen.join().expect("the counts")
    }
}

fn autoscaler(least: u8) -> String {
    format!(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: web\nspec:\n  scaleTargetRef:\n    \
         apiVersion: apps/v1\n    kind: Deployment\n    name: web\n  minReplicas: {least}\n  maxReplicas: 5\n"
    )
}

/// The web server with a variable, so that something changes.
fn web(project: &Project, replicas: &str, mode: &str) -> String {
    manifests::deployment("web", &project.image()).replace("  replicas: 2\n", replicas).replace(
        "          ports:\n",
        &format!("          env:\n            - name: MODE\n              value: {mode}\n          ports:\n"),
    )
}

/// The managers that own the count.
fn owners(live: &serde_json::Value) -> Vec<String> {
    let entries = live["metadata"]["managedFields"].as_array().expect("managed fields");
    let owns = |entry: &&serde_json::Value| entry.pointer("/fieldsV1/f:spec/f:replicas").is_some();
    entries.iter().filter(owns).map(|entry| entry["manager"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn an_autoscaler_comes_and_goes_and_the_count_never_jumps() {
    let project = Project::pushed("scaler");
    let namespace = project.namespace("qa");
    let live = || project.bench.get(&namespace, &["--show-managed-fields", "deployment", "web"]);
    project.run(&["deploy"]).expect(0);
    let counts = Counts::watch(&project);

    project.write("kubernetes/hpa.yaml", &autoscaler(3));
    project.write("kubernetes/web.yaml", &web(&project, "  replicas: 2\n", "one"));
    project.run(&["deploy"]).expect(0).never_says("replicas");
    let three = ["wait", "deployment/web", "--for=jsonpath={.spec.replicas}=3", "--timeout=60s"];
    project.bench.kubectl(&[&["-n", &namespace][..], &three].concat());
    assert!(!owners(&live()).iter().any(|owner| owner.starts_with("shipway")), "{:?}", owners(&live()));

    project.write("kubernetes/web.yaml", &web(&project, "  replicas: 2\n", "two"));
    project.run(&["plan"]).expect(0).says("MODE").never_says("replicas");
    project.run(&["deploy"]).expect(0).never_says("replicas");

    std::fs::remove_file(project.root().join("kubernetes/hpa.yaml")).expect("a manifest");
    project.run(&["deploy"]).expect(0).says("horizontalpodautoscaler/web");
    project.write("kubernetes/web.yaml", &web(&project, "  replicas: 2\n", "three"));
    let run = project.run(&["deploy"]).expect(0);
    run.says("kept 3 replicas, the manifest says 2").says("an autoscaler that is gone");
    assert_eq!(counts.end(), ["2", "3"]);
}

#[test]
fn what_is_created_with_an_autoscaler_begins_with_what_that_wants() {
    let project = Project::pushed("born");
    project.write("kubernetes/hpa.yaml", &autoscaler(3));
    project.run(&["deploy"]).expect(0);
    let live = || project.bench.get(&project.namespace("qa"), &["--show-managed-fields", "deployment", "web"]);
    let found = live();
    assert_eq!((&found["spec"]["replicas"], &found["metadata"]["generation"]), (&3.into(), &1.into()));
    assert_eq!(owners(&found), ["shipway-handover"]);
    project.run(&["plan", "--exit-code"]).expect(0);
}

#[test]
fn an_autoscaler_that_no_manifest_has_is_minded() {
    let project = Project::pushed("theirscaler");
    let namespace = project.namespace("qa");
    project.run(&["deploy"]).expect(0);
    let made = project.bench.try_kubectl(&["-n", &namespace, "create", "-f", "-"], &autoscaler(1));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // the autoscaler has not acted, and a manifest that says more is not heard
    project.write("kubernetes/web.yaml", &web(&project, "  replicas: 4\n", "one"));
    project.run(&["deploy"]).expect(0);
    let live = project.bench.get(&namespace, &["--show-managed-fields", "deployment", "web"]);
    assert_eq!(live["spec"]["replicas"], 2);
    assert_eq!(owners(&live), ["shipway-handover"]);
}

#[test]
fn a_count_set_by_hand_is_kept_until_it_is_set_back() {
    let project = Project::pushed("byscale");
    let namespace = project.namespace("qa");
    let count = || project.bench.get(&namespace, &["deployment", "web"])["spec"]["replicas"].clone();
    let scale = |to: &str| project.bench.kubectl(&["-n", &namespace, "scale", "deployment/web", to]);
    project.run(&["deploy"]).expect(0);
    scale("--replicas=3");
    let kept = "kept 3 replicas, the manifest says 2: set by hand (kubectl";
    project.run(&["plan", "--exit-code"]).expect(0).says(kept);
    project.write("kubernetes/web.yaml", &web(&project, "  replicas: 2\n", "one"));
    project.run(&["deploy"]).expect(0).says(kept).says("kubectl scale deployment/web --replicas=2");
    assert_eq!(count(), 3);
    // also where nothing is written any more
    project.run(&["deploy"]).expect(0).says(kept);

    scale("--replicas=2");
    project.run(&["deploy"]).expect(0).never_says("kept");
    project.write("kubernetes/web.yaml", &web(&project, "  replicas: 1\n", "one"));
    project.run(&["deploy"]).expect(0).never_says("kept");
    assert_eq!(count(), 1);
}

/// The server forgets whose a count of nothing is, and whose it is from then on.
#[test]
fn what_was_scaled_to_nothing_by_hand_stays_so() {
    let project = Project::pushed("tozero");
    let namespace = project.namespace("qa");
    let count = || project.bench.get(&namespace, &["deployment", "web"])["spec"]["replicas"].clone();
    let scale = |to: &str| project.bench.kubectl(&["-n", &namespace, "scale", "deployment/web", to]);
    project.run(&["deploy"]).expect(0);
    scale("--replicas=0");
    project.write("kubernetes/web.yaml", &web(&project, "  replicas: 2\n", "one"));
    for _ in ["changed", "unchanged"] {
        project.run(&["deploy"]).expect(0).says("kept 0 replicas, the manifest says 2: somebody scaled it to nothing");
        assert_eq!(count(), 0);
    }
    scale("--replicas=3");
    project.write("kubernetes/web.yaml", &web(&project, "  replicas: 2\n", "two"));
    project.run(&["deploy"]).expect(0).says("kept 3 replicas").says("and up again");
    assert_eq!(count(), 3);
    scale("--replicas=2");
    project.run(&["deploy"]).expect(0).never_says("kept");
    project.write("kubernetes/web.yaml", &web(&project, "  replicas: 1\n", "two"));
    project.run(&["deploy"]).expect(0).never_says("kept");
    assert_eq!(count(), 1);
}

#[test]
fn a_count_that_leaves_the_manifest_stays_in_the_cluster() {
    let project = Project::pushed("dropped");
    project.run(&["deploy"]).expect(0);
    let counts = Counts::watch(&project);
    project.write("kubernetes/web.yaml", &web(&project, "", "one"));
    project.run(&["deploy"]).expect(0);
    project.run(&["deploy"]).expect(0);
    assert_eq!(counts.end(), ["2"]);
}

/// Its Service has nothing to wait for.
#[test]
fn a_workload_that_somebody_scaled_to_nothing_is_ready() {
    let project = Project::pushed("tonothing");
    project.write("kubernetes/web.yaml", &web(&project, "", "one"));
    project.run(&["deploy"]).expect(0);
    project.bench.kubectl(&["-n", &project.namespace("qa"), "scale", "deployment/web", "--replicas=0"]);
    project.write("kubernetes/web.yaml", &web(&project, "", "two"));
    let run = project.run(&["deploy", "--timeout", "15s"]).expect(0);
    run.says("service/web ready").never_says("service/web waiting");
}
