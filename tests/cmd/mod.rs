//! The real binary without a cluster, an engine or a registry.

mod codes;
mod facts;
mod streams;
mod surroundings;

use std::fs;

use crate::support::git;

const WEB: &str = "apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: registry.example.com/team/shop}]}
";

/// A commit on this branch: a Dockerfile, and one manifest that names the image of it.
fn repository(branch: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["init", "-q", "-b", branch]);
    fs::create_dir_all(folder.path().join("kubernetes")).expect("a folder");
    fs::write(folder.path().join("kubernetes/web.yaml"), WEB).expect("a file");
    fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").expect("a file");
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "Start"]);
    folder
}
