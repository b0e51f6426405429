//! A server that refuses: told before the first write where that can be known, with the reason and what to do.

use std::time::Duration;

use serde_json::Value;

use crate::support::{
    Project, Run, manifests,
    proxy::{Answer, Fault, Proxy, Rule, Seen, Then},
    small,
    webhook::{Does, Webhook},
};

pub(super) fn kubectl(project: &Project, arguments: &[&str], input: &str) -> String {
    let output = project.bench.try_kubectl(&[&["-n", &project.namespace("qa")], arguments].concat(), input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// With its namespace there.
fn project(story: &str) -> Project {
    let project = small::project(story, "one");
    project.bench.kubectl(&["create", "namespace", &project.namespace("qa")]);
    project
}

/// None of the app's objects is there.
fn assert_untouched(project: &Project) {
    let found = kubectl(project, &["get", "configmap,secret,service,deployment,job", "-o", "name"], "");
    let ours: Vec<&str> = found.lines().filter(|name| !name.ends_with("kube-root-ca.crt")).collect();
    assert_eq!(ours, [""; 0]);
}

fn map(name: &str, data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  {data}\n")
}

#[test]
fn a_policy_of_the_cluster_refuses_before_anything_is_written() {
    let project = project("policy");
    let (name, namespace) = (format!("{}.example.com", project.app), project.namespace("qa"));
    let policy = format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: {name}}}\nspec:\n  \
         matchConstraints:\n    resourceRules:\n      - {{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}}\n  \
         validations:\n    - {{expression: \"!has(object.data) || !('version' in object.data)\", message: no versions here}}\n---\n\
         apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {{name: {name}}}\nspec:\n  \
         policyName: {name}\n  validationActions: [Deny]\n  matchResources:\n    namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}\n"
    );
    kubectl(&project, &["create", "-f", "-"], &policy);
    let probe = ["-n", &namespace, "create", "configmap", "probe", "--dry-run=server", "--from-literal=version=1"];
    while project.bench.try_kubectl(&probe, "").status.success() {
        std::thread::sleep(Duration::from_millis(100));
    }
    let run = project.run(&["deploy"]);
    project.bench.kubectl(&["delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", &name]);
    run.expect(5).says("error[admission-denied]").says("configmap/settings").says("no versions here").says(&name);
    assert_untouched(&project);
}

fn refused_by_webhook(story: &str, does: Does) -> Run {
    let project = project(story);
    let webhook = Webhook::start(&project.namespace("qa"), does);
    let run = project.run(&["deploy"]);
    drop(webhook);
    assert_untouched(&project);
    let run = run.expect(5);
    run.says(&format!("{}.example.com", project.namespace("qa")));
    run
}

#[test]
fn a_webhook_refuses_before_anything_is_written() {
    let run = refused_by_webhook("hookdeny", Does::Deny("freeze until Monday"));
    run.says("error[admission-denied]").says("configmap/settings").says("freeze until Monday");
}

#[test]
fn a_webhook_that_does_not_answer_is_told_by_name_and_soon() {
    let run = refused_by_webhook("hooksilent", Does::Nothing);
    run.says("error[admission-failed]").says("configmap/settings");
    assert!(run.seconds < 20.0, "told after {:.0} s", run.seconds);
}

/// Only servers of old versions have such webhooks, so the answer is a fake of the wire.
#[test]
fn what_a_webhook_does_not_let_rehearse_is_said_and_deployed() {
    let mut project = small::project("hookeffects", "one");
    let proxy = Proxy::start(&project.bench);
    proxy.guard(&mut project);
    let message = "admission webhook \"effects.example.com\" does not support dry run";
    let status = serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 400,
        "reason": "BadRequest", "message": message});
    let is_rehearsal = |seen: &Seen| seen.path.contains("/configmaps/settings") && seen.path.contains("dryRun=All");
    let answer = Answer::status(400).body(status.to_string());
    proxy.rule(Rule::when(is_rehearsal, Fault::Instead(Then::Answer(answer))));
    let run = proxy.run(&project, &["deploy", "-v"]).expect(0);
    run.says("configmap/settings is not rehearsed").says("effects.example.com");
    small::write(&project, "two");
    proxy.run(&project, &["plan"]).expect(0).says("not rehearsed").says("data.version");
}

