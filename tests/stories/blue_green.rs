//! Two colours: deploys go to the idle one, the switch moves traffic when it is proven.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{
    Bench, Project, demo, manifests,
    proxy::{Fault, Proxy, Rule, Seen, Then},
};

/// A blue/green app on a branch, nothing released yet.
pub fn project(story: &str) -> Project {
    let project = Project::new(story);
    demo::add_server(&project, "one");
    let image = project.image();
    let service = manifests::service("web", "    color: switch\n");
    for (file, text) in [
        ("kubernetes/ns.yaml", manifests::namespace(&project.app)),
        ("kubernetes/qa-ns.yaml", manifests::namespace(&project.namespace("qa"))),
        ("kubernetes/bg/blue.yaml", demo::deployment("web-blue", &image, Some("blue"))),
        ("kubernetes/bg/green.yaml", demo::deployment("web-green", &image, Some("green"))),
        ("kubernetes/bg/service.yaml", service),
        ("shipway.yaml", "manifests: [kubernetes, kubernetes/bg]\nblue_green:\n  service: web\n".to_owned()),
    ] {
        project.write(file, &text);
    }
    project.branch("feature");
    project.commit("Serve in two colours");
    project
}

/// The colour that the Service selects, asked with kubectl.
pub fn live(project: &Project) -> String {
    let service = project.bench.get(&project.namespace("qa"), &["service", "web"]);
    service["spec"]["selector"]["color"].as_str().expect("a colour").to_owned()
}

fn has(project: &Project, deployment: &str) -> bool {
    let names = project.bench.kubectl(&["-n", &project.namespace("qa"), "get", "deployment", "-o", "name"]);
    names.lines().any(|name| name == format!("deployment.apps/{deployment}"))
}

#[test]
fn deploys_go_to_the_idle_colour_and_switch_is_done_once() {
    let project = project("colours");
    project.run(&["release"]).expect(0);
    project.run(&["switch"]).expect(0);
    let first = live(&project);
    let second = if first == "blue" { "green" } else { "blue" };
    assert!(has(&project, &format!("web-{first}")));
    assert!(!has(&project, &format!("web-{second}")), "the other colour was deployed too");

    demo::add_server(&project, "two");
    project.commit("Serve better");
    let released = project.run(&["release"]).expect(0);
    released.says(second);
    assert_eq!(live(&project), first, "a deploy moved the traffic");
    assert!(has(&project, &format!("web-{second}")));

    project.run(&["switch"]).expect(0);
    assert_eq!(live(&project), second);
    // a repeated CI job does not flip back
    project.run(&["switch"]).expect(0).says(second);
    assert_eq!(live(&project), second);
    project.run(&["switch", "--back"]).expect(0);
    assert_eq!(live(&project), first);
}

#[test]
fn a_repeated_job_finds_nothing_to_do() {
    let project = project("repeat");
    let file = |color: &str| format!("kubernetes/bg/worker-{color}.yaml");
    for color in ["blue", "green"] {
        let text = demo::deployment(&format!("worker-{color}"), &project.image(), Some(color));
        project.write(&file(color), &text.replace("app: web\n", "app: worker\n"));
    }
    let alarm = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: alarm\n  annotations: {argocd.argoproj.io/hook: SyncFail}\n";
    project.write("kubernetes/alarm.yaml", alarm);
    project.commit("Work in two colours");
    project.run(&["release", "--switch"]).expect(0);
    let worker = format!("worker-{}", live(&project));
    demo::add_server(&project, "two");
    for color in ["blue", "green"] {
        std::fs::remove_file(project.root().join(file(color))).expect("a manifest");
    }
    project.commit("Serve better");
    project.run(&["release", "--switch"]).expect(0);
    let (served, generation) = (live(&project), |color: &str| {
        let name = format!("web-{color}");
        project.bench.get(&project.namespace("qa"), &["deployment", &name])["metadata"]["generation"].clone()
    });
    let before = ["blue", "green"].map(generation);
    project.run(&["release", "--switch"]).expect(0).never_says("pruned");
    assert_eq!(live(&project), served, "a repeated job moved the traffic");
    assert_eq!(["blue", "green"].map(generation), before, "a repeated job took the way back away");
    assert!(has(&project, &worker), "a repeated job took a part of the way back away");
    // until it is deployed over
    demo::add_server(&project, "three");
    project.commit("Serve best");
    project.run(&["release"]).expect(0).says(&format!("deployment/{worker} pruned"));
}

