//! A repository of a story's own, with names that no other story has.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{
    Bench,
    run::{Run, Running, start},
    turns::Share,
};

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A git repository in a temporary folder, its namespaces on the bench, and the variables a run gets.
pub struct Project {
    folder: tempfile::TempDir,
    pub app: String,
    pub variables: Vec<(String, String)>,
    pub bench: Bench,
    _share: Share<'static>,
}

impl Project {
    /// An empty repository with a remote, on branch `master`; `story` becomes part of the app's name.
    pub fn new(story: &str) -> Self {
        let (bench, share) = Bench::shared();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let app = format!("{story}-{}-{number}", std::process::id());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = folder.path().join("home");
        fs::create_dir_all(&home).expect("a folder");
        let variables = ["KUBECONFIG", "DOCKER_HOST"].map(|name| (name.to_owned(), bench.variable(name)));
        let mut project = Self { folder, app, variables: variables.to_vec(), bench, _share: share };
        project.set("HOME", &home.display().to_string());
        project.set("LANG", "C.UTF-8");
        fs::create_dir_all(project.root()).expect("a folder");
        project.git(&["init", "-q", "-b", "master"]);
        let remote = format!("https://git.example.com/team/{}.git", project.app);
        project.git(&["remote", "add", "origin", &remote]);
        project
    }

    /// One laid out as such teams have it: a web server in one Deployment, two namespaces, no configuration.
    pub fn web(story: &str) -> Self {
        let project = Self::new(story);
        project.write("Dockerfile", &project.dockerfile("one"));
        let image = project.image();
        for (file, text) in [
            ("web.yaml", manifests::deployment("web", &image)),
            ("web-svc.yaml", manifests::service("web", "")),
            ("ns.yaml", manifests::namespace(&project.app)),
            ("qa-ns.yaml", manifests::namespace(&format!("{}-qa", project.app))),
        ] {
            project.write(&format!("kubernetes/{file}"), &text);
        }
        project.commit("Serve a page");
        project
    }

    /// The same on a feature branch, with its image built and pushed.
    pub fn pushed(story: &str) -> Self {
        let mut project = Self::web(story);
        project.branch("feature");
        // later changes of the manifests do not ask for another image
        project.set("SHIPWAY_TAG", "one");
        project.run(&["build"]).expect(0);
        project.run(&["push"]).expect(0);
        project
    }

    /// The image's repository at the open registry.
    pub fn image(&self) -> String {
        format!("{}/team/{}", self.bench.variable("REGISTRY"), self.app)
    }

    /// A small web server that says `page`.
    pub fn dockerfile(&self, page: &str) -> String {
        let base = format!("{}/base/busybox:1", self.bench.variable("REGISTRY"));
        format!(
            "FROM {base}\nRUN mkdir /www && echo {page} > /www/index.html\n\
             CMD [\"/bin/httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n"
        )
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub fn unset(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.root().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.root(), arguments)
    }

    /// Commits everything, with fixed dates and author; answers the hash.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn branch(&self, name: &str) {
        self.git(&["checkout", "-q", "-B", name]);
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        self.start(arguments).wait()
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Run {
        start(&self.root(), &self.variables, arguments, input).wait()
    }

    pub fn start(&self, arguments: &[&str]) -> Running {
        start(&self.root(), &self.variables, arguments, "")
    }

    /// The namespace of production, or of qa.
    pub fn namespace(&self, environment: &str) -> String {
        if environment == "production" { self.app.clone() } else { format!("{}-{environment}", self.app) }
    }
}

/// Nobody waits for the deletion.
impl Drop for Project {
    fn drop(&mut self) {
        let (production, qa) = (self.namespace("production"), self.namespace("qa"));
        self.bench.try_kubectl(&["delete", "namespace", &production, &qa, "--wait=false", "--ignore-not-found"], "");
        let made = format!("shipway.dev/app={}", self.app);
        let kinds = "namespaces,clusterrolebindings";
        self.bench.try_kubectl(&["delete", kinds, "--selector", &made, "--wait=false"], "");
    }
}

pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .envs([
            ("GIT_AUTHOR_NAME", "A. Developer"),
            ("GIT_AUTHOR_EMAIL", "developer@example.com"),
            ("GIT_COMMITTER_NAME", "A. Developer"),
            ("GIT_COMMITTER_EMAIL", "developer@example.com"),
            ("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z"),
            ("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ])
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Manifests as teams write them.
pub mod manifests {
    pub fn namespace(name: &str) -> String {
        format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n")
    }

    pub fn service(name: &str, more: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  type: NodePort\n  ports:\n    - port: 80\n      \
             targetPort: 8080\n  selector:\n    app: {name}\n{more}"
        )
    }

    pub fn deployment(name: &str, image: &str) -> String {
        format!(
            "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    app: {name}
spec:
  replicas: 2
  selector:
    matchLabels:
      app: {name}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 100%
      maxUnavailable: 0
  template:
    metadata:
      labels:
        app: {name}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: {name}
          image: {image}:latest
          ports:
            - containerPort: 8080
          readinessProbe:
            httpGet:
              path: /
              port: 8080
            periodSeconds: 1
"
        )
    }
}
