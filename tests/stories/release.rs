//! A repository that has no configuration, from a commit to running pods.

use crate::support::Project;

#[test]
fn a_branch_goes_to_qa_and_master_to_production() {
    let project = Project::web("plain");
    project.branch("feature/cart");
    let commit = project.commit("Add a cart");

    let qa = project.run(&["release", "--output", "json"]).expect(0).outcome();
    assert_eq!(qa["env"], "qa");
    assert_eq!(qa["namespace"], project.namespace("qa"));
    assert_eq!(qa["commit"], commit);
    assert_eq!(qa["tag"], format!("feature_cart-{}", &commit[..8]));
    assert_eq!(qa["images"][0]["pods"], 2);
    assert_runs(&project, "qa", qa["images"][0]["digest"].as_str().expect("a digest"));

    project.git(&["checkout", "-q", "master"]);
    let production = project.run(&["release", "--yes", "--output", "json"]).expect(0).outcome();
    assert_eq!(production["env"], "production");
    assert_eq!(production["namespace"], project.app);
    assert_runs(&project, "production", production["images"][0]["digest"].as_str().expect("a digest"));
}

/// The cluster itself, asked with kubectl, runs this digest in every pod and carries shipway's labels.
fn assert_runs(project: &Project, environment: &str, digest: &str) {
    let namespace = project.namespace(environment);
    let pods = project.bench.get(&namespace, &["pods", "-l", "app=web"]);
    let running: Vec<&str> = pods["items"]
        .as_array()
        .expect("pods")
        .iter()
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
        .map(|pod| pod["status"]["containerStatuses"][0]["imageID"].as_str().expect("an image id"))
        .collect();
    assert_eq!(running.len(), 2, "{pods}");
    assert!(running.iter().all(|image| image.ends_with(digest)), "{running:?} are not {digest}");
    let deployment = project.bench.get(&namespace, &["deployment", "web"]);
    assert_eq!(deployment["metadata"]["labels"]["shipway.dev/app"], project.app.as_str());
    assert_eq!(deployment["metadata"]["labels"]["shipway.dev/env"], environment);
    assert!(deployment["spec"]["selector"]["matchLabels"]["shipway.dev/app"].is_null());
}

#[test]
fn a_second_deploy_of_the_same_commit_writes_no_object() {
    let project = Project::web("again");
    project.branch("feature");
    project.run(&["release"]).expect(0);
    let before = versions(&project);
    let again = project.run(&["deploy", "--output", "json"]).expect(0).outcome();
    for object in again["objects"].as_array().expect("objects") {
        assert!(object["change"] == "unchanged" || object["change"] == "skipped", "{object}");
    }
    assert_eq!(before, versions(&project));
}

fn versions(project: &Project) -> Vec<String> {
    let namespace = project.namespace("qa");
    ["deployment", "service"]
        .map(|kind| project.bench.get(&namespace, &[kind, "web"])["metadata"]["generation"].to_string())
        .to_vec()
}

#[test]
fn production_is_not_touched_without_a_yes() {
    let project = Project::web("ask");
    let run = project.run(&["deploy"]).expect(2);
    run.says("--yes");
    let namespaces = project.bench.kubectl(&["get", "namespace", "-o", "name"]);
    assert!(!namespaces.lines().any(|line| line == format!("namespace/{}", project.app)), "{namespaces}");
}

#[test]
fn plan_says_what_deploy_would_do_and_writes_nothing() {
    let project = Project::web("plan");
    project.branch("feature");
    project.run(&["build"]).expect(0);
    project.run(&["push"]).expect(0);
    let plan = project.run(&["plan", "--exit-code"]).expect(10);
    plan.says("deployment/web").says("service/web").says(&project.namespace("qa")).says("feature-");
    let namespaces = project.bench.kubectl(&["get", "namespace", "-o", "name"]);
    assert!(!namespaces.contains(&project.namespace("qa")), "{namespaces}");
    project.run(&["deploy"]).expect(0);
    project.run(&["plan", "--exit-code"]).expect(0);
}

#[test]
fn render_is_what_kubectl_reads() {
    let project = Project::web("render");
    project.branch("feature");
    project.run(&["build"]).expect(0);
    project.run(&["push"]).expect(0);
    let rendered = project.run(&["render"]).expect(0);
    let answer = project.bench.try_kubectl(&["apply", "--dry-run=client", "-o", "name", "-f", "-"], &rendered.stdout);
    let names = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(names.contains("deployment.apps/web") && names.contains("service/web"), "{names}{}", rendered.stdout);
    assert!(!names.contains(&format!("namespace/{}\n", project.app)), "{names}");
}
