//! Registries that refuse, are not there, or want a login.

use crate::support::Project;

/// A project whose image belongs at the registry with a login.
fn guarded(story: &str) -> Project {
    let project = Project::web(story);
    let (open, login) = (project.bench.variable("REGISTRY"), project.bench.variable("REGISTRY_LOGIN"));
    let text = std::fs::read_to_string(project.root().join("kubernetes/web.yaml")).expect("a manifest");
    project.write("kubernetes/web.yaml", &text.replace(&open, &login));
    project.branch("feature");
    project.commit("Use the guarded registry");
    project
}

fn log_in(project: &mut Project, password: &str) {
    let user = project.bench.variable("REGISTRY_USER");
    project.set("DOCKER_USERNAME", &user);
    project.set("DOCKER_PASSWORD", password);
}

#[test]
fn the_right_login_pushes_and_is_never_shown() {
    let mut project = guarded("login");
    let password = project.bench.password();
    log_in(&mut project, &password);
    project.run(&["build"]).expect(0);
    let push = project.run(&["push", "-vv"]).expect(0);
    push.never_says(&password).says("@sha256:");
}

#[test]
fn a_wrong_password_is_told() {
    let mut project = guarded("wrong");
    log_in(&mut project, "not-the-password");
    project.run(&["build"]).expect(0);
    project
        .run(&["push"])
        .expect(4)
        .says("error[registry-denied]")
        .says("rejects the login")
        .says("DOCKER_USERNAME")
        .never_says("not-the-password");
}

#[test]
fn no_login_is_told() {
    let project = guarded("nologin");
    project.run(&["build"]).expect(0);
    project.run(&["push"]).expect(4).says("error[registry-login]").says("docker login");
}

#[test]
fn a_registry_that_is_down_is_told() {
    let project = Project::web("down");
    let text = std::fs::read_to_string(project.root().join("kubernetes/web.yaml")).expect("a manifest");
    project.write("kubernetes/web.yaml", &text.replace(&project.bench.variable("REGISTRY"), "localhost:1"));
    project.branch("feature");
    project.commit("Use a registry that is not there");
    project.run(&["build"]).expect(0);
    let push = project.run(&["push"]).expect(4);
    push.says("error[registry-unreachable]").says("localhost:1");
    let deploy = project.run(&["deploy"]).expect(4);
    deploy.says("error[registry-unreachable]").says("localhost:1");
}

#[test]
fn an_image_that_was_not_built_is_told() {
    let project = Project::web("unbuilt");
    project.branch("feature");
    project.run(&["push"]).expect(4).says("shipway build");
}

#[test]
fn latest_moves_where_it_is_configured() {
    let project = Project::web("latest");
    project.write("shipway.yaml", "latest: [qa]\n");
    project.branch("feature");
    project.commit("Move latest");
    project.run(&["build"]).expect(0);
    let pushed = project.run(&["push"]).expect(0);
    let digest = pushed.stdout.split_once('@').expect("a digest").1.trim().to_owned();
    // the registry itself says what `latest` is: deploy it by tag
    let deployed = project.run(&["deploy", "--tag", "latest", "--output", "json"]).expect(0).outcome();
    assert_eq!(deployed["images"][0]["digest"], digest.as_str());
}
