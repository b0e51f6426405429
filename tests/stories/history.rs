//! What was deployed is remembered, with its objects, and can be gone back to.

use std::{
    fs,
    io::{Read as _, Write as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::Value;

use super::blue_green;
use crate::support::{
    Project, demo, manifests,
    own::{Own, class, unique},
    proxy::{Fault, Proxy, Rule, Seen, Then},
    small,
};

fn map(name: &str, text: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  text: {text}\n")
}

fn is_there(project: &Project, object: &[&str]) -> bool {
    let namespace = project.namespace("qa");
    let arguments = [&["-n", namespace.as_str(), "get"], object].concat();
    project.bench.try_kubectl(&arguments, "").status.success()
}

fn text_of(project: &Project, name: &str) -> Value {
    project.bench.get(&project.namespace("qa"), &["configmap", name])["data"]["text"].clone()
}

/// The deploys that `shipway history` knows, the newest first.
fn deploys(project: &Project) -> Vec<Value> {
    let outcome = project.run(&["history", "--output", "json"]).expect(0).outcome();
    outcome["answer"]["history"]["deploys"].as_array().expect("deploys").clone()
}

fn revisions(project: &Project) -> Vec<u64> {
    deploys(project).iter().map(|deploy| deploy["revision"].as_u64().expect("a number")).collect()
}

/// The Secrets that shipway keeps its records and their objects in.
fn kept(project: &Project) -> Vec<String> {
    let names = project.bench.kubectl(&["-n", &project.namespace("qa"), "get", "secret", "-o", "name"]);
    let prefix = format!("secret/shipway.{}.qa.", project.app);
    names.lines().filter_map(|name| name.strip_prefix(&prefix)).map(str::to_owned).collect()
}

/// The web server with a command that ends at once.
fn broken(project: &Project) -> String {
    let web = manifests::deployment("web", &project.image());
    web.replace("          ports:\n", "          command: [/bin/sh, -c, 'echo boom; exit 3']\n          ports:\n")
}

fn command(project: &Project) -> Value {
    let live = project.bench.get(&project.namespace("qa"), &["deployment", "web"]);
    live["spec"]["template"]["spec"]["containers"][0]["command"].clone()
}

#[test]
fn an_earlier_release_comes_back_and_the_newer_one_again() {
    let project = Project::web("back");
    project.branch("feature");
    project.run(&["history"]).expect(0).says("no deploy yet");
    let first = project.commit("Serve the first page");
    let one = project.run(&["release", "--output", "json"]).expect(0).outcome();
    project.run(&["rollback"]).expect(2).says("error[no-way-back]");

    project.write("Dockerfile", &project.dockerfile("two"));
    project.write("kubernetes/added.yaml", &map("added", "b"));
    let second = project.commit("Serve another page");
    let two = project.run(&["release", "--output", "json"]).expect(0).outcome();
    assert_ne!(one["images"][0]["digest"], two["images"][0]["digest"]);
    let shown = project.run(&["history"]).expect(0);
    shown.says("\"Serve another page\"").says("\"Serve the first page\"").says("*  2");

    let back = project.run(&["rollback", "--output", "json"]).expect(0).outcome();
    assert_eq!((&back["commit"], &back["tag"]), (&Value::from(first.as_str()), &one["tag"]));
    assert_eq!(back["images"][0]["digest"], one["images"][0]["digest"]);
    assert_eq!(back["images"][0]["pods"], 2, "{back}");
    let truth = back["truth"].as_str().expect("a last word");
    assert!(truth.starts_with(&format!("rolled back to revision 1 ({})", one["tag"].as_str().unwrap())), "{truth}");
    assert!(!is_there(&project, &["configmap", "added"]), "what the newer release added is still there");
    let deploys = deploys(&project);
    assert_eq!((&deploys[0]["revision"], &deploys[0]["source"]), (&Value::from(3), &Value::from(1)));
    assert_eq!((&deploys[0]["current"], &deploys[1]["current"]), (&true.into(), &false.into()));
    assert_eq!(deploys[0]["commit"]["sha"], first);

    // the newer commit is no step back
    let again = project.run(&["deploy", "--output", "json"]).expect(0).outcome();
    assert_eq!(again["commit"], second);
    assert!(is_there(&project, &["configmap", "added"]));
    // and an earlier tag is an earlier image, with the manifests of today
    let tag = one["tag"].as_str().expect("a tag");
    let tagged = project.run(&["deploy", "--tag", tag, "--output", "json"]).expect(0).outcome();
    assert_eq!(tagged["images"][0]["digest"], one["images"][0]["digest"]);
    assert!(is_there(&project, &["configmap", "added"]));
}

#[test]
fn after_a_crash_loop_the_last_good_release_comes_back() {
    let project = Project::pushed("looped");
    project.run(&["deploy"]).expect(0);
    project.write("kubernetes/web.yaml", &broken(&project));
    project.write("kubernetes/added.yaml", &map("added", "b"));
    project.run(&["deploy"]).expect(6).says("error[crash-loop]");
    assert!(!command(&project).is_null() && is_there(&project, &["configmap", "added"]), "nothing was held");
    project.run(&["rollback", "2"]).expect(2).says("revision 2 failed, and was never proven").says("there are 1 (one)");
    project.run(&["rollback", "7"]).expect(2).says("there is no revision 7").says("there are 1 (one)");
    project.run(&["rollback"]).expect(0).says("rolled back to revision 1 (one)");
    assert!(command(&project).is_null(), "the bad command is still there");
    assert!(!is_there(&project, &["configmap", "added"]), "what the bad release added is still there");
    let states: Vec<Value> = deploys(&project).iter().map(|deploy| deploy["state"].clone()).collect();
    assert_eq!(states, ["succeeded", "failed", "succeeded"]);
}

#[test]
fn a_configuration_brings_the_old_pods_back_by_itself() {
    let project = Project::pushed("byitself");
    project.write("shipway.yaml", "deploy: {on_failure: rollback}\n");
    project.write("kubernetes/flags.yaml", &map("flags", "calm"));
    project.run(&["deploy"]).expect(0);
    let pods = || {
        let pods = project.bench.get(&project.namespace("qa"), &["pods", "-l", "app=web"]);
        let items = pods["items"].as_array().expect("pods").iter();
        let mut names: Vec<String> = items
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
            .map(|pod| pod["metadata"]["name"].as_str().expect("a name").to_owned())
            .collect();
        names.sort();
        names
    };
    let before = pods();
    project.write("kubernetes/web.yaml", &broken(&project));
    project.write("kubernetes/flags.yaml", &map("flags", "wild"));
    project.write("kubernetes/added.yaml", &map("added", "b"));
    let run = project.run(&["deploy"]).expect(6);
    run.says("error[crash-loop]").says("boom").says("rolled back to revision 1 (one): 2 pods are proven to run it");
    assert!(command(&project).is_null(), "the bad command is still there");
    assert_eq!(pods(), before, "the old pods did not stay");
    assert_eq!(text_of(&project, "flags"), "calm");
    assert!(!is_there(&project, &["configmap", "added"]), "what the bad release added is still there");
    let deploys = deploys(&project);
    let told: Vec<_> = deploys.iter().map(|deploy| (deploy["state"].as_str().unwrap(), &deploy["source"])).collect();
    assert_eq!(told, [("succeeded", &Value::from(1)), ("failed", &Value::Null), ("succeeded", &Value::Null)]);
}

/// Text that no packing makes shorter than three quarters of it.
fn noise(seed: u64, length: usize) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = seed;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(letters[(state % 64) as usize])
    };
    (0..length).map(|_| letter()).collect()
}

