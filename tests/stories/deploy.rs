//! What a deploy finds in the cluster: other people's objects, and its own.

use crate::support::{Audit, Project, manifests};

fn apply(project: &Project, verb: &str, text: &str) {
    let output = project.bench.try_kubectl(&["-n", &project.namespace("qa"), verb, "-f", "-"], text);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Objects made by the scripts that shipway replaces are taken over: what the manifest no longer has is gone.
fn taken_over(story: &str, verb: &str) {
    let project = Project::pushed(story);
    let namespace = project.namespace("qa");
    project.bench.kubectl(&["create", "namespace", &namespace]);
    let before = manifests::deployment("web", &project.image()).replace(
        "          ports:\n",
        "          env:\n            - name: OLD\n              value: yes-please\n          ports:\n",
    );
    apply(&project, verb, &before);
    project.run(&["deploy"]).expect(0);
    let live = project.bench.get(&namespace, &["deployment", "web"]);
    assert!(live["spec"]["template"]["spec"]["containers"][0]["env"].is_null(), "{live}");
    assert!(live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"].is_null(), "{live}");
}

#[test]
fn what_kubectl_applied_is_taken_over() {
    taken_over("applied", "apply");
}

#[test]
fn what_kubectl_created_is_taken_over() {
    taken_over("created", "create");
}

#[test]
fn what_was_changed_by_hand_is_mended_and_told() {
    let project = Project::pushed("byhand");
    let namespace = project.namespace("qa");
    let with = manifests::deployment("web", &project.image()).replace(
        "          ports:\n",
        "          env:\n            - name: MODE\n              value: calm\n          ports:\n",
    );
    project.write("kubernetes/web.yaml", &with);
    project.run(&["deploy"]).expect(0);
    project.bench.kubectl(&["-n", &namespace, "set", "env", "deployment/web", "MODE=wild"]);
    project.run(&["plan"]).expect(0).says("MODE").says("wild").says("calm");
    project.run(&["deploy"]).expect(0);
    let live = project.bench.get(&namespace, &["deployment", "web"]);
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"], "calm");
}

#[test]
fn another_deployers_fields_stop_the_deploy() {
    let project = Project::pushed("foreign");
    let namespace = project.namespace("qa");
    project.run(&["deploy"]).expect(0);
    let foreign = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"minReadySeconds":1,"strategy":{"rollingUpdate":{"maxSurge":"50%"}}}}"#;
    let output = project.bench.try_kubectl(
        &["-n", &namespace, "apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", "-"],
        foreign,
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    project.run(&["deploy"]).expect(5).says("helm").says("maxSurge");
}

#[test]
fn an_object_of_another_app_stops_the_deploy() {
    let project = Project::pushed("theirs");
    let namespace = project.namespace("qa");
    project.bench.kubectl(&["create", "namespace", &namespace]);
    let other =
        manifests::service("web", "").replace("  name: web\n", "  name: web\n  labels:\n    shipway.dev/app: other\n");
    apply(&project, "create", &other);
    project.run(&["deploy"]).expect(5).says("service/web").says("other");
}

#[test]
fn a_hook_job_runs_before_the_workloads() {
    let project = Project::pushed("hook");
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations:\n    shipway.dev/phase: before\nspec:\n  \
         backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - name: migrate\n          \
         image: {}\n          command: [/bin/sh, -c, 'echo migrating; exit 0']\n",
        project.image()
    );
    project.write("kubernetes/job.yaml", &job);
    project.run(&["deploy"]).expect(0).says("job/migrate");
    project.write(
        "kubernetes/job.yaml",
        &job.replace("name: migrate\n  ann", "name: migrate-two\n  ann").replace("exit 0", "exit 4"),
    );
    project.write(
        "kubernetes/web.yaml",
        &manifests::deployment("web", &project.image()).replace("replicas: 2", "replicas: 1"),
    );
    project.run(&["deploy"]).expect(6).says("job/migrate-two").says("migrating");
    let live = project.bench.get(&project.namespace("qa"), &["deployment", "web"]);
    assert_eq!(live["spec"]["replicas"], 2, "a workload was changed after a failed hook");
}