#[test]
fn a_quota_that_is_used_up_is_told_with_its_numbers() {
    let project = project("quota");
    let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: few}\nspec: {hard: {count/services: '0'}}\n";
    kubectl(&project, &["create", "-f", "-"], quota);
    kubectl(&project, &["wait", "resourcequota/few", "--for=jsonpath={.status.used}", "--timeout=30s"], "");
    let run = project.run(&["deploy"]).expect(5);
    run.says("error[quota-exceeded]").says("service/web").says("few").says("limited: count/services=0");
    assert_untouched(&project);
}

#[test]
fn a_namespace_that_is_going_is_told_with_what_holds_it() {
    let project = project("going");
    let held = map("held", "a: b").replace("  name: held\n", "  name: held\n  finalizers: [example.com/hold]\n");
    kubectl(&project, &["create", "-f", "-"], &held);
    let namespace = project.namespace("qa");
    project.bench.kubectl(&["delete", "namespace", &namespace, "--wait=false"]);
    let remains =
        ["wait", &format!("namespace/{namespace}"), "--for=condition=NamespaceFinalizersRemaining", "--timeout=60s"];
    project.bench.kubectl(&remains);
    let run = project.run(&["deploy"]);
    kubectl(
        &project,
        &["patch", "configmap", "held", "--type=json", "-p", r#"[{"op":"remove","path":"/metadata/finalizers"}]"#],
        "",
    );
    run.expect(5).says("error[namespace-terminating]").says(&namespace).says("example.com/hold");
}

#[test]
fn two_apps_that_name_one_object_do_not_fight() {
    let (first, second) = (small::project("firstapp", "one"), small::project("secondapp", "two"));
    first.run(&["deploy"]).expect(0);
    let namespace = first.namespace("qa");
    let run = second.run(&["deploy", "--namespace", &namespace]).expect(5);
    run.says("error[foreign-object]").says("configmap/settings").says(&first.app).says("rename");
    let live = first.bench.get(&namespace, &["configmap", "settings"]);
    assert_eq!(live["data"]["version"], "one");
}

#[test]
fn every_fault_of_the_manifests_is_told_at_once_with_its_place() {
    let project = project("faulty");
    let web = std::fs::read_to_string(project.root().join("kubernetes/web.yaml")).expect("a manifest");
    project.write("kubernetes/web.yaml", &web.replace("  replicas: 1", "  replica: 1"));
    project.write("kubernetes/service.yaml", &manifests::service("web", "").replace("port: 80\n", "port: eighty\n"));
    let twice = "          env:\n            - {name: A, value: '1'}\n            - {name: A, value: '2'}\n";
    let job = std::fs::read_to_string(project.root().join("kubernetes/migrate.yaml")).expect("a manifest");
    project.write("kubernetes/migrate.yaml", &format!("{job}{twice}"));
    // what the files alone show, and what only the server knows
    let expected = [
        ("duplicate-key", "kubernetes/migrate.yaml", 19, 15, "the variable `A` stands twice"),
        ("manifest", "kubernetes/service.yaml", 8, 7, "expected a number"),
        ("manifest", "kubernetes/web.yaml", 6, 3, "unknown field `spec.replica`"),
    ];
    for verb in ["plan", "deploy"] {
        let run = project.run(&[verb, "--output", "json"]).expect(2);
        assert_eq!(places(&run), expected.map(|(_, file, line, column, _)| (file.to_owned(), line, column)), "{verb}");
        for (problem, (code, .., text)) in problems(&run).iter().zip(expected) {
            assert_eq!(problem["code"], code, "{problem}");
            assert!(problem["text"].as_str().is_some_and(|told| told.contains(text)), "{problem}");
        }
        run.within(10.0);
    }
    let run = project.run(&["deploy"]).expect(2);
    run.says("kubernetes/migrate.yaml:19:15").says("kubernetes/service.yaml:8:7").says("kubernetes/web.yaml:6:3");
    assert_untouched(&project);
    assert_eq!(kubectl(&project, &["get", "leases", "-o", "name"], ""), "");

    // a command that only reads asks no server
    let run = project.run(&["render"]).expect(2);
    run.says("kubernetes/migrate.yaml:19:15").never_says("kubernetes/web.yaml");
}

fn problems(run: &Run) -> Vec<Value> {
    run.outcome()["problems"].as_array().cloned().unwrap_or_default()
}

/// File, line and column of each problem.
pub(super) fn places(run: &Run) -> Vec<(String, u64, u64)> {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let place = |problem: &Value| {
        let place = &problem["place"];
        (place["file"].as_str().unwrap_or_default().to_owned(), number(&place["line"]), number(&place["column"]))
    };
    problems(run).iter().map(place).collect()
}

pub(super) const TWICE: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: twice\nspec:\n  containers:\n    - name: one\n      \
                     image: one:1\n      env:\n        - {name: A, value: '1'}\n        - {name: A, value: '2'}\n        \
                     - {name: B, val: '2'}\n";

/// With a fault that the server alone knows.
fn once() -> String {
    TWICE.replace("{name: A, value: '1'}", "{name: C, value: '1'}")
}

#[test]
fn what_may_not_be_released_is_told_with_the_other_faults() {
    let project = project("elsewhere");
    project.write("kubernetes/one.yaml", &once());
    let other = map("other", "a: b").replace("  name: other\n", "  name: other\n  namespace: elsewhere\n");
    project.write("kubernetes/other.yaml", &other);
    for verb in ["plan", "deploy"] {
        let run = project.run(&[verb, "--output", "json"]).expect(2);
        let at = |file: &str, line, column| (format!("kubernetes/{file}"), line, column);
        assert_eq!(places(&run), [at("one.yaml", 12, 21), at("other.yaml", 5, 3)], "{}", run.transcript());
    }
    assert_untouched(&project);
}

/// What the manifests lack is not held against the rest of them.
#[test]
fn objects_that_cannot_be_read_are_told_with_the_faults_of_the_others() {
    let project = project("nameless");
    let twice = "kubernetes/twice.yaml";
    project.write(twice, &once());
    project.write("kubernetes/nameless.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels: {}\n");
    let web = std::fs::read_to_string(project.root().join("kubernetes/web.yaml")).expect("a manifest");
    project.write("kubernetes/web.yaml", &web.replace("apps/v1", "extensions/v1beta1"));
    let over = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 2\n";
    project.write("kubernetes/qa/web.yaml", over);
    let at = |file: &str, line, column| (format!("kubernetes/{file}"), line, column);
    let expected = [at("nameless.yaml", 3, 1), at("twice.yaml", 12, 21), at("web.yaml", 1, 1)];
    for verb in ["plan", "deploy"] {
        let run = project.run(&[verb, "--output", "json"]).expect(2);
        assert_eq!(places(&run), expected, "{}", run.transcript());
    }
    // without YAML there is nothing to rehearse
    project.write("kubernetes/zeros.yaml", "a: [0\n");
    let run = project.run(&["deploy", "--output", "json"]).expect(2);
    run.within(5.0);
    let files: Vec<_> = places(&run).into_iter().map(|(file, ..)| file).collect();
    assert_eq!(files, ["nameless.yaml", "web.yaml", "zeros.yaml"].map(|file| format!("kubernetes/{file}")));
    assert_untouched(&project);
}

/// What comes after an entry that does not count is found where it stands.
#[test]
fn faults_of_one_object_are_told_where_they_stand() {
    let project = project("oneobject");
    project.write("kubernetes/twice.yaml", TWICE);
    project.write("kubernetes/settings.yaml", &map("settings", "port: 80"));
    let run = project.run(&["deploy", "--output", "json"]).expect(2);
    let at = |file: &str, line, column| (format!("kubernetes/{file}"), line, column);
    assert_eq!(places(&run), [at("settings.yaml", 6, 3), at("twice.yaml", 11, 11), at("twice.yaml", 12, 21)]);
    run.says("`spec.containers[0].env[2].val`");
    assert_untouched(&project);
}

#[test]
fn an_image_that_nothing_uses_is_told_with_the_other_faults() {
    let project = project("unusedimage");
    let image = format!("{}/base/busybox", project.bench.variable("REGISTRY"));
    project.write("shipway.yaml", &format!("images:\n  - name: {image}\n  - name: {image}-two\n"));
    project.write("kubernetes/twice.yaml", TWICE);
    let run = project.run(&["deploy", "--output", "json"]).expect(2);
    let at = |file: &str, line, column| (file.to_owned(), line, column);
    let twice = "kubernetes/twice.yaml";
    assert_eq!(places(&run), [at(twice, 11, 11), at(twice, 12, 21), at("shipway.yaml", 3, 5)]);
    project.write(twice, &once());
    let run = project.run(&["deploy", "--output", "json"]).expect(2);
    assert_eq!(places(&run), [at(twice, 12, 21), at("shipway.yaml", 3, 5)]);
    assert_untouched(&project);
}

#[test]
fn faults_in_a_namespace_that_is_not_there_yet_are_told_and_nothing_is_made() {
    let project = small::project("notyet", "one");
    project.write("kubernetes/twice.yaml", TWICE);
    for verb in ["plan", "deploy"] {
        let run = project.run(&[verb, "--output", "json"]).expect(2);
        run.within(10.0);
        let at = |line, column| ("kubernetes/twice.yaml".to_owned(), line, column);
        assert_eq!(places(&run), [at(11, 11), at(12, 21)]);
    }
    let namespace = project.namespace("qa");
    let found = project.bench.kubectl(&["get", "namespace", &namespace, "--ignore-not-found", "-o", "name"]);
    assert_eq!(found, "");
}

#[test]
fn faults_of_the_files_do_not_wait_for_a_server() {
    let mut project = project("nobody");
    project.write("kubernetes/twice.yaml", TWICE);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = format!("https://{}", silent.local_addr().expect("an address"));
    for server in ["https://127.0.0.1:1", &silent] {
        project.set("SHIPWAY_SERVER", server);
        for verb in ["plan", "deploy"] {
            let run = project.run(&[verb]).expect(2);
            run.says("kubernetes/twice.yaml:11:11").never_says("127.0.0.1").within(8.0);
        }
    }
}

#[test]
fn a_key_that_leaves_string_data_leaves_the_cluster() {
    let project = small::project("stringdata", "one");
    let secret = |more: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\nstringData:\n  stays: hush-hush\n{more}")
    };
    project.write("kubernetes/keys.yaml", &secret("  goes: hush-again\n"));
    let keys = || {
        let live = project.bench.get(&project.namespace("qa"), &["secret", "keys"]);
        live["data"].as_object().expect("data").keys().cloned().collect::<Vec<_>>()
    };
    project.run(&["deploy"]).expect(0);
    assert_eq!(keys(), ["goes", "stays"]);
    project.write("kubernetes/keys.yaml", &secret(""));
    let run = project.run(&["deploy"]).expect(0);
    run.never_says("hush");
    assert_eq!(keys(), ["stays"]);
}