/// As another renderer gives them: the values that it was told are in no commit.
#[test]
fn other_manifests_of_the_same_commit_go_to_the_idle_colour() {
    let project = project("samecommit");
    let given = |level: &str| {
        let colors = ["blue", "green"].map(|color| {
            let text = demo::deployment(&format!("web-{color}"), &project.image(), Some(color));
            text.replace(
                "          env:\n",
                &format!("          env:\n            - name: LEVEL\n              value: {level}\n"),
            )
        });
        let service = manifests::service("web", "    color: switch\n");
        let namespace = manifests::namespace(&project.namespace("qa"));
        project.write("given.yaml", &[namespace, service, colors.join("---\n")].join("---\n"));
    };
    let level = |color: &str| {
        let deployment = project.bench.get(&project.namespace("qa"), &["deployment", &format!("web-{color}")]);
        deployment["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"].as_str().map(str::to_owned)
    };
    let deploy = || project.run(&["deploy", "-f", "given.yaml"]).expect(0);
    project.run(&["build"]).expect(0);
    project.run(&["push"]).expect(0);
    given("low");
    deploy();
    project.run(&["switch"]).expect(0);
    let first = live(&project);
    let second = if first == "blue" { "green" } else { "blue" };
    deploy().says("3 unchanged").never_says("changed:");
    given("high");
    deploy();
    assert_eq!((level(&first), level(second)), (Some("low".to_owned()), Some("high".to_owned())));
    deploy().never_says("changed:");
    assert_eq!(live(&project), first);
}

#[test]
fn a_colour_that_is_not_ready_gets_no_traffic() {
    let project = project("unready");
    project.run(&["release", "--switch"]).expect(0);
    let first = live(&project);
    let second = if first == "blue" { "green" } else { "blue" };
    demo::add_server(&project, "two");
    project.commit("Serve better");
    project.run(&["release"]).expect(0);
    let namespace = project.namespace("qa");
    project.bench.kubectl(&["-n", &namespace, "scale", "deployment", &format!("web-{second}"), "--replicas=0"]);
    project.bench.kubectl(&[
        "-n",
        &namespace,
        "wait",
        "--for=delete",
        "pod",
        "-l",
        &format!("color={second}"),
        "--timeout=60s",
    ]);
    project.run(&["switch"]).expect(6).says(&format!("web-{second}"));
    assert_eq!(live(&project), first);
}

#[test]
fn a_colour_that_does_not_exist_is_told() {
    let project = project("nocolour");
    project.run(&["release", "--switch"]).expect(0);
    project.run(&["switch", "purple"]).expect(2).says("purple").says("blue").says("green");
}

/// The same, with pods that read a ConfigMap.
pub fn configured(story: &str) -> Project {
    let project = project(story);
    for color in ["blue", "green"] {
        let text = demo::deployment(&format!("web-{color}"), &project.image(), Some(color));
        let uses = "          envFrom:\n            - configMapRef:\n                name: flags\n          ports:\n";
        project.write(&format!("kubernetes/bg/{color}.yaml"), &text.replace("          ports:\n", uses));
    }
    project
}

pub fn set_flags(project: &Project, value: &str) {
    let map = format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata:\n  CART: '{value}'\n");
    project.write("kubernetes/flags.yaml", &map);
    project.commit(&format!("Set the cart to {value}"));
}

/// The ConfigMap that a colour's pods read, by name, with its value.
pub fn flags(project: &Project, color: &str) -> (String, String) {
    let deployment = project.bench.get(&project.namespace("qa"), &["deployment", &format!("web-{color}")]);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let name = container["envFrom"][0]["configMapRef"]["name"].as_str().expect("a name").to_owned();
    let map = project.bench.get(&project.namespace("qa"), &["configmap", &name]);
    (name, map["data"]["CART"].as_str().expect("a value").to_owned())
}

