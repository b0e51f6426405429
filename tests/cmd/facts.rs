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
    assert_eq!(setting(&run, "branch"), ("feature/x".into(), "git".into()));
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
fn every_value_has_one_of_five_origins() {
    let folder = tempfile::tempdir().expect("a folder");
    repository(folder.path());
    let file = "tag: '{sha8}'\nenvironments:\n  qa: {branches: ['*'], namespace: shop-test}\n";
    fs::write(folder.path().join("shipway.yaml"), file).expect("a file");
    let variables = [("SHIPWAY_TIMEOUT", "3m"), ("CI", "woodpecker"), ("CI_COMMIT_BRANCH", "cart"), ("USER", "me")];
    let run = config(folder.path(), &variables, &["--context", "staging"]).expect(0);
    for (name, value, origin) in [
        ("app", "shop", "git"),
        ("environment", "qa", "shipway.yaml:3:3"),
        ("namespace", "shop-test", "shipway.yaml:3:25"),
        ("branch", "cart", "variable CI_COMMIT_BRANCH"),
        ("ci", "woodpecker", "variable CI"),
        ("context", "staging", "flag --context"),
        ("user", "me", "variable USER"),
    ] {
        assert_eq!(setting(&run, name), (value.into(), origin.into()), "{name}");
    }
    assert_eq!(setting(&run, "tag").1, "shipway.yaml:1:1");
    assert_eq!(setting(&run, "deploy.timeout").1, "variable SHIPWAY_TIMEOUT");
    assert_eq!(setting(&run, "deploy.settle").1, "default");
    let parsed: serde_json::Value = serde_json::from_str(run.stdout.trim()).expect("one object");
    let settings = parsed["settings"].as_object().expect("a mapping");
    assert_eq!(parsed["v"], 1);
    for name in
        "app environment namespace branch commit head git_tag tag run_url ci context server user images".split(' ')
    {
        assert!(settings.contains_key(name), "{name} is missing: {parsed}");
    }
    for (name, entry) in settings.iter().filter(|(_, entry)| !entry.is_null()) {
        let origin = entry["origin"].as_str().expect("an origin");
        let is_file = origin.starts_with("shipway.yaml:");
        let is_known = is_file
            || origin == "git"
            || origin == "default"
            || origin.starts_with("variable ")
            || origin.starts_with("flag --");
        assert!(is_known, "{name}: {origin}");
    }
}

#[test]
fn the_merge_of_a_pull_request_is_built_and_its_head_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    repository(folder.path());
    git(folder.path(), &["checkout", "-q", "-b", "feature/x"]);
    git(folder.path(), &["commit", "-q", "--allow-empty", "-m", "Change"]);
    let head = git(folder.path(), &["rev-parse", "HEAD"]);
    git(folder.path(), &["checkout", "-q", "--detach", "master"]);
    git(folder.path(), &["commit", "-q", "--allow-empty", "-m", "Meanwhile"]);
    git(folder.path(), &["merge", "-q", "--no-ff", "-m", "Merge", "feature/x"]);
    let merge = git(folder.path(), &["rev-parse", "HEAD"]);
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_HEAD_REF", "feature/x"),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("GITHUB_SHA", &merge),
    ];
    let run = config(folder.path(), &variables, &["--env", "qa"]).expect(0);
    assert_eq!(setting(&run, "commit"), (merge.clone().into(), "variable GITHUB_SHA".into()));
    assert_eq!(setting(&run, "head"), (head.clone().into(), "git".into()));
    assert_eq!(setting(&run, "branch").0, "feature/x");
    // an event file that cannot be read cannot clear a fork
    config(folder.path(), &variables, &[]).expect(2).says("--env");

    let event = folder.path().join("../event.json");
    let repository = serde_json::json!({"full_name": "team/shop"});
    let text = serde_json::json!({"number": 7, "pull_request": {"number": 7, "head": {"sha": "a".repeat(40), "repo": repository},
        "base": {"repo": repository}}, "repository": {"default_branch": "master"}});
    let event = tempfile::NamedTempFile::new_in(event.parent().expect("a folder")).expect("a file");
    fs::write(event.path(), text.to_string()).expect("a file");
    let path = event.path().display().to_string();
    let variables = [&variables[..], &[("GITHUB_EVENT_PATH", path.as_str())]].concat();
    let run = config(folder.path(), &variables, &[]).expect(0);
    assert_eq!(setting(&run, "head"), ("a".repeat(40).into(), "variable GITHUB_EVENT_PATH".into()));
    assert_eq!(setting(&run, "environment").0, "qa");
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
    let narrow = shipway(folder.path(), &[("COLUMNS", "60")], &["config"]).expect(2);
    let expected = "error[configuration]: unknown key `manifest`
  --> shipway.yaml:2:1
  |
2 | manifest: [kubernetes]
  | ^^^^^^^^ did you mean `manifests`?
";
    assert!(narrow.stderr.contains(expected), "{}", narrow.transcript());
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
