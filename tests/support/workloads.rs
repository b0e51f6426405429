//! Small workloads of the bench's own image, named `web`.

use serde_json::{Value, json};

use super::Bench;

pub const RUNS: &str = "exec sleep 10000";

pub fn image() -> String {
    format!("{}/base/busybox:1", Bench.variable("REGISTRY"))
}

/// A container that runs a script; `more` is laid over it.
pub fn container(script: &str, more: Value) -> Value {
    merged(json!({"name": "web", "image": image(), "command": ["/bin/sh", "-c", script]}), more)
}

/// The script of a container that is up after so many seconds, and what it does then.
pub fn up_after(seconds: u32, then: &str) -> String {
    format!("mkdir -p /tmp; sleep {seconds}; touch /tmp/up; {then}")
}

/// The probe that sees so, once a second for a minute.
pub fn is_up() -> Value {
    json!({"exec": {"command": ["/bin/sh", "-c", "[ -e /tmp/up ]"]}, "periodSeconds": 1, "failureThreshold": 60})
}

pub fn merged(mut base: Value, more: Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        base[key] = value.clone();
    }
    base
}

pub fn template(container: Value, more: Value) -> Value {
    let spec = merged(json!({"terminationGracePeriodSeconds": 1, "containers": [container]}), more);
    json!({"metadata": {"labels": {"app": "web"}}, "spec": spec})
}

pub fn object(api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A workload of one replica; `more` is laid over its spec.
pub fn workload(kind: &str, template: Value, more: Value) -> Value {
    let base = json!({"selector": {"matchLabels": {"app": "web"}}, "template": template});
    object("apps/v1", kind, "web", merged(base, more))
}

pub fn deployment(script: &str, more: Value) -> Value {
    workload("Deployment", template(container(script, more), json!({})), json!({}))
}

pub fn pod_of(script: &str, more: Value) -> Value {
    workload("Deployment", template(container(script, json!({})), more), json!({}))
}

pub fn job(script: &str, more: Value) -> Value {
    let template = template(container(script, json!({})), json!({"restartPolicy": "Never"}));
    object("batch/v1", "Job", "web", merged(json!({"backoffLimit": 0, "template": template}), more))
}
