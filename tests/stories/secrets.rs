//! What is secret is in no output, whatever happens.

use crate::support::Project;

const VALUE: &str = "correct-horse-battery-staple";

fn secret(name: &str, more: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\nstringData:\n  token: {VALUE}\n{more}")
}

#[test]
fn values_are_in_no_output() {
    let project = Project::web("secret");
    project.branch("feature");
    project.write("kubernetes/secret.yaml", &secret("api", ""));
    project.commit("Add a secret");
    let encoded = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ";
    for arguments in [
        &["release", "-vv"][..],
        &["plan", "-vv"],
        &["plan", "--output", "json", "-vv"],
        &["status", "-vv"],
        &["render", "-vv"],
        &["config", "--output", "json"],
        &["deploy", "--output", "json", "-vv"],
    ] {
        project.run(arguments).expect(0).never_says(VALUE).never_says(encoded);
    }
    // who asks for them gets manifests that a server takes
    project.run(&["render", "--reveal"]).expect(0).says(encoded);
    let live = project.bench.get(&project.namespace("qa"), &["secret", "api"]);
    assert!(live["data"]["token"].as_str().expect("a value").starts_with(encoded), "{live}");
}

#[test]
fn the_servers_own_messages_are_cleaned() {
    let project = Project::web("leak");
    project.branch("feature");
    project.run(&["release"]).expect(0);
    // the server repeats the whole value when a list map has a key twice or a type is wrong
    let wrong = secret("api", "").replace("stringData:\n  token:", "data:\n  nested:\n    token:");
    project.write("kubernetes/secret.yaml", &wrong);
    project.commit("Write the secret in the wrong shape");
    project.run(&["deploy", "-vv"]).expect(2).never_says(VALUE).says("kubernetes/secret.yaml");
}
