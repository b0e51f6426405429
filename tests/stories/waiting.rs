//! Pods that wait: what may still come is waited for and told, what never comes ends with its reason, and in time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Bench, Project, at_once,
    cases::{Case, DEPLOY, check, describe, described, fails, succeeds, times_out},
    own::{Own, class, unique},
    webhook::{Does, Webhook},
    workloads::{RUNS, container, deployment, is_up, merged, object, pod_of, template, up_after, workload},
};

/// A label on the node that really runs pods.
struct Label(String);

impl Label {
    fn put(key: &str) -> Self {
        Bench.kubectl(&["label", "node", "node1", &format!("{key}=here")]);
        Self(key.to_owned())
    }
}

impl Drop for Label {
    fn drop(&mut self) {
        Bench.try_kubectl(&["label", "node", "node1", &format!("{}-", self.0)], "");
    }
}

fn kubectl(project: &Project, arguments: &[&str], input: &str) -> String {
    let output = project.bench.try_kubectl(&[&["-n", &project.namespace("qa")], arguments].concat(), input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A node without a kubelet, kept from all pods by a taint; only this story's pods may want it.
fn tainted_node(label: &str) -> Value {
    let labels = json!({label: "here"});
    let taint = json!({"key": "reserved", "value": "machines", "effect": "NoSchedule"});
    let node = merged(json!({"apiVersion": "v1", "kind": "Node"}), json!({"spec": {"taints": [taint]}}));
    let capacity = json!({"cpu": "8", "memory": "8Gi", "pods": "10"});
    merged(
        node,
        json!({"metadata": {"name": label.replace('.', "-"), "labels": labels}, "status": {"capacity": capacity, "allocatable": capacity}}),
    )
}

fn selects(label: &str) -> Value {
    pod_of(RUNS, json!({"nodeSelector": {label: "here"}}))
}

#[test]
fn pods_that_no_node_takes() {
    let reserved = unique("taint");
    let node = Own::create(vec![tainted_node(&reserved)]);
    let port = 20_000 + std::process::id() % 10_000;
    let ports = json!({"ports": [{"containerPort": 80, "hostPort": port}]});
    let twice = workload("Deployment", template(container(RUNS, ports), json!({})), json!({"replicas": 2}));
    check(vec![
        times_out("taint", vec![selects(&reserved)], "unschedulable", "1 node(s) had untolerated taint(s)"),
        times_out("hostport", vec![twice], "unschedulable", "free ports for the requested pod ports"),
        Case {
            flags: &[],
            code: 6,
            within: 100.0,
            ..times_out(
                "grace",
                vec![selects(&unique("grace"))],
                "unschedulable",
                "1 node(s) didn't match Pod's node affinity/selector",
            )
        },
    ]);
    drop(node);
}

/// What an autoscaler writes about a pod: the cluster's own does it so, and Karpenter.
fn autoscaler(project: &Project, reason: &str, message: &str) {
    let pods = project.bench.get(&project.namespace("qa"), &["pods"]);
    let pod = &pods["items"][0]["metadata"];
    let about = json!({"apiVersion": "v1", "kind": "Pod", "namespace": pod["namespace"], "name": pod["name"], "uid": pod["uid"]});
    let now = kubectl(
        project,
        &["create", "configmap", "now", "--dry-run=server", "-o", "jsonpath={.metadata.creationTimestamp}"],
        "",
    );
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"generateName": "web."}, "type": "Normal",
        "reason": reason, "message": message, "involvedObject": about, "source": {"component": "cluster-autoscaler"},
        "reportingComponent": "cluster-autoscaler", "reportingInstance": "", "firstTimestamp": now, "lastTimestamp": now, "count": 1});
    kubectl(project, &["create", "-f", "-"], &event.to_string());
}

fn a_node_is_added() {
    let label = unique("added");
    let project = described("added", vec![selects(&label)]);
    let (started, running) = (Instant::now(), project.start(DEPLOY));
    running.until_says("waits for a node");
    autoscaler(&project, "TriggeredScaleUp", "pod triggered scale-up: [{workers 1->2 (max: 5)}]");
    running.until_says("waits for a node that the autoscaler adds");
    // beyond the grace that it has without an autoscaler
    while started.elapsed() < Duration::from_secs(70) {
        assert!(!running.has_ended(), "{}", running.wait().transcript());
        std::thread::sleep(Duration::from_millis(100));
    }
    let added = Label::put(&label);
    let run = running.wait().expect(0);
    drop(added);
    run.says("ready: 1/1").within(120.0);
}

