//! What runs where, from the cluster and from a file.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use serde_json::Value;

use super::blue_green;
use crate::support::{Audit, Project, SecondCluster, manifests, small};

/// The environment of this name in a run's answer.
fn environment<'o>(outcome: &'o Value, name: &str) -> &'o Value {
    let all = outcome["answer"]["status"]["environments"].as_array().unwrap_or_else(|| panic!("{outcome:#}"));
    all.iter().find(|status| status["environment"] == name).unwrap_or_else(|| panic!("no {name}: {outcome:#}"))
}

fn workload<'s>(status: &'s Value, name: &str) -> &'s Value {
    let all = status["workloads"].as_array().unwrap_or_else(|| panic!("{status:#}"));
    all.iter().find(|workload| workload["object"]["name"] == name).unwrap_or_else(|| panic!("no {name}: {status:#}"))
}

#[test]
fn status_names_commit_images_pods_and_health() {
    let project = Project::web("status");
    project.branch("feature");
    let commit = project.commit("Show it");
    project.run(&["status"]).expect(0).says("not deployed");
    project.run(&["release"]).expect(0);
    // another app beside it is none of ours
    let foreign = manifests::deployment("foreign", "localhost:1/team/nothing").replace("replicas: 2", "replicas: 1");
    project.bench.try_kubectl(&["-n", &project.namespace("qa"), "apply", "-f", "-"], &foreign);
    let status = project.run(&["status"]).expect(0);
    status.says("qa").says(&format!("feature-{}", &commit[..8])).says("healthy").says("deployment/web").says("2/2");
    status.says("\"Show it\" · A. Developer, ").says("deployed ").says("http://127.0.0.1:3").never_says("foreign");

    let outcome = project.run(&["status", "--env", "qa", "--output", "json"]).expect(0).outcome();
    let qa = environment(&outcome, "qa");
    assert_eq!((&outcome["env"], &outcome["commit"]), (&"qa".into(), &commit.as_str().into()));
    assert_eq!((&qa["health"], &qa["deploy"]["state"]), (&"healthy".into(), &"succeeded".into()));
    assert_eq!(qa["deploy"]["commit"]["author"], "A. Developer");
    let web = workload(qa, "web");
    let image = web["images"][0].as_str().expect("an image");
    let digest = project.run(&["push"]).expect(0).stdout;
    assert_eq!(image, digest.trim(), "what runs is what was pushed");
    assert_eq!(web["pods"].as_array().map(Vec::len), Some(2));
    assert_eq!(outcome["answer"]["status"]["environments"].as_array().map(Vec::len), Some(1), "--env shows one");

    // what was deployed and is not there is no health
    project.bench.kubectl(&["-n", &project.namespace("qa"), "delete", "deployment", "web"]);
    project.run(&["status"]).expect(6).says("gone: is not there any more").says("failing: qa (exit 6)");
}

/// Three environments of five Deployments each, without pods: what counts here is what is asked.
#[test]
fn a_look_costs_a_few_lists_an_environment() {
    let mut project = Project::new("looks");
    project.set("SHIPWAY_TAG", "1");
    project.branch("feature");
    let image = format!("{}/base/busybox", project.bench.variable("REGISTRY"));
    let names = ["one", "two", "three"].map(|name| (name, format!("{}-{name}", project.app)));
    let environments = names.iter().map(|(name, namespace)| {
        format!("  {name}: {{branches: [\"*\"], namespace: {namespace}, create_namespace: true}}\n")
    });
    let environments: String = environments.collect();
    project.write("shipway.yaml", &format!("images: [{{name: {image}}}]\nenvironments:\n{environments}"));
    for name in ["a", "b", "c", "d", "e"] {
        let text = manifests::deployment(name, &image).replace("replicas: 2", "replicas: 0");
        project.write(&format!("kubernetes/{name}.yaml"), &text);
        project.write(&format!("kubernetes/{name}-svc.yaml"), &manifests::service(name, ""));
    }
    project.commit("Describe it");
    for (name, _) in &names {
        project.run(&["deploy", "--env", name]).expect(0);
    }
    let audit = Audit::begin(&project.bench);
    let outcome = project.run(&["status", "--output", "json"]).expect(0).outcome();
    let requests = audit.requests(&project.app);
    let told: Vec<String> = requests.iter().map(|request| format!("{} {}", request.verb, request.uri)).collect();
    for (name, _) in &names {
        assert_eq!(environment(&outcome, name)["workloads"].as_array().map(Vec::len), Some(5), "{outcome:#}");
    }
    // one for the namespaces; of each environment the records, the lock, and a list of Deployments, ReplicaSets, pods,
    // Services and their endpoints
    assert_eq!(requests.len(), 1 + 3 * 7, "{told:#?}");
}

