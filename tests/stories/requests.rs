//! What a deploy costs the API server: its requests, as the server itself wrote them down.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{Audit, Project, Request, manifests};

/// Kinds of the app: Namespace, ServiceAccount, ConfigMap, Secret, Service, Deployment.
const KINDS: usize = 6;

fn map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  MODE: {value}\n")
}

/// A small app of ten objects on a feature branch, built and pushed.
fn app(story: &str) -> Project {
    let project = Project::pushed(story);
    let image = project.image();
    for (file, text) in [
        ("worker.yaml", manifests::deployment("worker", &image).replace("replicas: 2", "replicas: 1")),
        ("worker-svc.yaml", manifests::service("worker", "").replace("  type: NodePort\n", "")),
        ("maps.yaml", [map("one", "calm"), map("two", "calm"), map("three", "calm")].join("---\n")),
        (
            "secret.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: key\nstringData:\n  KEY: value-of-it\n".to_owned(),
        ),
        ("account.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: runner\n".to_owned()),
    ] {
        project.write(&format!("kubernetes/{file}"), &text);
    }
    project
}

fn requests(project: &Project, arguments: &[&str]) -> Vec<Request> {
    let audit = Audit::begin(&project.bench);
    project.run(arguments).expect(0);
    audit.requests(&project.namespace("qa"))
}

/// What the same run always costs. Left out is what hangs on the time that pods take to start: watches, of which a short
/// rollout ends before the last begins, and renewals of the lock every ten seconds.
fn steady(requests: &[Request]) -> usize {
    let writes_lock =
        |request: &&Request| request.uri.contains("/leases") && ["create", "update"].contains(&request.verb.as_str());
    let watches = requests.iter().filter(|request| request.verb == "watch").count();
    // taken and let go
    requests.len() - watches - requests.iter().filter(writes_lock).count().saturating_sub(2)
}

/// The figures that are kept; with `UPDATE_REQUESTS=1` they are written anew.
fn compare(found: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/requests.json");
    if std::env::var_os("UPDATE_REQUESTS").is_some() {
        fs::write(&file, format!("{found:#}\n")).expect("the kept figures");
        return;
    }
    let kept: Value = serde_json::from_str(&fs::read_to_string(file).expect("the kept figures")).expect("JSON");
    assert_eq!(*found, kept, "benches/requests.json keeps other figures; `UPDATE_REQUESTS=1` writes these");
}

fn told(requests: &[Request]) -> String {
    requests.iter().map(|request| format!("{} {}\n", request.verb, request.uri)).collect()
}

#[test]
fn requests_of_a_small_app() {
    let project = app("count");
    let first = requests(&project, &["deploy"]);
    let again = requests(&project, &["deploy"]);
    assert!(!again.iter().any(Request::writes_an_object), "{}", told(&again));
    let plan = requests(&project, &["plan"]);
    project
        .write("kubernetes/maps.yaml", &[map("one", "calm"), map("two", "wild"), map("three", "calm")].join("---\n"));
    let changed = requests(&project, &["deploy"]);
    assert!(steady(&again) <= KINDS + 8, "{}\n{}", again.len(), told(&again));
    compare(&serde_json::json!({
        "first deploy of 10 objects": steady(&first),
        "deploy of 10 unchanged objects": steady(&again),
        "deploy of 10 objects, one of them changed": steady(&changed),
        "plan of 10 unchanged objects": steady(&plan),
    }));
}