fn a_node_is_nominated() {
    let label = unique("nominated");
    let project = described("nominated", vec![selects(&label)]);
    let running = project.start(DEPLOY);
    running.until_says("waits for a node");
    autoscaler(&project, "Nominated", "Pod should schedule on: nodeclaim/default-8x2kq");
    running.until_says("waits for a node that the autoscaler adds");
    let added = Label::put(&label);
    running.wait().expect(0).says("ready: 1/1");
    drop(added);
}

fn no_node_is_added() {
    let project = described("notadded", vec![selects(&unique("notadded"))]);
    let running = project.start(DEPLOY);
    running.until_says("waits for a node");
    autoscaler(&project, "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached");
    let run = running.wait().expect(6);
    run.says("error[unschedulable]").says("0/").says("node affinity/selector").within(100.0);
}

#[test]
fn an_autoscaler_that_is_at_work_is_waited_for() {
    at_once(&[a_node_is_added, a_node_is_nominated, no_node_is_added]);
}

fn a_config_map_comes_later() {
    let project =
        described("latemap", vec![deployment(RUNS, json!({"envFrom": [{"configMapRef": {"name": "flags"}}]}))]);
    let running = project.start(DEPLOY);
    running.until_says("configmap \"flags\" not found");
    kubectl(&project, &["create", "configmap", "flags"], "");
    let run = running.wait().expect(0);
    run.says("looks failed").says("failed if so for 30 s").never_says("error[").within(60.0);
}

fn a_key_of_a_secret_comes_later() {
    let from = json!({"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "creds", "key": "token"}}}]});
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "creds"}, "stringData": {"user": "me"}});
    let project = described("latekey", vec![secret, deployment(RUNS, from)]);
    let running = project.start(DEPLOY);
    running.until_says("couldn't find key token in Secret");
    kubectl(&project, &["patch", "secret", "creds", "-p", r#"{"stringData": {"token": "late"}}"#], "");
    running.wait().expect(0).never_says("error[").within(60.0);
}

/// Once it is mounted, what was told of it before counts no more, however long the pod takes to get ready.
fn a_volume_comes_later() {
    let volumes = json!([{"name": "flags", "configMap": {"name": "flags"}}]);
    let mounts = json!({"volumeMounts": [{"name": "flags", "mountPath": "/flags"}]});
    let prepares = container("exec sleep 40", merged(mounts, json!({"name": "prepare"})));
    let project =
        described("latevolume", vec![pod_of(RUNS, json!({"volumes": volumes, "initContainers": [prepares]}))]);
    let running = project.start(DEPLOY);
    running.until_says("configmap \"flags\" not found");
    kubectl(&project, &["create", "configmap", "flags"], "");
    let run = running.wait().expect(0);
    run.says("looks failed").says("ready: 1/1").never_says("error[").within(120.0);
}

#[test]
fn configuration_that_comes_later_is_waited_for() {
    at_once(&[a_config_map_comes_later, a_key_of_a_secret_comes_later, a_volume_comes_later]);
}

/// With its namespace there, so that something may stand in the way of its pods.
fn with_namespace(story: &str, objects: Vec<Value>) -> Project {
    let project = described(story, objects);
    project.bench.kubectl(&["create", "namespace", &project.namespace("qa")]);
    project
}

fn a_webhook_denies_pods() {
    let project = with_namespace("poddeny", vec![deployment(RUNS, json!({}))]);
    let webhook = Webhook::of_pods(&project.namespace("qa"), Does::Deny("only signed images"));
    let run = project.run(DEPLOY).expect(6);
    drop(webhook);
    run.says("error[admission-denied]").says("only signed images").says("cannot make its pods").within(30.0);
    run.says(&format!("{}.example.com", project.namespace("qa")));
}

/// Once pods can be made, what was denied before counts no more, however long they take to get ready.
fn a_webhook_denies_pods_at_first() {
    let slow = deployment(&up_after(6, RUNS), json!({"readinessProbe": is_up()}));
    let stateful = |mut set: Value| {
        set["kind"] = json!("StatefulSet");
        set["spec"]["serviceName"] = json!("web");
        set
    };
    let told = |story: &'static str, object: Value| {
        let project = with_namespace(story, vec![object]);
        let webhook = Webhook::of_pods(&project.namespace("qa"), Does::Deny("not yet"));
        let running = project.start(DEPLOY);
        running.until_says("not yet");
        webhook.relent();
        let run = running.wait().expect(0);
        run.says("looks failed").never_says("error[").within(60.0);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| told("relents", slow.clone()));
        scope.spawn(|| told("relentsset", stateful(slow.clone())));
    });
}

