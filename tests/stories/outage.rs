//! The API server itself is killed in the middle of a deploy, and is back later. It is everybody's, so this story has the
//! bench alone.

use std::{
    path::Path,
    process::Command,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use crate::support::{
    Bench,
    proxy::{Fault, Proxy, Rule, Seen, Then},
    small,
};

/// Longer than the lock lasts here, and than any pause between two tries.
const OUTAGE: Duration = Duration::from_secs(15);
/// For the node to be ready again.
const RECOVERY: Duration = Duration::from_secs(180);

fn cluster(what: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("script/cluster");
    let output = Command::new(script).args([what, "apiserver"]).output().expect("script/cluster runs");
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A kubelet that lost its server looks for it at ever longer intervals: other stories need its node.
fn until_node_is_back() {
    let restarted = Timestamp::now();
    let renewed = || {
        let lease = ["-n", "kube-node-lease", "get", "lease", "-o", "jsonpath={.items[0].spec.renewTime}"];
        let output = Bench.try_kubectl(&lease, "");
        String::from_utf8_lossy(&output.stdout).parse::<Timestamp>().is_ok_and(|renewed| renewed > restarted)
    };
    let began = Instant::now();
    while !renewed() {
        assert!(began.elapsed() < RECOVERY, "the node is not back");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Starts the server again, whatever happened meanwhile.
struct Restart;

impl Drop for Restart {
    fn drop(&mut self) {
        cluster("start");
        until_node_is_back();
    }
}

/// Kills the server once it has answered the first request that fits.
fn deploy_through_an_outage(story: &str, fits: impl Fn(&Seen) -> bool + Send + 'static) {
    let mut project = small::project(story, "one");
    project.set("SHIPWAY_LOCK_EXPIRY", "2");
    let proxy = Proxy::start(&project.bench);
    proxy.guard(&mut project);
    let (reached, is_reached) = std::sync::mpsc::channel();
    let killer: JoinHandle<()> = std::thread::spawn(move || {
        if is_reached.recv().is_ok() {
            cluster("stop");
            let _restart = Restart;
            std::thread::sleep(OUTAGE);
        }
    });
    let fits = move |seen: &Seen| fits(seen) && reached.send(()).is_ok();
    // its answer is lost with the server
    proxy.rule(Rule::when(fits, Fault::After(Then::Reset)).times(1));
    let run = proxy.run(&project, &["deploy"]);
    drop(proxy);
    killer.join().expect("the server is back");
    let run = run.expect(0);
    run.says("the API server answers again after").says("1/1 pods run base/busybox");
}

#[test]
fn a_killed_server_is_waited_for_while_objects_are_written_and_while_a_rollout_is_followed() {
    let _alone = Bench::alone();
    deploy_through_an_outage("killedapply", |seen| seen.is_write() && seen.path.contains("/configmaps/settings"));
    deploy_through_an_outage("killedwatch", |seen| seen.is_watch() && seen.path.contains("/replicasets?"));
}
