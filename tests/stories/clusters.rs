//! One environment on several clusters.

use serde_json::Value;

use super::blue_green;
use crate::support::{Project, SecondCluster, demo, manifests};

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

/// Deployed to both.
fn deployed() -> (Project, SecondCluster) {
    let (project, clusters) = project("east, west");
    make_login(&project, &clusters, "east");
    make_login(&project, &clusters, "west");
    project.run(&["deploy"]).expect(0);
    (project, clusters)
}

/// The numbers of the deploys that a cluster remembers, the newest first, each with the one it went back to.
fn revisions(history: &Value) -> Vec<(u64, Option<u64>)> {
    let deploys = history["deploys"].as_array().expect("deploys").iter();
    deploys.map(|deploy| (deploy["revision"].as_u64().expect("a number"), deploy["source"].as_u64())).collect()
}

#[test]
fn all_go_back_to_what_the_first_goes_back_to() {
    let (project, clusters) = deployed();
    let modes = || ["east", "west"].map(|context| mode(&project, &clusters, context));
    flags(&project, "wild");
    project.run(&["deploy"]).expect(0);
    // one that only the second has
    flags(&project, "third");
    project.run(&["deploy", "--context", "west"]).expect(0);
    assert_eq!(modes(), ["wild", "third"]);
    let run = project.run(&["rollback"]).expect(0);
    run.says("east: rolled back to revision 1 (one)").says("west: rolled back to revision 1 (one)");
    assert_eq!(modes(), ["calm", "calm"]);
    // the number is the first one's
    project.run(&["rollback", "2"]).expect(0);
    assert_eq!(modes(), ["wild", "wild"]);
    project.run(&["rollback", "1", "--context", "east"]).expect(0);
    let run = project.run(&["rollback", "2"]).expect(0);
    run.says("east: rolled back to revision 2 (one)").says("west: revision 5 (one) runs already");
    assert_eq!(modes(), ["wild", "wild"]);

    project.run(&["history"]).expect(0).says("context east").says("context west");
    let outcome = project.run(&["history", "--output", "json"]).expect(0).outcome();
    let histories = outcome["answer"]["histories"].as_array().expect("histories");
    assert_eq!(
        revisions(&histories[0]),
        [(6, Some(2)), (5, Some(1)), (4, Some(2)), (3, Some(1)), (2, None), (1, None)]
    );
    assert_eq!(revisions(&histories[1]), [(5, Some(2)), (4, Some(1)), (3, None), (2, None), (1, None)]);
    assert_eq!((&histories[0]["context"], &histories[1]["context"]), (&"east".into(), &"west".into()));

    // one that does not answer hides nothing of the other
    spread(&project, "east, nowhere");
    let run = project.run(&["history"]).expect(5);
    run.says("context east").says("error[cluster-unreachable]").says("nowhere: ");
}

#[test]
fn a_plan_of_all_clusters_is_carried_out_in_all_or_in_none() {
    let (project, clusters) = deployed();
    let modes = || ["east", "west"].map(|context| mode(&project, &clusters, context));
    flags(&project, "wild");
    project.run(&["plan", "--out", "../all.plan"]).expect(0).says("context east").says("context west");
    let run = project.run(&["deploy", "--plan", "../all.plan", "--context", "west"]).expect(2);
    run.says("error[plan-elsewhere]").says("the plan is for east, west, and this is for west");
    project.run(&["deploy", "--plan", "../all.plan", "--tag", "two"]).expect(2).says("--plan").says("--tag");

    let namespace = project.namespace("qa");
    let service = ["-n", namespace.as_str(), "label", "service", "report", "team=other"];
    assert!(clusters.kubectl("west", &service, "").status.success());
    let run = project.run(&["deploy", "--plan", "../all.plan"]).expect(5);
    run.says("west: nothing was deployed").says("service/report was changed");
    assert_eq!(modes(), ["calm", "calm"], "one was written to, though the other had changed");

    project.run(&["plan", "--out", "../all.plan"]).expect(0);
    flags(&project, "written later");
    let run = project.run(&["deploy", "--plan", "../all.plan"]).expect(0);
    run.says("east: deployed one to qa").says("west: deployed one to qa");
    assert_eq!(modes(), ["wild", "wild"]);

    project.run(&["plan", "--out", "../west.plan", "--context", "west"]).expect(0);
    let run = project.run(&["deploy", "--plan", "../west.plan"]).expect(2);
    run.says("the plan is for west, and this is for east, west").says("--context west");
    project.run(&["deploy", "--plan", "../west.plan", "--context", "west"]).expect(0);
    assert_eq!(modes(), ["wild", "written later"]);
}

