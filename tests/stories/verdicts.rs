//! What a real kubelet makes of workloads that go wrong, or only look so: exit code, reason and time of each verdict.
//!
//! The cases of a group run at once, each in a namespace of its own: nearly all of their time is waiting.

use serde_json::{Value, json};

use crate::support::cases::{Case, check, fails, succeeds, times_out};
use crate::support::workloads::{
    RUNS, container, deployment, is_up, job, merged, object, pod_of, template, up_after, workload,
};

#[test]
fn images_that_cannot_be_had() {
    let with = |image: String| vec![deployment(RUNS, json!({"image": image}))];
    let bench = crate::support::Bench;
    let (open, login) = (bench.variable("REGISTRY"), bench.variable("REGISTRY_LOGIN"));
    let auth = json!({"auths": {&login: {"username": "somebody", "password": "wrong-password"}}}).to_string();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"},
        "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": auth}});
    let private = template(
        container(RUNS, json!({"image": format!("{login}/team/private:1")})),
        json!({"imagePullSecrets": [{"name": "login"}]}),
    );
    check(vec![
        Case {
            within: 15.0,
            ..fails("notag", with(format!("{open}/base/busybox:nothere")), "image-not-found", "busybox:nothere")
        },
        Case {
            within: 15.0,
            ..fails("norepo", with(format!("{open}/team/nothere:1")), "image-not-found", "team/nothere:1")
        },
        fails("nologin", with(format!("{login}/team/private:1")), "image-pull-denied", "no imagePullSecrets stand"),
        fails(
            "wronglogin",
            vec![secret, workload("Deployment", private, json!({}))],
            "image-pull-denied",
            "imagePullSecrets: login",
        ),
        times_out("noregistry", with("localhost:1/team/web:1".to_owned()), "image-pull-failing", "cannot be pulled"),
        fails(
            "neverpull",
            vec![deployment(RUNS, json!({"image": format!("{open}/team/nothere:1"), "imagePullPolicy": "Never"}))],
            "image-never-pulled",
            "imagePullPolicy is Never",
        ),
    ]);
}

/// What the kubelet itself ends.
fn killed() -> Vec<Case> {
    let probe = |script: &str| json!({"exec": {"command": ["/bin/sh", "-c", script]}, "periodSeconds": 1, "failureThreshold": 2});
    let ends = "trap 'exit 0' TERM; sleep 10000 & wait";
    vec![
        fails(
            "oom",
            // a runtime listens for the kernel's word only once it has started the container
            vec![deployment(
                "sleep 1; x=aaaaaaaa; while :; do x=$x$x; done",
                json!({"resources": {"limits": {"memory": "24Mi"}}}),
            )],
            "oom-killed",
            "limit 24Mi",
        ),
        fails(
            "liveness",
            vec![deployment(ends, json!({"livenessProbe": probe("echo dead; exit 1")}))],
            "liveness-killing",
            "dead",
        ),
        fails(
            "startup",
            vec![deployment(ends, json!({"startupProbe": probe("echo not up; exit 1")}))],
            "liveness-killing",
            "not up",
        ),
    ]
}

#[test]
fn containers_that_do_not_stay_up() {
    let helper = |script: &str, name: &str, more: Value| merged(container(script, json!({"name": name})), more);
    let mut cases = vec![
        fails("crash", vec![deployment("echo boom; exit 3", json!({}))], "crash-loop", "exits with code 3"),
        fails("exitzero", vec![deployment("exit 0", json!({}))], "crash-loop", "ends with code 0"),
        fails(
            "readonly",
            vec![deployment(
                "echo 1 > /pid || exit 30; sleep 1000",
                json!({"securityContext": {"readOnlyRootFilesystem": true}}),
            )],
            "crash-loop",
            "exits with code 30",
        ),
        fails(
            "initfails",
            vec![pod_of(RUNS, json!({"initContainers": [helper("echo no schema; exit 8", "prepare", json!({}))]}))],
            "init-failed",
            "no schema",
        ),
        fails(
            "sidecar",
            vec![pod_of(
                RUNS,
                json!({"initContainers": [helper("exit 6", "proxy", json!({"restartPolicy": "Always"}))]}),
            )],
            "crash-loop",
            "`proxy` exits with code 6",
        ),
        fails(
            "noexec",
            vec![deployment(RUNS, json!({"command": ["/no/such/thing"]}))],
            "cannot-start",
            "/no/such/thing",
        ),
        fails(
            "stateful",
            vec![workload(
                "StatefulSet",
                template(container("echo no disk; exit 9", json!({})), json!({})),
                json!({"replicas": 3, "serviceName": "web"}),
            )],
            "crash-loop",
            "no disk",
        ),
    ];
    cases.extend(killed());
    check(cases);
}