#[test]
fn many_objects_are_kept_in_parts_and_come_back_whole() {
    let project = Project::pushed("parts");
    let texts: Vec<String> = (1..=3).map(|seed| noise(seed, 600_000)).collect();
    for (number, text) in texts.iter().enumerate() {
        project.write(&format!("kubernetes/large-{number}.yaml"), &map(&format!("large-{number}"), text));
    }
    project.run(&["deploy"]).expect(0);
    assert_eq!(kept(&project), ["v1", "v1.p1", "v1.p2"]);
    // nothing has changed: the objects are kept once
    project.run(&["deploy"]).expect(0);
    assert_eq!(kept(&project), ["v1", "v1.p1", "v1.p2", "v2"]);

    project.write("shipway.yaml", "deploy: {history: 1}\n");
    project.write("kubernetes/large-0.yaml", &map("large-0", &noise(9, 600_000)));
    std::fs::remove_file(project.root().join("kubernetes/large-2.yaml")).expect("a manifest");
    project.run(&["deploy"]).expect(0).says("configmap/large-2 pruned");
    // the first record is gone; its objects are not, since the second record has the same
    assert_eq!(kept(&project), ["v1.p1", "v1.p2", "v2", "v3", "v3.p1"]);
    assert_eq!(revisions(&project), [3, 2]);

    project.run(&["rollback"]).expect(0).says("rolled back to revision 2");
    for (number, text) in texts.iter().enumerate() {
        assert!(text_of(&project, &format!("large-{number}")) == text.as_str(), "configmap/large-{number} differs");
    }
    // what a rollback would go back to stays, and so do the objects that the newest record refers to
    assert_eq!(kept(&project), ["v1.p1", "v1.p2", "v3", "v3.p1", "v4"]);
}

