//! `kill -9` at every request of a deploy, before the server sees it and after it has answered: the same command again
//! leads to the same state as a run that nobody disturbed.
//!
//! Left to itself the story kills at the writes; with `SHIPWAY_STORIES_EVERY_REQUEST=1` at every request.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{
    Project,
    proxy::{Fault, Proxy, Rule, Seen, Then},
    small,
};

/// Most of a case is waiting for pods, Jobs and the lock.
const AT_ONCE: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Case {
    /// The first request is 0.
    request: usize,
    is_after: bool,
}

fn every_request() -> bool {
    std::env::var_os("SHIPWAY_STORIES_EVERY_REQUEST").is_some()
}

/// Tells the requests that are counted. Renewals of the lock come by the clock, so they are not.
fn counted() -> impl Fn(&Seen) -> bool + Send + 'static {
    let is_taken = AtomicBool::new(false);
    move |seen| {
        let is_lock = seen.is_write() && seen.path.contains("/leases");
        let is_release = is_lock && String::from_utf8_lossy(&seen.body).contains(r#""holderIdentity":"""#);
        let is_renewal = is_lock && !is_release && is_taken.fetch_or(true, Ordering::SeqCst);
        !is_renewal && (every_request() || seen.is_write())
    }
}

/// A project with its own way to the server.
fn guarded(story: &str, version: &str) -> (Project, Proxy) {
    let mut project = small::project(story, version);
    project.set("SHIPWAY_LOCK_EXPIRY", "2");
    let proxy = Proxy::start(&project.bench);
    proxy.guard(&mut project);
    (project, proxy)
}

/// Both cases of each request that an undisturbed run sends.
fn cases(proxy: &Proxy) -> VecDeque<Case> {
    let counted = counted();
    let requests = proxy.seen().iter().filter(|seen| counted(seen)).count();
    assert!(requests >= 8, "{requests} requests");
    (0..requests).flat_map(|request| [false, true].map(|is_after| Case { request, is_after })).collect()
}

/// Kills a deploy; false where it ended before that. Then deploys undisturbed.
fn kill_and_repeat(project: &Project, proxy: &Proxy, case: Case) -> bool {
    let fault = if case.is_after { Fault::After(Then::Kill) } else { Fault::Instead(Then::Kill) };
    proxy.rule(Rule::when(counted(), fault).skip(case.request).times(1));
    let killed = proxy.run(project, &["deploy"]);
    proxy.forget_rules();
    assert!(killed.code <= 0, "{case:?}: {}", killed.transcript());
    let again = proxy.run(project, &["deploy"]);
    assert_eq!(again.code, 0, "{case:?}: {}\nafter {}", again.transcript(), killed.transcript());
    killed.code < 0
}

/// What is in the namespace, without what the server sets, and without what differs from run to run.
fn state(project: &Project, version: &str) -> Value {
    let namespace = project.namespace("qa");
    let found = project.bench.get(&namespace, &["configmaps,secrets,services,deployments,jobs,leases"]);
    let mut objects: Vec<Value> = found["items"].as_array().expect("objects").iter().filter_map(lasting).collect();
    // Jobs of earlier versions stay for a while
    objects.retain(|object| object["kind"] != "Job" || object.to_string().contains(&format!("migrated to {version}")));
    objects.sort_by_key(|object| format!("{}/{}", object["kind"], object["name"]));
    let text = Value::Array(objects).to_string();
    let text = text.replace(&project.app, "APP").replace(version, "VERSION");
    serde_json::from_str(&text).expect("JSON")
}

/// None for what is not the application's.
fn lasting(object: &Value) -> Option<Value> {
    let (kind, name) = (object["kind"].as_str()?, object["metadata"]["name"].as_str()?);
    if name == "kube-root-ca.crt" || object["type"].as_str().is_some_and(|kind| kind.starts_with("shipway.dev/")) {
        return None;
    }
    if kind == "Lease" {
        return Some(json!({"kind": kind, "name": name, "holder": object["spec"]["holderIdentity"]}));
    }
    // a Job is named after the release that made it
    let name = if kind == "Job" { name.trim_end_matches(|c: char| c.is_ascii_digit()) } else { name };
    let mut spec = object["spec"].clone();
    for (parent, field) in [
        ("", "clusterIP"),
        ("", "clusterIPs"),
        ("/ports/0", "nodePort"),
        ("", "selector"),
        ("/template/metadata", "labels"),
        ("/template/metadata", "annotations"),
    ] {
        if kind == "Job" || kind == "Service" || field == "annotations" {
            spec.pointer_mut(parent).and_then(Value::as_object_mut).map(|parent| parent.remove(field));
        }
    }
    let data = object["data"].as_object().into_iter().flatten().map(|(key, value)| {
        let text = value.as_str().unwrap_or_default();
        let plain = if kind == "Secret" { STANDARD.decode(text).expect("base64") } else { text.as_bytes().to_vec() };
        (key.clone(), String::from_utf8_lossy(&plain).into_owned().into())
    });
    let data: serde_json::Map<String, Value> = data.collect();
    let labels = if kind == "Job" { Value::Null } else { object["metadata"]["labels"].clone() };
    Some(json!({"kind": kind, "name": name, "labels": labels, "spec": spec, "data": data}))
}