fn a_policy_denies_pods() {
    let project = with_namespace("podpolicy", vec![deployment(RUNS, json!({}))]);
    let (name, namespace) = (unique("podpolicy"), project.namespace("qa"));
    let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]});
    let check = json!({"expression": "object.spec.containers.all(c, has(c.resources.limits))", "message": "no limits"});
    let policy = object(
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
        &name,
        json!({"matchConstraints": {"resourceRules": [rule]}, "validations": [check]}),
    );
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
    let binding = object(
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicyBinding",
        &name,
        json!({"policyName": name, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": selector}}),
    );
    let own = Own::create(vec![policy, binding]);
    let probe = ["-n", &namespace, "run", "probe", "--image=probe", "--dry-run=server"];
    while !String::from_utf8_lossy(&project.bench.try_kubectl(&probe, "").stderr).contains("no limits") {
        std::thread::sleep(Duration::from_millis(50));
    }
    let run = project.run(DEPLOY).expect(6);
    drop(own);
    run.says("error[admission-denied]").says("no limits").says(&name).within(30.0);
}

#[test]
fn pods_that_the_server_does_not_let_in() {
    at_once(&[a_webhook_denies_pods, a_webhook_denies_pods_at_first, a_policy_denies_pods]);
}

fn claim(class: &str) -> Value {
    let spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": class, "resources": {"requests": {"storage": "1Mi"}}});
    object("v1", "PersistentVolumeClaim", "data", spec)
}

fn uses_claim() -> Value {
    let mut pod = pod_of(RUNS, json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}));
    pod["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    pod
}

/// A volume that somebody made by hand.
fn volume(name: &str, class: &str) -> Value {
    let path = format!("/tmp/shipway-story-{name}");
    let spec = json!({"capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": class,
        "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": path, "type": "DirectoryOrCreate"}});
    object("v1", "PersistentVolume", name, spec)
}

#[test]
fn claims_and_their_volumes() {
    at_once(&[claims_that_pods_use_or_not, a_claim_that_still_waits_for_its_first_pod]);
}

/// What it waits for was told when it was made.
fn a_claim_that_still_waits_for_its_first_pod() {
    let first = unique("still");
    let own = Own::create(vec![class(&first, "WaitForFirstConsumer")]);
    let project = described("stillnotused", vec![claim(&first)]);
    project.run(DEPLOY).expect(0).says("persistentvolumeclaim/data ready");
    project.run(DEPLOY).expect(0).says("2 unchanged").never_says("its volume to be bound");
    let flags = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"}});
    describe(&project, vec![flags, claim(&first)]);
    let run = project.run(DEPLOY).expect(0);
    run.says("configmap/flags created").says("persistentvolumeclaim/data ready").never_says("its volume to be bound");
    drop(own);
}

fn claims_that_pods_use_or_not() {
    let (first, made) = (unique("first"), unique("made"));
    let own = Own::create(vec![
        class(&first, "WaitForFirstConsumer"),
        volume(&first, &first),
        class(&made, "Immediate"),
        volume(&made, &made),
    ]);
    check(vec![
        times_out("unbound", vec![claim(""), uses_claim()], "volume-unbound", "no persistent volumes available"),
        times_out("noclass", vec![claim("nowhere"), uses_claim()], "volume-unbound", "\"nowhere\" not found"),
        succeeds("consumer", vec![claim(&first), uses_claim()], "ready: 1/1"),
        succeeds("handmade", vec![claim(&made), uses_claim()], "ready: 1/1"),
        Case { within: 20.0, ..succeeds("notused", vec![claim(&first)], "persistentvolumeclaim/data ready") },
    ]);
    drop(own);
}

#[test]
fn pods_that_cannot_be_started() {
    let quota = object("v1", "ResourceQuota", "small", json!({"hard": {"requests.cpu": "1"}}));
    let greedy = deployment(RUNS, json!({"resources": {"requests": {"cpu": "2"}}}));
    let root = json!({"securityContext": {"runAsNonRoot": true}});
    check(vec![
        Case {
            within: 30.0,
            ..fails(
                "cpuquota",
                vec![quota, greedy],
                "quota-exceeded",
                "exceeded quota: small, requested: requests.cpu=2, used: requests.cpu=0, limited: requests.cpu=1",
            )
        },
        fails(
            "noright",
            vec![deployment(RUNS, json!({"command": ["/etc/hosts"]}))],
            "cannot-start",
            "permission denied",
        ),
        fails("root", vec![deployment(RUNS, root)], "cannot-start", "write `runAsUser`"),
        Case {
            within: 30.0,
            code: 2,
            ..fails(
                "badimage",
                vec![deployment(RUNS, json!({"image": "team//web:1"}))],
                "image-reference",
                "objects.json:1:",
            )
        },
    ]);
}
