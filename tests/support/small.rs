//! A small application that needs no build: every kind of step that a deploy has, in few requests.

use super::Project;

/// A ConfigMap, a Secret, a Service, a Deployment of one replica that uses them, and a Job before it. All of it names
/// `version`, so that each version changes all but the Service.
pub fn project(story: &str, version: &str) -> Project {
    let mut project = Project::new(story);
    project.set("SHIPWAY_TAG", "1");
    project.branch("feature");
    let image = format!("{}/base/busybox", project.bench.variable("REGISTRY"));
    project.write("shipway.yaml", &format!("images: [{{name: {image}}}]\ndeploy: {{settle: 0s}}\n"));
    project.write("kubernetes/namespace.yaml", &super::manifests::namespace(&project.namespace("qa")));
    project.write("kubernetes/service.yaml", &super::manifests::service("web", ""));
    write(&project, version);
    project.commit("Serve a page");
    project
}

/// The manifests of another version.
pub fn write(project: &Project, version: &str) {
    let image = format!("{}/base/busybox", project.bench.variable("REGISTRY"));
    project.write(
        "kubernetes/settings.yaml",
        &format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  version: {version}\n---\n\
             apiVersion: v1\nkind: Secret\nmetadata:\n  name: password\nstringData:\n  password: secret-{version}\n"
        ),
    );
    project.write(
        "kubernetes/web.yaml",
        &format!(
            "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: {image}:latest
          command: [/bin/httpd, -f, -p, \"8080\"]
          envFrom:
            - configMapRef:
                name: settings
            - secretRef:
                name: password
"
        ),
    );
    project.write(
        "kubernetes/migrate.yaml",
        &format!(
            "apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations:
    shipway.dev/phase: before
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers:
        - name: migrate
          image: {image}:latest
          command: [/bin/echo, migrated to {version}]
"
        ),
    );
}