#[test]
fn the_live_colour_keeps_its_configuration_when_the_idle_one_gets_another() {
    let project = configured("keepsconfig");
    let namespace = project.namespace("qa");
    let is_there =
        |name: &str| project.bench.try_kubectl(&["-n", &namespace, "get", "configmap", name], "").status.success();
    set_flags(&project, "one");
    project.run(&["release", "--switch"]).expect(0);
    let first = live(&project);
    let second = if first == "blue" { "green" } else { "blue" };
    let (kept, value) = flags(&project, &first);
    assert!(kept.starts_with("flags-") && value == "one", "{kept}: {value}");
    assert!(!is_there("flags"), "nobody names it by its plain name");

    set_flags(&project, "two");
    project.run(&["release"]).expect(0);
    assert_eq!(flags(&project, &first), (kept.clone(), "one".to_owned()), "the live colour's configuration changed");
    assert_eq!(flags(&project, second).1, "two");
    // a pod of the live colour that is made anew finds it
    let selector = format!("color={first}");
    project.bench.kubectl(&["-n", &namespace, "delete", "pod", "-l", &selector, "--wait=false"]);
    let deployment = format!("deployment/web-{first}");
    project.bench.kubectl(&["-n", &namespace, "rollout", "status", &deployment, "--timeout=60s"]);

    // the repeated job goes to the colour that serves, and the way back stays
    project.run(&["switch"]).expect(0);
    project.run(&["release", "--switch"]).expect(0);
    assert_eq!((live(&project).as_str(), flags(&project, &first)), (second, (kept.clone(), "one".to_owned())));
    // so it does where a plan of it is carried out
    project.run(&["plan", "--out", "../deploy.plan"]).expect(0).never_says("pruned");
    project.run(&["deploy", "--plan", "../deploy.plan"]).expect(0).never_says("pruned");
    assert_eq!(flags(&project, &first), (kept.clone(), "one".to_owned()));

    set_flags(&project, "three");
    project.run(&["release"]).expect(0).says(&format!("configmap/{kept} pruned"));
    assert_eq!((flags(&project, &first).1, flags(&project, second).1), ("three".to_owned(), "two".to_owned()));
    assert!(!is_there(&kept), "no colour names it any more");
}

/// A blue/green app that needs no build, deployed once.
fn small(story: &str) -> Project {
    let mut project = Project::new(story);
    let image = format!("{}/base/busybox", project.bench.variable("REGISTRY"));
    project.set("SHIPWAY_TAG", "1");
    project.branch("feature");
    let settings = format!("images: [{{name: {image}}}]\ndeploy: {{settle: 0s}}\nblue_green: {{service: web}}\n");
    project.write("shipway.yaml", &settings);
    project.write("kubernetes/namespace.yaml", &manifests::namespace(&project.namespace("qa")));
    project.write("kubernetes/service.yaml", &manifests::service("web", "    color: switch\n"));
    for color in ["blue", "green"] {
        let text = demo::deployment(&format!("web-{color}"), &image, Some(color));
        let serve = "          command: [/bin/httpd, -f, -p, '8080', -h, /bin]\n          ports:\n";
        let text = text.replace("path: /appstatus\n", "path: /busybox\n").replace("          ports:\n", serve);
        project.write(&format!("kubernetes/{color}.yaml"), &text);
    }
    project.commit("Serve in two colours");
    project.run(&["deploy"]).expect(0);
    project
}

/// Whoever switches while a deploy is under way has the last word on the traffic.
#[test]
fn a_deploy_that_changes_the_service_leaves_a_switch_of_this_moment() {
    let mut project = small("meanwhile");
    assert_eq!(live(&project), "blue");
    let port = "  ports:\n    - {name: more, port: 81, targetPort: 8080}\n    - name: first\n      port: 80\n";
    let service = manifests::service("web", "    color: switch\n").replace("  ports:\n    - port: 80\n", port);
    project.write("kubernetes/service.yaml", &service);
    project.commit("Listen on another port");
    let proxy = Proxy::start(&project.bench);
    proxy.guard(&mut project);
    let (namespace, is_switched) = (project.namespace("qa"), AtomicBool::new(false));
    let switch = move |seen: &Seen| {
        let is_service = seen.is_write() && seen.path.contains("/services/web");
        if is_service && !is_switched.fetch_or(true, Ordering::SeqCst) {
            let patch = r#"{"spec": {"selector": {"color": "green"}}}"#;
            Bench.kubectl(&["-n", &namespace, "patch", "service", "web", "-p", patch]);
        }
        // the request itself passes
        false
    };
    proxy.rule(Rule::when(switch, Fault::Instead(Then::Reset)));
    proxy.run(&project, &["deploy"]).expect(0);
    assert_eq!(live(&project), "green", "a deploy moved the traffic");
    let service = project.bench.get(&project.namespace("qa"), &["service", "web"]);
    assert_eq!(service["spec"]["ports"].as_array().map(Vec::len), Some(2), "{service}");
    // what was written is known as it is: the next run has nothing to do
    proxy.forget_seen();
    proxy.run(&project, &["deploy"]).expect(0);
    let written = proxy.seen().into_iter().filter(|seen| seen.is_write() && seen.path.contains("/services/web"));
    assert_eq!((written.count(), live(&project).as_str()), (0, "green"));
}
