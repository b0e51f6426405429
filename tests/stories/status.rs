//! What runs where, from the cluster and from a file.

use crate::support::Project;

#[test]
fn status_names_commit_images_pods_and_health() {
    let project = Project::web("status");
    project.branch("feature");
    let commit = project.commit("Show it");
    project.run(&["status"]).expect(0).says("not deployed");
    project.run(&["release"]).expect(0);
    let status = project.run(&["status"]).expect(0);
    status.says("qa").says(&format!("feature-{}", &commit[..8])).says("healthy").says("deployment/web").says("2/2");
}

#[test]
fn saved_objects_are_judged_offline() {
    let mut project = Project::web("saved");
    project.branch("feature");
    project.run(&["release"]).expect(0);
    let saved =
        project.bench.kubectl(&["-n", &project.namespace("qa"), "get", "deployment,replicaset,pod", "-o", "yaml"]);
    project.unset("KUBECONFIG");
    let status = project.run_with_input(&["status", "-f", "-"], &saved).expect(0);
    status.says("deployment/web").says("2/2");
    let broken =
        saved.replace("readyReplicas: 2", "readyReplicas: 1").replace("availableReplicas: 2", "availableReplicas: 1");
    let status = project.run_with_input(&["status", "-f", "-"], &broken).expect(0);
    status.says("deployment/web").never_says("healthy");
}
