//! Rollouts after rollouts: what went wrong yesterday is no evidence today, and what goes wrong again is told again.
//!
//! The stories of a group run at once: nearly all of their time is waiting.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Project, Run, at_once,
    proxy::{Answer, Fault, Proxy, Rule, Then},
    registry::{Content, Store},
    workloads::{RUNS, container, deployment, is_up, merged, object, pod_of, template, up_after, workload},
};

/// One app that is deployed again and again.
struct App {
    project: Project,
}

impl App {
    fn new(story: &str) -> Self {
        let project = Project::new(story);
        project.branch("feature");
        Self { project }
    }

    /// It is watched for a shorter time than usual: its pods stay up.
    fn steady(story: &str) -> Self {
        let app = Self::new(story);
        app.project.write("shipway.yaml", "deploy: {settle: 1s}\n");
        app
    }

    fn namespace(&self) -> String {
        self.project.namespace("qa")
    }

    fn write(&self, objects: &[Value]) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace()}});
        let items: Vec<&Value> = std::iter::once(&namespace).chain(objects).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        self.project.write("objects.json", &list.to_string());
        self.project.commit("Describe it");
    }

    fn deploy(&self, objects: &[Value]) -> Run {
        self.deploy_within(objects, "60s")
    }

    fn deploy_within(&self, objects: &[Value], timeout: &str) -> Run {
        self.write(objects);
        self.project.run(&["deploy", "-f", "objects.json", "--timeout", timeout])
    }

    fn pods(&self) -> Vec<Value> {
        let pods = self.project.bench.get(&self.namespace(), &["pods"]);
        pods["items"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until the cluster has come so far; the reason is for the message.
    fn until(&self, what: &str, is_so: impl Fn(&[Value]) -> bool) {
        let started = Instant::now();
        while !is_so(&self.pods()) {
            assert!(started.elapsed() < Duration::from_secs(60), "{what}: {:?}", self.pods());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The pods that were not asked to end are of the newest template, and ready.
    fn runs_only(&self, mark: &str) {
        let pods = self.pods();
        let staying: Vec<&Value> = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect();
        assert!(!staying.is_empty(), "no pod");
        for pod in staying {
            assert_eq!(pod["metadata"]["annotations"]["mark"], mark, "{pod}");
            assert!(is_ready(pod), "{pod}");
        }
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    { conditions }.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// The same with a mark in the pod template, which makes it another template.
fn marked(mut workload: Value, mark: &str) -> Value {
    workload["spec"]["template"]["metadata"]["annotations"] = json!({"mark": mark});
    workload
}

fn fine(mark: &str) -> Value {
    marked(deployment(RUNS, json!({})), mark)
}

/// Ready four seconds after it was started.
fn slow(mark: &str) -> Value {
    marked(deployment(&up_after(4, RUNS), json!({"readinessProbe": is_up()})), mark)
}

fn quota(pods: &str) -> Value {
    object("v1", "ResourceQuota", "small", json!({"hard": {"pods": pods}}))
}

fn never_ready() -> Value {
    json!({"readinessProbe": {"exec": {"command": ["/bin/false"]}, "periodSeconds": 1}})
}

/// A template that fails as long as this ConfigMap, which nobody deploys, says so.
fn by_flag(script: &str, more: Value) -> Value {
    let flag = json!({"env": [{"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "flags", "key": "mode"}}}]});
    marked(deployment(script, merged(flag, more)), "by-flag")
}

impl App {
    fn set_flag(&self, mode: &str) {
        self.project.bench.try_kubectl(&["create", "namespace", &self.namespace()], "");
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags", "namespace": self.namespace()}, "data": {"mode": mode}});
        let written = self.project.bench.try_kubectl(&["apply", "-f", "-"], &map.to_string());
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    }
}

fn crash_then_fix() {
    let app = App::new("crashfix");
    let broken = || by_flag("[ $MODE = good ] || exit 3; exec sleep 10000", json!({}));
    app.set_flag("bad");
    app.deploy(&[broken()]).expect(6).says("error[crash-loop]");
    app.deploy(&[fine("fixed")]).expect(0).took(0.0, 30.0);
    app.runs_only("fixed");
    // the very template that failed, with its ReplicaSet and its events
    app.set_flag("good");
    app.deploy(&[broken()]).expect(0).took(0.0, 30.0);
    app.runs_only("by-flag");
}

fn missing_image_then_fix() {
    let app = App::steady("imagefix");
    let store = Store::open(&format!("team/{}", app.project.app));
    let image = format!("{}/team/{}:1", app.project.bench.variable("REGISTRY"), app.project.app);
    let missing = || marked(deployment(RUNS, json!({"image": image})), "missing");
    app.deploy(&[missing()]).expect(6).says("error[image-not-found]");
    app.deploy(&[fine("fixed")]).expect(0).took(0.0, 30.0);
    app.runs_only("fixed");
    store.push("1", Content::new(&app.project.app));
    app.deploy(&[missing()]).expect(0).took(0.0, 30.0);
    app.runs_only("missing");
}

fn quota_then_fix() {
    let app = App::steady("quotafix");
    app.deploy(&[quota("0"), fine("first")]).expect(6).says("error[quota-exceeded]");
    app.deploy(&[quota("9"), fine("fixed")]).expect(0).took(0.0, 30.0);
    app.runs_only("fixed");
    app.deploy(&[quota("9"), fine("first")]).expect(0).took(0.0, 30.0);
    app.runs_only("first");
}

/// The Deployment stays as it is: only what kept its pods from being made is mended.
fn quota_raised_alone() {
    let app = App::steady("quotaraised");
    app.deploy(&[quota("0"), fine("first")]).expect(6).says("error[quota-exceeded]");
    app.deploy(&[quota("9"), fine("first")]).expect(0).took(0.0, 60.0);
    app.runs_only("first");
}

fn deadline_then_fix() {
    let app = App::steady("deadlinefix");
    let probe =
        json!({"readinessProbe": {"exec": {"command": ["/bin/sh", "-c", "[ $MODE = good ]"]}, "periodSeconds": 1}});
    let mut late = by_flag(RUNS, probe);
    late["spec"]["progressDeadlineSeconds"] = json!(3);
    let with_deadline = |mut fine: Value| {
        fine["spec"]["progressDeadlineSeconds"] = json!(3);
        fine
    };
    app.set_flag("bad");
    app.deploy_within(&[late.clone()], "10s").expect(7).says("error[not-ready]");
    let conditions = app.project.bench.get(&app.namespace(), &["deployment", "web"]);
    assert!(conditions.to_string().contains("ProgressDeadlineExceeded"), "{conditions}");
    app.deploy(&[with_deadline(fine("fixed"))]).expect(0).took(0.0, 30.0);
    app.runs_only("fixed");
    app.set_flag("good");
    app.deploy(&[late]).expect(0).took(0.0, 30.0);
    app.runs_only("by-flag");
}

#[test]
fn yesterdays_failure_is_no_evidence_against_todays_fix() {
    at_once(&[crash_then_fix, missing_image_then_fix, quota_then_fix, quota_raised_alone, deadline_then_fix]);
}

/// It runs until [`App::end`] is said; whatever is started after that ends at once.
fn ends_when_told(mark: &str, code: u8) -> Value {
    let mount = json!({"volumeMounts": [{"name": "state", "mountPath": "/state"}]});
    let script = format!("until [ -e /state/end ]; do sleep 0.1; done; echo told to >&2; exit {code}");
    let mut web = marked(deployment(&script, mount), mark);
    web["spec"]["template"]["spec"]["volumes"] = json!([{"name": "state", "emptyDir": {}}]);
    web
}

impl App {
    fn end(&self) {
        let touch = ["exec", "deployment/web", "--", "/bin/touch", "/state/end"];
        self.project.bench.kubectl(&[&["-n", &self.namespace()], &touch[..]].concat());
    }
}

/// What is deployed crashes an hour later; the next version is fine.
fn old_pods_fail() {
    let app = App::steady("oldfail");
    let mut old = ends_when_told("old", 7);
    old["spec"]["strategy"] = json!({"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}});
    app.deploy(&[old.clone()]).expect(0);
    app.end();
    app.until("the old pod crashes", |pods| pods.to_string_of("CrashLoopBackOff"));
    let mut new = fine("new");
    new["spec"]["strategy"] = old["spec"]["strategy"].take();
    app.deploy(&[new]).expect(0).took(0.0, 30.0);
    app.runs_only("new");
}

trait Says {
    fn to_string_of(&self, text: &str) -> bool;
}

impl Says for [Value] {
    fn to_string_of(&self, text: &str) -> bool {
        self.iter().any(|value| value.to_string().contains(text))
    }
}

/// With one replica that may be unavailable, no pod at all is "available enough" for its controller.
fn one_replica_that_may_be_unavailable() {
    let app = App::steady("oneunavailable");
    let slow = |mark| {
        let mut slow = slow(mark);
        slow["spec"]["strategy"] = json!({"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}});
        slow
    };
    app.deploy(&[slow("first")]).expect(0);
    let run = app.deploy(&[slow("second")]).expect(0);
    run.took(4.0, 40.0);
    app.runs_only("second");
    let mut never = marked(deployment(RUNS, never_ready()), "never");
    never["spec"]["strategy"] = json!({"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}});
    app.deploy_within(&[never], "10s").expect(7).says("error[not-ready]");
}

fn recreated() {
    let app = App::steady("recreated");
    let slow = |mark| {
        let mut slow = slow(mark);
        slow["spec"]["strategy"] = json!({"type": "Recreate"});
        slow
    };
    app.deploy(&[slow("first")]).expect(0);
    let run = app.deploy(&[slow("second")]).expect(0);
    run.took(4.0, 40.0);
    app.runs_only("second");
    assert_eq!(app.pods().len(), 1, "{:?}", app.pods());
}

/// An old pod that takes its time to end gets no traffic any more, and is not waited for.
fn old_pods_that_are_going() {
    let app = App::steady("going");
    let stubborn = |mark| {
        let stays = json!({"terminationGracePeriodSeconds": 40});
        marked(pod_of("trap '' TERM; while :; do sleep 1; done", stays), mark)
    };
    let service = object("v1", "Service", "web", json!({"selector": {"app": "web"}, "ports": [{"port": 80}]}));
    app.deploy(&[stubborn("old"), service.clone()]).expect(0);
    let run = app.deploy(&[stubborn("new"), service]).expect(0);
    run.took(0.0, 30.0);
    app.runs_only("new");
    let pods = app.pods();
    let is_old = |pod: &&Value| pod["metadata"]["annotations"]["mark"] == "old";
    let old = pods.iter().find(is_old).expect("the old pod, on its way out");
    let slices = app.project.bench.get(&app.namespace(), &["endpointslices"]);
    let endpoints = slices["items"][0]["endpoints"].as_array().cloned().unwrap_or_default();
    let serves = |pod: &Value| {
        let of_pod = |endpoint: &&Value| endpoint["targetRef"]["uid"] == pod["metadata"]["uid"];
        endpoints.iter().find(of_pod).is_some_and(|endpoint| endpoint["conditions"]["ready"] == true)
    };
    assert!(!serves(old), "{slices}");
    assert!(pods.iter().any(serves), "{slices}");
}

#[test]
fn a_rollout_is_done_when_its_new_pods_are_ready_and_the_old_ones_are_gone_or_going() {
    at_once(&[old_pods_fail, one_replica_that_may_be_unavailable, recreated, old_pods_that_are_going]);
}

fn the_same_twice() {
    let app = App::steady("twice");
    app.deploy(&[fine("same")]).expect(0);
    let before = app.pods();
    let run = app.deploy(&[fine("same")]).expect(0);
    run.took(0.0, 5.0);
    run.says("deployment/web").never_says("deployment/web changed");
    assert_eq!(app.pods()[0]["metadata"]["uid"], before[0]["metadata"]["uid"]);
}

/// It fails for the same reason, and sooner than the first time lasted.
fn fails_twice(story: &str, objects: &[Value], code: i32, reason: &str, within: f64) {
    let app = App::new(story);
    let timeout = if code == 7 { "12s" } else { "60s" };
    for time in ["first", "second"] {
        let run = app.deploy_within(objects, timeout).expect(code);
        run.says(&format!("error[{reason}]"));
        if time == "second" {
            run.took(0.0, within);
        }
    }
}

fn crashes_twice() {
    fails_twice("crashtwice", &[deployment("echo boom; exit 3", json!({}))], 6, "crash-loop", 25.0);
}

fn image_is_missing_twice() {
    let image = format!("{}/team/nothere:1", crate::support::Bench.variable("REGISTRY"));
    fails_twice("imagetwice", &[deployment(RUNS, json!({"image": image}))], 6, "image-not-found", 15.0);
}

fn quota_is_exceeded_twice() {
    fails_twice("quotatwice", &[quota("0"), deployment(RUNS, json!({}))], 6, "quota-exceeded", 25.0);
}

fn never_gets_ready_twice() {
    fails_twice("nevertwice", &[deployment(RUNS, never_ready())], 7, "not-ready", 25.0);
}

#[test]
fn the_same_deploy_again_ends_as_before_and_soon() {
    at_once(&[the_same_twice, crashes_twice, image_is_missing_twice, quota_is_exceeded_twice, never_gets_ready_twice]);
}

/// It gets ready a while after it was started, falls over after so many seconds more, and never comes up again.
fn falls_after(seconds: u32) -> Value {
    let falls = up_after(6, &format!("sleep {seconds}; exit 4"));
    let script = format!("if [ -e /data/seen ]; then exit 4; fi; touch /data/seen; {falls}");
    let more = json!({"readinessProbe": is_up(), "volumeMounts": [{"name": "data", "mountPath": "/data"}]});
    let volumes = json!({"volumes": [{"name": "data", "emptyDir": {}}]});
    workload("Deployment", template(container(&script, more), volumes), json!({}))
}

/// A deploy gives up while its pod starts, and is made again once that is so.
fn falls_after_a_retry(story: &str, life: u32, is_so: impl Fn(&[Value]) -> bool) {
    let (app, web) = (App::new(story), [falls_after(life)]);
    app.project.write("shipway.yaml", "deploy: {settle: 10s}\n");
    app.deploy_within(&web, "2s").expect(7);
    app.until("the moment of the retry", is_so);
    let run = app.deploy(&web).expect(6);
    run.says("all ready, watched for").says("error[crash-loop]").says("exits with code 4");
}

fn retried_while_it_starts() {
    falls_after_a_retry("retrystarts", 2, |pods| !pods.iter().any(is_ready));
}

fn retried_while_it_is_ready() {
    falls_after_a_retry("retryready", 8, |pods| pods.iter().any(is_ready));
}

/// Nothing is to do for it, and nothing was proven yet.
#[test]
fn what_falls_over_after_a_deploy_was_made_again_is_no_success() {
    at_once(&[retried_while_it_starts, retried_while_it_is_ready]);
}

/// Lists that are older than the apply, as a server's cache may give them: everything looks as ready as it was before.
#[test]
fn success_is_not_read_from_what_was_there_before() {
    let mut app = App::steady("stale");
    let proxy = Proxy::start(&app.project.bench);
    proxy.guard(&mut app.project);
    app.deploy(&[slow("first")]).expect(0);
    let labels = format!("shipway.dev/app={}", app.project.app);
    for plural in ["deployments", "replicasets", "pods"] {
        let group = if plural == "pods" { "/api/v1" } else { "/apis/apps/v1" };
        let path = format!("{group}/namespaces/{}/{plural}?labelSelector={labels}", app.namespace());
        let old = app.project.bench.kubectl(&["get", "--raw", &path]);
        let written = std::sync::atomic::AtomicBool::new(false);
        let part = format!("/{plural}?");
        let fits = move |seen: &crate::support::proxy::Seen| {
            let is_apply = seen.is_write() && seen.path.contains("/deployments/web");
            let written = written.fetch_or(is_apply, std::sync::atomic::Ordering::SeqCst);
            written && seen.method == "GET" && !seen.is_watch() && seen.path.contains(&part)
        };
        let stale = Fault::Instead(Then::Answer(Answer::status(200).body(old)));
        proxy.rule(Rule::when(fits, stale).times(1));
    }
    let run = app.deploy(&[slow("second")]).expect(0);
    run.took(4.0, 40.0);
    app.runs_only("second");
}

/// A pod that falls over while nothing more is awaited of it than that it stays up.
#[test]
fn a_pod_that_dies_soon_after_it_was_ready_is_no_success() {
    let app = App::new("dies");
    app.project.write("shipway.yaml", "deploy: {settle: 15s}\n");
    app.write(&[ends_when_told("dies", 4)]);
    let running = app.project.start(&["deploy", "-f", "objects.json"]);
    running.until_says("all ready, watched for");
    app.end();
    let run = running.wait().expect(6);
    run.says("error[crash-loop]").says("exits with code 4").says("told to");
}

/// However short it is watched: a node takes a moment to tell that a container has ended.
#[test]
fn a_container_that_ends_at_once_is_no_success() {
    let dies = |life: &'static str| {
        move || {
            let app = App::steady(&format!("ends{}", life.replace('.', "")));
            let web = deployment(&format!("sleep {life}; exit 3"), json!({}));
            app.deploy(&[web]).expect(6).says("error[crash-loop]").says("exits with code 3");
        }
    };
    let lives = ["0", "0.3", "0.5", "0.7", "0.9", "1.1"];
    std::thread::scope(|scope| {
        let running: Vec<_> = lives.into_iter().map(|life| (life, scope.spawn(dies(life)))).collect();
        let missed: Vec<_> =
            running.into_iter().filter_map(|(life, run)| run.join().is_err().then_some(life)).collect();
        assert!(missed.is_empty(), "taken for a success after so many seconds: {missed:?}");
    });
}