#[test]
fn a_crash_loop_is_told_with_its_last_words() {
    let project = small::project("crashes", "one");
    project.run(&["deploy"]).expect(0);
    let namespace = project.namespace("qa");
    let crash = r#"{"spec":{"template":{"spec":{"containers":[{"name":"web","command":["/bin/sh","-c","echo boom: no database; exit 3"]}]}}}}"#;
    project.bench.kubectl(&["-n", &namespace, "patch", "deployment", "web", "-p", crash]);
    until(|| {
        let pods = project.bench.get(&namespace, &["pods", "-l", "app=web"]);
        let of = |status: &Value| status["restartCount"].as_u64().unwrap_or(0) >= 2 && is_backing_off(status);
        statuses(&pods).any(of)
    });
    let status = project.run(&["status"]);
    assert!([6, 7].contains(&status.code), "{}", status.transcript());
    status.says("crash-loop: does not start: container `web` exits with code 3").says("CrashLoopBackOff");
    status.says("restarts, the last ").never_says("shipway status");
    let failing = until_exit(&project, &["status"], 6);
    failing.says("boom: no database").says("failing: qa (exit 6)");
    let outcome = project.run(&["status", "--output", "json"]).outcome();
    let web = workload(environment(&outcome, "qa"), "web");
    assert_eq!(web["problem"]["code"], "crash-loop");

    // the same from a file, by the same judge
    let saved = project.bench.kubectl(&["-n", &namespace, "get", "deployment,replicaset,pod", "-o", "yaml"]);
    project.run_with_input(&["status", "-f", "-"], &saved).expect(6).says("crash-loop").says("failing: what was saved");
}

fn statuses(pods: &Value) -> impl Iterator<Item = &Value> {
    let pods = pods["items"].as_array().into_iter().flatten();
    pods.flat_map(|pod| pod["status"]["containerStatuses"].as_array().into_iter().flatten())
}

fn is_backing_off(status: &Value) -> bool {
    status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
}

/// Asks again and again until it is so; stories have a deadline of their own.
fn until(mut is_so: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed().as_secs() < 120, "it does not come to that");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

fn until_exit(project: &Project, arguments: &[&str], code: i32) -> crate::support::Run {
    let mut last = project.run(arguments);
    until(|| {
        if last.code != code {
            last = project.run(arguments);
        }
        last.code == code
    });
    last
}

#[test]
fn both_colours_stand_with_what_they_run() {
    let project = blue_green::project("bothcolours");
    project.run(&["release", "--switch"]).expect(0);
    let first = blue_green::live(&project);
    crate::support::demo::add_server(&project, "two");
    let commit = project.commit("Serve better");
    project.run(&["release"]).expect(0);
    // what was not switched to yet is no way back
    project.run(&["status"]).expect(0).says(&format!("-> {first}")).says("newest, idle").never_says("way back");
    project.run(&["switch"]).expect(0);
    let second = blue_green::live(&project);
    assert_ne!(first, second);
    let status = project.run(&["status"]).expect(0);
    status.says(&format!("-> {second}")).says("serves").says("way back");
    let outcome = project.run(&["status", "--env", "qa", "--output", "json"]).expect(0).outcome();
    let qa = environment(&outcome, "qa");
    for (color, remark) in [(&first, "way back"), (&second, "serves")] {
        let web = workload(qa, &format!("web-{color}"));
        assert_eq!((&web["color"], &web["remark"]), (&color.as_str().into(), &remark.into()), "{web:#}");
    }
    let colors = qa["colors"].as_array().expect("colours");
    let serving = colors.iter().find(|color| color["serves"] == true).expect("one that serves");
    assert_eq!(serving["color"], second.as_str());
    assert!(serving["tag"].as_str().is_some_and(|tag| tag.ends_with(&commit[..8])), "{serving:#}");
}

