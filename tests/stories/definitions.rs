//! Kinds that the manifests define themselves, deployed with objects of them.

use serde_json::{Value, json};

use crate::support::{
    Audit, Bench, Project,
    proxy::{Answer, Fault, Proxy, Rule, Seen, Then},
    small,
};

/// A kind of the story's own, which goes with it.
struct Mice {
    group: String,
    namespace: String,
    scope: &'static str,
}

impl Mice {
    fn of(project: &Project, scope: &'static str) -> Self {
        Self { group: format!("{}.example.com", project.app), namespace: project.namespace("qa"), scope }
    }

    fn name(&self) -> String {
        format!("mice.{}", self.group)
    }

    /// With a plural that nobody guesses, and no room for a status.
    fn definition(&self, versions: &[&str]) -> Value {
        let spec = json!({"type": "object", "properties": {"colour": {"type": "string"}}});
        let schema = json!({"type": "object", "properties": {"spec": spec}});
        let version = |name: &&str| json!({"name": name, "served": true, "storage": *name == versions[0], "schema": {"openAPIV3Schema": schema}});
        let versions: Vec<Value> = versions.iter().map(version).collect();
        let names = json!({"kind": "Mouse", "plural": "mice"});
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": self.name()},
            "spec": {"group": self.group, "names": names, "scope": self.scope, "versions": versions}})
    }

    fn mouse(&self, version: &str, colour: Value) -> Value {
        json!({"apiVersion": format!("{}/{version}", self.group), "kind": "Mouse", "metadata": {"name": "jerry"},
            "spec": {"colour": colour}})
    }

    fn namespace(&self) -> Value {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
    }

    fn settings() -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "b"}})
    }

    fn live(&self) -> Value {
        Bench.get(&self.namespace, &[&self.name(), "jerry"])
    }

    fn is_defined(&self) -> bool {
        Bench.try_kubectl(&["get", "crd", &self.name()], "").status.success()
    }
}

impl Drop for Mice {
    fn drop(&mut self) {
        Bench.try_kubectl(&["delete", "crd", &self.name(), "--wait=false", "--ignore-not-found"], "");
    }
}

fn write(project: &Project, objects: &[Value]) {
    project.write("objects.json", &json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string());
}

/// A project that may bring the definition, and these kinds.
fn project(story: &str, scope: &'static str, allowed: &str) -> (Project, Mice) {
    let project = Project::new(story);
    project.branch("feature");
    let mice = Mice::of(&project, scope);
    let definition = format!("CustomResourceDefinition.apiextensions.k8s.io/{}", mice.name());
    let allowed = allowed.replace("GROUP", &mice.group);
    project.write("shipway.yaml", &format!("allow: {{cluster_scoped: [{definition}{allowed}]}}\n"));
    write(&project, &[mice.mouse("v1", json!("grey")), mice.namespace(), mice.definition(&["v1"]), Mice::settings()]);
    project.commit("Keep mice");
    (project, mice)
}

const DEPLOY: [&str; 3] = ["deploy", "-f", "objects.json"];

#[test]
fn a_definition_and_an_object_of_it_go_in_one_deploy() {
    let project = small::project("mice", "one");
    let mice = Mice::of(&project, "Namespaced");
    let image = format!("{}/base/busybox", project.bench.variable("REGISTRY"));
    let allow = format!("allow: {{cluster_scoped: [CustomResourceDefinition.apiextensions.k8s.io/{}]}}\n", mice.name());
    project.write("shipway.yaml", &format!("images: [{{name: {image}}}]\ndeploy: {{settle: 0s}}\n{allow}"));
    project.write("kubernetes/a-mouse.yaml", &mice.mouse("v1", json!("grey")).to_string());
    project.write("kubernetes/definition.yaml", &mice.definition(&["v1"]).to_string());
    let run = project.run(&["plan"]).expect(0);
    run.says("not rehearsed: its definition is not there yet").never_says("not looked through");
    let run = project.run(&["deploy"]).expect(0);
    // there can be no status, which is seen once the schema is published
    run.says("mouse/jerry").never_says("waited 10 s").never_says("not looked through");
    assert_eq!(mice.live()["spec"]["colour"], "grey");
    let audit = Audit::begin(&project.bench);
    project.run(&["deploy"]).expect(0);
    let requests = audit.requests(&project.app);
    assert!(!requests.is_empty() && requests.iter().all(|request| !request.writes_an_object()), "{requests:#?}");
}

