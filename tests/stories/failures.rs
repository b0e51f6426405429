//! Deploys that cannot succeed: each is told apart, at once, with its reason.

use crate::support::{Project, manifests};

/// No namespace of the project is there.
fn assert_untouched(project: &Project) {
    let namespaces = project.bench.kubectl(&["get", "namespace", "-o", "name"]);
    assert!(!namespaces.contains(&project.app), "{namespaces}");
}

#[test]
fn a_missing_tag_is_told_before_anything_is_written() {
    let project = Project::pushed("notag");
    let run = project.run(&["deploy", "--tag", "nowhere"]).expect(4);
    run.says("nowhere").says("error[image-not-found]");
    assert_untouched(&project);
}

#[test]
fn a_crash_loop_is_told_with_exit_code_and_log() {
    let project = Project::web("crash");
    project.branch("feature");
    let base = format!("{}/base/busybox:1", project.bench.variable("REGISTRY"));
    project
        .write("Dockerfile", &format!("FROM {base}\nCMD [\"/bin/sh\", \"-c\", \"echo boom: no database; exit 3\"]\n"));
    project.commit("Break it");
    project.run(&["build"]).expect(0);
    project.run(&["push"]).expect(0);
    let run = project.run(&["deploy"]).expect(6);
    run.says("error[crash-loop]").says("deployment/web").says("boom: no database").says("code 3");
    assert!(run.seconds < 30.0, "told after {:.0} s", run.seconds);
    // nothing has changed since, and it is told again as soon
    let again = project.run(&["deploy"]).expect(6);
    again.says("error[crash-loop]").says("boom: no database");
    assert!(again.seconds < 30.0, "told after {:.0} s", again.seconds);
}

#[test]
fn a_fix_after_a_failure_succeeds() {
    let project = Project::web("fixed");
    project.branch("feature");
    let base = format!("{}/base/busybox:1", project.bench.variable("REGISTRY"));
    project.write("Dockerfile", &format!("FROM {base}\nCMD [\"/bin/false\"]\n"));
    project.commit("Break it");
    project.run(&["release"]).expect(6);
    project.write("Dockerfile", &project.dockerfile("mended"));
    project.commit("Mend it");
    project.run(&["release"]).expect(0);
}

#[test]
fn an_api_version_that_is_gone_is_told_with_its_place() {
    let project = Project::pushed("gone");
    let old = manifests::deployment("web", &project.image()).replace("apps/v1", "extensions/v1beta1");
    project.write("kubernetes/web.yaml", &old);
    project.commit("Use an old API");
    let run = project.run(&["deploy"]).expect(2);
    run.says("kubernetes/web.yaml:1").says("apps/v1").says("extensions/v1beta1");
    assert_untouched(&project);
}

#[test]
fn a_typing_error_in_a_field_is_told_with_its_place() {
    let project = Project::pushed("typo");
    project.run(&["deploy"]).expect(0);
    let wrong = manifests::deployment("web", &project.image()).replace("  replicas: 2", "  replica: 2");
    project.write("kubernetes/web.yaml", &wrong);
    let run = project.run(&["deploy"]).expect(2);
    run.says("kubernetes/web.yaml:8").says("unknown field `spec.replica`").says("did you mean `replicas`?");
    let wrong = wrong.replace("  replica: 2", "  replicas: 2").replace("containerPort:", "containerport:");
    project.write("kubernetes/web.yaml", &wrong);
    project.run(&["deploy"]).expect(2).says("did you mean `containerPort`?");
}

#[test]
fn pods_that_never_get_ready_time_out() {
    let project = Project::web("never");
    project.branch("feature");
    let text = manifests::deployment("web", &project.image()).replace("path: /\n", "path: /missing\n");
    project.write("kubernetes/web.yaml", &text);
    project.commit("Probe a missing page");
    let run = project.run(&["release", "--timeout", "8s"]).expect(7);
    run.says("deployment/web").says("web-");
}

#[test]
fn another_namespace_in_a_manifest_is_refused() {
    let project = Project::pushed("abroad");
    let text = manifests::service("web", "").replace("  name: web\n", "  name: web\n  namespace: kube-system\n");
    project.write("kubernetes/web-svc.yaml", &text);
    let run = project.run(&["deploy"]).expect(2);
    run.says("kube-system").says("kubernetes/web-svc.yaml");
    assert_untouched(&project);
}

#[test]
fn a_missing_namespace_is_told_with_what_to_do() {
    let project = Project::pushed("nons");
    std::fs::remove_file(project.root().join("kubernetes/qa-ns.yaml")).expect("a file to remove");
    let run = project.run(&["deploy"]).expect(5);
    run.says(&project.namespace("qa"));
}
