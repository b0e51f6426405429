//! Environments that come and go: previews for a branch or a user.

use serde_json::Value;

use crate::support::{Bench, Project, manifests};

/// A project whose feature branches have previews; `more` stands beside their namespace.
fn previews(story: &str, more: &str) -> Project {
    let mut project = Project::web(story);
    project.set("SHIPWAY_TAG", "one");
    project.write(
        "shipway.yaml",
        &format!(
            "environments:\n  production: {{branches: [master]}}\n  \
             preview: {{branches: [\"feature/*\"], namespace: \"{{app}}-{{branch}}\", create_namespace: true{more}}}\n  \
             qa: {{branches: [\"*\"]}}\n"
        ),
    );
    project.branch("feature/cart");
    project.commit("Give each branch a preview");
    project.run(&["build"]).expect(0);
    project.run(&["push"]).expect(0);
    project
}

/// The namespace that a branch goes to.
fn namespace(project: &Project, branch: &str) -> String {
    let run = project.run(&["config", "--branch", branch, "--output", "json"]).expect(0);
    let settings: Value = serde_json::from_str(&run.stdout).expect("JSON");
    settings["settings"]["namespace"]["value"].as_str().expect("a namespace").to_owned()
}

fn is_there(bench: &Bench, what: &[&str]) -> bool {
    bench.try_kubectl(&[&["get"], what].concat(), "").status.success()
}

