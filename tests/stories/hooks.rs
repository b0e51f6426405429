//! Jobs and other objects that run at a moment of the deploy.

use std::process::Command;

use serde_json::Value;

use crate::support::{Audit, Project, Request, Run, Running, manifests};

/// A Job that runs a script, with these annotations.
fn job(project: &Project, name: &str, annotations: &str, script: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  annotations: {{{annotations}}}\nspec:\n  backoffLimit: \
         0\n  template:\n    spec:\n      restartPolicy: Never\n      terminationGracePeriodSeconds: 1\n      containers:\n        - \
         name: job\n          image: {}\n          command: [/bin/sh, -c, '{script}']\n          envFrom:\n            - \
         configMapRef: {{name: words, optional: true}}\n",
        project.image()
    )
}

/// The position of the first event that `is` finds.
fn position(run: &Run, is: impl Fn(&Value) -> bool) -> usize {
    run.events().iter().position(is).unwrap_or_else(|| panic!("no such event\n{}", run.transcript()))
}

fn wrote(line: &'static str) -> impl Fn(&Value) -> bool {
    move |event| {
        let mut lines = event["lines"].as_array().into_iter().flatten();
        event["event"] == "rollout.log" && lines.any(|found| found == line)
    }
}

#[test]
fn the_log_of_a_hook_is_shown_while_it_runs() {
    let project = Project::pushed("hooklog");
    // the second line comes once somebody has answered: the test itself, when it has seen the first
    let script = "echo first; until [ -e /www/go ]; do sleep 0.1; done; echo second";
    project.write("kubernetes/job.yaml", &job(&project, "migrate", "shipway.dev/phase: before", script));
    let running = project.start(&["deploy"]);
    running.until_says("job/migrate-1 | first");
    let namespace = project.namespace("qa");
    project.bench.kubectl(&["-n", &namespace, "exec", "job/migrate-1", "--", "/bin/touch", "/www/go"]);
    let run = running.wait().expect(0);
    run.says("job/migrate-1 | second");
}

#[test]
fn helm_hooks_run_by_weight_and_go_when_they_have_succeeded() {
    let project = Project::pushed("helmhook");
    let hook = |weight: &str| {
        format!(
            "helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-weight: '{weight}', helm.sh/hook-delete-policy: hook-succeeded"
        )
    };
    project.write("kubernetes/a-job.yaml", &job(&project, "migrate", &hook("5"), "echo $WORD"));
    project.write(
        "kubernetes/words.yaml",
        &format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: words\n  annotations: {{{}}}\ndata:\n  WORD: tables-made\n",
            hook("-5")
        ),
    );
    project.write("kubernetes/test.yaml", &job(&project, "check", "helm.sh/hook: test", "exit 9"));
    let run = project.run(&["deploy", "--output", "json"]).expect(0);
    let configured = position(&run, |event| event["change"]["object"]["name"] == "words");
    let written = position(&run, wrote("tables-made"));
    let rolled = position(&run, |event| event["object"]["name"] == "web" && event["event"] == "rollout.changed");
    assert!(configured < written && written < rolled, "{}", run.transcript());
    let namespace = project.namespace("qa");
    let left = project.bench.kubectl(&["-n", &namespace, "get", "jobs,configmaps", "-o", "name"]);
    assert!(!left.contains("migrate") && !left.contains("words") && !left.contains("check"), "{left}");
    // what has succeeded with the same image and text is not run again, unless asked for
    project.run(&["deploy", "-v"]).expect(0).never_says("tables-made").says("has run already, as migrate-1");
    project.run(&["deploy", "--rerun-hooks"]).expect(0).says("job/migrate-3 | tables-made");
}

#[test]
fn a_failed_argo_hook_goes_once_its_end_is_told() {
    let project = Project::pushed("argohook");
    let annotations = "argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/hook-delete-policy: HookFailed";
    project.write("kubernetes/job.yaml", &job(&project, "migrate", annotations, "echo no-database; exit 4"));
    let run = project.run(&["deploy"]).expect(6);
    run.says("no-database").says("job/migrate-1").says("exits with code 4");
    let namespace = project.namespace("qa");
    let left = project.bench.kubectl(&["-n", &namespace, "get", "jobs,deployments", "-o", "name"]);
    assert!(left.trim().is_empty(), "{left}");
}

/// A project with a hook that runs until it is allowed to end, and then ends with this code.
fn patient(story: &str, code: u8) -> Project {
    let mut project = Project::pushed(story);
    project.set("SHIPWAY_LOCK_EXPIRY", "2");
    let script = format!("echo begun; until [ -e /www/go ]; do sleep 0.1; done; exit {code}");
    project.write("kubernetes/job.yaml", &job(&project, "migrate", "shipway.dev/phase: before", &script));
    project
}

