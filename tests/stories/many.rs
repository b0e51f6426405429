//! Many objects: what they cost the API server, and how much memory.

use std::{fs, path::Path};

use crate::support::{Audit, Project, Run, manifests};

/// Kinds of the app: Namespace and ConfigMap.
const KINDS: usize = 2;
/// kB; of a build without optimisation, which holds more than the one that is handed out.
const MOST_MEMORY: u64 = 100_000;

/// So many ConfigMaps of about 1 kB.
fn maps(namespace: &str, count: usize) -> String {
    let line = "a line of a configuration file that is neither short nor long\n    ".repeat(14);
    let map = |number: usize| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: map-{number}\ndata:\n  file: |\n    number {number}\n    {line}\n"
        )
    };
    manifests::namespace(namespace) + &(0..count).map(map).collect::<String>()
}

/// A first deploy of so many ConfigMaps, and one that finds nothing to do.
fn deployed(story: &str, count: usize) {
    let project = Project::new(story);
    let namespace = project.namespace("qa");
    project.write("many.yaml", &maps(&namespace, count));
    project.branch("feature");
    project.commit("Configure");
    let file = project.root().join("many.yaml").display().to_string();
    for run in ["first", "again"] {
        let audit = Audit::begin(&project.bench);
        let deploy = project.run(&["deploy", "-f", &file]).expect(0);
        let requests = audit.requests(&namespace);
        figures(count, run, requests.len(), &deploy);
        assert!(deploy.peak < MOST_MEMORY, "{run}: {} kB", deploy.peak);
        // the lock is renewed every ten seconds
        let renewals = requests.iter().filter(|request| request.uri.contains("/leases/") && request.verb == "update");
        let cost = requests.len() - renewals.count();
        let written = requests.iter().filter(|request| request.writes_an_object()).count();
        if run == "first" {
            assert_eq!(written, count + 1, "{run}");
            assert!(cost <= 2 * count + KINDS + 16, "{run}: {cost} requests");
        } else {
            assert_eq!(written, 0, "{run}: {:?}", requests.iter().find(|request| request.writes_an_object()));
            assert!(cost <= KINDS + 8, "{run}: {requests:#?}");
        }
    }
}

/// For whoever looks: `target/bench/many-1000-first.json`.
fn figures(count: usize, run: &str, requests: usize, deploy: &Run) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&folder).expect("a folder");
    let text = serde_json::json!({"requests": requests, "kB": deploy.peak, "seconds": deploy.seconds}).to_string();
    fs::write(folder.join(format!("many-{count}-{run}.json")), text).expect("a file");
}

#[test]
fn a_thousand_objects() {
    deployed("thousand", 1_000);
}

#[test]
fn five_thousand_objects_in_little_memory() {
    deployed("five", 5_000);
}