#[test]
fn pods_that_are_refused_or_held() {
    let quota = object("v1", "ResourceQuota", "small", json!({"hard": {"pods": "0"}}));
    let range =
        object("v1", "LimitRange", "small", json!({"limits": [{"type": "Container", "max": {"memory": "32Mi"}}]}));
    let greedy = deployment(RUNS, json!({"resources": {"limits": {"memory": "64Mi"}}}));
    let paused = workload("Deployment", template(container(RUNS, json!({})), json!({})), json!({"paused": true}));
    let sysctl = pod_of(RUNS, json!({"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "65536"}]}}));
    check(vec![
        fails("quota", vec![quota.clone(), deployment(RUNS, json!({}))], "quota-exceeded", "exceeded quota: small"),
        fails("jobquota", vec![quota, job("true", json!({}))], "quota-exceeded", "exceeded quota"),
        fails("range", vec![range, greedy], "admission-denied", "maximum memory usage"),
        fails("paused", vec![paused], "paused", "is paused"),
        fails(
            "sysctl",
            vec![sysctl],
            "pod-failed",
            "cannot keep its pods: SysctlForbidden: Pod was rejected: forbidden",
        ),
    ]);
}

#[test]
fn pods_that_wait_for_what_is_not_there() {
    let volume = |source: Value| pod_of(RUNS, json!({"volumes": [merged(json!({"name": "data"}), source)]}));
    let mounts = |mut pod: Value| {
        pod["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] =
            json!([{"name": "data", "mountPath": "/data"}]);
        vec![pod]
    };
    let from =
        |name: &str, key: &str| json!({"env": [{"name": "MODE", "valueFrom": {name: {"name": "flags", "key": key}}}]});
    let flags = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"}, "data": {"OTHER": "1"}});
    check(vec![
        fails(
            "account",
            vec![pod_of(RUNS, json!({"serviceAccountName": "nobody"}))],
            "service-account-missing",
            "nobody",
        ),
        fails(
            "noconfig",
            vec![deployment(RUNS, json!({"envFrom": [{"configMapRef": {"name": "flags"}}]}))],
            "config-missing",
            "configmap \"flags\" not found",
        ),
        fails(
            "nosecret",
            vec![deployment(RUNS, json!({"envFrom": [{"secretRef": {"name": "creds"}}]}))],
            "config-missing",
            "secret \"creds\" not found",
        ),
        fails("nokey", vec![flags, deployment(RUNS, from("configMapKeyRef", "MODE"))], "config-missing", "MODE"),
        // the kubelet itself may take half a minute to say so
        Case {
            within: 100.0,
            ..fails("novolume", mounts(volume(json!({"configMap": {"name": "files"}}))), "config-missing", "files")
        },
        times_out(
            "noclaim",
            mounts(volume(json!({"persistentVolumeClaim": {"claimName": "data"}}))),
            "unschedulable",
            "data",
        ),
        times_out(
            "cpu",
            vec![deployment(RUNS, json!({"resources": {"requests": {"cpu": "1000"}}}))],
            "unschedulable",
            "Insufficient cpu",
        ),
        times_out(
            "selector",
            vec![pod_of(RUNS, json!({"nodeSelector": {"disk": "fast"}}))],
            "unschedulable",
            "node affinity/selector",
        ),
    ]);
}

#[test]
fn what_takes_its_time_and_what_ends() {
    let never = json!({"readinessProbe": {"exec": {"command": ["/bin/false"]}, "periodSeconds": 1}});
    let waits = container("exec sleep 10000", json!({"name": "wait"}));
    check(vec![
        times_out("never", vec![deployment(RUNS, never.clone())], "not-ready", "does not get ready"),
        times_out(
            "inithangs",
            vec![pod_of(RUNS, json!({"initContainers": [waits]}))],
            "timed-out",
            "runs an init container",
        ),
        times_out(
            "daemonnever",
            vec![workload("DaemonSet", template(container(RUNS, never), json!({})), json!({}))],
            "not-ready",
            "does not get ready",
        ),
        times_out("jobhangs", vec![job(RUNS, json!({}))], "timed-out", "waiting for the job to end"),
        fails("jobfails", vec![job("echo no table; exit 5", json!({}))], "job-failed", "no table"),
        fails("jobdeadline", vec![job(RUNS, json!({"activeDeadlineSeconds": 2}))], "job-failed", "DeadlineExceeded"),
        succeeds("slowstart", vec![deployment(&up_after(4, RUNS), json!({"startupProbe": is_up()}))], "ready: 1/1"),
        succeeds("jobttl", vec![job("true", json!({"ttlSecondsAfterFinished": 0}))], "job/web"),
        succeeds("suspended", vec![job("true", json!({"suspend": true}))], "suspended"),
        succeeds(
            "zero",
            vec![workload("Deployment", template(container(RUNS, json!({})), json!({})), json!({"replicas": 0}))],
            "deployment/web ready",
        ),
        succeeds(
            "recreate",
            vec![workload(
                "Deployment",
                template(container(RUNS, json!({})), json!({})),
                json!({"strategy": {"type": "Recreate"}}),
            )],
            "ready: 1/1",
        ),
        succeeds(
            "nonode",
            vec![workload(
                "DaemonSet",
                template(container(RUNS, json!({})), json!({"nodeSelector": {"disk": "fast"}})),
                json!({}),
            )],
            "no node matches it",
        ),
        succeeds(
            "retries",
            vec![job("[ -n \"$(ls /data)\" ] || { touch /data/seen; exit 1; }", json!({"backoffLimit": 3}))]
                .into_iter()
                .map(with_shared_folder)
                .collect(),
            "job/web",
        ),
    ]);
}

/// The pods of a Job share a folder of the node's temporary one.
fn with_shared_folder(mut job: Value) -> Value {
    let spec = &mut job["spec"]["template"]["spec"];
    spec["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    let folder = format!("/tmp/shipway-story-{}", std::process::id());
    spec["volumes"] = json!([{"name": "data", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}}]);
    job
}
