//! Rollouts that others disturb: people, the node, the cluster's own controllers.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Bench, Project, Run, Running, at_once,
    workloads::{RUNS, container, image, is_up, merged, template, up_after, workload},
};

/// No story here waits longer for what it has caused.
const LONGEST: Duration = Duration::from_secs(60);

/// A container that is ready a while after it started; `more` is laid over it.
fn slow(more: Value) -> Value {
    container(&up_after(6, RUNS), merged(json!({"readinessProbe": is_up()}), more))
}

/// A project with one Deployment `web` that takes its time.
fn project(story: &str, replicas: u32) -> Project {
    let project = Project::new(story);
    project.branch("feature");
    write(&project, workload("Deployment", template(slow(json!({})), json!({})), json!({"replicas": replicas})));
    project.commit("Describe it");
    project
}

fn write(project: &Project, object: Value) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": project.namespace("qa")}});
    project
        .write("objects.json", &json!({"apiVersion": "v1", "kind": "List", "items": [namespace, object]}).to_string());
}

fn deploy(project: &Project, flags: &[&str]) -> Running {
    project.start(&[&["deploy", "-f", "objects.json"], flags].concat())
}

fn kubectl(project: &Project, arguments: &[&str]) -> String {
    project.bench.kubectl(&[&["-n", &project.namespace("qa")], arguments].concat())
}

/// The names of the pods in a phase; waits until there are so many.
fn pods(project: &Project, phase: &str, count: usize) -> Vec<String> {
    let selector = format!("status.phase={phase}");
    let began = Instant::now();
    loop {
        let names = kubectl(project, &["get", "pods", "--field-selector", &selector, "-o", "name"]);
        let names: Vec<String> = names.lines().map(|line| line.trim_start_matches("pod/").to_owned()).collect();
        if names.len() >= count {
            return names;
        }
        assert!(began.elapsed() < LONGEST, "{names:?} are {phase}, not {count}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A node of the story's own, on which nothing runs and of which nothing is heard; other stories' pods keep away.
struct Node(String);

impl Node {
    fn new(project: &Project) -> Self {
        let name = format!("node-{}", project.app);
        let taint = json!({"key": "story", "value": project.app, "effect": "NoSchedule"});
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"story": project.app}},
            "spec": {"taints": [taint]}});
        project.bench.try_kubectl(&["create", "-f", "-"], &node.to_string());
        let node = Self(name);
        node.report("True");
        node
    }

    /// What its kubelet says last, or what is known of it once it says nothing more.
    fn report(&self, ready: &str) {
        let resources = json!({"cpu": "1", "memory": "1Gi", "pods": "10", "ephemeral-storage": "1Gi"});
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let ready = json!({"type": "Ready", "status": ready, "lastHeartbeatTime": now, "lastTransitionTime": now});
        let status = json!({"status": {"capacity": resources, "allocatable": resources, "conditions": [ready]}});
        Bench.kubectl(&["patch", "node", &self.0, "--subresource=status", "-p", &status.to_string()]);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        Bench.try_kubectl(&["delete", "node", &self.0, "--wait=false"], "");
    }
}

/// Writes into a pod's status what the kubelet would, and the node controller.
fn report_pod(project: &Project, pod: &str, ready: &str) {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "lastTransitionTime": now});
    let conditions =
        json!([condition("Ready", ready), condition("ContainersReady", "True"), condition("Initialized", "True")]);
    let container = json!({"name": "web", "ready": true, "started": true, "restartCount": 0, "image": image(),
        "imageID": "", "state": {"running": {"startedAt": now}}});
    let status =
        json!({"phase": "Running", "startTime": now, "conditions": conditions, "containerStatuses": [container]});
    let patch = json!({"status": status}).to_string();
    kubectl(project, &["patch", "pod", pod, "--subresource=status", "-p", &patch]);
}

/// As `kubectl drain` asks for it.
fn evict(project: &Project, pod: &str) {
    let namespace = project.namespace("qa");
    let eviction =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}});
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/eviction");
    let output = project.bench.try_kubectl(&["create", "--raw", &path, "-f", "-"], &eviction.to_string());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_pod_that_is_evicted_is_made_again() {
    let project = project("evicted", 2);
    let running = deploy(&project, &[]);
    let started = pods(&project, "Running", 2);
    evict(&project, &started[0]);
    let run = running.wait().expect(0);
    run.says("ready: 2/2").never_says("looks failed").never_says("warning[");
    let last = pods(&project, "Running", 2);
    assert!(!last.contains(&started[0]), "{last:?}");
    assert!(run.seconds < 60.0, "{}", run.transcript());
}

#[test]
fn a_pod_that_the_node_evicts_is_made_again() {
    let project = Project::new("nodeevicts");
    project.branch("feature");
    // only the first pod fills its disk
    let again = up_after(1, RUNS);
    let script = format!(
        "if [ -e /data/seen ]; then {again}; fi; \
         touch /data/seen; dd if=/dev/zero of=/fill bs=1M count=8; {RUNS}"
    );
    let limits = json!({"limits": {"ephemeral-storage": "2Mi"}});
    let mounts = json!([{"name": "data", "mountPath": "/data"}]);
    let folder = format!("/tmp/shipway-story-{}", project.app);
    let volumes = json!([{"name": "data", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}}]);
    let container = container(&script, json!({"resources": limits, "readinessProbe": is_up(), "volumeMounts": mounts}));
    write(&project, workload("Deployment", template(container, json!({"volumes": volumes})), json!({})));
    project.commit("Describe it");
    let run = deploy(&project, &[]).wait().expect(0);
    run.says("ready: 1/1");
    let failed = project.bench.get(&project.namespace("qa"), &["pods", "--field-selector", "status.phase=Failed"]);
    assert_eq!(failed["items"][0]["status"]["reason"], "Evicted", "{failed}");
    assert!(run.seconds < 90.0, "{}", run.transcript());
}