#[test]
fn a_changed_configuration_rolls_the_pods_that_use_it() {
    let project = Project::pushed("flags");
    let with = manifests::deployment("web", &project.image()).replace(
        "          ports:\n",
        "          envFrom:\n            - configMapRef:\n                name: flags\n          ports:\n",
    );
    project.write("kubernetes/web.yaml", &with);
    let flags =
        |value: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata:\n  MODE: {value}\n");
    project.write("kubernetes/flags.yaml", &flags("calm"));
    project.run(&["deploy"]).expect(0);
    let generation =
        || project.bench.get(&project.namespace("qa"), &["deployment", "web"])["metadata"]["generation"].clone();
    let before = generation();
    project.write("kubernetes/flags.yaml", &flags("wild"));
    project.run(&["deploy"]).expect(0);
    assert_ne!(before, generation());
}

#[test]
fn an_older_commit_does_not_win() {
    let project = Project::web("older");
    project.branch("feature");
    let first = project.git(&["rev-parse", "HEAD"]);
    project.run(&["release"]).expect(0);
    project.commit("Go on");
    project.run(&["release"]).expect(0);
    project.git(&["checkout", "-q", &first]);
    project.git(&["checkout", "-q", "-B", "feature"]);
    project.run(&["deploy"]).expect(9).says("--allow-older");
    project.run(&["deploy", "--allow-older"]).expect(0);
}

#[test]
fn manifests_of_another_renderer_are_taken_from_standard_input() {
    let project = Project::pushed("piped");
    let text = manifests::deployment("web", &project.image())
        + "---\n"
        + &manifests::namespace(&project.namespace("qa"))
        + "---\n"
        + &manifests::service("web", "");
    let run = project.run_with_input(&["deploy", "-f", "-"], &text).expect(0);
    run.says("deployment/web");
}

#[test]
fn custom_resources_go_by_the_clusters_own_names() {
    let project = Project::pushed("custom");
    let group = format!("{}.example.com", project.app);
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: mice.{group}\nspec:\n  group: {group}\n  \
         scope: Namespaced\n  names: {{kind: Mouse, plural: mice}}\n  versions:\n    - name: v1\n      served: true\n      \
         storage: true\n      schema:\n        openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}\n"
    );
    let mouse = |version: &str| {
        format!("apiVersion: {group}/{version}\nkind: Mouse\nmetadata:\n  name: jerry\nspec:\n  colour: grey\n")
    };
    project.write("kubernetes/mouse.yaml", &mouse("v1"));
    project.run(&["deploy"]).expect(2).says("Mouse").says("kubernetes/mouse.yaml:1");

    let made = project.bench.try_kubectl(&["create", "-f", "-"], &definition);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let name = format!("crd/mice.{group}");
    project.bench.kubectl(&["wait", "--for=condition=Established", &name, "--timeout=30s"]);
    project.run(&["deploy"]).expect(0);
    let live = project.bench.get(&project.namespace("qa"), &[&format!("mice.{group}"), "jerry"]);
    assert_eq!(live["spec"]["colour"], "grey");
    project.write("kubernetes/mouse.yaml", &mouse("v2"));
    project.run(&["deploy"]).expect(2).says(&format!("{group}/v1"));
    project.bench.kubectl(&["delete", &name, "--wait=false"]);
}

#[test]
fn a_job_runs_once_for_each_release_that_changes_it() {
    let project = Project::pushed("jobs");
    let job = |word: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations:\n    shipway.dev/phase: before\nspec:\n  \
             template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - name: migrate\n          \
             image: {}\n          command: [/bin/echo, {word}]\n",
            project.image()
        )
    };
    let runs = || {
        let names = project.bench.kubectl(&["-n", &project.namespace("qa"), "get", "jobs", "-o", "name"]);
        let mut names: Vec<String> = names.lines().map(str::to_owned).collect();
        names.sort();
        names
    };
    project.write("kubernetes/job.yaml", &job("one"));
    project.run(&["deploy"]).expect(0);
    project.run(&["deploy", "-v"]).expect(0).says("has run already, as migrate-1");
    assert_eq!(runs(), ["job.batch/migrate-1"]);
    project.write("kubernetes/job.yaml", &job("two"));
    project.run(&["deploy"]).expect(0);
    assert_eq!(runs(), ["job.batch/migrate-1", "job.batch/migrate-3"]);
}

