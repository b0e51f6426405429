//! Two colours: deploys go to the idle one, the switch moves traffic when it is proven.

use crate::support::{Project, demo, manifests};

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
fn live(project: &Project) -> String {
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
    project.run(&["release", "--switch"]).expect(0);
    demo::add_server(&project, "two");
    project.commit("Serve better");
    project.run(&["release", "--switch"]).expect(0);
    let (served, generation) = (live(&project), |color: &str| {
        let name = format!("web-{color}");
        project.bench.get(&project.namespace("qa"), &["deployment", &name])["metadata"]["generation"].clone()
    });
    let before = ["blue", "green"].map(generation);
    project.run(&["release", "--switch"]).expect(0);
    assert_eq!(live(&project), served, "a repeated job moved the traffic");
    assert_eq!(["blue", "green"].map(generation), before, "a repeated job took the way back away");
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
