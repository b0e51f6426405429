//! Nobody who uses the app notices a deploy or a switch.

use crate::support::{Project, demo};

#[test]
fn a_rolling_deploy_fails_no_request() {
    let project = Project::web("rolling");
    demo::add_server(&project, "one");
    project.write("kubernetes/web.yaml", &demo::deployment("web", &project.image(), None));
    project.branch("feature");
    project.commit("Serve");
    project.run(&["release"]).expect(0);

    let load = demo::Load::start(&project.bench, &project.namespace("qa"), "web");
    demo::add_server(&project, "two");
    project.commit("Serve better");
    project.run(&["release"]).expect(0);
    let counted = load.end();
    assert!(counted.starts_with("requests "), "{counted}");
}

#[test]
fn a_switch_fails_no_request() {
    let project = super::blue_green::project("swload");
    project.run(&["release", "--switch"]).expect(0);
    demo::add_server(&project, "two");
    project.commit("Serve better");
    let mut load = demo::Load::start(&project.bench, &project.namespace("qa"), "web");
    load.until_answers("color=blue");
    project.run(&["release"]).expect(0);
    project.run(&["switch"]).expect(0);
    load.until_answers("color=green");
    let counted = load.end();
    assert!(counted.starts_with("requests "), "{counted}");
}