#[test]
fn a_field_that_cannot_change_is_named_with_the_remedy() {
    let project = small::project("immutable", "one");
    project.run(&["deploy"]).expect(0);
    let web = std::fs::read_to_string(project.root().join("kubernetes/web.yaml")).expect("a manifest");
    project.write("kubernetes/web.yaml", &web.replace("app: web\n", "app: other\n"));
    let run = project.run(&["deploy"]).expect(5);
    run.says("error[immutable-field]").says("deployment/web").says("spec.selector").says("kubernetes/web.yaml:");
    run.says("delete the object yourself");
}

#[test]
fn a_renamed_service_meets_its_own_node_port() {
    let project = small::project("nodeport", "one");
    project.run(&["deploy"]).expect(0);
    let live = project.bench.get(&project.namespace("qa"), &["service", "web"]);
    let port = live["spec"]["ports"][0]["nodePort"].as_u64().expect("a node port");
    let fixed =
        |name: &str| manifests::service(name, "").replace("port: 80\n", &format!("port: 80\n      nodePort: {port}\n"));
    project.write("kubernetes/service.yaml", &fixed("web"));
    project.run(&["deploy"]).expect(0);
    project.write("kubernetes/service.yaml", &fixed("web-two").replace("    app: web-two", "    app: web"));
    let run = project.run(&["deploy"]).expect(5);
    run.says("service/web-two").says(&port.to_string()).says("old name").says("delete that Service first");
}

