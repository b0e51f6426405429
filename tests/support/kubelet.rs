//! A node whose kubelet only writes what a kubelet writes: the status of each pod bound to it. No container runs.

use std::{
    cell::RefCell,
    collections::HashSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::future::join_all;
use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    Bench,
    wire::{Beside, Wire},
};

/// Pods that are written about at the same time.
const WRITERS: usize = 16;
/// A node that says nothing for 40 seconds is taken for dead.
const HEARTBEAT: Duration = Duration::from_secs(8);
/// How often it is looked whether enough pods were told of.
const LOOK: Duration = Duration::from_millis(20);

/// How the containers of a pod do, once they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Ready,
    /// They run, and are never ready.
    Hangs,
    /// It has ended with code 3 three times; told once so many pods were told of, for a crash ends a run soon.
    Crashes {
        after: usize,
    },
}

/// The node, until the value is gone.
pub struct Node {
    pub name: String,
    bench: Bench,
    written: Arc<Mutex<Vec<Instant>>>,
    _beside: Beside,
}

impl Node {
    /// A node for those pods that name it ([`Node::placed`]).
    pub fn start(name: &str, health: impl Fn(&Value) -> Health + Send + 'static) -> Self {
        let bench = Bench;
        let made = bench.try_kubectl(&["create", "-f", "-"], &node(name).to_string());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let written = Arc::<Mutex<Vec<Instant>>>::default();
        let (wire, note, of) = (Wire::of(&bench), Arc::clone(&written), name.to_owned());
        let beside = Beside::start(move || async move {
            let (sender, receiver) = mpsc::unbounded_channel();
            let receiver = tokio::sync::Mutex::new(receiver);
            let pods = format!("/api/v1/pods?watch=true&fieldSelector=spec.nodeName%3D{of}");
            let known = RefCell::new(HashSet::new());
            let take = |event: Value| {
                let pod = &event["object"];
                if known.borrow_mut().insert(pod["metadata"]["uid"].to_string()) {
                    let _ = sender.send(pod.clone());
                }
            };
            // the server ends the watch of one who reads too slowly
            let watch = async {
                loop {
                    wire.connect().await.watch(&pods, take).await;
                }
            };
            let writers = (0..WRITERS).map(|_| write(&wire, &receiver, &health, &note));
            tokio::join!(watch, join_all(writers), beat(&wire, &of));
        });
        Self { name: name.to_owned(), bench, written, _beside: beside }
    }

    /// What a pod's spec has so that it is on this node from the start, without a scheduler.
    pub fn placed(&self) -> Value {
        json!({
            "nodeName": self.name,
            // nobody here would confirm the end of a container
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
        })
    }

    /// When each pod was told to be well, or not to be.
    pub fn written(&self) -> Vec<Instant> {
        self.written.lock().expect("what was written").clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.bench.try_kubectl(&["delete", "node", &self.name, "--wait=false"], "");
    }
}

fn node(name: &str) -> Value {
    let room = json!({"cpu": "1000", "memory": "1000Gi", "pods": "10000"});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"taints": [{"key": "shipway.dev/story", "value": name, "effect": "NoSchedule"}]},
        "status": {"capacity": room, "allocatable": room, "conditions": [is_ready()]},
    })
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn is_ready() -> Value {
    json!({"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "", "lastHeartbeatTime": now(),
        "lastTransitionTime": now()})
}

async fn beat(wire: &Wire, name: &str) {
    let mut connection = wire.connect().await;
    loop {
        let status = json!({"status": {"conditions": [is_ready()]}});
        connection.send(Method::PATCH, &format!("/api/v1/nodes/{name}/status"), &status).await;
        tokio::time::sleep(HEARTBEAT).await;
    }
}

/// Each pod in two steps, as a kubelet does: its containers are made, then they run.
async fn write(
    wire: &Wire,
    pods: &tokio::sync::Mutex<mpsc::UnboundedReceiver<Value>>,
    health: &impl Fn(&Value) -> Health,
    written: &Mutex<Vec<Instant>>,
) {
    let mut connection = wire.connect().await;
    while let Some(pod) = async { pods.lock().await.recv().await }.await {
        let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
        let path = format!("/api/v1/namespaces/{}/pods/{}/status", text("namespace"), text("name"));
        let health = health(&pod);
        if let Health::Crashes { after } = health {
            while written.lock().expect("what was written").len() < after {
                tokio::time::sleep(LOOK).await;
            }
        }
        for status in [creating(&pod), started(&pod, health)] {
            // a pod that is gone again needs no status
            connection.send(Method::PATCH, &path, &json!({"status": status})).await;
        }
        written.lock().expect("what was written").push(Instant::now());
    }
}

fn conditions(ready: bool) -> Value {
    let ready = if ready { "True" } else { "False" };
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "lastTransitionTime": now()});
    json!([
        condition("PodScheduled", "True"),
        condition("Initialized", "True"),
        condition("ContainersReady", ready),
        condition("Ready", ready)
    ])
}

fn container(pod: &Value, ready: bool, restarts: u32, states: &Value) -> Value {
    let spec = &pod["spec"]["containers"][0];
    let mut status =
        json!({"name": spec["name"], "image": spec["image"], "imageID": "", "ready": ready, "restartCount": restarts});
    for (name, state) in states.as_object().into_iter().flatten() {
        status[name] = state.clone();
    }
    status
}

fn creating(pod: &Value) -> Value {
    let state = json!({"state": {"waiting": {"reason": "ContainerCreating"}}});
    json!({"phase": "Pending", "startTime": now(), "conditions": conditions(false),
        "containerStatuses": [container(pod, false, 0, &state)]})
}

fn started(pod: &Value, health: Health) -> Value {
    let (restarts, states) = match health {
        Health::Ready | Health::Hangs => (0, json!({"state": {"running": {"startedAt": now()}}})),
        Health::Crashes { .. } => {
            let waits = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container"}});
            let ended =
                json!({"terminated": {"exitCode": 3, "reason": "Error", "startedAt": now(), "finishedAt": now()}});
            (2, json!({"state": waits, "lastState": ended}))
        }
    };
    let ready = health == Health::Ready;
    json!({"phase": "Running", "conditions": conditions(ready),
        "containerStatuses": [container(pod, ready, restarts, &states)]})
}
