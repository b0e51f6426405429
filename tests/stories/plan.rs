//! A plan that is kept in a file is carried out as it is, or not at all.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::support::{Project, Run, manifests};

const FILE: &str = "../deploy.plan";

/// A pushed project that is deployed, with a change to its manifests that is planned.
struct Kept(Project);

impl Kept {
    fn new(story: &str) -> Self {
        let project = Project::pushed(story);
        project.write("shipway.yaml", "deploy: {settle: 1s}\n");
        project.write("kubernetes/secret.yaml", &secret("hunter2-of-the-story"));
        project.write("kubernetes/old.yaml", &flags("old", "calm"));
        project.run(&["deploy"]).expect(0);
        let kept = Self(project);
        kept.change("planned");
        fs::remove_file(kept.0.root().join("kubernetes/old.yaml")).expect("a file that goes");
        kept.plan();
        kept
    }

    fn change(&self, mode: &str) {
        let text = manifests::deployment("web", &self.0.image()).replace(
            "          ports:\n",
            &format!("          env:\n            - name: MODE\n              value: {mode}\n          ports:\n"),
        );
        self.0.write("kubernetes/web.yaml", &text);
    }

    fn plan(&self) -> Run {
        self.0.run(&["plan", "--out", FILE]).expect(0)
    }

    fn deploy(&self) -> Run {
        self.0.run(&["deploy", "--plan", FILE])
    }

    fn web(&self) -> serde_json::Value {
        self.0.bench.get(&self.0.namespace("qa"), &["deployment", "web"])
    }

    fn mode(&self) -> serde_json::Value {
        self.web()["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"].clone()
    }

    fn kubectl(&self, arguments: &[&str]) {
        self.0.bench.kubectl(&[&["-n", &self.0.namespace("qa")], arguments].concat());
    }
}

fn secret(value: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: key\nstringData:\n  token: {value}\n")
}

fn flags(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  mode: {value}\n")
}

#[test]
fn a_plan_is_carried_out_as_it_was_made_whatever_the_tree_has_become() {
    let kept = Kept::new("kept");
    let file = kept.0.root().join(FILE);
    assert_eq!(fs::metadata(&file).expect("the plan").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).expect("a text");
    // the value, and as it goes to the cluster
    for value in ["hunter2-of-the-story", "aHVudGVyMi1vZi10aGUtc3Rvcnk"] {
        assert!(!text.contains(value), "{value} stands in the plan");
    }
    let before = kept.web()["metadata"]["generation"].as_i64().expect("a number");
    kept.change("written-later");
    kept.0.write("kubernetes/later.yaml", &flags("later", "calm"));
    kept.0.commit("Go on");
    kept.deploy().expect(0).says("deployment/web");
    assert_eq!(kept.mode(), "planned");
    assert_eq!(kept.web()["metadata"]["generation"], before + 1);
    let names = kept.0.bench.kubectl(&["-n", &kept.0.namespace("qa"), "get", "configmap", "-o", "name"]);
    assert!(!names.contains("later") && !names.contains("old"), "{names}");
    // it was made for what was there before it
    kept.deploy().expect(5).says("revision 2 (one) was deployed").says("shipway plan --out");
}

#[test]
fn a_first_deploy_that_makes_its_namespace_can_be_planned() {
    let project = Project::pushed("first");
    project.run(&["plan", "--out", FILE]).expect(0);
    project.run(&["deploy", "--plan", FILE]).expect(0).says("deployment/web");
}

#[test]
fn a_plan_is_refused_where_objects_have_changed() {
    let kept = Kept::new("moved");
    kept.kubectl(&["label", "deployment/web", "team=other"]);
    kept.kubectl(&["delete", "service/web"]);
    kept.kubectl(&["delete", "configmap/old"]);
    let run = kept.deploy().expect(5);
    run.says("plan-outdated").says("deployment/web was changed (kubectl-label").says("service/web was deleted");
    run.says("configmap/old was to be deleted, and is not any more");
    assert!(kept.mode().is_null(), "something was written");
    kept.plan();
    kept.deploy().expect(0);
    assert_eq!(kept.mode(), "planned");
}

