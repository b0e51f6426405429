//! One environment on several clusters.

use serde_json::Value;

use crate::support::{Project, SecondCluster, manifests};

/// Objects without pods: the second cluster has no node.
fn project(contexts: &str) -> (Project, SecondCluster) {
    let mut project = Project::new("clusters");
    let clusters = SecondCluster::start(&project.bench);
    project.set("KUBECONFIG", &clusters.kubeconfig().display().to_string());
    project.set("SHIPWAY_TAG", "one");
    project.write("Dockerfile", &project.dockerfile("one"));
    let report = format!(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: report\nspec:\n  schedule: \"0 0 1 1 *\"\n  suspend: true\n  \
         jobTemplate:\n    spec:\n      template:\n        spec:\n          restartPolicy: Never\n          containers:\n            \
         - name: report\n              image: {}:latest\n",
        project.image()
    );
    project.write("kubernetes/report.yaml", &report);
    project.write("kubernetes/service.yaml", &manifests::service("report", ""));
    flags(&project, "calm");
    spread(&project, contexts);
    project.branch("feature");
    project.commit("Report to two places");
    project.run(&["build"]).expect(0);
    project.run(&["push"]).expect(0);
    (project, clusters)
}

fn flags(project: &Project, mode: &str) {
    let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata:\n  MODE: {mode}\n");
    project.write("kubernetes/flags.yaml", &text);
}

/// Says on which clusters qa is.
fn spread(project: &Project, contexts: &str) {
    let logins = format!("{}-logins", project.app);
    project.write(
        "shipway.yaml",
        &format!(
            "environments:\n  qa: {{branches: [\"*\"], contexts: [{contexts}], create_namespace: true, \
             copy_secrets: {{from: {logins}, names: [login]}}}}\n"
        ),
    );
}

/// A Secret that is another one in each cluster.
fn make_login(project: &Project, clusters: &SecondCluster, context: &str) {
    let logins = format!("{}-logins", project.app);
    let text = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {logins}\n  labels: {{shipway.dev/app: {app}}}\n---\napiVersion: v1\n\
         kind: Secret\nmetadata:\n  name: login\n  namespace: {logins}\nstringData:\n  password: password-of-{context}\n",
        app = project.app
    );
    let made = clusters.kubectl(context, &["apply", "-f", "-"], &text);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn mode(project: &Project, clusters: &SecondCluster, context: &str) -> Value {
    clusters.get(context, &["-n", &project.namespace("qa"), "configmap", "flags"])["data"]["MODE"].clone()
}

#[test]
fn the_first_cluster_leads_and_the_others_follow() {
    let (project, clusters) = project("east, west");
    let namespace = project.namespace("qa");

    // what the second lacks is told once the first is done; its own login never leaves a cluster
    make_login(&project, &clusters, "east");
    let run = project.run(&["deploy"]).expect(5);
    run.says("east: deployed one to qa").says("west: secret/login").says("east: cronjob/report created");
    assert_eq!(mode(&project, &clusters, "east"), "calm");
    make_login(&project, &clusters, "west");
    let plan = project.run(&["plan"]).expect(0);
    plan.says("context east").says("context west").says("unchanged");
    let plans = project.run(&["plan", "--output", "json"]).expect(0).outcome();
    assert_eq!(plans["answer"]["plans"].as_array().map(Vec::len), Some(2));

    let run = project.run(&["deploy", "--output", "json"]).expect(0);
    let (events, outcome) = (run.events(), run.outcome());
    let position = |context: &str, last: bool| {
        let mut found = events.iter().enumerate().filter(|(_, event)| event["context"] == context).map(|(at, _)| at);
        if last { found.next_back() } else { found.next() }
    };
    assert!(position("east", true) < position("west", false), "{}", run.transcript());
    let changes = |context: &str| -> Vec<String> {
        let objects = outcome["objects"].as_array().expect("objects");
        let here = objects.iter().filter(|object| object["context"] == context);
        here.map(|object| format!("{} {} {}", object["kind"], object["change"], object["verdict"]).replace('"', ""))
            .collect()
    };
    assert!(changes("east").contains(&"CronJob unchanged ready".to_owned()), "{:?}", changes("east"));
    assert!(changes("west").contains(&"CronJob created ready".to_owned()), "{:?}", changes("west"));
    // the second has its namespace made, too
    assert!(changes("west").contains(&"Namespace created ready".to_owned()), "{:?}", changes("west"));
    assert_eq!(changes("east").len() + 1, changes("west").len());
    for context in ["east", "west"] {
        run.never_says(&format!("password-of-{context}"));
        let of = |space: &str| clusters.get(context, &["-n", space, "secret", "login"])["data"].clone();
        assert_eq!(of(&namespace), of(&format!("{}-logins", project.app)), "{context}");
    }
    project.run(&["status"]).expect(0).says("(east)").says("(west)");
    project.run(&["envs"]).expect(0).says("east").says("west");
    let one = project.run(&["plan", "--context", "west", "--output", "json"]).expect(0).outcome();
    assert_eq!(one["answer"]["plan"]["connection"]["context"], "west");
    project.run(&["destroy", "qa", "--yes"]).expect(2).says("error[several-clusters]").says("--context west");
}

#[test]
fn a_failure_in_the_first_stops_the_others_and_one_of_the_others_none() {
    let (project, clusters) = project("east, nowhere, west");
    make_login(&project, &clusters, "east");
    make_login(&project, &clusters, "west");
    let run = project.run(&["deploy"]).expect(5);
    run.says("error[cluster-unreachable]")
        .says("nowhere: ")
        .says("west: deployed one to qa")
        .says("east: deployed one to qa");

    spread(&project, "east, west");
    flags(&project, "wild");
    let namespace = project.namespace("qa");
    project.bench.kubectl(&["-n", &namespace, "label", "--overwrite", "configmap", "flags", "shipway.dev/app=other"]);
    project.run(&["deploy"]).expect(5).says("error[foreign-object]").says("east: ").never_says("west");
    assert_eq!(mode(&project, &clusters, "west"), "calm");
}
