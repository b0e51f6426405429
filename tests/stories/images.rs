//! Images that the node cannot get, or not yet, or that are not what they were: the registry tells "never" from "not yet".
//!
//! The stories of a group run at once: nearly all of their time is waiting.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    Project, Run, at_once,
    registry::{Asked, Content, OwnRegistry, Refusal, Store},
    workloads::{RUNS, deployment, template, workload},
};

/// An app of one Deployment, whose image stands behind a registry of its own.
struct Story {
    project: Project,
    registry: OwnRegistry,
    store: Store,
}

impl Story {
    /// On a feature branch; nothing is pushed yet, and tag `1` is deployed.
    fn new(name: &str) -> Self {
        let mut project = Project::new(name);
        project.set("SHIPWAY_TAG", "1");
        project.branch("feature");
        let registry = OwnRegistry::start();
        let store = Store::open(&format!("team/{}", project.app));
        let story = Self { project, registry, store };
        story.project.write("shipway.yaml", &format!("images: [{{name: {}}}]\n", story.repository()));
        story.manifests(&[deployment(RUNS, json!({"image": story.repository()}))]);
        story
    }

    /// The same with its image pushed.
    fn pushed(name: &str) -> Self {
        let story = Self::new(name);
        story.push("one");
        story
    }

    fn repository(&self) -> String {
        self.registry.repository(&format!("team/{}", self.project.app))
    }

    /// An image under tag `1` that no other story has; answers its digest.
    fn push(&self, note: &str) -> String {
        self.store.push("1", Content::new(&format!("{} {note}", self.project.app)))
    }

    /// shipway does not ask the registry before it deploys.
    fn unchecked(&self) {
        let image = format!("images: [{{name: {}}}]\n", self.repository());
        self.project.write("shipway.yaml", &format!("{image}deploy: {{registry_check: false}}\n"));
        self.project.commit("Deploy by tag");
    }

    fn manifests(&self, objects: &[Value]) {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.project.namespace("qa")}});
        let items: Vec<&Value> = std::iter::once(&namespace).chain(objects).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        self.project.write("kubernetes/objects.json", &list.to_string());
        self.project.commit("Describe it");
    }

    fn deploy(&self) -> Run {
        self.project.run(&["deploy"])
    }

    /// What the kubelet says that the pod runs.
    fn image_id(&self) -> String {
        let pods = self.project.bench.get(&self.project.namespace("qa"), &["pods"]);
        pods["items"][0]["status"]["containerStatuses"][0]["imageID"].as_str().unwrap_or_default().to_owned()
    }
}

const MISSING: Refusal = Refusal::Status(404, "MANIFEST_UNKNOWN");
const EVER: Duration = Duration::from_secs(3600);

fn down_and_back() {
    let story = Story::pushed("downback");
    let mut is_up = true;
    story.registry.rule(move |asked| {
        let first = asked.by_node && std::mem::take(&mut is_up);
        first.then_some(Refusal::Down(Duration::from_secs(5)))
    });
    let run = story.deploy().expect(0);
    run.says("cannot be pulled").says("1/1 pods run");
    run.took(5.0, 60.0);
}

fn down_for_good() {
    let story = Story::pushed("downstays");
    let mut is_up = true;
    story.registry.rule(move |asked| {
        let first = asked.by_node && std::mem::take(&mut is_up);
        first.then_some(Refusal::Down(EVER))
    });
    let run = story.deploy().expect(6);
    run.says("error[image-pull-failing]").says("cannot be pulled");
    run.took(119.0, 140.0);
}

/// The node's part of the registry lags behind; shipway's has it.
fn lag_at_the_node() {
    let story = Story::new("lagnode");
    let digest = story.push("one");
    let is_image = move |asked: &Asked| asked.by_node && asked.is_for(&digest);
    story.registry.refuse_for(Duration::from_secs(5), MISSING, is_image);
    let run = story.deploy().expect(0);
    run.says("cannot be pulled").says("1/1 pods run");
    run.took(5.0, 60.0);
}

fn lag_everywhere() {
    let story = Story::new("lagall");
    let digest = story.push("one");
    story.registry.refuse_for(Duration::from_secs(5), MISSING, move |asked| asked.is_for(&digest));
    let run = story.deploy().expect(0);
    run.says("is not in the registry").says("1/1 pods run");
    run.took(5.0, 60.0);
}

