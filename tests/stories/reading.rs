//! Manifests are read as kubectl reads them: every file of `tests/fixtures/manifests` is given to both.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use crate::support::Project;

/// Where shipway means to differ, and why.
const DIFFERENCES: &[(&str, &str)] = &[
    ("after-the-dashes.yaml", "content on the line of `---` is YAML; kubectl refuses it"),
    ("dash-in-flow.yaml", "a bare `-` in a flow list is no YAML; kubectl takes it for a text"),
    ("directive.yaml", "`%YAML` is YAML; kubectl takes the line for a document of its own"),
    ("lone-dots.yaml", "kubectl loses what follows a lone `...`, in silence"),
    (
        "empty-texts.yaml",
        "null in data becomes the empty text that the server makes of it; kubectl hands it on as it is",
    ),
    ("nulls.yaml", "null is nothing to the server, and would count as a field of ours"),
    ("saved.yaml", "what the server owns is left out: sent back, it is a conflict"),
    ("string-data.yaml", "stringData becomes data: left in, a key that is removed later would stay"),
    (
        "differing-entries.yaml",
        "two variables, ports or mounts of one key that differ: the server refuses to apply both, and kubectl takes the last",
    ),
    ("repeated-variables.yaml", "of two variables that are alike the last one stays: the server refuses to apply both"),
    ("unnamed.yaml", "an object without a name cannot be applied"),
];

type Objects = BTreeMap<String, Value>;

/// The objects by kind and name, without what shipway stamps; none where kubectl refuses them.
fn by_kubectl(project: &Project, file: &str, input: &str) -> Option<Objects> {
    let arguments = ["create", "--dry-run=client", "--validate=false", "-o", "json", "-f", file];
    let output = project.bench.try_kubectl(&arguments, input);
    output.status.success().then(|| {
        let objects = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
        objects.map(|object| named(object.expect("JSON from kubectl"))).collect()
    })
}

fn named(mut object: Value) -> (String, Value) {
    let name = format!("{}/{}", object["kind"], object["metadata"]["name"]);
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("namespace");
    }
    unstamp(&mut object);
    (name, object)
}

fn unstamp(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !key.starts_with("shipway.dev/"));
            fields.values_mut().for_each(unstamp);
            fields.retain(|key, value| {
                let is_empty = value.as_object().is_some_and(serde_json::Map::is_empty);
                !(is_empty && matches!(key.as_str(), "labels" | "metadata"))
            });
        }
        Value::Array(items) => items.iter_mut().for_each(unstamp),
        _ => {}
    }
}

#[test]
fn manifests_are_read_as_kubectl_reads_them() {
    let project = Project::new("reading");
    project.branch("feature");
    project.commit("Start");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifests");
    let mut files: Vec<_> = folder.read_dir().expect("fixtures").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let (mut wrong, mut differing) = (Vec::new(), Vec::new());
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let path = file.display().to_string();
        let theirs = by_kubectl(&project, &path, "");
        let run = project.run(&["render", "--reveal", "-f", &path]);
        assert!(matches!(run.code, 0 | 2), "{}", run.transcript());
        let ours =
            (run.code == 0).then(|| by_kubectl(&project, "-", &run.stdout).expect("kubectl reads what is rendered"));
        if ours.is_none() {
            run.says(&name);
        }
        let is_meant = DIFFERENCES.iter().any(|(known, _)| *known == name);
        if (ours == theirs) == is_meant {
            wrong.push(format!("{name}: kubectl has {theirs:?}\nshipway has {ours:?}\n{}", run.stderr));
        }
        differing.extend(is_meant.then_some(name));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(differing.len(), DIFFERENCES.len(), "a difference without its file: {differing:?}");
}