#[test]
fn previews_of_other_branches_are_found() {
    let mut project = Project::new("showroom");
    project.set("SHIPWAY_TAG", "1");
    let image = format!("{}/base/busybox", project.bench.variable("REGISTRY"));
    project.write(
        "shipway.yaml",
        &format!(
            "images: [{{name: {image}}}]\nenvironments:\n  preview: {{branches: [\"feature/*\"], namespace: \
             \"{{app}}-{{branch}}\", create_namespace: true, ttl: 72h}}\n  qa: {{branches: [\"*\"], namespace: {}}}\n",
            project.namespace("qa")
        ),
    );
    project.write("kubernetes/web.yaml", &manifests::deployment("web", &image).replace("replicas: 2", "replicas: 0"));
    project.commit("Describe it");
    project.branch("feature/cart");
    project.run(&["deploy"]).expect(0);
    project.branch("other");
    let status = project.run(&["status"]).expect(0);
    status.says("preview").says(&format!("{}-feature-cart-", project.app)).says("expires in ").says("not deployed");
    project.run(&["status", "--env", "qa"]).expect(0).never_says("preview");
}

/// One cluster of an environment is there and the other is not; a third environment may not be read.
#[test]
fn what_cannot_be_asked_hides_nothing() {
    let mut project = small::project("hidden", "one");
    let clusters = SecondCluster::start(&project.bench);
    project.set("KUBECONFIG", &clusters.kubeconfig().display().to_string());
    let image = format!("{}/base/busybox", project.bench.variable("REGISTRY"));
    let qa = project.namespace("qa");
    let write = |project: &Project, contexts: &str| {
        project.write(
            "shipway.yaml",
            &format!(
                "images: [{{name: {image}}}]\ndeploy: {{settle: 0s}}\nenvironments:\n  production: {{branches: [master], \
                 namespace: {}, context: nowhere}}\n  qa: {{branches: [\"*\"], namespace: {qa}, contexts: [{contexts}]}}\n",
                project.app
            ),
        );
    };
    write(&project, "east");
    project.run(&["deploy"]).expect(0);
    write(&project, "east, west, nowhere");
    let status = project.run(&["status"]).expect(5);
    status.says("(east)").says("healthy").says("(west)").says("not deployed").says("(nowhere)").says("unknown");
    status.says("cluster-unreachable: ").says("check the address").says("not known: production, qa (nowhere) (exit 5)");
    project.run(&["status", "--context", "nowhere"]).expect(5).says("error[cluster-unreachable]");
}

#[test]
fn who_may_not_read_records_sees_what_runs_and_what_is_missing() {
    let mut project = small::project("viewer", "one");
    project.run(&["deploy"]).expect(0);
    let namespace = project.namespace("qa");
    let bench = |arguments: &[&str]| project.bench.kubectl(&[&["-n", &namespace], arguments].concat());
    bench(&["create", "serviceaccount", "viewer"]);
    bench(&["create", "serviceaccount", "nobody"]);
    let account = format!("--serviceaccount={namespace}:viewer");
    bench(&["create", "rolebinding", "viewer", "--clusterrole=view", &account]);
    let token = |name: &str| bench(&["create", "token", name]).trim().to_owned();
    let (viewer, nobody) = (token("viewer"), token("nobody"));
    let kubeconfig = project.bench.kubectl(&["config", "view", "--raw", "-o", "json"]);
    let kubeconfig: Value = serde_json::from_str(&kubeconfig).expect("JSON from kubectl");
    let cluster = &kubeconfig["clusters"][0]["cluster"];
    project.unset("KUBECONFIG");
    project.set("K8S_SERVER", cluster["server"].as_str().expect("a server"));
    project.set("K8S_CA", cluster["certificate-authority-data"].as_str().expect("an authority"));
    project.set("K8S_TOKEN", &viewer);
    let status = project.run(&["status", "--env", "qa"]).expect(0);
    status.says("deployment/web").says("1/1").says("cluster-denied: ").says("list secrets").never_says(&viewer);
    // the other environment may not be read at all
    let status = project.run(&["status"]).expect(5);
    status.says("deployment/web").says("production").says("unknown").says("not known: production");
    project.set("K8S_TOKEN", &nobody);
    project.run(&["status"]).expect(5).says("error[cluster-denied]").says("resources: [\"secrets\"]");
}