fn gone_for_good() {
    let story = Story::new("gone");
    let digest = story.push("one");
    story.registry.refuse_for(EVER, MISSING, move |asked| asked.is_for(&digest));
    let run = story.deploy().expect(6);
    run.says("error[image-not-found]").says("is not in the registry");
    run.took(29.0, 45.0);
}

fn busy(name: &str, refusal: Refusal) {
    let story = Story::pushed(name);
    story.registry.refuse_for(Duration::from_secs(5), refusal, |asked| asked.by_node);
    let run = story.deploy().expect(0);
    run.says("cannot be pulled").says("1/1 pods run");
    run.took(5.0, 60.0);
}

fn too_many_requests() {
    busy("toomany", Refusal::Status(429, "TOOMANYREQUESTS"));
}

fn unavailable() {
    busy("unavailable", Refusal::Status(503, "UNAVAILABLE"));
}

#[test]
fn what_a_registry_does_not_give_is_waited_for_as_long_as_it_may_come() {
    at_once(&[
        down_and_back,
        down_for_good,
        lag_at_the_node,
        lag_everywhere,
        gone_for_good,
        too_many_requests,
        unavailable,
    ]);
}

/// A Deployment with the image that needs a login, and an account with this Secret.
fn with_account(story: &Story, password: &str, secret: &str) {
    let store = Store::guarded(&format!("team/{}", story.project.app));
    store.push("1", Content::new(&story.project.app));
    let registry = story.project.bench.variable("REGISTRY_LOGIN");
    let user = story.project.bench.variable("REGISTRY_USER");
    let logins = json!({"auths": {&registry: {"username": user, "password": password}}}).to_string();
    let login = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"},
        "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": logins}});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "puller"},
        "imagePullSecrets": [{"name": secret}]});
    let container = json!({"name": "web", "image": format!("{registry}/team/{}:1", story.project.app), "command": ["/bin/sh", "-c", RUNS]});
    let web = workload("Deployment", template(container, json!({"serviceAccountName": "puller"})), json!({}));
    story.project.write("shipway.yaml", "{}\n");
    story.manifests(&[login, account, web]);
}

fn login_of_the_account() {
    let story = Story::new("accountlogin");
    with_account(&story, &story.project.bench.password(), "login");
    let run = story.project.run(&["deploy", "-f", "kubernetes/objects.json"]).expect(0);
    run.says("ready: 1/1");
    run.took(0.0, 30.0);
}

fn wrong_login_of_the_account() {
    let story = Story::new("accountwrong");
    with_account(&story, "wrong-password", "login");
    let run = story.project.run(&["deploy", "-f", "kubernetes/objects.json"]).expect(6);
    run.says("error[image-pull-denied]").says("ServiceAccount `puller`").says("login").never_says("wrong-password");
    run.took(9.0, 30.0);
}

fn login_that_is_not_there() {
    let story = Story::new("accountnone");
    with_account(&story, &story.project.bench.password(), "nosuch");
    let run = story.project.run(&["deploy", "-f", "kubernetes/objects.json"]).expect(6);
    run.says("error[image-pull-denied]").says("Secret `nosuch` is not there");
    run.took(9.0, 30.0);
}

#[test]
fn the_login_of_a_node_is_looked_for_at_its_account_too() {
    at_once(&[login_of_the_account, wrong_login_of_the_account, login_that_is_not_there]);
}

/// The beginning of a program for another processor: enough for a kernel to refuse it.
fn foreign_program() -> Vec<u8> {
    const ARM64: u8 = 0xb7;
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(16, 0);
    program.extend([2, 0, ARM64, 0, 1, 0, 0, 0]);
    program.resize(4096, 0);
    program
}

/// Pushes an image for another processor, which runs `/program`; as an index, too, if asked.
fn push_foreign(story: &Story, as_index: bool) {
    let note = story.project.app.clone();
    let program = foreign_program();
    let content = Content { architecture: "arm64", program: Some(&program), ..Content::new(&note) };
    let digest = story.store.push(if as_index { "arm64" } else { "1" }, content);
    if as_index {
        story.store.index("1", &[("arm64", &digest)]);
    }
    story.manifests(&[deployment("", json!({"image": story.repository(), "command": ["/program"]}))]);
}

fn configured_platform(name: &str, as_index: bool) {
    let story = Story::new(name);
    push_foreign(&story, as_index);
    let image = format!("images: [{{name: {}, platform: linux/amd64}}]\n", story.repository());
    story.project.write("shipway.yaml", &image);
    let run = story.deploy().expect(4);
    run.says("error[wrong-platform]").says("is for linux/arm64, not for linux/amd64");
    let made = story.project.bench.try_kubectl(&["get", "namespace", &story.project.namespace("qa")], "");
    assert!(!made.status.success(), "the cluster was touched");
    assert!(story.registry.asked_by_node().is_empty());
}