#[test]
fn objects_of_a_new_kind_are_rehearsed_before_anything_else_is_written() {
    let (project, mice) = project("micefault", "Namespaced", "");
    write(&project, &[Mice::settings(), mice.mouse("v1", json!(7)), mice.namespace(), mice.definition(&["v1"])]);
    let run = project.run(&[&DEPLOY[..], &["--output", "json"]].concat()).expect(2);
    run.says("expected text in `spec.colour`").says("objects.json");
    let evidence = run.outcome()["problems"][0]["evidence"].clone();
    let said = |label: &str| {
        let found = evidence.as_array().into_iter().flatten().find(|found| found["label"] == label);
        found.map(|found| found["lines"].clone())
    };
    let written = [format!("namespace/{}", mice.namespace), format!("customresourcedefinition/{}", mice.name())];
    assert_eq!(said("written"), Some(json!(written)), "{evidence}");
    assert_eq!(said("not written"), Some(json!(["configmap/settings", "mouse/jerry"])), "{evidence}");
    let settings = project.bench.try_kubectl(&["-n", &mice.namespace, "get", "configmap", "settings"], "");
    assert!(!settings.status.success(), "{}", run.transcript());
    write(&project, &[Mice::settings(), mice.mouse("v1", json!("grey")), mice.namespace(), mice.definition(&["v1"])]);
    project.run(&DEPLOY).expect(0);
}

#[test]
fn a_new_kind_of_the_cluster_has_to_be_allowed_from_the_first_deploy_on() {
    let (project, mice) = project("micescope", "Cluster", "");
    for command in [&["plan", "-f", "objects.json"], &DEPLOY] {
        project.run(command).expect(2).says(&format!("Mouse.{}/jerry", mice.group)).says("cluster_scoped");
    }
    assert!(!mice.is_defined());
    let (project, mice) = self::project("micewide", "Cluster", ", Mouse.GROUP/jerry");
    let mut mouse = mice.mouse("v1", json!("grey"));
    // kubectl passes over it
    mouse["metadata"]["namespace"] = json!(mice.namespace);
    write(&project, &[mouse, mice.namespace(), mice.definition(&["v1"])]);
    project.run(&["plan", "-f", "objects.json", "--out", "mice.plan"]).expect(0);
    project.run(&["deploy", "--plan", "mice.plan"]).expect(0);
    assert_eq!(mice.live()["metadata"]["namespace"], Value::Null);
    let audit = Audit::begin(&project.bench);
    project.run(&DEPLOY).expect(0);
    let requests = audit.requests(&project.app);
    assert!(!requests.is_empty() && requests.iter().all(|request| !request.writes_an_object()), "{requests:#?}");
}

#[test]
fn a_version_that_the_manifests_bring_goes_with_its_objects() {
    let (project, mice) = project("miceversion", "Namespaced", "");
    project.run(&DEPLOY).expect(0);
    let with = |definition: Value| [mice.mouse("v2", json!("brown")), mice.namespace(), definition, Mice::settings()];
    write(&project, &with(mice.definition(&["v1"])));
    project.run(&DEPLOY).expect(2).says("api-version").says(&format!("`apiVersion: {}/v1`", mice.group));
    write(&project, &with(mice.definition(&["v1", "v2"])));
    let run = project.run(&DEPLOY).expect(0);
    run.says("mouse/jerry changed").never_says("waited 10 s");
    assert_eq!(mice.live()["spec"]["colour"], "brown");
    project.run(&DEPLOY).expect(0);
    // served now, and no longer once the definition is written
    write(&project, &with(mice.definition(&["v1"])));
    project.run(&DEPLOY).expect(2).says("api-version").says(&format!("`apiVersion: {}/v1`", mice.group));
    // what is gone back to may have lost its definition
    project.bench.kubectl(&["delete", "crd", &mice.name()]);
    project.run(&["rollback", "1"]).expect(0);
    assert_eq!(mice.live()["spec"]["colour"], "grey");
}

/// One of several servers may not know the kind yet, when another calls its definition established.
#[test]
fn a_kind_that_is_served_late_is_awaited_and_not_for_ever() {
    let (mut project, mice) = project("micelate", "Namespaced", "");
    let proxy = Proxy::start(&project.bench);
    proxy.guard(&mut project);
    let not_yet = || Fault::Instead(Then::Answer(Answer::status(404).body("404 page not found")));
    let is_mouse = |seen: &Seen| seen.path.contains("/mice/jerry");
    let is_rehearsal = |seen: &Seen| seen.path.contains("/mice/jerry") && seen.path.contains("dryRun=All");
    proxy.rule(Rule::when(is_rehearsal, not_yet()).times(2));
    proxy.rule(Rule::when(move |seen| is_mouse(seen) && !is_rehearsal(seen), not_yet()).times(3));
    proxy.run(&project, &DEPLOY).expect(0).says("mouse/jerry created");
    assert_eq!(mice.live()["spec"]["colour"], "grey");

    let (mut project, _mice) = self::project("micenever", "Namespaced", "");
    let proxy = Proxy::start(&project.bench);
    proxy.guard(&mut project);
    proxy.rule(Rule::when(is_mouse, not_yet()));
    let run = proxy.run(&project, &DEPLOY).expect(2);
    run.says("error[api-version]: mouse/jerry").says("not written").within(25.0);
}