#[test]
fn saved_objects_are_judged_offline() {
    let mut project = Project::web("saved");
    project.branch("feature");
    project.run(&["release"]).expect(0);
    let namespace = project.namespace("qa");
    let get =
        |form: &str| project.bench.kubectl(&["-n", &namespace, "get", "deployment,replicaset,pod,service", "-o", form]);
    let (saved, json) = (get("yaml"), get("json"));
    project.unset("KUBECONFIG");
    for text in [&saved, &json, &format!("---\n{saved}---\n"), &documents(&json)] {
        let status = project.run_with_input(&["status", "-f", "-"], text).expect(0);
        status.says("deployment/web").says("2/2").says("healthy").never_says("service/web");
    }
    let broken =
        saved.replace("readyReplicas: 2", "readyReplicas: 1").replace("availableReplicas: 2", "availableReplicas: 1");
    let status = project.run_with_input(&["status", "-f", "-"], &broken).expect(7);
    status.says("deployment/web").says("not ready yet: what was saved (exit 7)").never_says("healthy");
    project.write("saved.yaml", &saved);
    let outcome = project.run(&["status", "-f", "saved.yaml", "--output", "json"]).expect(0).outcome();
    assert_eq!(outcome["answer"]["status"]["environments"][0]["health"], "healthy");
    for (text, says) in [
        ("kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n", "nothing in it has a state to judge"),
        ("replicas: 1\n", "not an object of Kubernetes"),
        ("a: [\n", "error[yaml]"),
    ] {
        project.run_with_input(&["status", "-f", "-"], text).expect(2).says(says);
    }
    project.run(&["status", "-f", "nothing.yaml"]).expect(2);
}

/// The items of a List as documents of their own.
fn documents(list: &str) -> String {
    let list: Value = serde_json::from_str(list).expect("JSON from kubectl");
    let items = list["items"].as_array().expect("items").iter();
    items.map(|item| format!("{item}\n")).collect::<Vec<_>>().join("---\n")
}

/// Another process deploys; later its pod crashes. All of it is seen by watches, and no request is made in between.
#[test]
fn a_watch_sees_a_rollout_to_its_end_and_a_crash_later() {
    let project = small::project("watched", "one");
    let namespace = project.namespace("qa");
    let watch = project.start(&["status", "--watch", "--env", "qa"]);
    watch.until_says("qa not deployed");
    project.run(&["deploy"]).expect(0);
    watch.until_says("has deployed 1");
    watch.until_says("qa is healthy");
    watch.until_says("nobody is at work any more");
    small::write(&project, "two");
    let web = std::fs::read_to_string(project.root().join("kubernetes/web.yaml")).expect("a manifest");
    let falls_over = r#"[/bin/sh, -c, "/bin/httpd -p 8080; until [ -e /tmp/over ]; do sleep 0.2; done; exit 3"]"#;
    project.write("kubernetes/web.yaml", &web.replace(r#"[/bin/httpd, -f, -p, "8080"]"#, falls_over));
    project.run(&["deploy"]).expect(0);
    watch.until_says("1 old");
    let pods = project.bench.get(&namespace, &["pods", "-l", "app=web"]);
    let pod = pods["items"][0]["metadata"]["name"].as_str().expect("a pod").to_owned();
    let audit = Audit::begin(&project.bench);
    project.bench.kubectl(&["-n", &namespace, "exec", &pod, "--", "/bin/touch", "/tmp/over"]);
    watch.until_says(&format!("pod/{pod}: 1 restart"));
    let asked = audit.requests(&namespace);
    let polled: Vec<_> =
        asked.iter().filter(|request| request.verb != "watch" && !request.uri.contains("/log?")).collect();
    assert!(polled.is_empty(), "{polled:#?}");
    interrupt(watch.id());
    let run = watch.wait().expect(130);
    run.says("deploys 1").says("deployment/web 1/1 ready").never_says("error").never_says("no new write");
    assert!(run.stdout.contains("deployment/web"), "the last state is the answer\n{}", run.transcript());
}

/// One JSON object an event; a reader that has seen enough ends it.
#[test]
fn a_watch_ends_when_nobody_reads_it() {
    let project = small::project("unread", "one");
    project.run(&["deploy"]).expect(0);
    let mut watch = Command::new(env!("CARGO_BIN_EXE_shipway"))
        .args(["status", "--watch", "--output", "json"])
        .current_dir(project.root())
        .env_clear()
        .envs(project.variables.iter().cloned())
        .stdout(Stdio::piped())
        .spawn()
        .expect("shipway starts");
    let mut told = BufReader::new(watch.stdout.take().expect("a pipe"));
    let mut line = String::new();
    told.read_line(&mut line).expect("a line");
    let event: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&event["event"], &event["changes"][0]["change"]), (&"status.environment".into(), &"seen".into()));
    drop(told);
    // what happens next is what it notices by
    project.bench.kubectl(&["-n", &project.namespace("qa"), "scale", "deployment", "web", "--replicas", "2"]);
    let mut ended = None;
    until(|| {
        ended = watch.try_wait().expect("a child to wait for");
        ended.is_some()
    });
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
}

fn interrupt(process: u32) {
    let done = Command::new("kill").args(["-INT", &process.to_string()]).status();
    assert!(done.expect("kill runs").success());
}
