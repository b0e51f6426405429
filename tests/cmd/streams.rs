//! Manifests of other renderers on standard input, and projects whose configuration is not at the root.

use std::{fs, path::Path};

use crate::support::{Run, git, shipway_with_input};

const HELM: &str = "---
# Source: chart/templates/serviceaccount.yaml
apiVersion: v1
kind: ServiceAccount
metadata:
  name: web
---
# Source: chart/templates/empty.yaml
---
# Source: chart/templates/service.yaml
apiVersion: v1
kind: Service
metadata:
  name: web
  labels:
    helm.sh/chart: web-0.1.0
    app.kubernetes.io/version: \"1.16.0\"
spec:
  ports:
    - port: 80
---
# Source: chart/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  template:
    spec:
      containers:
        - name: web
          image: \"nginx:1.27\"
";

/// `kubectl kustomize`: sorted keys, no comments.
const KUSTOMIZE: &str = "apiVersion: v1
data:
  a: b
kind: ConfigMap
metadata:
  name: flags-5t9b7cm2kd
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - envFrom:
        - configMapRef:
            name: flags-5t9b7cm2kd
        image: nginx:1.27
        name: web
";

/// `jsonnet`, one object; and `jsonnet -y`, a stream that ends with dots.
const JSONNET: &str = r#"{
   "apiVersion": "v1",
   "kind": "List",
   "items": [
      {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"}, "data": {"a": "b"}},
      {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
   ]
}
"#;
const JSONNET_STREAM: &str = r#"---
{
   "apiVersion": "v1",
   "kind": "ConfigMap",
   "metadata": {"name": "flags"}
}
---
{
   "apiVersion": "v1",
   "kind": "Service",
   "metadata": {"name": "web"}
}
...
"#;

fn repository(folder: &Path) {
    git(folder, &["init", "-q", "-b", "feature"]);
    git(folder, &["commit", "-q", "--allow-empty", "-m", "Start"]);
}

fn render(folder: &Path, input: &str) -> Run {
    shipway_with_input(folder, &["render", "-f", "-"], input)
}

#[test]
fn streams_of_other_renderers_are_read_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    repository(folder.path());
    for (stream, kinds) in [
        (HELM, &["ServiceAccount", "Service", "Deployment"][..]),
        (KUSTOMIZE, &["ConfigMap", "Deployment"]),
        (JSONNET, &["ConfigMap", "Service"]),
        (JSONNET_STREAM, &["ConfigMap", "Service"]),
    ] {
        let run = render(folder.path(), stream).expect(0);
        let found: Vec<&str> = run.stdout.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
        assert_eq!(found, kinds, "{}", run.transcript());
        // the image is none of the app's, and stays as it is
        assert!(!stream.contains("nginx") || run.stdout.contains("image: nginx:1.27"), "{}", run.transcript());
    }
}

#[test]
fn a_stream_that_breaks_off_is_refused_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    repository(folder.path());
    let cut = |stream: &str, after: &str| stream[..stream.find(after).expect("a place") + after.len()].to_owned();
    render(folder.path(), &cut(HELM, "name: web\n          image: \"ngi")).expect(2).says("-:33:18");
    render(folder.path(), &cut(HELM, "kind: Deployment\nmeta")).expect(2).says("-:25:1");
    render(folder.path(), &cut(HELM, "kind: Deployment\n")).expect(2).says("metadata.name").says("-:23:1");
    render(folder.path(), &cut(JSONNET, "\"kind\": \"Service\"")).expect(2).says("-:");
    render(folder.path(), "# nothing came\n").expect(2).says("no object in -").says("pipefail");
    render(folder.path(), "").expect(2).says("error[no-manifests]");
}

#[test]
fn paths_are_relative_to_the_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    repository(folder.path());
    let service = folder.path().join("services/cart");
    fs::create_dir_all(service.join("kubernetes")).expect("a folder");
    fs::write(service.join("Dockerfile"), "FROM scratch\nCOPY only-here /\n").expect("a file");
    fs::write(service.join("only-here"), "x\n").expect("a file");
    fs::write(
        service.join("kubernetes/pod.yaml"),
        "apiVersion: v1\nkind: Pod\nmetadata: {name: cart}\nspec: {containers: [{name: a, image: registry.example.com/team/cart}]}\n",
    )
    .expect("a file");
    fs::write(service.join("shipway.yaml"), "app: cart\n").expect("a file");
    let arguments = ["build", "--list-context", "--config", "services/cart/shipway.yaml"];
    let run = shipway_with_input(folder.path(), &arguments, "").expect(0);
    run.says("only-here").says("Dockerfile").says("kubernetes/pod.yaml");
    fs::write(
        service.join("shipway.yaml"),
        "app: cart\nimages:\n- {name: registry.example.com/team/basket, context: .}\n",
    )
    .expect("a file");
    let arguments = ["config", "--config", "services/cart/shipway.yaml"];
    shipway_with_input(folder.path(), &arguments, "").expect(0).says("services/cart/shipway.yaml:3:4");
}

/// No registry is asked for what no manifest uses.
#[test]
fn an_image_that_no_manifest_uses_is_told_where_it_is_configured() {
    let folder = tempfile::tempdir().expect("a folder");
    repository(folder.path());
    fs::write(
        folder.path().join("shipway.yaml"),
        "images:\n- name: registry.example.com/team/shop\ndeploy: {registry_check: false}\n",
    )
    .expect("a file");
    let run = render(folder.path(), HELM).expect(2);
    run.says("error[image-unused]: no manifest uses the image registry.example.com/team/shop")
        .says("shipway.yaml:2:3")
        .says("nginx:1.27");
}