fn another_platform() {
    configured_platform("platform", false);
}

fn index_without_the_platform() {
    configured_platform("platindex", true);
}

/// What the kubelet makes of it, where nothing was asked before.
fn foreign(name: &str, as_index: bool, within: f64) {
    let story = Story::new(name);
    push_foreign(&story, as_index);
    story.unchecked();
    let run = story.deploy().expect(6);
    run.says("error[image-platform]").says("platform").says("images[].platform");
    run.took(0.0, within);
}

fn foreign_image_at_the_node() {
    foreign("foreign", false, 60.0);
}

fn foreign_index_at_the_node() {
    foreign("foreignindex", true, 20.0);
}

/// The registry can be asked by the node only.
fn foreign_index_of_a_registry_that_only_the_node_reaches() {
    let story = Story::new("foreignnode");
    push_foreign(&story, true);
    story.unchecked();
    story.registry.rule(|asked| (!asked.by_node).then_some(Refusal::Status(503, "UNAVAILABLE")));
    let run = story.deploy().expect(6);
    run.says("error[image-platform]");
    run.took(0.0, 20.0);
}

#[test]
fn an_image_for_another_processor_is_told_so() {
    at_once(&[
        another_platform,
        index_without_the_platform,
        foreign_image_at_the_node,
        foreign_index_at_the_node,
        foreign_index_of_a_registry_that_only_the_node_reaches,
    ]);
}

/// Another image takes the tag as soon as the node asks for it.
fn replace_at_the_first_pull(story: Story) -> (Story, Arc<std::sync::Mutex<String>>) {
    let (app, other) = (story.project.app.clone(), Arc::new(std::sync::Mutex::new(String::new())));
    let told = Arc::clone(&other);
    let store = Store::open(&format!("team/{app}"));
    story.registry.rule(move |asked| {
        let mut told = told.lock().expect("a digest");
        if asked.by_node && told.is_empty() {
            *told = store.push("1", Content::new(&format!("{app} another")));
        }
        None
    });
    (story, other)
}

fn replaced_under_its_tag() {
    let story = Story::new("replaced");
    let digest = story.push("one");
    let (story, other) = replace_at_the_first_pull(story);
    let run = story.deploy().expect(0);
    run.says("1/1 pods run").never_says("by tag only");
    assert!(story.image_id().ends_with(&digest), "{}", story.image_id());
    assert_ne!(*other.lock().expect("a digest"), digest);
}

fn replaced_and_deployed_by_tag() {
    let story = Story::pushed("bytag");
    story.unchecked();
    let (story, other) = replace_at_the_first_pull(story);
    let run = story.deploy().expect(0);
    run.says("by tag only").never_says("1/1 pods run");
    assert!(story.image_id().ends_with(&*other.lock().expect("a digest")), "{}", story.image_id());
}

fn one_of_many_platforms() {
    let story = Story::new("manyplatforms");
    let note = story.project.app.clone();
    let ours = story.store.push("amd64", Content::new(&note));
    let program = foreign_program();
    let arm = Content { architecture: "arm64", program: Some(&program), ..Content::new(&note) };
    let theirs = story.store.push("arm64", arm);
    story.store.index("1", &[("arm64", &theirs), ("amd64", &ours)]);
    let run = story.deploy().expect(0);
    run.says("1/1 pods run").never_says("not confirmed");
}

/// Two manifests of one configuration: the node reports either for a pod that is pinned to one.
fn two_of_one_configuration() {
    let story = Story::new("twoofone");
    let note = story.project.app.clone();
    let first = Content { annotation: "first", ..Content::new(&note) };
    let second = Content { annotation: "second", ..Content::new(&note) };
    let before = story.store.push("1", first);
    story.deploy().expect(0).says("1/1 pods run");
    let now = story.store.push("1", second);
    assert_ne!(before, now);
    let run = story.deploy().expect(0);
    run.says("1/1 pods run").never_says("not confirmed");
}

#[test]
fn pods_run_what_was_seen_at_the_registry_and_the_proof_says_so() {
    at_once(&[replaced_under_its_tag, replaced_and_deployed_by_tag, one_of_many_platforms, two_of_one_configuration]);
}
