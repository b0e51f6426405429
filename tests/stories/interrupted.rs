//! Ctrl-C at any point: what was and was not done is told, and nothing is left locked.

use std::{process::Command, time::Duration, time::Instant};

use crate::support::{Project, manifests};

#[test]
fn an_interrupted_rollout_lets_the_lock_go() {
    let project = Project::web("stopped");
    project.branch("feature");
    let text = manifests::deployment("web", &project.image()).replace("path: /\n", "path: /missing\n");
    project.write("kubernetes/web.yaml", &text);
    project.commit("Never get ready");
    project.run(&["build"]).expect(0);
    project.run(&["push"]).expect(0);
    let running = project.start(&["deploy"]);
    let namespace = project.namespace("qa");
    // the deploy is in the middle once the Deployment is there
    until(|| {
        let output = project.bench.try_kubectl(&["-n", &namespace, "get", "deployment", "web", "-o", "name"], "");
        output.status.success()
    });
    let ended = Command::new("kill").args(["-INT", &running.id().to_string()]).status().expect("kill runs");
    assert!(ended.success());
    let run = running.wait();
    assert_eq!(run.code, 130, "{}", run.transcript());
    run.says("interrupted").says("deployment/web").says("is applied, but not proven");
    let leases = project.bench.get(&namespace, &["lease"]);
    for lease in leases["items"].as_array().expect("leases") {
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        assert!(holder.is_empty(), "still held: {lease}");
    }
}

/// Waits for a condition; a minute is far more than it takes.
fn until(mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "the condition never held");
        std::thread::sleep(Duration::from_millis(50));
    }
}
