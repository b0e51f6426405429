//! What git and the CI system say, and what is told where they cannot.

use std::{fs, path::Path};

use crate::support::{Run, git, shipway};

fn repository(folder: &Path) {
    git(folder, &["init", "-q", "-b", "master"]);
    git(folder, &["remote", "add", "origin", "https://user:hidden-password@git.example.com/team/Shop.git"]);
    fs::create_dir_all(folder.join("kubernetes")).expect("a folder");
    fs::write(folder.join("Dockerfile"), "FROM scratch\n").expect("a file");
    fs::write(
        folder.join("kubernetes/web.yaml"),
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n    - name: web\n      image: registry.example.com/team/shop\n",
    )
    .expect("a file");
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", "Start"]);
}

fn config(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    shipway(folder, variables, &[&["config", "--output", "json"], arguments].concat())
}

fn setting(run: &Run, name: &str) -> (serde_json::Value, String) {
    let parsed: serde_json::Value = serde_json::from_str(run.stdout.lines().next().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}\n{}", run.transcript()));
    let setting = &parsed["settings"][name];
    (setting["value"].clone(), setting["origin"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn names_and_environment_come_from_git() {
    let folder = tempfile::tempdir().expect("a folder");
    repository(folder.path());
    let run = config(folder.path(), &[], &[]).expect(0);
    run.never_says("hidden-password");
    assert_eq!(setting(&run, "app").0, "shop");
    assert_eq!(setting(&run, "environment").0, "production");
    git(folder.path(), &["checkout", "-q", "-b", "feature/x"]);
    let run = config(folder.path(), &[], &[]).expect(0);
    assert_eq!(setting(&run, "environment").0, "qa");
    assert_eq!(setting(&run, "namespace").0, "shop-qa");
    assert_eq!(setting(&run, "branch"), ("feature/x".into(), "git HEAD".into()));
}

#[test]
fn a_detached_head_takes_the_branch_from_the_ci_system() {
    let folder = tempfile::tempdir().expect("a folder");
    repository(folder.path());
    git(folder.path(), &["checkout", "-q", "--detach"]);
    let variables = [("GITLAB_CI", "true"), ("CI_COMMIT_BRANCH", "feature/y"), ("CI_DEFAULT_BRANCH", "master")];
    let run = config(folder.path(), &variables, &[]).expect(0);
    assert_eq!(setting(&run, "branch"), ("feature/y".into(), "variable CI_COMMIT_BRANCH".into()));
    config(folder.path(), &[], &[]).expect(2).says("--branch");
}

#[test]
fn a_shallow_clone_works() {
    let folder = tempfile::tempdir().expect("a folder");
    repository(folder.path());
    git(folder.path(), &["commit", "-q", "--allow-empty", "-m", "Second"]);
    let url = format!("file://{}", folder.path().display());
    git(folder.path(), &["clone", "-q", "--depth", "1", &url, "shallow"]);
    let run = config(&folder.path().join("shallow"), &[], &[]).expect(0);
    assert_eq!(setting(&run, "branch").0, "master");
}

#[test]
fn what_is_no_repository_is_told_with_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    config(folder.path(), &[], &[]).expect(2).says("git init");
    git(folder.path(), &["init", "-q", "-b", "master"]);
    config(folder.path(), &[], &[]).expect(2).says("git commit");
}

#[test]
fn a_foreign_owned_folder_is_told_with_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let inside = folder.path().join("repository");
    fs::create_dir_all(&inside).expect("a folder");
    repository(&inside);
    // needs root, as the bench does
    std::os::unix::fs::chown(&inside, Some(65534), Some(65534)).expect("another owner");
    std::os::unix::fs::chown(inside.join(".git"), Some(65534), Some(65534)).expect("another owner");
    let home = folder.path().display().to_string();
    let run = config(&inside, &[("HOME", &home)], &[]).expect(2);
    run.says("git config --global --add safe.directory");
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_the_nearest_known_one() {
    let folder = tempfile::tempdir().expect("a folder");
    repository(folder.path());
    fs::write(folder.path().join("shipway.yaml"), "app: shop\nmanifest: [kubernetes]\n").expect("a file");
    shipway(folder.path(), &[], &["config"]).expect(2).says("shipway.yaml:2:1").says("manifests");
}

#[test]
fn usage_errors_are_exit_2() {
    let folder = tempfile::tempdir().expect("a folder");
    shipway(folder.path(), &[], &["deplyo"]).expect(2).says("deploy");
    shipway(folder.path(), &[], &["deploy", "--insecure-skip-tls-verify"]).expect(2);
}

#[test]
fn what_needs_no_repository_works_without_one() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [&["--version"][..], &["--help"], &["schema"], &["completions", "bash"], &["man"]] {
        let run = shipway(folder.path(), &[], arguments).expect(0);
        assert!(run.stdout.len() > 10, "{}", run.transcript());
    }
}
