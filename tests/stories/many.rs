//! Many objects: what they cost the API server, and how much memory.

use std::{fs, path::Path};

use crate::support::{Audit, Project, Run, manifests};

/// What following the rollout of its Deployments takes: lists and watches, whatever their number.
const ROLLOUT: usize = 24;
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

/// So many objects of some kB each: of five, two are ConfigMaps, one is a Secret, and two hold the template of a pod that
/// never runs.
fn mixed(namespace: &str, count: usize) -> String {
    let line = "a line of a configuration file that is neither short nor long\n    ".repeat(14);
    let object = |number: usize| match number % 5 {
        0 | 1 => format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: map-{number}\ndata:\n  file: |\n    number {number}\n    {line}\n"
        ),
        2 => format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: secret-{number}\nstringData:\n  password: password-{number}\n  \
             token: token-of-number-{number}\n"
        ),
        3 => format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web-{number}\nspec:\n  replicas: 0\n  \
             selector: {{matchLabels: {{app: web-{number}}}}}\n  template:\n    metadata: {{labels: {{app: web-{number}}}}}\n    \
             spec: {}\n",
            pod(number)
        ),
        _ => format!(
            "---\napiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: nightly-{number}\nspec:\n  schedule: \"0 3 * * *\"\n  \
             suspend: true\n  jobTemplate: {{spec: {{template: {{spec: {}}}}}}}\n",
            pod(number).replacen('{', "{restartPolicy: Never, ", 1)
        ),
    };
    manifests::namespace(namespace) + &(0..count).map(object).collect::<String>()
}

/// The specification of a pod with thirty variables.
fn pod(number: usize) -> String {
    let variable = |variable: usize| format!("{{name: VARIABLE_{variable}, value: \"value {variable} of {number}\"}}");
    let variables: Vec<String> = (0..30).map(variable).collect();
    format!(
        "{{containers: [{{name: app, image: \"registry.example.com/team/app:1.2.3\", \
         resources: {{requests: {{cpu: 10m, memory: 32Mi}}, limits: {{memory: 64Mi}}}}, env: [{}]}}]}}",
        variables.join(", ")
    )
}

/// A first deploy of so many objects, and one that finds nothing to do.
fn deployed(story: &str, count: usize, (objects, kinds): (fn(&str, usize) -> String, usize)) {
    let project = Project::new(story);
    let namespace = project.namespace("qa");
    project.write("many.yaml", &objects(&namespace, count));
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
            assert!(cost <= 2 * count + kinds + 16 + ROLLOUT, "{run}: {cost} requests");
        } else {
            assert_eq!(written, 0, "{run}: {:?}", requests.iter().find(|request| request.writes_an_object()));
            assert!(cost <= kinds + 8, "{run}: {requests:#?}");
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
fn a_thousand_objects_of_several_kinds() {
    // Namespace, ConfigMap, Secret, Deployment, CronJob
    deployed("thousand", 1_000, (mixed, 5));
}

#[test]
fn five_thousand_objects_in_little_memory() {
    // Namespace and ConfigMap
    deployed("five", 5_000, (maps, 2));
}
