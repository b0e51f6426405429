//! What is wrong with a checkout, its manifests, or the engine's address, each told by its code.

use std::{fs, path::Path};

use super::repository;
use crate::support::{git, shipway};

/// One finding, with this code and something to do about it.
fn is_told(folder: &Path, variables: &[(&str, &str)], arguments: &[&str], exit: i32, code: &str) {
    let run = shipway(folder, variables, arguments).expect(exit);
    let findings: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("error[")).collect();
    assert_eq!(findings.len(), 1, "{}", run.transcript());
    assert!(findings[0].starts_with(&format!("error[{code}]")), "{code}\n{}", run.transcript());
}

#[test]
fn manifests_that_cannot_be_deployed() {
    let folder = repository("feature");
    let aliases = |after: char| {
        let before = char::from_u32(after as u32 - 1).expect("a letter");
        format!("{after}: &{after} [{}]\n", vec![format!("*{before}"); 8].join(", "))
    };
    let exploding: String = std::iter::once("a: &a [x, x]\n".to_owned()).chain(('b'..='n').map(aliases)).collect();
    let map = |metadata: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{{metadata}}}\n");
    let container = |text: &str| {
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{containers: [{{name: a, {text}}}]}}\n")
    };
    for (text, code) in [
        ("a: [\n".to_owned(), "yaml"),
        (exploding, "yaml-limit"),
        (map("nome: a"), "manifest"),
        ("apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: a}\n".to_owned(), "api-version"),
        (format!("{}---\n{}", map("name: a"), map("name: a")), "object-twice"),
        (map("name: a, namespace: other"), "outside-namespace"),
        (map("name: a, labels: {shipway.dev/app: other}"), "other-app"),
        (container("image: 'x:1', env: [{name: A, value: '1'}, {name: A, value: '2'}]"), "duplicate-key"),
        (container("image: '<tag>'"), "image-reference"),
    ] {
        fs::write(folder.path().join("a.yaml"), text).expect("a file");
        is_told(folder.path(), &[], &["render", "-f", "a.yaml"], 2, code);
    }
    fs::write(folder.path().join("a.yaml"), [0xff, 0xfe]).expect("a file");
    is_told(folder.path(), &[], &["render", "-f", "a.yaml"], 2, "read");
    is_told(folder.path(), &[], &["render", "-f", "nothing.yaml"], 2, "no-manifests");
    let two = "apiVersion: v1\nkind: Pod\nmetadata: {name: w}\nspec: {containers: [{name: a, image: x/a}, {name: b, image: x/b}]}\n";
    fs::write(folder.path().join("kubernetes/web.yaml"), two).expect("a file");
    is_told(folder.path(), &[], &["render"], 2, "app-image");
}

#[test]
fn checkouts_that_cannot_be_deployed() {
    let folder = repository("feature");
    is_told(folder.path(), &[], &["config", "--commit", "deadbeefdeadbeef"], 2, "commit-not-found");
    is_told(folder.path(), &[], &["config", "--report", "/nowhere/x.html"], 2, "report");
    is_told(folder.path(), &[], &["switch"], 2, "no-colours");
    let other = tempfile::tempdir().expect("a folder");
    is_told(other.path(), &[], &["config"], 2, "not-a-repository");
    git(other.path(), &["init", "-q"]);
    is_told(other.path(), &[], &["config"], 2, "no-commit");
    let bare = tempfile::tempdir().expect("a folder");
    git(bare.path(), &["init", "-q", "--bare"]);
    is_told(bare.path(), &[], &["config"], 2, "bare-repository");
}

#[test]
fn engines_and_folders_that_cannot_build() {
    let folder = repository("feature");
    is_told(folder.path(), &[("DOCKER_HOST", "nonsense")], &["build"], 2, "engine-address");
    is_told(folder.path(), &[("DOCKER_HOST", "unix:///nowhere.sock")], &["build"], 3, "engine-unreachable");
    fs::write(folder.path().join(".dockerignore"), "[\n").expect("a file");
    is_told(folder.path(), &[], &["build", "--list-context"], 2, "dockerignore");
}
