//! Custom resources whose status shipway.yaml explains. The story is their controller: it writes the status.

use serde_json::{Value, json};

use crate::support::{Audit, Bench, Project, Run, Running, wire::is_true, workloads::merged};

const RULES: &str = "    ready: {.status.phase: Running, '.status.conditions[?(@.type==\"Synced\")].status': True}
    failed: {.status.phase: [Failed, Broken]}
    reason: .status.message
";

fn any() -> Value {
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// A kind of the story's own, which goes with it.
struct Definition {
    name: String,
}

impl Definition {
    /// With a status that is written apart.
    fn of(project: &Project) -> Self {
        Self::with(project, json!({"subresources": {"status": {}}}), json!({"spec": any(), "status": any()}))
    }

    /// Established, and its schema published, which comes later.
    fn with(project: &Project, more: Value, fields: Value) -> Self {
        let group = format!("{}.example.com", project.app);
        let name = format!("databases.{group}");
        let schema = json!({"type": "object", "properties": fields});
        let version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
        let version = merged(version, more);
        let names = json!({"kind": "Database", "plural": "databases", "singular": "database"});
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": name}, "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]}});
        Bench.try_kubectl(&["apply", "-f", "-"], &definition.to_string());
        // `kubectl wait` fails while there is no status at all
        while !is_true(&Bench.get("default", &["crd", &name]), "Established") {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let schema = format!("/openapi/v3/apis/{group}/v1");
        while !Bench.try_kubectl(&["get", "--raw", &schema], "").status.success() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Self { name }
    }
}

impl Drop for Definition {
    fn drop(&mut self) {
        Bench.try_kubectl(&["delete", "crd", &self.name, "--wait=false"], "");
    }
}

/// A project that deploys one database of a size, and the rules for its kind.
fn project(story: &str, rules: &str) -> (Project, Definition) {
    let project = Project::new(story);
    let definition = Definition::of(&project);
    project.branch("feature");
    project.write("shipway.yaml", &format!("status:\n  - kind: Database.{}.example.com\n{rules}", project.app));
    write(&project, 1);
    project.commit("Keep data");
    (project, definition)
}

fn write(project: &Project, size: u32) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": project.namespace("qa")}});
    let database = json!({"apiVersion": format!("{}.example.com/v1", project.app), "kind": "Database",
        "metadata": {"name": "main"}, "spec": {"size": size}});
    project.write(
        "objects.json",
        &json!({"apiVersion": "v1", "kind": "List", "items": [namespace, database]}).to_string(),
    );
}

fn deploy(project: &Project) -> Running {
    project.start(&["deploy", "-f", "objects.json", "--timeout", "30s"])
}

/// As kubectl takes it where several groups have such a kind.
fn kind(project: &Project) -> String {
    format!("databases.{}.example.com", project.app)
}

/// Writes what its controller would.
fn report(project: &Project, (generation, phase, synced): (u32, &str, &str), message: &str) {
    let conditions = json!([{"type": "Synced", "status": synced}]);
    let status =
        json!({"observedGeneration": generation, "phase": phase, "message": message, "conditions": conditions});
    let patch = json!({"status": status}).to_string();
    let namespace = project.namespace("qa");
    let kind = kind(project);
    let arguments = ["-n", &namespace, "patch", &kind, "main", "--subresource=status", "--type=merge", "-p", &patch];
    project.bench.kubectl(&arguments);
}

#[test]
fn a_rule_tells_when_a_custom_resource_is_ready_and_when_it_has_failed() {
    let (project, _definition) = project("dbrule", RULES);
    let running = deploy(&project);
    running.until_says("database/main waiting");
    report(&project, (1, "Creating", "True"), "copies data");
    running.until_says("waiting: .status.phase to be Running");
    report(&project, (1, "Running", "True"), "");
    let run = running.wait().expect(0);
    run.says("database/main ready");

    // the status of before says nothing about the change, be it good or bad
    write(&project, 2);
    let running = deploy(&project);
    running.until_says("waiting: its controller to see the change");
    report(&project, (1, "Broken", "True"), "an older failure");
    report(&project, (2, "Broken", "True"), "no disk of this size");
    let run = running.wait().expect(6);
    run.says("error[status-failed]").says("has failed: .status.phase is Broken: no disk of this size");
    run.says("shipway.yaml:2:5").never_says("an older failure");
    assert!(run.seconds < 15.0, "{}", run.transcript());
}

