//! An API server that is away for a minute, or says nothing more: the same verdict as without.
//!
//! What is cut is the way to it, so that others have it meanwhile. These stories only wait, side by side.

use std::{
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use super::faults::{guarded, is_whole};
use crate::support::{
    Project, Run,
    proxy::{Fault, Proxy, Rule, Seen, Then, Way},
};

/// Longer than the lock lasts.
const OUTAGE: Duration = Duration::from_secs(60);

fn outage(way: Way, time: Duration, fits: impl Fn(&Seen) -> bool + Send + 'static) -> Rule {
    Rule::when(fits, Fault::After(Then::Outage(way, time))).times(1)
}

fn is_applied(seen: &Seen) -> bool {
    seen.is_write() && seen.path.contains("/configmaps/settings")
}

fn is_followed(seen: &Seen) -> bool {
    seen.is_watch() && seen.path.contains("/replicasets?")
}

/// One deploy with the server away from the first request that fits.
fn deploy_through(story: &str, way: Way, fits: fn(&Seen) -> bool, change: fn(&Project)) -> (Run, Project) {
    let (project, proxy) = guarded(story);
    change(&project);
    proxy.rule(outage(way, OUTAGE, fits));
    let run = proxy.run(&project, &["deploy"]);
    run.says("waiting for the API server").says("the API server answers again after");
    assert!(run.seconds > OUTAGE.as_secs_f64(), "{}", run.transcript());
    (run, project)
}

#[test]
fn a_minute_without_the_server_changes_no_verdict() {
    let succeeds = |story: &str, way, fits| {
        let (run, project) = deploy_through(story, way, fits, |_| ());
        run.expect(0).says("1/1 pods run base/busybox");
        is_whole(&project);
    };
    let crashes = |project: &Project| {
        let web = std::fs::read_to_string(project.root().join("kubernetes/web.yaml")).expect("a manifest");
        project.write("kubernetes/web.yaml", &web.replace("[/bin/httpd, -f, -p, \"8080\"]", "[/bin/false]"));
    };
    thread::scope(|scope| {
        scope.spawn(|| succeeds("minuteapply", Way::Refused, is_applied));
        scope.spawn(|| succeeds("minutewatch", Way::Refused, is_followed));
        scope.spawn(|| succeeds("deafapply", Way::Swallowed, is_applied));
        scope.spawn(|| succeeds("deafwatch", Way::Swallowed, is_followed));
        scope.spawn(|| {
            let (run, _project) = deploy_through("minutefails", Way::Refused, is_followed, crashes);
            run.expect(6).says("error[crash-loop]");
        });
        scope.spawn(waits_for_the_lock_and_for_the_server);
    });
}

/// Of two runs that lose the server together one holds the lock: it keeps it, and the other has it next.
fn waits_for_the_lock_and_for_the_server() {
    let (project, proxy) = guarded("minutelock");
    let job = std::fs::read_to_string(project.root().join("kubernetes/migrate.yaml")).expect("a manifest");
    project.write("kubernetes/migrate.yaml", &job.replace("[/bin/echo, migrated to one]", "[/bin/sleep, \"5\"]"));
    proxy.rule(outage(Way::Refused, OUTAGE, is_announced));
    let holder = project.start(&["deploy"]);
    holder.until_says("job/migrate-1 created");
    let waiting = project.start(&["deploy"]);
    let (holder, waiting) = (holder.wait().expect(0), waiting.wait().expect(0));
    holder.says("1/1 pods run base/busybox");
    waiting.says("waiting for the API server").says("the API server answers again after");
    assert!(waiting.seconds > OUTAGE.as_secs_f64(), "{}", waiting.transcript());
}

/// A run enters the queue of those who wait for the lock.
fn is_announced(seen: &Seen) -> bool {
    seen.is_write()
        && seen.path.contains("/leases/")
        && String::from_utf8_lossy(&seen.body).contains("shipway.dev/waiting")
}

#[test]
fn who_waits_for_the_lock_waits_for_the_server_as_long_and_no_longer() {
    let (project, proxy) = guarded("locktime");
    let namespace = project.namespace("qa");
    project.bench.kubectl(&["create", "namespace", &namespace]);
    let lease = format!(
        "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata:\n  name: shipway.{}.qa\nspec:\n  holderIdentity: bob\n  \
         leaseDurationSeconds: 3600\n",
        project.app
    );
    let made = project.bench.try_kubectl(&["-n", &namespace, "create", "-f", "-"], &lease);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    proxy.rule(outage(Way::Refused, Duration::from_secs(40), is_announced));
    let run = proxy.run(&project, &["deploy", "--timeout", "12s"]).expect(5);
    run.says("bob").says("waiting for the API server").says("error[cluster-unreachable]");
    assert!((6.0..30.0).contains(&run.seconds), "{}", run.transcript());
}

/// Watches that begin just after the workloads were written say nothing after their head, and stay open.
fn mute_watches(proxy: &Proxy) {
    let written: Mutex<Option<Instant>> = Mutex::default();
    let fits = move |seen: &Seen| {
        let mut written = written.lock().expect("a time");
        if seen.is_write() && seen.path.contains("/deployments/") {
            *written = Some(seen.at);
        }
        let begins = |written| seen.at - written < Duration::from_secs(5);
        seen.is_watch() && written.is_some_and(begins)
    };
    proxy.rule(Rule::when(fits, Fault::After(Then::Mute)));
}

/// Seconds of a deploy whose watches fall silent.
fn deploy_in_silence(story: &str, arguments: &[&str]) -> f64 {
    let (project, proxy) = guarded(story);
    mute_watches(&proxy);
    let run = proxy.run(&project, &[&["deploy"], arguments].concat()).expect(0);
    run.says("1/1 pods run base/busybox");
    is_whole(&project);
    let muted = proxy.seen().iter().filter(|seen| seen.is_watch() && seen.path.contains("/replicasets?")).count();
    assert!(muted >= 2, "no watch was made anew: {}", run.transcript());
    run.seconds
}

#[test]
fn watches_that_fall_silent_are_made_anew() {
    thread::scope(|scope| {
        let usual = scope.spawn(|| deploy_in_silence("silent", &[]));
        // in less time than that a silence has to be noticed sooner
        let short = scope.spawn(|| deploy_in_silence("silentshort", &["--timeout", "60s"]));
        let (usual, short) = (usual.join().expect("a story"), short.join().expect("a story"));
        assert!(usual > 90.0 && (20.0..60.0).contains(&short), "{usual} s and {short} s");
    });
}
