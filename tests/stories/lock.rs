//! One deploy at a time, and of one branch the newest.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use super::refusals::{TWICE, places};
use crate::support::{Project, Running, manifests};

/// A pushed project with two commits, whose lock expires soon.
struct Rivals {
    project: Project,
    older: String,
    newer: String,
}

const READY: &str = "path: /\n";
const NEVER_READY: &str = "path: /missing\n";

impl Rivals {
    fn new(story: &str) -> Self {
        let mut project = Project::pushed(story);
        project.set("SHIPWAY_LOCK_EXPIRY", "2s");
        project.set("USER", "alice");
        project.write("shipway.yaml", "deploy: {settle: 1s}\n");
        let older = project.commit("Go on");
        let newer = project.commit("Go further");
        // later commits of the story are not theirs
        Self { project, older, newer }
    }

    fn namespace(&self) -> String {
        self.project.namespace("qa")
    }

    /// The rollout of what is started from now on ends well, or never.
    fn gets_ready(&self, ready: bool) {
        let text = manifests::deployment("web", &self.project.image());
        self.project.write("kubernetes/web.yaml", &text.replace(READY, if ready { READY } else { NEVER_READY }));
    }

    fn add_hook(&self, seconds: u32) {
        let image = self.project.image();
        let job = format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations:\n    shipway.dev/phase: before\nspec:\n  \
             template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - name: migrate\n          \
             image: {image}\n          command: [/bin/sleep, \"{seconds}\"]\n"
        );
        self.project.write("kubernetes/job.yaml", &job);
    }

    fn is_there(&self, object: &str) -> bool {
        self.project.bench.try_kubectl(&["-n", &self.namespace(), "get", object, "-o", "name"], "").status.success()
    }

    fn start(&self, commit: &str, more: &[&str]) -> Running {
        self.project.start(&[&["deploy", "--output", "json", "--commit", commit], more].concat())
    }

    /// A run that holds the lock and watches a rollout that does not end.
    fn start_watching(&self, commit: &str, more: &[&str]) -> Running {
        self.gets_ready(false);
        let running = self.start(commit, more);
        until(|| self.is_there("deployment/web"));
        self.gets_ready(true);
        running
    }

    fn lease(&self) -> serde_json::Value {
        let name = format!("lease/shipway.{}.qa", self.project.app);
        self.project.bench.get(&self.namespace(), &[&name])
    }

    /// Waits until so many runs stand in the queue.
    fn until_waiting(&self, count: usize) {
        until(|| {
            let lease = self.lease();
            let queue = lease["metadata"]["annotations"]["shipway.dev/waiting"].as_str().unwrap_or("[]").to_owned();
            serde_json::from_str::<Vec<serde_json::Value>>(&queue).expect("a queue").len() == count
        });
    }

    /// The states of all records, the oldest first.
    fn states(&self) -> Vec<String> {
        let secrets = self.project.bench.get(&self.namespace(), &["secret", "-l", "shipway.dev/revision"]);
        let label = |secret: &serde_json::Value, name: &str| {
            secret["metadata"]["labels"][name].as_str().expect("a label").to_owned()
        };
        let mut records: Vec<(u64, String)> = secrets["items"]
            .as_array()
            .expect("records")
            .iter()
            .map(|secret| {
                let revision = label(secret, "shipway.dev/revision").parse().expect("a number");
                (revision, label(secret, "shipway.dev/state"))
            })
            .collect();
        records.sort();
        records.into_iter().map(|(_, state)| state).collect()
    }
}

fn signal(running: &Running, name: &str) {
    let status = Command::new("kill").args([name, &running.id().to_string()]).status().expect("kill runs");
    assert!(status.success());
}

/// Waits for a condition; a minute is far more than it takes.
fn until(mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "the condition never held");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whoever will not write anything does not wait in the queue.
#[test]
fn faults_of_the_manifests_are_told_while_another_run_holds_the_lock() {
    let rivals = Rivals::new("beside");
    let first = rivals.start_watching(&rivals.newer, &[]);
    rivals.project.write("kubernetes/twice.yaml", TWICE);
    let second = rivals.start(&rivals.newer, &[]).wait().expect(2);
    second.within(10.0);
    let at = |line, column| ("kubernetes/twice.yaml".to_owned(), line, column);
    assert_eq!(places(&second), [at(11, 11), at(12, 21)]);
    assert!(rivals.lease()["metadata"]["annotations"]["shipway.dev/waiting"].is_null());
    signal(&first, "-INT");
    first.wait().expect(130);
}

#[test]
fn a_second_deploy_waits_and_says_for_whom() {
    let rivals = Rivals::new("second");
    let first = rivals.start_watching(&rivals.newer, &[]);
    let second = rivals.start(&rivals.newer, &[]);
    rivals.until_waiting(1);
    signal(&first, "-INT");
    first.wait().expect(130);
    let second = second.wait().expect(0);
    let waiting = second.events().into_iter().find(|event| event["event"] == "lock.waiting").expect("it waited");
    assert_eq!(waiting["holder"], "alice");
    assert!(waiting["since"].is_string(), "{waiting}");
    assert!(rivals.lease()["metadata"]["annotations"]["shipway.dev/waiting"].is_null());
}

#[test]
fn an_older_commit_that_came_later_is_refused_once_it_has_the_lock() {
    let rivals = Rivals::new("came-later");
    rivals.add_hook(4);
    let newer = rivals.start(&rivals.newer, &[]);
    until(|| rivals.is_there("job/migrate-1"));
    let older = rivals.start(&rivals.older, &[]);
    rivals.until_waiting(1);
    newer.wait().expect(0);
    older.wait().expect(9).says("lock.waiting").says("--allow-older");
    assert_eq!(rivals.states(), ["succeeded"]);
}

