//! Ways to a cluster, and clusters that are not there.

use crate::support::Project;

#[test]
fn a_server_that_is_down_is_told() {
    let mut project = Project::pushed("noapi");
    let config = std::fs::read_to_string(project.bench.variable("KUBECONFIG")).expect("a kubeconfig");
    let server = config.lines().find_map(|line| line.trim().strip_prefix("server: ")).expect("a server").to_owned();
    let file = project.root().join("../kubeconfig");
    std::fs::write(&file, config.replace(&server, "https://127.0.0.1:1")).expect("a file");
    project.set("KUBECONFIG", &file.display().to_string());
    project.run(&["deploy"]).expect(5).says("error[cluster-unreachable]").says("https://127.0.0.1:1");
}

#[test]
fn a_context_that_is_not_there_is_told() {
    let project = Project::pushed("noctx");
    project
        .run(&["deploy", "--context", "nowhere"])
        .expect(2)
        .says("nowhere")
        .says(&project.bench.variable("KUBECONFIG"));
}

#[test]
fn the_smallest_role_suffices_for_a_token() {
    let mut project = Project::pushed("token");
    let namespace = project.namespace("qa");
    project.bench.kubectl(&["create", "namespace", &namespace]);
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let role = std::fs::read_to_string(root.join("kubernetes/deployer/deployer.yaml")).expect("the deployer's role");
    let applied = project.bench.try_kubectl(
        &["-n", &namespace, "apply", "-f", "-"],
        &role.replace("namespace: demo\n", &format!("namespace: {namespace}\n")),
    );
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let token = project.bench.kubectl(&["-n", &namespace, "create", "token", "deployer"]).trim().to_owned();
    let config = project.bench.get("default", &["configmap", "kube-root-ca.crt"]);
    let authority = config["data"]["ca.crt"].as_str().expect("an authority").to_owned();
    let kubeconfig = std::fs::read_to_string(project.bench.variable("KUBECONFIG")).expect("a kubeconfig");
    let server = kubeconfig.lines().find_map(|line| line.trim().strip_prefix("server: ")).expect("a server").to_owned();
    project.set("K8S_SERVER", &server);
    project.set("K8S_TOKEN", &token);
    project.set("K8S_CA", &authority);
    project.run(&["deploy"]).expect(2).says("KUBECONFIG").says("K8S_SERVER");
    project.unset("KUBECONFIG");
    let run = project.run(&["deploy", "-vv"]).expect(0);
    run.says("K8S_SERVER").never_says(&token);
    project.set("K8S_TOKEN", "not-a-token");
    project.run(&["deploy"]).expect(5).never_says("not-a-token");
}

#[test]
fn skipping_the_certificate_check_is_refused() {
    let mut project = Project::pushed("insecure");
    let config = std::fs::read_to_string(project.bench.variable("KUBECONFIG")).expect("a kubeconfig");
    let insecure: String = config
        .lines()
        .map(|line| match line.trim().starts_with("certificate-authority") {
            true => {
                line.split("certificate").next().unwrap_or_default().to_owned() + "insecure-skip-tls-verify: true\n"
            }
            false => format!("{line}\n"),
        })
        .collect();
    let file = project.root().join("../kubeconfig");
    std::fs::write(&file, insecure).expect("a file");
    project.set("KUBECONFIG", &file.display().to_string());
    project.run(&["deploy"]).expect(2).says("insecure-skip-tls-verify");
}
