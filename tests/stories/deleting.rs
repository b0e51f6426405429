//! What deletes: without the right to, and with answers that are lost.

use serde_json::Value;

use super::refusals::{kubectl, login_with, role};
use crate::support::{
    Project,
    proxy::{Answer, Fault, Proxy, Rule, Seen, Then},
    small,
};

/// All that a deploy and a look at everything needs, but no right to delete.
const NEVER_DELETES: &str =
    "  - {apiGroups: ['*'], resources: ['*'], verbs: [get, list, watch, create, patch, update]}\n";

/// Deployed with a ConfigMap `old`, whose manifest is then gone.
fn outdated(story: &str) -> Project {
    let project = small::project(story, "one");
    project.write("kubernetes/old.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: old\ndata:\n  a: b\n");
    project.run(&["deploy"]).expect(0);
    std::fs::remove_file(project.root().join("kubernetes/old.yaml")).expect("a manifest");
    project
}

fn is_there(project: &Project, object: &str) -> bool {
    let namespace = project.namespace("qa");
    project.bench.try_kubectl(&["-n", &namespace, "get", object, "-o", "name"], "").status.success()
}

/// The objects of an outcome that are gone.
fn gone(outcome: &Value) -> Vec<String> {
    let objects = outcome["objects"].as_array().expect("objects").iter();
    let pruned = objects.filter(|object| object["change"] == "pruned" && object["verdict"] == "gone");
    let mut names: Vec<String> = pruned.map(|object| format!("{} {}", object["kind"], object["name"])).collect();
    names.sort();
    names.into_iter().map(|name| name.replace('"', "")).collect()
}

#[test]
fn who_may_not_delete_is_told_before_the_first_write_what_stays_and_the_role_that_does() {
    let mut project = outdated("norightprune");
    login_with(&mut project, NEVER_DELETES);
    small::write(&project, "two");
    let run = project.run(&["deploy", "--output", "json"]).expect(0);
    let events = run.events();
    let position = |what: &dyn Fn(&Value) -> bool| events.iter().position(what).expect("an event");
    let told = position(&|event| event["lines"].is_array());
    assert!(told < position(&|event| event["event"] == "apply.object"), "{}", run.transcript());
    let text = events[told]["text"].as_str().expect("a text");
    assert!(text.contains("what is gone from the manifests stays: the login may not delete configmaps"), "{text}");
    assert!(is_there(&project, "configmap/old"));
    // without JSON the role can be read, too
    project.run(&["plan"]).expect(0).says("kind: RoleBinding");

    let lines = events[told]["lines"].as_array().expect("lines").iter();
    let role: String = lines.map(|line| format!("{}\n", line.as_str().expect("a line"))).collect();
    kubectl(&project, &["apply", "-f", "-"], &role);
    project.run(&["deploy"]).expect(0).says("configmap/old pruned").never_says("may not");
    assert!(!is_there(&project, "configmap/old"));
}

#[test]
fn who_may_not_delete_destroys_nothing_and_is_told_the_role_that_does() {
    let mut project = small::project("norightdestroy", "one");
    project.run(&["deploy"]).expect(0);
    login_with(&mut project, NEVER_DELETES);
    let run = project.run(&["destroy", "qa", "--yes", "--output", "json"]).expect(5);
    run.says("cluster-denied").says("delete configmaps; delete secrets; delete services");
    for object in ["configmap/settings", "secret/password", "service/web", "deployment/web"] {
        assert!(is_there(&project, object), "{object}");
    }
    kubectl(&project, &["apply", "-f", "-"], &role(&run));
    project.run(&["destroy", "qa", "--yes"]).expect(0);
    assert!(!is_there(&project, "deployment/web"));
}

/// Whatever is deleted, the first answer is lost.
fn lose_each_answer(proxy: &Proxy, then: &Then) {
    let known = std::sync::Mutex::new(std::collections::BTreeSet::new());
    let is_first =
        move |seen: &Seen| seen.method == "DELETE" && known.lock().expect("what was deleted").insert(seen.path.clone());
    proxy.rule(Rule::when(is_first, Fault::After(then.clone())));
}

#[test]
fn what_was_deleted_without_an_answer_counts_as_deleted() {
    for (story, then) in [("lostprune", Then::Reset), ("lostbusy", Then::Answer(Answer::status(503)))] {
        let mut project = outdated(story);
        let proxy = Proxy::start(&project.bench);
        proxy.guard(&mut project);
        lose_each_answer(&proxy, &then);
        let outcome = proxy.run(&project, &["deploy", "--output", "json"]).expect(0).outcome();
        assert_eq!(gone(&outcome), ["ConfigMap old"], "{outcome}");
        assert!(!is_there(&project, "configmap/old"));

        let outcome = proxy.run(&project, &["destroy", "qa", "--yes", "--output", "json"]).expect(0).outcome();
        let gone = gone(&outcome);
        for name in ["ConfigMap settings", "Deployment web", "Secret password", "Service web"] {
            assert!(gone.contains(&name.to_owned()), "{name}: {gone:?}");
        }
        // the lock went last
        let leases = project.bench.get(&project.namespace("qa"), &["leases"]);
        assert_eq!(leases["items"].as_array().map(Vec::len), Some(0), "{leases}");
        let deleted: Vec<String> = { proxy.seen().into_iter() }
            .filter(Seen::is_write)
            .map(|seen| format!("{} {}", seen.method, seen.path))
            .collect();
        let last = deleted.last().expect("a write");
        assert!(last.starts_with("DELETE") && last.contains("/leases/"), "{deleted:#?}");
    }
}
