//! Builds through the engine's BuildKit.

use crate::support::Project;

#[test]
fn an_unchanged_tree_is_built_from_the_cache() {
    let project = Project::web("cache");
    // a step that another build runs at this moment is shared with it, and told as run
    project.write("Dockerfile", &project.dockerfile(&project.app));
    project.commit("Serve a page of its own");
    let first = project.run(&["build", "--output", "json"]).expect(0);
    let again = project.run(&["build", "--output", "json"]).expect(0);
    let done = |run: &crate::support::Run| {
        run.events().into_iter().find(|event| event["event"] == "build.done").expect("a build.done event")
    };
    assert!(done(&first)["steps"].as_u64() > Some(0), "{}", first.transcript());
    assert_eq!(done(&again)["steps"], done(&again)["cached"], "{}", again.transcript());
}

#[test]
fn the_failing_instruction_is_told_with_its_last_lines() {
    let project = Project::web("broken");
    let text = project.dockerfile("one") + "RUN echo before the fall; exit 7\n";
    project.write("Dockerfile", &text);
    project.commit("Break the build");
    let run = project.run(&["build"]).expect(3);
    run.says("RUN echo before the fall; exit 7")
        .says("before the fall")
        .says("exit code 7")
        .says("error[build-failed]");
}

#[test]
fn ignored_files_are_not_sent() {
    let project = Project::web("ignored");
    project.write(".dockerignore", "*\n!keep\n");
    project.write("keep/this", "kept\n");
    project.write("leave/this", "left\n");
    project.write(
        "Dockerfile",
        &(project.dockerfile("one") + "COPY . /all\nRUN test -f /all/keep/this && test ! -e /all/leave\n"),
    );
    project.commit("Ignore most");
    let listed = project.run(&["build", "--list-context"]).expect(0);
    assert!(listed.stdout.contains("keep/this") && !listed.stdout.contains("leave/this"), "{}", listed.transcript());
    project.run(&["build"]).expect(0);
}

#[test]
fn labels_say_where_the_image_comes_from() {
    let project = Project::web("labels");
    let commit = project.commit("Label it");
    project.run(&["release", "--yes"]).expect(0);
    let pod = project.bench.get(&project.app, &["pods", "-l", "app=web"]);
    let image = pod["items"][0]["spec"]["containers"][0]["image"].as_str().expect("an image").to_owned();
    let labels = crate::support::image_labels(&image);
    assert_eq!(labels["org.opencontainers.image.revision"], commit);
    assert_eq!(labels["org.opencontainers.image.source"], format!("https://git.example.com/team/{}", project.app));
    assert_eq!(labels["org.opencontainers.image.created"], "2026-01-02T03:04:05Z");
}

#[test]
fn an_engine_that_is_not_there_is_told() {
    let mut project = Project::web("engine");
    project.set("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    project.run(&["build"]).expect(3).says("/nonexistent/docker.sock");
}

#[test]
fn a_missing_dockerfile_is_told() {
    let project = Project::web("nofile");
    std::fs::remove_file(project.root().join("Dockerfile")).expect("a file to remove");
    project.commit("Lose the Dockerfile");
    project.run(&["build"]).expect(2).says("Dockerfile");
}