#[test]
fn a_job_for_failures_runs_after_a_failure_only() {
    let project = Project::pushed("alarm");
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: alarm\n  annotations:\n    shipway.dev/phase: on-failure\nspec:\n  \
         template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - name: alarm\n          \
         image: {}\n          command: [/bin/echo, alarm]\n",
        project.image()
    );
    let jobs = || project.bench.kubectl(&["-n", &project.namespace("qa"), "get", "jobs", "-o", "name"]);
    project.write("kubernetes/job.yaml", &job);
    project.run(&["deploy"]).expect(0);
    assert_eq!(jobs(), "");
    let broken = manifests::deployment("web", &project.image()).replace("path: /\n", "path: /missing\n");
    project.write("kubernetes/web.yaml", &broken);
    project.run(&["deploy", "--timeout", "6s"]).expect(7).says("deployment/web");
    assert_eq!(jobs().trim(), "job.batch/alarm-2");
}

/// What the record proves costs no rehearsal and no write; what was touched by hand does, and is mended.
#[test]
fn what_nobody_touched_is_neither_rehearsed_nor_written() {
    let project = Project::pushed("still");
    let namespace = project.namespace("qa");
    let patches = |audit: &Audit| {
        let found = audit.requests(&namespace);
        assert!(!found.is_empty(), "the audit log has none of these requests");
        // the record is a Secret of shipway's own
        found.iter().filter(|request| request.verb == "patch" && !request.uri.contains("/secrets/shipway.")).count()
    };
    project.run(&["deploy"]).expect(0);
    project.bench.kubectl(&["-n", &namespace, "label", "deployment/web", "mine=stays"]);
    let audit = Audit::begin(&project.bench);
    project.run(&["deploy"]).expect(0);
    assert_eq!(patches(&audit), 0, "{:#?}", audit.requests(&namespace));
    // one rehearsal and one write; each twice where another manager's field is in the way
    for (touch, expected) in [
        (vec!["delete", "service/web"], 2),
        (vec!["label", "--overwrite", "deployment/web", "shipway.dev/env=wild"], 4),
        (vec!["set", "image", "deployment/web", "*=localhost/none:1"], 4),
    ] {
        project.bench.kubectl(&[vec!["-n", namespace.as_str()], touch.clone()].concat());
        let audit = Audit::begin(&project.bench);
        project.run(&["deploy"]).expect(0);
        assert_eq!(patches(&audit), expected, "{touch:?}");
    }
    let live = project.bench.get(&namespace, &["deployment", "web"]);
    assert_eq!(live["metadata"]["labels"]["mine"], "stays");
    assert_eq!(live["metadata"]["labels"]["shipway.dev/env"], "qa");
}

/// A whole object that is written back in another order leaves our own entry in `managedFields` as it was.
#[test]
fn variables_that_a_put_has_reordered_stand_in_their_order_again() {
    let project = Project::pushed("reorder");
    let namespace = project.namespace("qa");
    let with = manifests::deployment("web", &project.image()).replace(
        "          ports:\n",
        "          env:\n            - name: HOST\n              value: db\n            - name: URL\n              value: \
         http://$(HOST)/\n          ports:\n",
    );
    project.write("kubernetes/web.yaml", &with);
    project.run(&["deploy"]).expect(0);
    let variables = || {
        let live = project.bench.get(&namespace, &["deployment", "web"]);
        live["spec"]["template"]["spec"]["containers"][0]["env"].clone()
    };
    let before = variables();
    let mut live = project.bench.get(&namespace, &["deployment", "web"]);
    let list = live["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().expect("a list");
    list.reverse();
    let output = project.bench.try_kubectl(&["-n", &namespace, "replace", "-f", "-"], &live.to_string());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_ne!(variables(), before);
    project.run(&["deploy"]).expect(0);
    assert_eq!(variables(), before);
}