fn make(project: &Project, namespace: &str, text: &str) {
    let made = project.bench.try_kubectl(&["-n", namespace, "apply", "-f", "-"], text);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// The namespace itself, as the cluster has it.
fn live(project: &Project, namespace: &str) -> Value {
    project.bench.get("default", &["namespace", namespace])
}

/// The login of the guarded registry, as kubectl makes it of a password.
fn pull_secret(project: &Project, namespace: &str, password: &str) {
    let server = format!("--docker-server={}", project.bench.variable("REGISTRY_LOGIN"));
    let user = format!("--docker-username={}", project.bench.variable("REGISTRY_USER"));
    let password = format!("--docker-password={password}");
    let made = [
        "create",
        "secret",
        "docker-registry",
        "regcred",
        &server,
        &user,
        &password,
        "-n",
        namespace,
        "--dry-run=client",
        "-o",
        "yaml",
    ];
    let text = project.bench.kubectl(&made);
    make(project, namespace, &text);
}

#[test]
fn a_preview_from_nothing_pulls_with_a_copied_login() {
    let mut project = Project::web("preview");
    let (open, login) = (project.bench.variable("REGISTRY"), project.bench.variable("REGISTRY_LOGIN"));
    let web = manifests::deployment("web", &project.image().replace(&open, &login))
        .replace("      containers:\n", "      imagePullSecrets:\n        - name: regcred\n      containers:\n");
    project.write("kubernetes/web.yaml", &web);
    let qa = project.namespace("qa");
    project.write(
        "shipway.yaml",
        &format!(
            "environments:\n  preview: {{branches: [\"feature/*\"], namespace: \"{{app}}-{{branch}}\", create_namespace: true, \
             ttl: 72h, copy_secrets: {{from: {qa}, names: [regcred]}}}}\n  qa: {{branches: [\"*\"]}}\n"
        ),
    );
    project.branch("feature/cart");
    project.commit("Give each branch a preview");
    let password = project.bench.password();
    let user = project.bench.variable("REGISTRY_USER");
    project.set("DOCKER_USERNAME", &user);
    project.set("DOCKER_PASSWORD", &password);
    project.run(&["build"]).expect(0);
    project.run(&["push"]).expect(0);
    let namespace = namespace(&project, "feature/cart");

    // nothing is made where the login is not there
    project.bench.kubectl(&["create", "namespace", &qa]);
    project.run(&["deploy"]).expect(5).says("error[secret-missing]").says("secret/regcred").says("create secret");
    assert!(!is_there(&project.bench, &["namespace", &namespace]));

    pull_secret(&project, &qa, &password);
    project.run(&["plan"]).expect(0).says("create_namespace").says(&format!("copied from {qa}"));
    assert!(!is_there(&project.bench, &["namespace", &namespace]));
    let run = project.run(&["deploy", "-v"]).expect(0);
    run.says(&format!("namespace {namespace} created, expires in 72 h")).says("2/2 pods run").never_says(&password);
    let space = live(&project, &namespace);
    assert_eq!(space["metadata"]["labels"]["shipway.dev/app"], project.app.as_str());
    assert_eq!(space["metadata"]["labels"]["shipway.dev/env"], "preview");
    assert_eq!(space["metadata"]["annotations"]["shipway.dev/branch"], "feature/cart");
    let copy = || project.bench.get(&namespace, &["secret", "regcred"])["data"].clone();
    assert_eq!(copy(), project.bench.get(&qa, &["secret", "regcred"])["data"]);

    // again: the time is renewed, and nothing is written that is the same
    let version = || project.bench.get(&namespace, &["secret", "regcred"])["metadata"]["resourceVersion"].clone();
    let (before, expires) = (version(), space["metadata"]["annotations"]["shipway.dev/expires"].clone());
    let again = project.run(&["deploy", "--output", "json"]).expect(0).outcome();
    assert_eq!(version(), before);
    assert_ne!(live(&project, &namespace)["metadata"]["annotations"]["shipway.dev/expires"], expires);
    let changes: Vec<&str> = again["objects"].as_array().unwrap().iter().filter_map(|o| o["change"].as_str()).collect();
    assert!(changes.iter().all(|change| *change == "unchanged" || *change == "skipped"), "{again}");

    // a changed source is copied again, and the copy is nothing that pruning takes
    pull_secret(&project, &qa, "another-password");
    project.run(&["deploy"]).expect(0).says("secret/regcred copied from").never_says("another-password");
    assert_eq!(copy(), project.bench.get(&qa, &["secret", "regcred"])["data"]);

    project
        .run(&["envs"])
        .expect(0)
        .says("preview")
        .says(&namespace)
        .says("expires in 7")
        .says("qa")
        .says("not deployed");
    let envs = project.run(&["envs", "--output", "json", "--branch", "master"]).expect(0).outcome();
    let found = envs["answer"]["environments"].as_array().unwrap();
    let entry =
        found.iter().find(|entry| entry["namespace"] == namespace.as_str()).expect("the preview of another branch");
    assert_eq!(
        (&entry["branch"], &entry["created"], &entry["tag"]),
        (&"feature/cart".into(), &true.into(), &entry["tag"])
    );
    assert_eq!(entry["commit"]["sha"], project.git(&["rev-parse", "HEAD"]).as_str());
}

#[test]
fn branches_that_look_alike_do_not_meet() {
    let project = previews("alike", "");
    project.branch("feature/a-b");
    let one = project.run(&["deploy", "--output", "json"]).expect(0).outcome();
    project.branch("feature/a_b");
    let other = project.run(&["deploy", "--output", "json"]).expect(0).outcome();
    assert_ne!(one["namespace"], other["namespace"]);
    for (outcome, branch) in [(&one, "feature/a-b"), (&other, "feature/a_b")] {
        let space = live(&project, outcome["namespace"].as_str().unwrap());
        assert_eq!(space["metadata"]["annotations"]["shipway.dev/branch"], branch);
    }

    // where they are sent to one namespace all the same, the second is refused before anything is written
    let taken = one["namespace"].as_str().unwrap();
    let annotation = "shipway.dev/branch=feature/other";
    project.bench.kubectl(&["annotate", "--overwrite", "namespace", taken, annotation]);
    project.branch("feature/a-b");
    for command in ["plan", "deploy"] {
        let run = project.run(&[command]).expect(2);
        run.says("error[namespace-taken]").says("feature/other").says("feature/a-b");
    }
    // one that shipway did not make has its branch in the records
    project.bench.kubectl(&["annotate", "namespace", taken, "shipway.dev/branch-"]);
    project.run(&["deploy"]).expect(0);
}

#[test]
fn a_branch_named_as_an_environment_does_not_get_its_namespace() {
    let project = previews("named", "");
    project.write(
        "shipway.yaml",
        "environments:\n  preview: {branches: [\"*\"], namespace: \"{app}-{branch}\", create_namespace: true}\n  qa: {branches: [x]}\n",
    );
    project.branch("qa");
    project.run(&["deploy"]).expect(2).says("error[namespace]").says("which is the namespace of qa");
}

#[test]
fn each_user_has_an_environment() {
    let mut project = previews("users", "");
    project.write(
        "shipway.yaml",
        "environments:\n  mine: {branches: [\"*\"], namespace: \"{app}-{user}\", create_namespace: true}\n",
    );
    project.set("USER", "alice");
    let run = project.run(&["deploy", "--output", "json"]).expect(0).outcome();
    assert_eq!(run["namespace"], format!("{}-alice", project.app));
    let space = live(&project, &format!("{}-alice", project.app));
    assert_eq!(space["metadata"]["annotations"]["shipway.dev/user"], "alice");
    assert!(space["metadata"]["annotations"].get("shipway.dev/branch").is_none());
    project.set("USER", "Bob.B");
    let other = project.run(&["config"]).expect(0);
    other.says(&format!("{}-bob-b-", project.app));
}

#[test]
fn a_preview_is_destroyed_and_nothing_else() {
    let project = previews("gone", "");
    let mine =
        project.run(&["deploy", "--output", "json"]).expect(0).outcome()["namespace"].as_str().unwrap().to_owned();
    project.branch("feature/stays");
    let other =
        project.run(&["deploy", "--output", "json"]).expect(0).outcome()["namespace"].as_str().unwrap().to_owned();
    project.branch("master");

    project.run(&["destroy", "--yes"]).expect(2).says("error[usage]").says("shipway destroy ENV");
    project.run(&["destroy", "preview", "--branch", "feature/cart"]).expect(2).says("add --yes");
    project.run(&["destroy", "production", "--yes"]).expect(2).says("error[guarded]");
    project.run(&["destroy", "--branch", "master", "--yes"]).expect(2).says("error[guarded]");

    let run = project.run(&["destroy", "--branch", "feature/cart", "--yes"]).expect(0);
    run.says(&format!("destroyed preview (namespace {mine})"));
    assert!(!is_there(&project.bench, &["namespace", &mine]));
    assert!(is_there(&project.bench, &["-n", &other, "deployment", "web"]));
    // again: there is nothing to do
    project.run(&["destroy", "--branch", "feature/cart", "--yes"]).expect(0).says("is not there");
    project.run(&["envs"]).expect(0).says(&other).never_says(&mine);
}

#[test]
fn objects_of_others_keep_the_namespace_of_a_preview() {
    let project = previews("shared", "");
    let namespace =
        project.run(&["deploy", "--output", "json"]).expect(0).outcome()["namespace"].as_str().unwrap().to_owned();
    let theirs = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: theirs\n  labels:\n    shipway.dev/app: other\ndata:\n  a: b\n";
    make(&project, &namespace, theirs);
    let run = project.run(&["destroy", "preview", "--yes"]).expect(0);
    run.says("deployment/web").says(&format!("namespace {namespace} stays")).says("of app other");
    assert!(!is_there(&project.bench, &["-n", &namespace, "deployment", "web"]));
    assert!(is_there(&project.bench, &["-n", &namespace, "configmap", "theirs"]));

    // without them it goes, too: mark and record must agree, and there is no record any more
    project.bench.kubectl(&["-n", &namespace, "delete", "configmap", "theirs"]);
    project.run(&["destroy", "preview", "--yes"]).expect(0).says("destroyed preview");
    assert!(!is_there(&project.bench, &["namespace", &namespace]));
}

#[test]
fn of_an_environment_in_a_namespace_of_others_only_its_own_goes() {
    let project = Project::pushed("ofothers");
    let namespace = project.namespace("qa");
    let volume = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data\nspec:\n  storageClassName: none\n  \
                  accessModes: [ReadWriteOnce]\n  resources:\n    requests:\n      storage: 1Mi\n";
    project.bench.kubectl(&["create", "namespace", &namespace]);
    std::fs::remove_file(project.root().join("kubernetes/qa-ns.yaml")).expect("a manifest");
    for (name, more) in [("old", ""), ("kept", "  annotations:\n    shipway.dev/prune: never\n")] {
        let map = format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{more}data:\n  a: b\n");
        project.write(&format!("kubernetes/{name}.yaml"), &map);
    }
    project.run(&["deploy"]).expect(0);
    make(&project, &namespace, "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: foreign\ndata:\n  a: b\n");
    make(&project, &namespace, volume);
    project.run(&["destroy", "qa"]).expect(2).says("add --yes");
    let run = project.run(&["destroy", "qa", "--yes"]).expect(0);
    run.says("shipway did not make it").says("configmap/kept is kept: shipway.dev/prune: never");
    for (what, stays) in [
        ("deployment/web", false),
        ("service/web", false),
        ("configmap/old", false),
        ("configmap/kept", true),
        ("configmap/foreign", true),
        ("persistentvolumeclaim/data", true),
    ] {
        assert_eq!(is_there(&project.bench, &["-n", &namespace, what]), stays, "{what}");
    }
    let records = project.bench.kubectl(&["-n", &namespace, "get", "secrets", "-o", "name"]);
    assert!(!records.contains("shipway."), "{records}");
    let leases = project.bench.kubectl(&["-n", &namespace, "get", "leases", "-o", "name"]);
    assert!(!leases.contains("shipway."), "{leases}");
    project.run(&["envs"]).expect(0).says("not deployed");
}

#[test]
fn what_has_expired_goes_and_what_is_fresh_stays() {
    let project = previews("expire", ", ttl: 72h");
    let deploy = |branch: &str| {
        project.branch(branch);
        project.run(&["deploy", "--output", "json"]).expect(0).outcome()["namespace"].as_str().unwrap().to_owned()
    };
    let (old, held, fresh) = (deploy("feature/old"), deploy("feature/held"), deploy("feature/fresh"));
    project.run(&["destroy", "--expired"]).expect(0).says("no preview has expired");
    for namespace in [&old, &held] {
        project.bench.kubectl(&[
            "annotate",
            "--overwrite",
            "namespace",
            namespace,
            "shipway.dev/expires=2026-01-01T00:00:00Z",
        ]);
    }
    // who goes back in a preview uses it: its time begins anew
    project.write("kubernetes/more.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: more\ndata:\n  a: b\n");
    deploy("feature/fresh");
    project.bench.kubectl(&[
        "annotate",
        "--overwrite",
        "namespace",
        &fresh,
        "shipway.dev/expires=2026-01-01T00:00:00Z",
    ]);
    project.run(&["rollback"]).expect(0);
    let expires = live(&project, &fresh)["metadata"]["annotations"]["shipway.dev/expires"].clone();
    assert!(expires.as_str() > Some("2026-01-01T00:00:00Z"), "{expires}");

    project.run(&["envs"]).expect(0).says("expired");
    project.run(&["destroy", "--expired"]).expect(2).says("add --yes");

    // one that is held up says by what, and does not hold up the other
    let hold = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: held\n  finalizers: [example.com/hold]\n";
    make(&project, &held, hold);
    let run = project.run(&["destroy", "--expired", "--yes", "--timeout", "5s"]).expect(7);
    run.says("error[namespace-terminating]").says("configmap/held: example.com/hold");
    project.bench.kubectl(&["wait", "--for=delete", &format!("namespace/{old}"), "--timeout=170s"]);
    assert!(is_there(&project.bench, &["namespace", &fresh]));
    project.bench.kubectl(&[
        "-n",
        &held,
        "patch",
        "configmap",
        "held",
        "--type=json",
        "-p",
        r#"[{"op":"remove","path":"/metadata/finalizers"}]"#,
    ]);
    project.run(&["destroy", "--expired", "--yes"]).expect(0);
    assert!(!is_there(&project.bench, &["namespace", &held]));
    assert!(is_there(&project.bench, &["-n", &fresh, "deployment", "web"]));
}
