//! What is gone from the manifests goes from the cluster, once the new version is healthy.

use crate::support::{Project, manifests};

fn map(name: &str, more: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{more}data:\n  a: b\n")
}

/// Deployed with `old` and `kept`, whose manifests are then gone.
fn outdated(story: &str) -> Project {
    let mut project = Project::web(story);
    project.branch("feature");
    project.set("SHIPWAY_TAG", "one");
    project.write("kubernetes/old.yaml", &map("old", ""));
    project.write("kubernetes/kept.yaml", &map("kept", "  annotations:\n    shipway.dev/prune: never\n"));
    project.run(&["build"]).expect(0);
    project.run(&["push"]).expect(0);
    project.run(&["deploy"]).expect(0);
    for file in ["old", "kept"] {
        std::fs::remove_file(project.root().join(format!("kubernetes/{file}.yaml"))).expect("a manifest");
    }
    project
}

fn is_there(project: &Project, name: &str) -> bool {
    project.bench.try_kubectl(&["-n", &project.namespace("qa"), "get", "configmap", name], "").status.success()
}

#[test]
fn what_is_gone_from_the_manifests_goes_after_success_and_not_before() {
    let project = outdated("prune");
    let namespace = project.namespace("qa");
    let foreign =
        map("foreign", &format!("  labels:\n    shipway.dev/app: {}\n    shipway.dev/env: qa\n", project.app));
    let made = project.bench.try_kubectl(&["-n", &namespace, "create", "-f", "-"], &foreign);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    project.run(&["plan"]).expect(0).says("configmap/old").says("after the new version is healthy");
    let web = manifests::deployment("web", &project.image());
    let broken = web.replace("          ports:\n", "          command: [/bin/false]\n          ports:\n");
    project.write("kubernetes/web.yaml", &broken);
    project.run(&["deploy", "--timeout", "40s"]).expect(6);
    assert!(is_there(&project, "old"), "deleted while the rollout failed");

    project.write("kubernetes/web.yaml", &web);
    let given = project.root().join("kubernetes/web.yaml").display().to_string();
    project.run(&["deploy", "-f", &given]).expect(0).never_says("configmap/old");
    assert!(is_there(&project, "old"), "deleted with -f");

    project.run(&["deploy"]).expect(0).says("configmap/old pruned").says("shipway.dev/prune: never");
    assert!(!is_there(&project, "old"), "still there");
    assert!(is_there(&project, "kept") && is_there(&project, "foreign"));
}