#[test]
fn as_many_deploys_are_remembered_as_the_configuration_says() {
    let project = Project::pushed("trimmed");
    project.write("shipway.yaml", "deploy: {history: 2}\n");
    for text in ["a", "b", "c", "d"] {
        project.write("kubernetes/flags.yaml", &map("flags", text));
        project.run(&["deploy"]).expect(0);
    }
    assert_eq!(revisions(&project), [4, 3]);
    assert_eq!(kept(&project), ["v3", "v4"]);
    project.run(&["rollback", "1"]).expect(2).says("there are 4 (one), 3 (one)");
    project.run(&["rollback"]).expect(0);
    assert_eq!(text_of(&project, "flags"), "c");
}

#[test]
fn a_secret_goes_back_and_appears_nowhere() {
    let (old, new) = ("correct-horse-battery-staple", "wrong-donkey-charger-nail");
    let project = Project::pushed("hidden");
    let secret =
        |value: &str| format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: api\nstringData:\n  token: {value}\n");
    let live = || project.bench.get(&project.namespace("qa"), &["secret", "api"])["data"]["token"].clone();
    project.write("kubernetes/secret.yaml", &secret(old));
    project.run(&["deploy"]).expect(0);
    let before = live();
    project.write("kubernetes/secret.yaml", &secret(new));
    project.run(&["deploy"]).expect(0);
    assert_ne!(live(), before);
    // not even the checkout tells it what is secret
    std::fs::remove_file(project.root().join("kubernetes/secret.yaml")).expect("a manifest");
    let back = project.run(&["rollback", "-vv"]).expect(0);
    let encoded = before.as_str().expect("a value");
    back.never_says(old).never_says(encoded).never_says(new);
    assert_eq!(live(), before);
    project.run(&["history", "--output", "json", "-vv"]).expect(0).never_says(old).never_says(encoded);
}

#[test]
fn volumes_that_are_gone_stay_gone_and_hooks_run_if_asked() {
    let project = Project::pushed("volume");
    let name = unique("history");
    let _class = Own::create(vec![class(&name, "WaitForFirstConsumer")]);
    let claim = format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data\nspec:\n  storageClassName: {name}\n  \
         accessModes: [ReadWriteOnce]\n  resources:\n    requests:\n      storage: 1Mi\n"
    );
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations:\n    shipway.dev/phase: before\nspec:\n  \
         template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - name: migrate\n          image: {}\n          \
         command: [/bin/true]\n",
        project.image()
    );
    project.write("kubernetes/data.yaml", &claim);
    project.write("kubernetes/job.yaml", &job);
    project.run(&["deploy"]).expect(0).says("job/migrate-1");
    for file in ["data", "job"] {
        std::fs::remove_file(project.root().join(format!("kubernetes/{file}.yaml"))).expect("a manifest");
    }
    project.run(&["deploy", "--prune-all"]).expect(0).says("persistentvolumeclaim/data pruned");
    project.write("kubernetes/flags.yaml", &map("flags", "c"));
    project.run(&["deploy"]).expect(0);

    let back = project.run(&["rollback", "1", "-v"]).expect(0);
    back.says("persistentvolumeclaim/data").says("a rollback brings no volume back").says("job/migrate-1");
    assert!(!is_there(&project, &["pvc", "data"]) && !is_there(&project, &["job", "migrate-4"]));
    project.run(&["rollback", "1", "--hooks"]).expect(0).says("job/migrate-5");
    assert!(is_there(&project, &["job", "migrate-5"]));
}

/// Writes another digest into a record, as if the registry had lost the image that it names.
fn lose_image(project: &Project, namespace: &str, revision: u64) {
    let name = format!("shipway.{}.production.v{revision}", project.app);
    let secret = project.bench.get(namespace, &["secret", &name]);
    let packed = STANDARD.decode(secret["data"]["record"].as_str().expect("a record")).expect("base64");
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut text).expect("a packed record");
    let digest = text.split("sha256:").nth(1).expect("a digest").get(..64).expect("64 digits").to_owned();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.replace(&digest, &"0".repeat(64)).as_bytes()).expect("memory");
    let packed = STANDARD.encode(encoder.finish().expect("memory"));
    let patch = format!(r#"{{"data":{{"record":"{packed}"}}}}"#);
    project.bench.kubectl(&["-n", namespace, "patch", "secret", &name, "--type=merge", "-p", &patch]);
}

