//! What is gone from the manifests goes from the cluster, once the new version is healthy.

use crate::support::{
    Project, Run, manifests,
    proxy::{Fault, Proxy, Rule, Seen, Then},
};

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

/// Deploys what is given on standard input.
fn given(project: &Project, names: &[&str], more: &[&str]) -> Run {
    let stream: Vec<String> = names.iter().map(|name| map(name, "")).collect();
    project.run_with_input(&[&["deploy", "-f", "-"], more].concat(), &stream.join("---\n")).expect(0)
}

/// A project that runs no pod, with two ConfigMaps of its own.
fn without_pods(story: &str) -> Project {
    let mut project = Project::new(story);
    project.branch("feature");
    project.set("SHIPWAY_TAG", "1");
    let report = format!(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: report\nspec:\n  schedule: \"0 0 1 1 *\"\n  suspend: true\n  \
         jobTemplate:\n    spec:\n      template:\n        spec:\n          restartPolicy: Never\n          containers:\n            \
         - name: report\n              image: {}/base/busybox\n",
        project.bench.variable("REGISTRY")
    );
    project.write("kubernetes/report.yaml", &report);
    project.write("kubernetes/own.yaml", &map("own", ""));
    project.write("kubernetes/old.yaml", &map("old", ""));
    project.write("shipway.yaml", "environments:\n  qa: {branches: [\"*\"], create_namespace: true}\n");
    project.commit("Report");
    project
}

#[test]
fn of_a_stream_that_was_cut_off_not_much_is_pruned_without_a_word() {
    let project = without_pods("cutstream");
    let all = ["a", "b", "c", "d", "e", "f", "g", "h"];
    given(&project, &all, &[]);
    // cut between two documents it is a stream like any other
    given(&project, &all[..2], &[]).never_says("pruned");
    let stream: Vec<String> = all[..2].iter().map(|name| map(name, "")).collect();
    let plan = project.run_with_input(&["plan", "-f", "-", "--prune"], &stream.join("---\n")).expect(0);
    plan.says("configmap/c is gone from the manifests and kept: it needs --yes-prune");
    let run = given(&project, &all[..2], &["--prune"]);
    run.says("configmap/h is gone from the manifests and kept: it needs --yes-prune").never_says("pruned");
    assert!(all.iter().all(|name| is_there(&project, name)));
    // a few go, and the plan lists them
    let stream: Vec<String> = all[..6].iter().map(|name| map(name, "")).collect();
    let plan = project.run_with_input(&["plan", "-f", "-", "--prune"], &stream.join("---\n")).expect(0);
    plan.says("configmap/g").says("after the new version is healthy").never_says("kept");
    given(&project, &all[..6], &["--prune"]).says("configmap/g pruned").says("configmap/h pruned");
    given(&project, &all[..1], &["--prune", "--yes-prune"]).says("configmap/b pruned");
    assert!(!all[1..].iter().any(|name| is_there(&project, name)));
}

#[test]
fn what_was_given_and_what_is_the_apps_own_are_pruned_each_by_its_own_source() {
    let project = without_pods("sources");
    let remove =
        |name: &str| std::fs::remove_file(project.root().join(format!("kubernetes/{name}.yaml"))).expect("a manifest");
    project.run(&["deploy"]).expect(0).says("configmap/own created");
    given(&project, &["extra", "more"], &[]);
    remove("old");
    project.run(&["deploy"]).expect(0).says("configmap/old pruned").never_says("extra");
    given(&project, &["extra"], &["--prune"]).says("configmap/more pruned").never_says("own");
    assert!(is_there(&project, "own") && is_there(&project, "extra"));
    // what both have is the one's that applied it last
    given(&project, &["extra", "own"], &[]);
    remove("own");
    project.run(&["deploy"]).expect(0).never_says("pruned");
    given(&project, &["extra"], &["--prune"]).says("configmap/own pruned");
    assert!(!is_there(&project, "own") && is_there(&project, "extra"));
}

/// A ClusterRoleBinding, which lies in no namespace; each preview has one of its own.
fn bind(project: &Project, name: &str) {
    let text = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata:\n  name: {name}-${{shipway.namespace}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}\nsubjects:\n  - kind: ServiceAccount\n    \
         name: default\n    namespace: ${{shipway.namespace}}\n"
    );
    project.write("kubernetes/binding.yaml", &text);
}

#[test]
fn what_another_preview_has_outside_of_its_namespace_stays() {
    let mut project = without_pods("bindings");
    project.write(
        "shipway.yaml",
        "substitute: true\nallow: {cluster_scoped: [ClusterRoleBinding.rbac.authorization.k8s.io]}\nenvironments:\n  \
         preview: {branches: [\"*\"], namespace: \"{app}-{branch}\", create_namespace: true}\n",
    );
    project.set("SHIPWAY_LOCK_EXPIRY", "2");
    let proxy = Proxy::start(&project.bench);
    proxy.guard(&mut project);
    let deploy = |more: &[&str]| {
        let run = project.run(&[&["deploy", "--output", "json"], more].concat()).expect(0);
        run.outcome()["namespace"].as_str().expect("a namespace").to_owned()
    };
    let bound = |name: &str, namespace: &str| {
        let binding = format!("{name}-{namespace}");
        project.bench.try_kubectl(&["get", "clusterrolebinding", &binding], "").status.success()
    };
    bind(&project, "reader");
    let theirs = deploy(&[]);
    project.branch("cart");
    let ours = deploy(&[]);

    bind(&project, "viewer");
    project.run(&["plan"]).expect(0).says(&format!("clusterrolebinding/reader-{ours}")).never_says(&theirs);
    assert_eq!(deploy(&[]), ours);
    assert!(bound("viewer", &ours) && !bound("reader", &ours), "what is gone from the manifests is still there");
    assert!(bound("reader", &theirs), "another preview's was deleted");

    // a run that is killed leaves one that no record names
    let is_written = |seen: &Seen| seen.is_write() && seen.path.contains("/killed-");
    let killed = || {
        bind(&project, "killed");
        proxy.rule(Rule::when(is_written, Fault::After(Then::Kill)));
        assert!(proxy.run(&project, &["deploy"]).code < 0, "not killed");
        proxy.forget_rules();
        assert!(bound("killed", &ours), "killed too early");
    };
    killed();
    bind(&project, "last");
    // not even its namespace goes
    assert_eq!(deploy(&["--prune-all"]), ours);
    assert!(bound("last", &ours) && !bound("killed", &ours) && !bound("viewer", &ours), "something is still there");
    assert!(bound("reader", &theirs), "another preview's was deleted");
    let space = project.bench.get("default", &["namespace", &theirs]);
    assert!(space["metadata"]["deletionTimestamp"].is_null(), "another preview's namespace was deleted");

    // with the preview goes all that it has there
    killed();
    project.run(&["destroy", "--branch", "cart", "--yes"]).expect(0).says("destroyed preview");
    assert!(!bound("last", &ours) && !bound("killed", &ours), "something is left of what was destroyed");
    assert!(bound("reader", &theirs), "another preview's was deleted");
}