#[test]
fn what_never_comes_is_told_with_its_rule() {
    let (project, _definition) = project("dbwait", RULES);
    project.run(&["deploy", "-f", "objects.json", "--timeout", "2s"]).expect(7).says(".status.phase is not there yet");
    report(&project, (1, "Running", "True"), "");
    project.run(&["deploy", "-f", "objects.json"]).expect(0);
    write(&project, 2);
    let run = project.run(&["deploy", "-f", "objects.json", "--timeout", "4s"]).expect(7);
    run.says("waiting for its controller to see the change").never_says("status-failed");
    report(&project, (2, "Creating", "True"), "waits for its disk");
    let run = project.run(&["deploy", "-f", "objects.json", "--timeout", "4s"]).expect(7);
    run.says("error[not-ready]").says(".status.phase is Creating, not Running: waits for its disk");
    run.says("shipway.yaml:2:5");
    assert!(run.seconds < 15.0, "{}", run.transcript());
}

#[test]
fn rules_count_offline_and_may_say_not_to_wait() {
    let (mut project, _definition) = project("dbsaved", "    ignore: true\n");
    let run = project.run(&["deploy", "-f", "objects.json", "--output", "json"]).expect(0);
    let objects = run.outcome()["objects"].clone();
    let verdict = |object: &Value| (object["kind"] == "Database").then(|| object["verdict"].clone());
    assert_eq!(objects.as_array().into_iter().flatten().find_map(verdict), Some("assumed".into()), "{objects}");
    report(&project, (1, "Broken", "True"), "no disk");
    let saved = project.bench.kubectl(&["-n", &project.namespace("qa"), "get", &kind(&project), "-o", "yaml"]);
    project.unset("KUBECONFIG");
    project.run_with_input(&["status", "-f", "-"], &saved).expect(0).says("its status does not matter");
    let kind = format!("status:\n  - kind: Database.{}.example.com\n", project.app);
    project.write("shipway.yaml", &format!("{kind}{RULES}"));
    let run = project.run_with_input(&["status", "-f", "-"], &saved).expect(6);
    run.says("status-failed").says(".status.phase is Broken: no disk").says("failing");
    project.write("shipway.yaml", "status:\n  - {kind: Deployment.apps, ignore: true}\n");
    let run = project.run_with_input(&["status", "-f", "-"], &saved).expect(2);
    run.says("which shipway judges by itself").says("shipway.yaml:2:6");
}

/// Seconds of a deploy of one resource whose controller never says anything, and how often the kind's schema was read.
fn deploy_silent(story: &str, more: Value, fields: Value) -> (Run, usize) {
    let project = Project::new(story);
    let _definition = Definition::with(&project, more, fields);
    project.branch("feature");
    write(&project, 1);
    project.commit("Keep data");
    let audit = Audit::begin(&project.bench);
    let run = deploy(&project).wait().expect(0);
    let requests = audit.requests(&project.app);
    (run, requests.iter().filter(|request| request.uri.contains("/openapi/")).count())
}

#[test]
fn a_status_is_waited_for_only_where_there_can_be_one() {
    let silent = |story: &'static str, more: Value, fields: Value| move || deploy_silent(story, more, fields);
    let apart = json!({"subresources": {"status": {}}});
    std::thread::scope(|scope| {
        let none = scope.spawn(silent("nostatus", json!({}), json!({"spec": any()})));
        let field = scope.spawn(silent("statusfield", json!({}), json!({"spec": any(), "status": any()})));
        let apart = scope.spawn(silent("statusapart", apart, json!({"spec": any(), "status": any()})));
        let (run, schemas) = none.join().expect("a run");
        run.says("its kind has no status").never_says("waited 10 s");
        assert_eq!(schemas, 1, "{}", run.transcript());
        for (waited, wanted) in [(field, 1), (apart, 0)] {
            let (run, schemas) = waited.join().expect("a run");
            run.says("waited 10 s for a status");
            assert_eq!(schemas, wanted, "{}", run.transcript());
        }
    });
}