#[test]
fn a_rollout_that_another_undoes_is_told_with_who_and_when() {
    let project = project("undone", 1);
    deploy(&project, &[]).wait().expect(0);
    let newer = format!("{}/base/busybox@sha256:{}", Bench.variable("REGISTRY"), digest());
    let probe = json!({"exec": {"command": ["/bin/false"]}, "periodSeconds": 1});
    let newer = slow(json!({"image": newer, "readinessProbe": probe}));
    write(&project, workload("Deployment", template(newer, json!({})), json!({})));
    project.commit("Change the image");
    let running = deploy(&project, &[]);
    running.until_says("0/1");
    kubectl(&project, &["set", "image", "deployment/web", &format!("web={}", image())]);
    let run = running.wait().expect(6);
    run.says("error[overwritten]").says("was changed by kubectl-set").says(&image());
    assert!(run.seconds < 30.0, "{}", run.transcript());
}

/// The second deploy of an app with two variables, while which somebody enters this command.
fn disturbed_by(story: &str, command: &[&str]) -> Run {
    let project = project(story, 1);
    let with = |mode: &str| {
        let env = json!([{"name": "MODE", "value": mode}, {"name": "LEVEL", "value": "1"}]);
        write(&project, workload("Deployment", template(slow(json!({"env": env})), json!({})), json!({})));
        project.commit(mode);
    };
    with("one");
    deploy(&project, &[]).wait().expect(0);
    with("two");
    let running = deploy(&project, &[]);
    running.until_says("0/1");
    kubectl(&project, command);
    running.wait()
}

fn another_value() {
    let run = disturbed_by("envset", &["set", "env", "deployment/web", "MODE=three"]).expect(6);
    run.says("error[overwritten]").says("was changed by kubectl-set").says("its pod template is another now");
    run.within(30.0);
}

fn no_value() {
    let run = disturbed_by("envunset", &["set", "env", "deployment/web", "LEVEL-"]).expect(6);
    run.says("error[overwritten]").says("its pod template is another now").within(30.0);
}

/// It adds an annotation and takes nothing away.
fn another_restart() {
    let run = disturbed_by("restarted", &["rollout", "restart", "deployment/web"]).expect(0);
    run.says("ready: 1/1").within(60.0);
}

#[test]
fn a_template_that_another_changes_midway_is_another_rollout() {
    at_once(&[another_value, no_value, another_restart]);
}

fn digest() -> String {
    let manifest = Bench.variable("REGISTRY");
    let output = std::process::Command::new("curl")
        .args(["-sI", "-H", "Accept: application/vnd.docker.distribution.manifest.v2+json"])
        .arg(format!("http://{manifest}/v2/base/busybox/manifests/1"))
        .output()
        .expect("curl runs");
    let text = String::from_utf8_lossy(&output.stdout).to_lowercase();
    let line = text.lines().find_map(|line| line.strip_prefix("docker-content-digest: sha256:"));
    line.unwrap_or_else(|| panic!("{text}")).trim().to_owned()
}

#[test]
fn a_deployment_that_is_deleted_midway_is_gone() {
    let project = project("deleted", 1);
    let running = deploy(&project, &[]);
    pods(&project, "Running", 1);
    kubectl(&project, &["delete", "deployment", "web", "--wait=false"]);
    let run = running.wait().expect(6);
    run.says("error[gone]").says("deployment/web was deleted while it was watched");
    assert!(run.seconds < 30.0, "{}", run.transcript());
}

#[test]
fn a_namespace_that_is_deleted_midway_is_the_cause() {
    let project = project("nsdeleted", 1);
    let running = deploy(&project, &[]);
    pods(&project, "Running", 1);
    let namespace = project.namespace("qa");
    project.bench.kubectl(&["delete", "namespace", &namespace, "--wait=false"]);
    let run = running.wait().expect(6);
    run.says("error[namespace-terminating]").says(&format!("namespace/{namespace} "));
    assert!(run.seconds < 45.0, "{}", run.transcript());
}

#[test]
fn a_count_that_is_changed_midway_is_the_count() {
    let project = project("scaled", 1);
    let running = deploy(&project, &[]);
    pods(&project, "Running", 1);
    kubectl(&project, &["scale", "deployment", "web", "--replicas=3"]);
    let run = running.wait().expect(0);
    run.says("ready: 3/3");
    assert!(run.seconds < 60.0, "{}", run.transcript());
    // what it was is no wish of this deploy
    let running = deploy(&project, &[]);
    running.wait().expect(0).says("kept 3 replicas");
}

#[test]
fn a_node_that_is_lost_midway_is_waited_for_and_named() {
    let project = Project::new("nodelost");
    project.branch("feature");
    let node = Node::new(&project);
    let tolerations = json!([{"key": "story", "operator": "Exists"}]);
    let more =
        json!({"nodeSelector": {"story": project.app}, "tolerations": tolerations, "terminationGracePeriodSeconds": 0});
    let template = template(container(RUNS, json!({})), more);
    write(&project, workload("Deployment", template, json!({"replicas": 2})));
    project.commit("Describe it");
    let running = deploy(&project, &["--timeout", "15s"]);
    running.until_says("waits for its node to take it up");
    let pending = pods(&project, "Pending", 2);
    report_pod(&project, &pending[0], "True");
    running.until_says("1/2");
    node.report("Unknown");
    report_pod(&project, &pending[0], "False");
    let run = running.wait().expect(7);
    run.says("error[node-not-ready]").says(&format!("its node {} is not ready", node.0));
    assert!(run.seconds < 60.0, "{}", run.transcript());
}
