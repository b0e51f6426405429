//! Files, folders and clusters that are not there.

use std::fs;

use super::repository;
use crate::support::shipway;

const UNREACHABLE: &str = "apiVersion: v1
kind: Config
current-context: gone
contexts: [{name: gone, context: {cluster: gone, user: nobody}}]
clusters: [{name: gone, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: nobody, user: {token: none}}]
";

#[test]
fn status_of_a_cluster_that_is_down_is_exit_5_with_one_finding() {
    let folder = repository("master");
    let kubeconfig = folder.path().join("kubeconfig");
    fs::write(&kubeconfig, UNREACHABLE).expect("a file");
    let kubeconfig = kubeconfig.display().to_string();
    let run = shipway(folder.path(), &[("KUBECONFIG", &kubeconfig)], &["status"]).expect(5);
    run.says("https://127.0.0.1:1 cannot be reached");
    assert_eq!(run.stderr.matches("error[").count(), 1, "{}", run.transcript());
}

#[test]
fn what_is_named_and_not_there_is_told_by_its_name() {
    let folder = repository("master");
    let run = shipway(folder.path(), &[], &["config", "--config", "other.yaml"]).expect(2);
    run.says("other.yaml is not there").never_says("manifests:");
    let run = shipway(folder.path(), &[], &["config", "--directory", "/nowhere"]).expect(2);
    run.says("there is no folder `/nowhere`");
    fs::write(folder.path().join("other.yaml"), "app: other\n").expect("a file");
    let path = folder.path().display().to_string();
    let elsewhere = tempfile::tempdir().expect("a folder");
    shipway(elsewhere.path(), &[], &["config", "-C", &path, "--config", "other.yaml"]).expect(0).says("other.yaml:1:1");
}

#[test]
fn config_names_the_image_that_the_manifests_leave_open() {
    let folder = repository("master");
    shipway(folder.path(), &[], &["config"]).expect(0).says("registry.example.com/team/shop").says("10m");
}