fn ends(project: &Project, job: &str, how: &str) {
    let (namespace, job) = (project.namespace("qa"), format!("job/{job}"));
    project.bench.kubectl(&["-n", &namespace, "exec", &job, "--", "/bin/touch", "/www/go"]);
    project.bench.kubectl(&["-n", &namespace, "wait", &format!("--for=condition={how}"), &job, "--timeout=60s"]);
}

fn signal(running: &Running, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &running.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

/// The Jobs that are there.
fn jobs(project: &Project) -> Vec<String> {
    let found = project.bench.kubectl(&["-n", &project.namespace("qa"), "get", "jobs", "-o", "name"]);
    found.lines().map(|name| name.trim_start_matches("job.batch/").to_owned()).collect()
}

#[test]
fn a_hook_that_outlives_its_run_is_followed_by_the_next_and_not_run_beside_itself() {
    let project = patient("outlives", 0);
    for (command, name) in [("deploy", "INT"), ("deploy --rerun-hooks", "TERM")] {
        let running = project.start(&command.split(' ').collect::<Vec<_>>());
        running.until_says("job/migrate-1 | begun");
        signal(&running, name);
        running.wait().expect(130).says("the same command again follows it");
    }
    // its pod runs by now: the time is up for what it does, and not for its start
    project.run(&["deploy", "--timeout", "3s"]).expect(7).says("waiting for the job to end").says("begun");
    ends(&project, "migrate-1", "Complete");
    project.run(&["deploy"]).expect(0);
    project.run(&["deploy", "-v"]).expect(0).says("has run already, as migrate-1");
    assert_eq!(jobs(&project), ["migrate-1"]);
}

#[test]
fn a_hook_that_was_deleted_for_its_success_is_not_run_again_though_its_run_was_killed() {
    let mut project = Project::pushed("hookkill");
    project.set("SHIPWAY_LOCK_EXPIRY", "2");
    let annotations = "helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-delete-policy: hook-succeeded";
    project.write("kubernetes/job.yaml", &job(&project, "migrate", annotations, "echo tables-made"));
    let web = manifests::deployment("web", &project.image());
    project.write("kubernetes/web.yaml", &web.replace("path: /\n", "path: /missing\n"));
    let running = project.start(&["deploy"]);
    running.until_says("tables-made");
    running.until_says("deployment/web created");
    signal(&running, "KILL");
    running.wait().expect(-1);
    assert_eq!(jobs(&project), [""; 0], "the Job is not deleted");
    project.write("kubernetes/web.yaml", &web);
    project.run(&["deploy", "-v"]).expect(0).says("has run already, as migrate-1").never_says("tables-made");
}

/// One that never ran has not run, whatever the deploy took it for.
#[test]
fn a_suspended_job_that_somebody_deletes_is_made_again() {
    let project = Project::pushed("suspended");
    let text = job(&project, "migrate", "a: b", "exit 0").replace("  backoffLimit", "  suspend: true\n  backoffLimit");
    project.write("kubernetes/job.yaml", &text);
    project.run(&["deploy"]).expect(0);
    let audit = Audit::begin(&project.bench);
    project.run(&["deploy"]).expect(0).never_says("changed:");
    let namespace = project.namespace("qa");
    let written: Vec<Request> = audit.requests(&namespace);
    assert!(!written.iter().any(Request::writes_an_object), "{written:#?}");
    project.bench.kubectl(&["-n", &namespace, "delete", "job", "migrate-1"]);
    project.run(&["deploy"]).expect(0).says("job/migrate-1 created");
    assert_eq!(jobs(&project), ["migrate-1"]);
}

#[test]
fn a_hook_that_failed_after_its_run_was_killed_is_told_once_and_then_run_again() {
    let project = patient("outlived", 3);
    let running = project.start(&["deploy", "--timeout", "60s"]);
    running.until_says("job/migrate-1 | begun");
    signal(&running, "KILL");
    running.wait().expect(-1);
    ends(&project, "migrate-1", "Failed");
    project.run(&["deploy"]).expect(6).says("job/migrate-1").says("exits with code 3");
    let running = project.start(&["deploy", "--timeout", "60s"]);
    running.until_says("job/migrate-3 | begun");
    ends(&project, "migrate-3", "Failed");
    running.wait().expect(6).says("job/migrate-3").never_says("migrate-1");
    assert_eq!(jobs(&project), ["migrate-1", "migrate-3"]);
}
