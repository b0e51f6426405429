//! Objects that kubectl or Helm made become shipway's: what the manifests no longer have goes, what is no manifest's
//! business stays.

use serde_json::Value;

use crate::support::{Project, manifests, small};

fn web(project: &Project, more: &str) -> String {
    let image = format!("{}/base/busybox", project.bench.variable("REGISTRY"));
    manifests::deployment("web", &image).replace("httpGet:\n              path: /\n", "tcpSocket:\n").replace(
        "          ports:\n",
        &format!("          command: [/bin/httpd, -f, -p, \"8080\"]\n{more}          ports:\n"),
    )
}

/// A web server that needs no build, in a namespace that is there.
fn project(story: &str) -> Project {
    let project = small::project(story, "one");
    for file in ["settings", "migrate"] {
        std::fs::remove_file(project.root().join(format!("kubernetes/{file}.yaml"))).expect("a manifest");
    }
    project.write("kubernetes/web.yaml", &web(&project, ""));
    project.commit("Serve a page, and no more");
    project.bench.kubectl(&["create", "namespace", &project.namespace("qa")]);
    project
}

fn kubectl(project: &Project, arguments: &[&str], input: &str) {
    let output = project.bench.try_kubectl(&[&["-n", &project.namespace("qa")], arguments].concat(), input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn live(project: &Project, what: &[&str]) -> Value {
    project.bench.get(&project.namespace("qa"), &[&["--show-managed-fields"], what].concat())
}

fn variables(live: &Value) -> Vec<&str> {
    let variables = live.pointer("/spec/template/spec/containers/0/env").and_then(Value::as_array);
    variables.into_iter().flatten().filter_map(|variable| variable["name"].as_str()).collect()
}

const VARIABLE: &str = "          env:\n            - name: OLD\n              value: 'yes'\n";

#[test]
fn what_every_verb_of_kubectl_left_is_taken_over_but_for_what_is_operated() {
    let project = project("verbs");
    kubectl(&project, &["create", "-f", "-"], &web(&project, ""));
    kubectl(&project, &["replace", "-f", "-"], &web(&project, VARIABLE));
    let edit = r#"{"spec": {"minReadySeconds": 1, "template": {"spec": {"containers": [{"name": "web", "env": [{"name": "HAND", "value": "1"}]}]}}}}"#;
    kubectl(&project, &["patch", "deployment/web", "--field-manager=kubectl-edit", "-p", edit], "");
    kubectl(&project, &["rollout", "restart", "deployment/web"], "");
    kubectl(&project, &["scale", "deployment/web", "--replicas=3"], "");
    let service = manifests::service("web", "");
    kubectl(&project, &["create", "-f", "-"], &service);
    // the manifest leaves the selector to others
    project.write("kubernetes/service.yaml", &service.replace("  selector:\n    app: web\n", ""));

    project.run(&["plan"]).expect(0).says("HAND").says("OLD").says("kept 3 replicas").never_says("restartedAt");
    let run = project.run(&["deploy"]).expect(0);
    run.says("taken over from kubectl").says("kept 3 replicas, the manifest says 2");
    let found = live(&project, &["deployment", "web"]);
    assert_eq!(variables(&found), [""; 0]);
    assert_eq!((&found["spec"]["replicas"], &found["spec"]["minReadySeconds"]), (&3.into(), &Value::Null));
    let restarted = &found["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"];
    assert!(restarted.is_string(), "{found}");
    assert_eq!(live(&project, &["service", "web"])["spec"]["selector"]["app"], "web");
}

/// As Helm leaves it: its label, its annotations, a variable that the manifest does not have.
fn of_helm(project: &Project, text: &str) -> String {
    let marks = format!(
        "metadata:\n  name: web\n  annotations:\n    meta.helm.sh/release-name: shop\n    meta.helm.sh/release-namespace: {}\n  \
         labels:\n    app.kubernetes.io/managed-by: Helm\n",
        project.namespace("qa")
    );
    text.replacen("metadata:\n  name: web\n  labels:\n", &marks, 1).replacen("metadata:\n  name: web\n", &marks, 1)
}

fn helm_release_is_taken_over(story: &str, verb: &[&str]) {
    let project = project(story);
    let make = [verb, &["--field-manager=helm", "-f", "-"]].concat();
    kubectl(&project, &make, &of_helm(&project, &web(&project, VARIABLE)));
    kubectl(&project, &make, &of_helm(&project, &manifests::service("web", "")));

    let run = project.run(&["deploy"]).expect(5);
    run.says("error[foreign-object]").says("the Helm release shop (helm,").says("--adopt helm");
    run.says("deployment/web").says("service/web");
    let found = live(&project, &["deployment", "web"]);
    assert_eq!(variables(&found), ["OLD"]);
    assert!(!found["metadata"]["managedFields"].to_string().contains("shipway"), "{found}");

    let plan = project.run(&["plan", "--adopt", "helm"]).expect(0);
    plan.says("deployment/web taken over from helm").says("OLD").says("kubectl -n").says("owner=helm,name=shop");
    project.run(&["deploy", "--adopt", "helm"]).expect(0).says("service/web taken over from helm");
    let found = live(&project, &["deployment", "web"]);
    assert_eq!(variables(&found), [""; 0]);
    assert_eq!(found["spec"]["replicas"], 2);
    for what in ["deployment", "service"] {
        let metadata = live(&project, &[what, "web"])["metadata"].to_string();
        assert!(!metadata.contains("meta.helm.sh"), "{metadata}");
        assert!(!metadata.contains(r#""manager":"helm""#), "{metadata}");
    }
    // from here on it is like any other, its count too
    project.write("kubernetes/web.yaml", &web(&project, "").replace("replicas: 2", "replicas: 1"));
    project.run(&["deploy"]).expect(0).never_says("taken over");
    assert_eq!(live(&project, &["deployment", "web"])["spec"]["replicas"], 1);
}

#[test]
fn a_release_of_helm_3_is_taken_over_when_that_is_asked_for() {
    helm_release_is_taken_over("helmthree", &["create"]);
}

#[test]
fn a_release_of_helm_4_is_taken_over_when_that_is_asked_for() {
    helm_release_is_taken_over("helmfour", &["apply", "--server-side"]);
}

/// A part of the manifests says nothing about the rest of the configuration.
#[test]
fn a_part_of_the_manifests_rolls_no_pods_for_what_it_leaves_out() {
    let project = small::project("part", "one");
    let generation = || live(&project, &["deployment", "web"])["metadata"]["generation"].clone();
    project.run(&["deploy"]).expect(0);
    let before = generation();
    let given = |file: &str| project.root().join(format!("kubernetes/{file}.yaml")).display().to_string();
    project.run(&["plan", "--exit-code", "-f", &given("web")]).expect(0);
    project.run(&["deploy", "-f", &given("web")]).expect(0);
    assert_eq!(before, generation());
    // what is among them and changes does roll them
    let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  version: two\n";
    project.write("part.yaml", settings);
    let part = project.root().join("part.yaml").display().to_string();
    project.run(&["deploy", "-f", &given("web"), "-f", &part]).expect(0);
    assert_ne!(before, generation());
}