/// Somebody writes the same field all the time: shipway mends it or says why not, and the next run has the last word.
#[test]
fn an_object_that_changes_during_a_deploy_is_never_left_half_done() {
    let project = small::project("busy", "one");
    project.run(&["deploy"]).expect(0);
    let namespace = project.namespace("qa");
    let version = || {
        let live = project.bench.get(&namespace, &["configmap", "settings"]);
        live["data"]["version"].as_str().expect("a version").to_owned()
    };
    let patch = |value: usize| {
        let patch = format!(r#"{{"data": {{"version": "hand-{value}"}}}}"#);
        project.bench.kubectl(&["-n", &namespace, "patch", "configmap", "settings", "-p", &patch]);
    };
    small::write(&project, "two");
    patch(0);
    let running = project.start(&["deploy", "--output", "json"]);
    let mut writes = 0;
    while !running.has_ended() {
        writes += 1;
        patch(writes);
    }
    assert!(writes > 0);
    let run = running.wait();
    assert!([0, 5].contains(&run.code), "{}", run.transcript());
    let objects = run.outcome()["objects"].as_array().cloned().unwrap_or_default();
    let settings = objects.iter().find(|object| object["name"] == "settings").expect("the object in the outcome");
    if run.code == 0 {
        assert_eq!(settings["change"], "changed", "{}", run.transcript());
    }
    project.run(&["deploy"]).expect(0);
    assert_eq!(version(), "two");
}

/// An account that may do all that a deploy of this app needs, but for what `without` names.
fn login(project: &mut Project, without: &str) {
    let rules: String = [
        ("", "namespaces", "get,patch"),
        ("", "configmaps", "get,list,watch,create,patch,delete"),
        ("", "secrets", "get,list,watch,create,patch,delete"),
        ("", "services", "get,list,watch,create,patch,delete"),
        ("", "pods,events", "get,list,watch"),
        ("", "pods/log", "get"),
        ("apps", "deployments", "get,list,watch,create,patch,delete"),
        ("apps", "replicasets", "get,list,watch"),
        ("batch", "jobs", "get,list,watch,create,patch,delete"),
        ("discovery.k8s.io", "endpointslices", "get,list,watch"),
        ("coordination.k8s.io", "leases", "get,create,update"),
    ]
    .iter()
    .filter(|(_, resources, _)| *resources != without)
    .map(|(group, resources, verbs)| {
        format!("  - {{apiGroups: ['{group}'], resources: [{resources}], verbs: [{verbs}]}}\n")
    })
    .collect();
    login_with(project, &rules);
}

/// An account with these rules of a Role, as lines of YAML; the project's runs are its from now on.
pub(super) fn login_with(project: &mut Project, rules: &str) {
    let namespace = project.namespace("qa");
    let account = format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: ci}}\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: ci}}\nrules:\n{rules}---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: ci}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: ci}}\nsubjects: [{{kind: ServiceAccount, name: ci}}]\n"
    );
    kubectl(project, &["apply", "-f", "-"], &account);
    let token = kubectl(project, &["create", "token", "ci"], "");
    let config = std::fs::read_to_string(project.bench.variable("KUBECONFIG")).expect("a kubeconfig");
    let field = |name: &str| {
        let value = config.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
        value.unwrap_or_else(|| panic!("no {name}")).to_owned()
    };
    let (server, authority) = (field("server"), field("certificate-authority-data"));
    project.unset("KUBECONFIG");
    project.set("K8S_SERVER", &server);
    project.set("K8S_CA", &authority);
    project.set("K8S_TOKEN", token.trim());
    assert!(namespace.ends_with("-qa"));
}

