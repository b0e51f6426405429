//! What a verdict is explained with: the same words in every form, what hangs with its log, and a hint that helps when it
//! is typed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Bench, Run, at_once,
    cases::{DEADLINE, DEPLOY, describe, described},
    terminal::OnTerminal,
    workloads::{RUNS, container, deployment, job, object, pod_of},
};

/// Text and hints of the only finding, as JSON has them.
fn finding(run: &Run) -> Vec<String> {
    let outcome = run.outcome();
    let found = outcome["problems"].as_array().expect("problems");
    assert_eq!(found.len(), 1, "{}", run.transcript());
    let hints = found[0]["hints"].as_array().expect("hints");
    let words = std::iter::once(&found[0]["text"]).chain(hints);
    words.map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// Each stands there, and only once.
fn tells_once(form: &str, told: &str, words: &[String]) {
    for words in words {
        assert_eq!(told.matches(words.as_str()).count(), 1, "{form}: {words}\n{told}");
    }
}

#[test]
fn a_finding_has_the_same_words_in_every_form() {
    let image = format!("{}/base/busybox:nothere", Bench.variable("REGISTRY"));
    let mut project = described("alike", vec![deployment(RUNS, json!({"image": image}))]);
    let words = finding(&project.run(&[DEPLOY, &["--output", "json"]].concat()).expect(6));
    assert!(words[0].starts_with("deployment/web does not start: image ") && words.len() > 1, "{words:?}");
    tells_once("plain", &project.run(&[DEPLOY, &["--output", "plain"]].concat()).expect(6).stderr, &words);
    let (code, rows) = OnTerminal::start(&project, DEPLOY, (240, 50)).wait();
    assert_eq!(code, 6);
    tells_once("live", &rows.join("\n"), &words);
    let summary = project.root().join("summary.md");
    project.set("GITHUB_ACTIONS", "true");
    project.set("GITHUB_STEP_SUMMARY", &summary.to_string_lossy());
    let run = project.run(&[DEPLOY, &["--env", "qa"]].concat()).expect(6);
    let (annotations, log): (Vec<&str>, Vec<&str>) = run.stderr.lines().partition(|line| line.starts_with("::error "));
    tells_once("annotation", &annotations.join("\n"), &words);
    tells_once("runner", &log.join("\n"), &words);
    tells_once("summary", &std::fs::read_to_string(summary).expect("a summary"), &words);
}

#[test]
fn a_plan_that_cannot_be_kept_is_told() {
    let project = described("nowhere", vec![deployment(RUNS, json!({}))]);
    let run = project.run(&["plan", "-f", "objects.json", "--out", "/nowhere/a.plan"]).expect(2);
    run.says("error[write]").says("/nowhere/a.plan");
}

/// Deploys it until time is up, and looks for all of these.
fn explains(story: &str, object: Value, says: &[&str]) {
    let project = described(story, vec![object]);
    let run = project.run(&[DEPLOY, DEADLINE].concat()).expect(7);
    says.iter().for_each(|text| _ = run.says(text));
}

fn an_init_container_hangs() {
    let waits = container("echo waits for the database; exec sleep 10000", json!({"name": "prepare"}));
    explains(
        "inithang",
        pod_of(RUNS, json!({"initContainers": [waits]})),
        &["error[timed-out]", "container `prepare`", "waits for the database", "--container prepare` shows", "node1"],
    );
}

fn a_job_hangs() {
    explains(
        "jobhang",
        job("echo step 3 of 7; exec sleep 10000", json!({})),
        &["error[timed-out]", "container `web`", "step 3 of 7", "--container web` shows"],
    );
}

fn a_probe_is_told() {
    let probe = json!({"readinessProbe": {"httpGet": {"path": "/missing", "port": 8080}, "periodSeconds": 1, "failureThreshold": 2}});
    explains(
        "probetold",
        deployment("echo listens; exec httpd -f -p 8080 -h /tmp", probe),
        &["error[not-ready]", "readinessProbe: GET http://", ":8080/missing each 1 s, fails after 2", "listens"],
    );
}

fn an_init_container_of_a_job_fails() {
    let prepare = container("echo no schema; exit 8", json!({"name": "prepare"}));
    let mut fails = job("true", json!({}));
    fails["spec"]["template"]["spec"]["initContainers"] = json!([prepare]);
    let run = described("jobinit", vec![fails]).run(DEPLOY).expect(6);
    run.says("error[job-failed]").says("container `prepare` exits with code 8").says("no schema");
}

#[test]
fn what_hangs_or_fails_is_told_with_its_log() {
    at_once(&[an_init_container_hangs, a_job_hangs, a_probe_is_told, an_init_container_of_a_job_fails]);
}

/// A quota that was raised helps only once the controller tries again, after ever longer times; the hint makes it try.
#[test]
fn what_was_refused_for_long_is_tried_again_as_the_hint_says() {
    let quota = |pods: &str| object("v1", "ResourceQuota", "small", json!({"hard": {"pods": pods}}));
    let objects = |pods: &str| vec![quota(pods), deployment(RUNS, json!({}))];
    let project = described("refused", objects("0"));
    project.run(DEPLOY).expect(6).says("error[quota-exceeded]");
    // each try comes after twice the time, from 5 ms on: the next one is half a minute away
    let tries = || {
        let events = Bench.get(&project.namespace("qa"), &["events", "--field-selector=reason=FailedCreate"]);
        let counts = events["items"].as_array().expect("events").iter().map(|event| event["count"].as_u64());
        counts.map(|count| count.unwrap_or(1)).sum::<u64>()
    };
    while tries() < 13 {
        std::thread::sleep(Duration::from_millis(500));
    }
    describe(&project, objects("9"));
    let run = project.run(&[DEPLOY, &["--timeout", "8s"]].concat()).expect(7);
    run.says("error[quota-exceeded]");
    let hint = run.stderr.split_once("hint: `kubectl ").and_then(|(_, rest)| rest.split_once('`'));
    let (command, _) = hint.unwrap_or_else(|| panic!("no command to type\n{}", run.transcript()));
    Bench.kubectl(&command.split(' ').collect::<Vec<_>>());
    project.run(&[DEPLOY, DEADLINE].concat()).expect(0).says("ready: 1/1");
}