#[test]
fn the_locks_of_one_holder_are_taken_together_and_those_of_several_one_by_one() {
    let (project, clusters) = deployed();
    let hold = |context: &str, by: &str| {
        let (namespace, lease) = (project.namespace("qa"), format!("shipway.{}.qa", project.app));
        let held = format!("{{\"spec\": {{\"holderIdentity\": \"{by}\", \"leaseDurationSeconds\": 2}}}}");
        let patch = ["-n", &namespace, "patch", "lease", &lease, "--type=merge", "-p", &held];
        assert!(clusters.kubectl(context, &patch, "").status.success());
    };
    hold("east", "alice");
    hold("west", "bob");
    let run = project.run(&["unlock", "--yes"]).expect(2);
    run.says("error[several-holders]").says("east: held by alice").says("west: held by bob").never_says("taken from");
    run.says("`--context east`, `--context west`");
    project.run(&["unlock", "--yes", "--context", "west"]).expect(0).says("taken from bob");
    project.run(&["unlock"]).expect(2).says("held by alice").says("--yes");
    hold("west", "alice");
    let run = project.run(&["unlock", "--yes"]).expect(0);
    run.says("east: taken from alice").says("west: taken from alice").says("is free, in every cluster");
    project.run(&["unlock"]).expect(0).says("is free");

    hold("east", "alice");
    spread(&project, "east, nowhere");
    let run = project.run(&["unlock", "--yes"]).expect(5);
    run.says("nowhere: ").says("east: held by alice").says("`--context east`").never_says("taken from");
}

#[test]
fn an_environment_is_destroyed_in_all_its_clusters() {
    let (project, mut clusters) = project("east, west");
    clusters.start_controllers(&["namespace-controller"]);
    make_login(&project, &clusters, "east");
    make_login(&project, &clusters, "west");
    project.run(&["deploy"]).expect(0);
    let is_there =
        |context: &str| clusters.kubectl(context, &["get", "namespace", &project.namespace("qa")], "").status.success();
    project.run(&["destroy", "qa"]).expect(2).says("error[confirmation]");
    assert!(is_there("east") && is_there("west"));
    // the first fails: the second stays
    let namespace = project.namespace("qa");
    let foreign = |label: &str| {
        project.bench.kubectl(&["label", "--overwrite", "namespace", &namespace, label]);
    };
    foreign("shipway.dev/app=other");
    project.run(&["destroy", "qa", "--yes"]).expect(2).says("east: ").never_says("west");
    assert!(is_there("west"));
    foreign(&format!("shipway.dev/app={}", project.app));
    let run = project.run(&["destroy", "qa", "--yes"]).expect(0);
    run.says("east: destroyed qa").says("west: destroyed qa");
    assert!(!is_there("east") && !is_there("west"));
    project.run(&["destroy", "qa", "--yes"]).expect(0).says("west: namespace").says("is not there");
}

#[test]
fn a_release_and_its_switch_reach_all_clusters() {
    let mut project = blue_green::project("two-places");
    let mut clusters = SecondCluster::start(&project.bench);
    clusters.start_controllers(&["deployment-controller", "replicaset-controller", "endpointslice-controller"]);
    let _node = clusters.play_node(&project.namespace("qa"));
    project.set("KUBECONFIG", &clusters.kubeconfig().display().to_string());
    project.write(
        "shipway.yaml",
        "manifests: [kubernetes, kubernetes/bg]\nblue_green:\n  service: web\ndeploy: {settle: 1s}\nenvironments:\n  \
         qa: {branches: [\"*\"], contexts: [east, west]}\n",
    );
    project.commit("Serve in two places");
    let colors = || {
        ["east", "west"].map(|context| {
            let service = clusters.get(context, &["-n", &project.namespace("qa"), "service", "web"]);
            service["spec"]["selector"]["color"].as_str().expect("a colour").to_owned()
        })
    };
    let run = project.run(&["release", "--switch"]).expect(0);
    let first = colors();
    run.says(&format!("east: {} serves", first[0])).says(&format!("west: {} serves", first[1]));
    let other = |color: &String| if color == "blue" { "green" } else { "blue" }.to_owned();
    let second = first.each_ref().map(other);

    demo::add_server(&project, "two");
    project.commit("Serve better");
    let outcome = project.run(&["release", "--output", "json"]).expect(0).outcome();
    assert_eq!(outcome["images"][0]["pods"], 4, "two of each cluster: {outcome}");
    assert_eq!(colors(), first, "a deploy moved traffic");
    project.run(&["switch"]).expect(0);
    assert_eq!(colors(), second);
    let run = project.run(&["switch"]).expect(0);
    run.says(&format!("east: {} serves", second[0])).says(&format!("west: {} serves", second[1]));
    assert_eq!(colors(), second, "a repeated job moved traffic");
    project.run(&["switch", "--back"]).expect(0);
    assert_eq!(colors(), first);
}