#[test]
fn deploys_that_fail_leave_no_more_records_than_are_kept_and_never_take_the_way_back() {
    let project = small::project("failing", "one");
    let settings = std::fs::read_to_string(project.root().join("shipway.yaml")).expect("the settings");
    project.write("shipway.yaml", &settings.replace("settle: 0s", "settle: 0s, history: 2"));
    project.run(&["deploy"]).expect(0);
    for version in ["two", "three", "four", "five"] {
        small::write(&project, version);
        let job = std::fs::read_to_string(project.root().join("kubernetes/migrate.yaml")).expect("a manifest");
        project.write("kubernetes/migrate.yaml", &job.replace("/bin/echo", "/bin/false"));
        project.run(&["deploy"]).expect(6);
    }
    assert_eq!(revisions(&project), [5, 4, 1]);
    assert_eq!(kept(&project), ["v1", "v4", "v5"]);
    project.run(&["rollback"]).expect(0).says("rolled back to revision 1");
}

#[test]
fn an_image_that_is_gone_and_a_missing_consent_are_told_before_anything_is_written() {
    let project = Project::pushed("asked");
    let namespace = project.namespace("production");
    for text in ["a", "b"] {
        project.write("kubernetes/flags.yaml", &map("flags", text));
        project.run(&["deploy", "--env", "production", "--yes"]).expect(0);
    }
    let live = || project.bench.get(&namespace, &["configmap", "flags"])["data"]["text"].clone();
    project.run(&["rollback", "--env", "production"]).expect(2).says("error[confirmation]");
    lose_image(&project, &namespace, 1);
    project.run(&["rollback", "--env", "production", "--yes"]).expect(4).says("error[image-not-found]");
    assert_eq!(live(), "b");
}

#[test]
fn a_part_that_was_deployed_by_itself_is_no_way_back_for_the_whole() {
    let project = Project::pushed("partial");
    project.run(&["deploy"]).expect(0);
    project.write("extra/flags.yaml", &map("flags", "calm"));
    let extra = project.root().join("extra/flags.yaml").display().to_string();
    project.run(&["deploy", "-f", &extra]).expect(0);
    project.write("kubernetes/web.yaml", &broken(&project));
    project.run(&["deploy", "--timeout", "40s"]).expect(6).says("`shipway rollback --env qa` brings one back");
    project.run(&["rollback"]).expect(0).says("rolled back to revision 1");
    assert!(command(&project).is_null(), "the bad command is still there");
    // and to go back to the part deletes nothing of the whole
    project.run(&["rollback", "2"]).expect(0).never_says("pruned");
    assert!(is_there(&project, &["deployment", "web"]));
}