#[test]
fn an_older_commit_is_known_by_the_record_where_the_clone_has_no_newer_one() {
    let rivals = Rivals::new("behind");
    rivals.project.run(&["deploy"]).expect(0);
    rivals.project.git(&["checkout", "-q", "-B", "feature", &rivals.older]);
    rivals.project.git(&["reflog", "expire", "--expire=now", "--all"]);
    rivals.project.git(&["gc", "-q", "--prune=now"]);
    let gone = rivals.project.run(&["deploy", "--commit", &rivals.newer]).expect(2);
    gone.says("is not in this clone");
    let told = format!("{} is older than {}", &rivals.older[..8], &rivals.newer[..8]);
    rivals.project.run(&["deploy"]).expect(9).says(&told).says("--allow-older");
    rivals.project.run(&["deploy", "--allow-older"]).expect(0);
}

#[test]
fn a_waiting_older_run_gives_way_to_a_newer_one() {
    let rivals = Rivals::new("giveway");
    let other = rivals.start_watching(&rivals.newer, &["--branch", "other"]);
    let older = rivals.start(&rivals.older, &[]);
    rivals.until_waiting(1);
    rivals.project.write("shipway.yaml", "deploy: {settle: 1s, superseded: fail}\n");
    let strict = rivals.start(&rivals.older, &[]);
    rivals.until_waiting(2);
    let newer = rivals.start(&rivals.newer, &[]);
    let older = older.wait().expect(0);
    let outcome = older.outcome();
    assert_eq!((&outcome["superseded"], &outcome["ok"]), (&true.into(), &true.into()), "{outcome}");
    let truth = outcome["truth"].as_str().unwrap_or_default().to_owned();
    assert!(truth.contains(&format!("gives way to {} (alice)", &rivals.newer[..8])), "{truth}");
    let strict = strict.wait().expect(9);
    assert_eq!(strict.outcome()["problems"][0]["code"], "superseded");
    signal(&other, "-INT");
    other.wait().expect(130);
    newer.wait().expect(0);
    assert_eq!(rivals.states(), ["failed", "succeeded"]);
}

#[test]
fn a_run_gives_way_while_it_watches_and_not_while_it_writes() {
    let rivals = Rivals::new("watches");
    rivals.add_hook(4);
    rivals.gets_ready(false);
    let older = rivals.start(&rivals.older, &[]);
    until(|| rivals.is_there("job/migrate-1"));
    rivals.gets_ready(true);
    let newer = rivals.start(&rivals.newer, &[]);
    rivals.until_waiting(1);
    assert!(!rivals.is_there("deployment/web"), "the hook was to hold it up");
    let older = older.wait().expect(0);
    assert!(older.events().iter().any(|event| event["event"] == "apply.done"), "{}", older.transcript());
    let outcome = older.outcome();
    assert_eq!(outcome["superseded"], true, "{outcome}");
    assert!(outcome["truth"].as_str().unwrap_or_default().contains("is applied, but not proven"), "{outcome}");
    newer.wait().expect(0);
    assert_eq!(rivals.states(), ["superseded", "succeeded"]);
}

#[test]
fn a_run_that_lost_the_lock_while_it_was_stopped_writes_nothing_more() {
    let rivals = Rivals::new("frozen");
    rivals.add_hook(3);
    let frozen = rivals.start(&rivals.newer, &[]);
    until(|| rivals.is_there("job/migrate-1"));
    signal(&frozen, "-STOP");
    rivals.project.run(&["unlock"]).expect(2).says("held by alice").says("--yes");
    rivals.project.run(&["unlock", "--yes"]).expect(0).says("taken from alice").says("is free");
    rivals.project.run(&["unlock", "--yes"]).expect(0).says("is free").never_says("taken");
    let written = || {
        let lease = rivals.lease()["metadata"]["resourceVersion"].clone();
        let secrets = rivals.project.bench.get(&rivals.namespace(), &["secret", "-l", "shipway.dev/revision"]);
        (lease, secrets["items"].clone())
    };
    let before = written();
    let namespace = rivals.namespace();
    rivals.project.bench.kubectl(&[
        "-n",
        &namespace,
        "wait",
        "--timeout=90s",
        "--for=condition=Complete",
        "job/migrate-1",
    ]);
    signal(&frozen, "-CONT");
    let frozen = frozen.wait().expect(8);
    assert_eq!(frozen.outcome()["problems"][0]["code"], "lock-lost");
    assert_eq!(written(), before);
    assert!(!rivals.is_there("deployment/web"));
}

#[test]
fn a_run_whose_lock_is_taken_away_ends_soon() {
    let rivals = Rivals::new("unlock");
    let holder = rivals.start_watching(&rivals.newer, &[]);
    rivals.project.run(&["unlock", "--yes"]).expect(0).says("taken from alice");
    let holder = holder.wait().expect(8);
    holder.says("the lock was lost").says("is applied, but not proven");
    rivals.project.run(&["deploy"]).expect(0);
    assert_eq!(rivals.states(), ["running", "succeeded"]);
}

#[test]
fn the_lock_of_a_killed_run_expires() {
    let rivals = Rivals::new("killed");
    let killed = rivals.start_watching(&rivals.newer, &[]);
    signal(&killed, "-KILL");
    killed.wait().expect(-1);
    let run = rivals.start(&rivals.newer, &[]).wait().expect(0);
    let taken = run.events().into_iter().find(|event| event["event"] == "lock.taken").expect("it took the lock");
    let waited = taken["waited"].as_f64().expect("seconds");
    assert!((2.0..20.0).contains(&waited), "{taken}");
}
