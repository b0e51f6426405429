//! The real components that stories run against: `script/cluster env` says where they are.

use std::{collections::BTreeMap, path::Path, process::Command, sync::LazyLock};

use serde_json::Value;

use super::turns::{Alone, Share, TURNS};

static VARIABLES: LazyLock<BTreeMap<String, String>> = LazyLock::new(variables);

/// A handle on the bench. Stories share it ([`Share`]); one that kills components takes it alone.
pub struct Bench;

/// What the environment says, else what `script/cluster env` prints.
fn variables() -> BTreeMap<String, String> {
    let names = ["KUBECONFIG", "DOCKER_HOST", "REGISTRY", "REGISTRY_LOGIN", "REGISTRY_USER", "REGISTRY_PASSWORD_FILE"];
    let variable = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    let given: BTreeMap<String, String> = names.iter().filter_map(|name| variable(name)).collect();
    if given.len() == names.len() {
        // only the stories that count requests need it
        return given.into_iter().chain(variable("SHIPWAY_BENCH_AUDIT_LOG")).collect();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(root.join("script/cluster")).arg("env").output().expect("script/cluster runs");
    assert!(output.status.success(), "the stories need the bench: script/cluster up");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("export ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches(['\'', '"']).to_owned()))
        .collect()
}

impl Bench {
    /// The bench, shared with other stories for as long as the share lives.
    pub fn shared() -> (Self, Share<'static>) {
        (Self, TURNS.share())
    }

    /// The bench, once no other story uses it, and without any until the value is gone.
    pub fn alone() -> Alone<'static> {
        TURNS.alone()
    }

    pub fn variable(&self, name: &str) -> String {
        VARIABLES.get(name).cloned().unwrap_or_else(|| panic!("the bench says no {name}"))
    }

    pub fn password(&self) -> String {
        let file = self.variable("REGISTRY_PASSWORD_FILE");
        std::fs::read_to_string(file).expect("the registry's password").trim_end().to_owned()
    }

    /// Asks the cluster with kubectl: an independent witness.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.try_kubectl(arguments, "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {}: {said}", arguments.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> std::process::Output {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(root.join("script/cluster"))
            .arg("kubectl")
            .args(arguments)
            .env("KUBECONFIG", self.variable("KUBECONFIG"))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // kubectl may end without reading
        let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("kubectl ends")
    }

    /// `kubectl get .. -o json`
    pub fn get(&self, namespace: &str, what: &[&str]) -> Value {
        let text = self.kubectl(&[&["-n", namespace, "get"], what, &["-o", "json"]].concat());
        serde_json::from_str(&text).expect("JSON from kubectl")
    }
}

/// The labels of an image that the engine has, asked with the docker client: an independent witness.
pub fn image_labels(image: &str) -> Value {
    let tagged = image.split('@').next().unwrap_or(image);
    let output = Command::new("docker")
        .args(["image", "inspect", "--format", "{{json .Config.Labels}}", tagged])
        .env("DOCKER_HOST", Bench.variable("DOCKER_HOST"))
        .output()
        .expect("the docker client runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("labels as JSON")
}