#[test]
fn a_plan_is_refused_after_a_deploy_in_between_and_for_another_secret_or_image() {
    let kept = Kept::new("between");
    kept.0.write("kubernetes/secret.yaml", &secret("another-one"));
    let run = kept.deploy().expect(5);
    run.says("secret/key is not in the manifests as it was").never_says("another-one");
    kept.0.run(&["deploy"]).expect(0);
    kept.deploy().expect(5).says("revision 2 (one) was deployed, by").says("plan-outdated");
    kept.plan();
    kept.0.write("Dockerfile", &kept.0.dockerfile("two"));
    kept.0.run(&["build"]).expect(0);
    kept.0.run(&["push"]).expect(0);
    kept.deploy().expect(5).says("the registry has").says("under this tag");
}

#[test]
fn a_plan_of_another_place_or_version_and_a_broken_one_are_refused() {
    let mut kept = Kept::new("elsewhere");
    let run = kept.0.run(&["deploy", "--plan", FILE, "--env", "production", "--yes"]).expect(2);
    run.says("the plan is for").says("in qa").says("in production");
    let app = kept.0.app.clone();
    kept.0.set("SHIPWAY_APP", "other");
    kept.0.run(&["deploy", "--plan", FILE]).expect(2).says(&format!("the plan is for {app}")).says("this is other");
    kept.0.unset("SHIPWAY_APP");
    let file = kept.0.root().join(FILE);
    let text = fs::read_to_string(&file).expect("a text");
    for (changed, told) in [
        (text.replace("planned", "meddled"), "was changed or cut off"),
        (text[..text.len() / 2].to_owned(), "was changed or cut off"),
        (text.replace("\"shipway_plan\":2", "\"shipway_plan\":3"), "is a plan of version 3"),
        ("kind: Deployment\n".to_owned(), "is no plan of shipway"),
    ] {
        fs::write(&file, changed).expect("a file");
        kept.deploy().expect(2).says(told).says("plan-file");
    }
    fs::remove_file(&file).expect("a file that goes");
    kept.deploy().expect(2).says("is not there");
    kept.0.run(&["plan", "--out", "../none/deploy.plan"]).expect(2).says("cannot write ../none/deploy.plan");
}

#[test]
fn what_a_plan_would_not_heed_does_not_go_with_it() {
    let kept = Kept::new("unheeded");
    for flag in ["--tag", "--commit", "--branch"] {
        let run = kept.0.run(&["deploy", "--plan", FILE, flag, "other"]).expect(2);
        run.says("--plan <FILE>").says(flag);
    }
    let run = kept.0.run(&["deploy", "--plan", FILE, "-f", "kubernetes/web.yaml"]).expect(2);
    run.says("error[usage]").says("`--plan`").says("`-f`");
    assert!(kept.mode().is_null(), "something was written");
}

#[test]
fn a_step_back_can_be_planned_where_it_is_allowed() {
    let project = Project::pushed("stepback");
    project.write("shipway.yaml", "deploy: {settle: 1s}\n");
    let older = project.commit("Go on");
    project.commit("Go further");
    project.run(&["deploy"]).expect(0);
    project.run(&["plan", "--commit", &older]).expect(9).says("error[backwards]").says("--allow-older");
    let run = project.run(&["plan", "--commit", &older, "--allow-older", "--out", FILE]).expect(0);
    run.says("is older than");
    project.run(&["deploy", "--plan", FILE]).expect(0);
    let history = project.run(&["history", "--output", "json"]).expect(0).outcome();
    assert_eq!(history["answer"]["history"]["deploys"][0]["commit"]["sha"], older);
}