/// The YAML of the evidence, as an administrator would paste it.
pub(super) fn role(run: &Run) -> String {
    let outcome = run.outcome();
    let problems = outcome["problems"].as_array().cloned().unwrap_or_default();
    let evidence = problems.iter().flat_map(|problem| problem["evidence"].as_array().cloned().unwrap_or_default());
    let role = evidence.into_iter().find(|found: &Value| found["label"] == "role").expect("a role");
    role["lines"].as_array().expect("lines").iter().map(|line| format!("{}\n", line.as_str().unwrap())).collect()
}

fn a_missing_right(story: &str, without: &str, said: &str) {
    let mut project = project(story);
    login(&mut project, without);
    project.run(&["deploy"]).expect(5).says("error[cluster-denied]").says(said).says("kind: RoleBinding");
    assert_untouched(&project);
    let run = project.run(&["deploy", "--output", "json"]).expect(5);
    // what is told is enough
    kubectl(&project, &["apply", "-f", "-"], &role(&run));
    project.run(&["deploy"]).expect(0);
}

#[test]
fn a_missing_right_to_write_is_told_before_the_first_write_with_the_role_that_does() {
    a_missing_right("norightwrite", "services", "create, get, list, patch, watch services");
}

#[test]
fn a_missing_right_to_follow_is_told_before_the_first_write_with_the_role_that_does() {
    a_missing_right("norightwatch", "replicasets", "list, watch replicasets");
}

#[test]
fn a_missing_right_to_lock_is_told_before_the_first_write_with_the_role_that_does() {
    a_missing_right("norightlock", "leases", "create, get, update leases");
}