#[test]
fn a_rollback_moves_no_traffic() {
    let project = blue_green::project("bgback");
    let live = || blue_green::live(&project);
    let image = |color: &str| {
        let name = format!("web-{color}");
        let found = project.bench.get(&project.namespace("qa"), &["deployment", &name]);
        found["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    project.run(&["release", "--switch"]).expect(0);
    let first = live();
    let second = if first == "blue" { "green" } else { "blue" };
    let one = image(&first);
    demo::add_server(&project, "two");
    project.commit("Serve better");
    project.run(&["release", "--switch"]).expect(0);
    assert_eq!(live(), second);
    // the other colour still holds it
    project.run(&["rollback"]).expect(2).says("error[only-traffic]").says("shipway switch --back");
    assert_eq!(live(), second);

    demo::add_server(&project, "three");
    project.commit("Serve even better");
    project.run(&["release"]).expect(0);
    let three = image(&first);
    // deployed over by the third: the idle colour takes the first again, and what serves stays
    project.run(&["rollback", "1"]).expect(0).says("rolled back to revision 1").says(&first);
    assert_eq!((image(&first), live()), (one.clone(), second.to_owned()));
    assert_ne!(one, three);
    // traffic moves to it when it is told to
    project.run(&["switch"]).expect(0);
    assert_eq!(live(), first);
}

#[test]
fn a_failure_on_the_idle_colour_gives_way_and_what_serves_stays() {
    let project = blue_green::project("bgfail");
    let with = |more: &str| format!("manifests: [kubernetes, kubernetes/bg]\nblue_green:\n  service: web\n{more}");
    project.write("shipway.yaml", &with("deploy: {on_failure: rollback}\n"));
    project.commit("Go back after a failure");
    project.run(&["release", "--switch"]).expect(0);
    let first = blue_green::live(&project);
    demo::add_server(&project, "two");
    for color in ["blue", "green"] {
        let file = format!("kubernetes/bg/{color}.yaml");
        let text = std::fs::read_to_string(project.root().join(&file)).expect("a manifest");
        project.write(&file, &text.replace("path: /appstatus\n", "path: /missing\n"));
    }
    project.write("kubernetes/added.yaml", &map("added", "b"));
    project.commit("Never get ready");
    let run = project.run(&["release", "--timeout", "10s"]);
    assert!([6, 7].contains(&run.code), "{}", run.transcript());
    run.says("rolled back to revision 1");
    assert_eq!(blue_green::live(&project), first, "the failure moved the traffic");
    let serving = format!("web-{first}");
    let live = project.bench.get(&project.namespace("qa"), &["deployment", &serving]);
    assert_eq!(live["metadata"]["generation"], 1, "what serves was written to");
    assert_eq!(live["status"]["readyReplicas"], 2);
}

#[test]
fn a_rollback_leaves_the_idle_colour_however_early_its_last_run_has_ended() {
    let mut project = blue_green::configured("bgearly");
    project.set("SHIPWAY_TAG", "one");
    project.set("SHIPWAY_LOCK_EXPIRY", "2");
    let proxy = Proxy::start(&project.bench);
    proxy.guard(&mut project);
    blue_green::set_flags(&project, "one");
    project.run(&["release", "--switch"]).expect(0);
    let first = blue_green::live(&project);
    let second = if first == "blue" { "green" } else { "blue" };
    blue_green::set_flags(&project, "two");
    project.run(&["deploy"]).expect(0);
    project.run(&["switch"]).expect(0);
    let one = blue_green::flags(&project, &first);

    // it came as far as the hook before the pods
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations:\n    shipway.dev/phase: before\nspec:\n  \
         backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - name: migrate\n          \
         image: {}/base/busybox:1\n          command: [/bin/false]\n",
        project.bench.variable("REGISTRY")
    );
    project.write("kubernetes/migrate.yaml", &job);
    blue_green::set_flags(&project, "three");
    project.run(&["deploy"]).expect(6);
    project.run(&["rollback"]).expect(0).says("rolled back to revision 2");
    assert_eq!(blue_green::flags(&project, &first), one, "the way back lost its configuration");
    project.run(&["switch", "--back"]).expect(0);
    assert_eq!(blue_green::live(&project), first);
    project.run(&["switch", second]).expect(0);

    // it was killed when its pods had just begun
    fs::remove_file(project.root().join("kubernetes/migrate.yaml")).expect("a manifest");
    blue_green::set_flags(&project, "four");
    let written = format!("/deployments/web-{first}?");
    let is_written = move |seen: &Seen| seen.is_write() && seen.path.contains(&written);
    proxy.rule(Rule::when(is_written, Fault::After(Then::Kill)));
    assert!(proxy.run(&project, &["deploy"]).code < 0, "not killed");
    proxy.forget_rules();
    project.run(&["rollback"]).expect(0).says("rolled back to revision 4");
    assert_eq!(blue_green::flags(&project, &first).1, "four", "the pods lost their configuration");
}

#[test]
fn the_pull_request_of_a_deploy_is_remembered() {
    let mut project = Project::pushed("request");
    for (name, value) in [
        ("GITLAB_CI", "true"),
        ("CI_MERGE_REQUEST_IID", "7"),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "feature/cart"),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d"),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "1"),
        ("CI_MERGE_REQUEST_PROJECT_ID", "1"),
        ("CI_MERGE_REQUEST_PROJECT_URL", "https://git.example.com/team/demo"),
        ("CI_DEFAULT_BRANCH", "master"),
    ] {
        project.set(name, value);
    }
    let url = "https://git.example.com/team/demo/-/merge_requests/7";
    project.run(&["plan"]).expect(0).says(&format!("pull request 7 at 1a2b3c4d · {url}"));
    project.run(&["deploy"]).expect(0);
    project.run(&["history"]).expect(0).says("#7");
    let deploy = &deploys(&project)[0];
    assert_eq!(deploy["branch"], "feature/cart");
    let request = serde_json::json!({"number": "7", "head": "1a2b3c4d".repeat(5), "url": url});
    assert_eq!(deploy["pull_request"], request);
}
