//! Keys of shipway.yaml that change what is built and what is deployed.

use std::process::Command;

use crate::support::{Project, manifests};

const TOKEN: &str = "npm-token-91f0c2";

/// The engine's own words about an image: its history and every layer, with the docker client as the witness.
fn docker(project: &Project, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("docker")
        .args(arguments)
        .env("DOCKER_HOST", project.bench.variable("DOCKER_HOST"))
        .output()
        .expect("the docker client runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn with_secrets(story: &str, proof: &str) -> Project {
    let mut project = Project::web(story);
    project.branch("feature");
    project.set("NPM_TOKEN", TOKEN);
    project.write(
        "shipway.yaml",
        &format!(
            "images:\n- name: {}\n  secrets: [{{id: token, env: NPM_TOKEN}}, {{id: rc, file: ~/.npmrc}}]\n",
            project.image()
        ),
    );
    project.write("../home/.npmrc", "//registry.example.com/:_authToken=of-the-file-77\n");
    let text = project.dockerfile(&project.app)
        + "RUN --mount=type=secret,id=token,required=true --mount=type=secret,id=rc,required=true \\\n  "
        + proof
        + "\n";
    project.write("Dockerfile", &text);
    project.commit("Use secrets");
    project
}

#[test]
fn secrets_are_there_in_a_build_and_nowhere_after_it() {
    let proof = "sha256sum /run/secrets/token > /proof && grep -q _authToken /run/secrets/rc && cat /run/secrets/token";
    let project = with_secrets("buildsecret", proof);
    let run = project.run(&["build", "-v"]).expect(0);
    run.never_says(TOKEN).never_says("of-the-file-77");
    let image = run.stdout.trim().to_owned();
    let history = docker(&project, &["history", "--no-trunc", &image]);
    let saved = docker(&project, &["save", &image]);
    for secret in [TOKEN, "of-the-file-77"] {
        assert!(!contains(&history, secret) && !contains(&saved, secret), "the image holds {secret}");
    }
    // sha256sum of the token
    let proof = "75351cb07cab9ab234c577948c8dc57703fcd8c324b455f2026e2246b38e5ee8  /run/secrets/token";
    assert!(contains(&saved, proof), "the secret was not there");
}

#[test]
fn a_secret_that_is_not_there_is_told_with_its_place() {
    let mut project = with_secrets("nosecret", "true");
    project.unset("NPM_TOKEN");
    std::fs::remove_file(project.root().join("../home/.npmrc")).expect("a file to remove");
    let run = project.run(&["build"]).expect(2);
    run.says("NPM_TOKEN is not set").says("shipway.yaml:3:13").says("~/.npmrc is not there").says("build-secret");
    project.set("NPM_TOKEN", TOKEN);
    project.write("../home/.npmrc", "x\n");
    project.write("shipway.yaml", &format!("images: [{{name: {}}}]\n", project.image()));
    project.run(&["build"]).expect(3).says("wants the secret token").says("Dockerfile:").says("id: token, env");
}

#[test]
fn values_are_put_into_the_manifests_where_that_is_asked_for() {
    let project = Project::web("substitute");
    project.branch("feature/cart");
    project.write(
        "kubernetes/map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web-${shipway.env}\ndata:\n  \
         url: https://${shipway.branch_slug}.${shipway.namespace}.example.com/\n  commit: ${shipway.commit}\n",
    );
    project.write("shipway.yaml", "substitute: true\n");
    let commit = project.commit("Put values in");
    project.run(&["release"]).expect(0).never_says("stays as it is");
    let map = project.bench.get(&project.namespace("qa"), &["configmap", "web-qa"]);
    assert_eq!(map["data"]["commit"], commit);
    let url = map["data"]["url"].as_str().expect("a text");
    assert!(url.starts_with("https://feature-cart-") && url.contains(&project.namespace("qa")), "{url}");

    project.write("kubernetes/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web-${shipway.evn}\n");
    let run = project.run(&["deploy"]).expect(2);
    run.says("kubernetes/map.yaml:4:3").says("did you mean `${shipway.env}`?");

    // nobody asks for it: told, and left to the server to refuse
    std::fs::remove_file(project.root().join("shipway.yaml")).expect("a file to remove");
    let run = project.run(&["deploy", "--tag", "x"]);
    run.says("kubernetes/map.yaml:4:3").says("substitute: true");
}

#[test]
fn images_of_other_kinds_are_found_where_the_configuration_says() {
    let project = Project::web("imagepaths");
    project.branch("feature");
    project.write("shipway.yaml", "image_paths:\n- {kind: Workflow.argoproj.io, path: 'spec.templates[].container'}\n");
    let image = project.image();
    project.write(
        "kubernetes/workflow.yaml",
        &format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata:\n  name: load\nspec:\n  templates:\n  \
             - container: {{image: '{image}'}}\n  - script: {{image: 'python:3'}}\n"
        ),
    );
    project.write("kubernetes/web.yaml", &manifests::deployment("web", &image));
    project.commit("Load data");
    project.run(&["build"]).expect(0);
    let pushed = project.run(&["push"]).expect(0);
    let rendered = project.run(&["render"]).expect(0);
    assert_eq!(rendered.stdout.matches(pushed.stdout.trim()).count(), 2, "{}", rendered.transcript());
    assert!(rendered.stdout.contains("python:3"));
}

/// Far more than any command line or message takes: three objects of 700 kB.
#[test]
fn two_megabytes_of_manifests_are_deployed() {
    let project = Project::pushed("large");
    for number in 0..3 {
        let lines: String =
            (0..7_000).map(|line| format!("    line {line} of {number}: {}\n", "x".repeat(80))).collect();
        let text =
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: large-{number}\ndata:\n  text: |\n{lines}");
        project.write(&format!("kubernetes/large-{number}.yaml"), &text);
    }
    project.run(&["deploy"]).expect(0);
    let again = project.run(&["deploy", "--output", "json"]).expect(0);
    let outcome = again.outcome();
    let objects = outcome["objects"].as_array().expect("objects");
    let large = objects.iter().filter(|object| object["kind"] == "ConfigMap");
    assert_eq!(large.filter(|object| object["change"] == "unchanged").count(), 3, "{}", again.transcript());
    let map = project.bench.get(&project.namespace("qa"), &["configmap", "large-2"]);
    assert_eq!(map["data"]["text"].as_str().map(|text| text.lines().count()), Some(7_000));
}