/// Pods of the hook's Jobs and revisions of the Deployment: what ran twice shows here.
fn runs(project: &Project) -> (usize, String) {
    let namespace = project.namespace("qa");
    let pods = project.bench.get(&namespace, &["pods", "-l", "job-name"]);
    let web = project.bench.get(&namespace, &["deployment", "web"]);
    let revision = web["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str().unwrap_or_default();
    (pods["items"].as_array().map_or(0, Vec::len), revision.to_owned())
}

/// Does the cases, several at once, each worker in its own way; fails with what failed in any of them.
fn work_off(cases: VecDeque<Case>, worker: impl Fn(&dyn Fn() -> Option<Case>) + Sync) {
    let cases = Mutex::new(cases);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| worker(&|| cases.lock().expect("the cases").pop_front()));
        }
    });
}

#[test]
fn a_first_deploy_that_is_killed_is_done_by_the_next_run() {
    let (project, proxy) = guarded("killed", "one");
    proxy.run(&project, &["deploy"]).expect(0);
    let undisturbed = state(&project, "one");
    let cases = cases(&proxy);
    let (wanted, killed) = (cases.len(), AtomicUsize::new(0));
    work_off(cases, |next| {
        while let Some(case) = next() {
            let (project, proxy) = guarded("killed", "one");
            let was_killed = kill_and_repeat(&project, &proxy, case);
            killed.fetch_add(usize::from(was_killed), Ordering::SeqCst);
            assert_eq!(state(&project, "one"), undisturbed, "{case:?}");
            assert_eq!(runs(&project), (1, "1".to_owned()), "{case:?}");
        }
    });
    enough(wanted, &killed);
}

#[test]
fn an_update_that_is_killed_is_done_by_the_next_run() {
    let (project, proxy) = guarded("killedup", "v0x");
    proxy.run(&project, &["deploy"]).expect(0);
    proxy.forget_seen();
    small::write(&project, "v1x");
    proxy.run(&project, &["deploy"]).expect(0);
    let undisturbed = state(&project, "v1x");
    let cases = cases(&proxy);
    let (wanted, killed) = (cases.len(), AtomicUsize::new(0));
    work_off(cases, |next| {
        let (project, proxy) = guarded("killedup", "v0x");
        proxy.run(&project, &["deploy"]).expect(0);
        let mut number = 0;
        while let Some(case) = next() {
            number += 1;
            let version = format!("v{number}x");
            small::write(&project, &version);
            let was_killed = kill_and_repeat(&project, &proxy, case);
            killed.fetch_add(usize::from(was_killed), Ordering::SeqCst);
            assert_eq!(state(&project, &version), undisturbed, "{case:?}");
            assert_eq!(runs(&project).1, (number + 1).to_string(), "{case:?}");
        }
    });
    enough(wanted, &killed);
}

/// Requests are sent side by side, so a run may have fewer than another, but not by much.
fn enough(wanted: usize, killed: &AtomicUsize) {
    let killed = killed.load(Ordering::SeqCst);
    assert!(killed * 10 >= wanted * 8, "only {killed} of {wanted} runs were killed");
}

#[test]
fn what_only_a_killed_run_made_goes_when_the_manifests_have_it_no_more() {
    let (project, proxy) = guarded("killedprune", "one");
    project.write("kubernetes/account.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: extra\n");
    let is_made = |seen: &Seen| seen.is_write() && seen.path.contains("/serviceaccounts/extra");
    proxy.rule(Rule::when(is_made, Fault::After(Then::Kill)));
    assert!(proxy.run(&project, &["deploy"]).code < 0);
    proxy.forget_rules();
    std::fs::remove_file(project.root().join("kubernetes/account.yaml")).expect("a manifest");
    // no release has a kind like it, nor does a record name what was written
    proxy.run(&project, &["deploy"]).expect(0).says("serviceaccount/extra pruned");
    let found = project.bench.try_kubectl(&["-n", &project.namespace("qa"), "get", "serviceaccount", "extra"], "");
    assert!(!found.status.success());
}

#[test]
fn after_a_killed_run_nothing_is_taken_as_proven() {
    let (project, proxy) = guarded("killedproof", "one");
    proxy.run(&project, &["deploy"]).expect(0);
    let rehearsed = || {
        proxy.forget_seen();
        proxy.run(&project, &["deploy"]).expect(0);
        proxy.seen().iter().filter(|seen| seen.path.contains("dryRun=All")).count()
    };
    assert_eq!(rehearsed(), 0, "what equals is proven without a rehearsal");
    // killed with its record in progress, before it wrote an object
    small::write(&project, "two");
    let is_object = |seen: &Seen| seen.is_write() && seen.path.contains("/configmaps/");
    proxy.rule(Rule::when(is_object, Fault::Instead(Then::Kill)));
    assert!(proxy.run(&project, &["deploy"]).code < 0);
    proxy.forget_rules();
    small::write(&project, "one");
    assert!(rehearsed() >= 4, "a run that was killed may have written what it did not record");
    assert_eq!(rehearsed(), 0);
}
