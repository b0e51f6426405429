use super::{settings::PreviewSettings, *};
use crate::model::{
    CiFacts, Commit, Explain as _, Facts, Origin, PullRequest, SourceText, Sourced, StatusCondition, StatusReading,
    Target, Variables,
};

fn text(content: &str) -> SourceText {
    SourceText { name: "shipway.yaml".into(), text: content.into() }
}

fn facts() -> Facts {
    Facts {
        root: "/srv/some_app".into(),
        commit: Commit { sha: "fc59806301".repeat(4), subject: "Fix".into(), author: "a".into(), time: 0 },
        checkout: "fc59806301".repeat(4),
        branch: Some("master".into()),
        remote_url: Some("https://git.example.com/team/demo.git".into()),
        default_branch: None,
        dirty: None,
        shallow: false,
        ci: None,
    }
}

fn settings(content: &str) -> Settings {
    resolve(Some(&text(content)), &Flags::default(), &Variables::default(), Some(&facts())).unwrap()
}

fn error(content: &str) -> ConfigError {
    resolve(Some(&text(content)), &Flags::default(), &Variables::default(), Some(&facts())).unwrap_err()
}

#[test]
fn without_a_file_everything_has_a_default() {
    let settings = resolve(None, &Flags::default(), &Variables::default(), Some(&facts())).unwrap();
    assert_eq!(settings.app, Sourced::new("demo".into(), Origin::Git("remote origin".into())));
    assert_eq!(settings.tag, Sourced::new("{branch}-{sha8}".into(), Origin::Default));
    assert_eq!(settings.branch, Some(Sourced::new("master".into(), Origin::Git("HEAD".into()))));
    assert_eq!(settings.manifests.value, ["kubernetes"]);
    assert_eq!((settings.environments.len(), settings.images.len()), (0, 0));
    let rules = settings.rules();
    assert_eq!((rules.timeout, rules.max_time, rules.settle, rules.restarts), (600.0, 3600.0, 5.0, 2));
    let folder = Facts { remote_url: None, ..facts() };
    let settings = resolve(None, &Flags::default(), &Variables::default(), Some(&folder)).unwrap();
    assert_eq!(settings.app.value, "some-app");
}

#[test]
fn a_full_file_is_read_in_its_order() {
    let settings = settings(
        r#"app: shop
images:
  - name: registry.example.com/team/shop
    args: {RUBY_VERSION: "3.4"}
    secrets: [{id: npmrc, file: ~/.npmrc}, {id: token, env: NPM_TOKEN}]
    platform: linux/amd64
  - {name: team/worker, context: worker}
tag: "{sha8}"
latest: [production]
manifests: [deploy, extra.yaml]
image_paths: [{kind: Workflow.argoproj.io, path: "spec.templates[].container"}]
substitute: true
environments:
  production: {branches: [master], context: prod}
  staging: {branches: ["release/*"], tags: ["v*"], namespace: shop-staging, confirm: true}
  any: {branches: ["*"], namespace: "{app}-{branch}", create_namespace: true, ttl: 72h, copy_secrets: {from: shop, names: [regcred]}}
  empty:
blue_green: {service: shop-bg}
deploy: {timeout: 90s, max_time: 1h30m, settle: 0, restarts: 0, registry_check: false}
allow: {namespaces: [other], cluster_scoped: [ClusterRole.rbac.authorization.k8s.io/shop]}
"#,
    );
    let names: Vec<&str> = settings.environments.iter().map(|environment| environment.name.value.as_str()).collect();
    assert_eq!(names, ["production", "staging", "any", "empty"]);
    let preview = &settings.environments[2].preview;
    let (ttl, copied) = (preview.ttl.as_ref().unwrap(), preview.copy_secrets.as_ref().unwrap());
    assert_eq!((preview.create_namespace, ttl.value), (true, 72.0 * 3600.0));
    assert_eq!((copied.from.value.as_str(), copied.names.as_slice()), ("shop", ["regcred".to_owned()].as_slice()));
    assert_eq!(settings.environments[0].preview, PreviewSettings::default());
    let confirm: Vec<bool> = settings.environments.iter().map(|environment| environment.confirm).collect();
    assert_eq!(confirm, [true, true, false, false]);
    assert_eq!(settings.images[1].dockerfile, "worker/Dockerfile");
    assert_eq!(settings.images[0].repository.origin.to_string(), "shipway.yaml:3:5");
    let context = settings.environments[0].context.as_ref().unwrap();
    assert_eq!((context.value.as_str(), context.origin.to_string().as_str()), ("prod", "shipway.yaml:14:36"));
    let secrets: Vec<_> = settings.images[0].secrets.iter().map(|secret| &secret.source.value).collect();
    let expected = [SecretSource::File("~/.npmrc".into()), SecretSource::Variable("NPM_TOKEN".into())];
    assert_eq!(secrets, expected.iter().collect::<Vec<_>>());
    assert_eq!(settings.image_paths.value[0].to_string(), "Workflow.argoproj.io: spec.templates[].container");
    assert!(settings.substitute.value && settings.substitute.origin.to_string() == "shipway.yaml:12:1");
    assert_eq!(settings.deploy.timeout.value, 90.0);
    assert_eq!(settings.deploy.max_time.value, 5400.0);
    assert_eq!(settings.deploy.settle.value, 0.0);
    assert_eq!(settings.blue_green.unwrap().colors, ["blue", "green"]);
    assert_eq!(settings.allow.namespaces, ["other"]);
}

#[test]
fn flags_go_before_variables_and_variables_before_the_file() {
    let variables: Variables =
        [("SHIPWAY_TAG", "of-variable"), ("SHIPWAY_ENV", "qa"), ("SHIPWAY_NAMESPACE", ""), ("SHIPWAY_TIMEOUT", "3m")]
            .into_iter()
            .collect();
    let file = text("tag: '{sha8}'\ndeploy: {timeout: 1m}\n");
    let of = |flags: &Flags| resolve(Some(&file), flags, &variables, Some(&facts())).unwrap();
    let asked = of(&Flags { tag: Some("of-flag".into()), ..Flags::default() });
    assert_eq!(asked.tag, Sourced::new("of-flag".into(), Origin::Flag("--tag")));
    let told = of(&Flags::default());
    assert_eq!(told.tag, Sourced::new("of-variable".into(), Origin::Variable("SHIPWAY_TAG".into())));
    assert_eq!((told.deploy.timeout.value, told.namespace), (180.0, None));
    assert_eq!(told.environment.unwrap().origin.to_string(), "variable SHIPWAY_ENV");
}

#[test]
fn the_ci_system_goes_before_git() {
    let branch = Sourced::new("feature/cart".to_owned(), Origin::Variable("CI_BRANCH".into()));
    let other = Sourced::new("0".repeat(40), Origin::Variable("CI_SHA".into()));
    let ci = CiFacts { system: "ci", branch: Some(branch.clone()), commit: Some(other), ..CiFacts::default() };
    let of = |ci: CiFacts| {
        let facts = Facts { ci: Some(ci), ..facts() };
        resolve(None, &Flags::default(), &Variables::default(), Some(&facts)).unwrap()
    };
    let pushed = of(ci.clone());
    assert_eq!(pushed.branch, Some(branch));
    // what is checked out is what is built
    assert_eq!(pushed.commit.unwrap().origin, Origin::Git("HEAD".into()));
    let tag = Sourced::new("v1".to_owned(), Origin::Variable("CI_TAG".into()));
    let tagged = of(CiFacts { branch: None, git_tag: Some(tag), ..ci.clone() });
    assert_eq!((tagged.branch, tagged.git_tag.unwrap().value.as_str()), (None, "v1"));
    // a pull request of an unknown branch must not become the one that git names
    let request = PullRequest { number: None, source_branch: None, head: None, url: None, from_fork: false };
    assert_eq!(of(CiFacts { branch: None, pull_request: Some(request), ..ci }).branch, None);
}

/// What a file says, the place of its fault, how the message begins, and the hint.
fn table(rows: &[(&str, &str, &str, &str)]) {
    for (content, place, message, hint) in rows {
        let error = error(content);
        let at = error.place().map(|place| format!("{}:{}", place.line, place.column));
        assert_eq!(at.as_deref(), Some(*place), "{content}: {error}");
        assert!(error.to_string().starts_with(message), "{content}: {error}");
        let hints = error.hints();
        assert!(hint.is_empty() || hints.first().is_some_and(|told| told.starts_with(hint)), "{content}: {hints:?}");
        assert!(error.place().unwrap().snippet.is_some(), "{content}");
    }
}

#[test]
fn faults_are_told_with_their_place() {
    table(&[
        ("enviroments: {}\n", "1:1", "unknown key `enviroments`", "did you mean `environments`?"), // typos: ignore
        ("deploy:\n  timout: 3s\n", "2:3", "unknown key `deploy.timout`", "did you mean `timeout`?"), // typos: ignore
        ("substitute: yes please\n", "1:1", "`substitute` must be true or false", ""),
        ("deploy: {on_failure: undo}\n", "1:10", "`deploy.on_failure` must be `hold` or `rollback`", ""),
        ("deploy: {on_failure: []}\n", "1:10", "`deploy.on_failure` must be a text", ""),
        ("deploy: {history: 0}\n", "1:10", "`deploy.history` must be at least 1", "the last deploy"),
        ("app: 12\n", "1:1", "`app` must be a text", "quote it"),
        ("app: My_App\n", "1:1", "`app` may hold a-z", "write `my-app`"),
        ("environments: {qa: {branches: [on]}}\n", "1:32", "`environments.qa.branches[0]` must be a text", "quote it"),
        ("environments: {qa: {namespace: '{x}'}}\n", "1:21", "`environments.qa.namespace` holds `{x}`", "known here"),
        ("tag: '{branch'\n", "1:1", "`tag` has a `{` without", "known here: {branch}, {sha8}, {sha}"),
        ("latest: [prod]\n", "1:10", "`latest[0]` names no environment: `prod`", "there are production, qa"),
        ("deploy: {timeout: soon}\n", "1:10", "`deploy.timeout` is no length of time", "write it as in"),
        ("deploy: {timeout: -5s}\n", "1:10", "`deploy.timeout` is no length of time", "write it as in"),
        ("deploy: {superseded: never}\n", "1:10", "`deploy.superseded` is neither `ok` nor `fail`", ""),
        ("deploy: {restarts: -1}\n", "1:10", "`deploy.restarts` must be a whole number", ""),
        ("deploy: {timeout: []}\n", "1:10", "`deploy.timeout` must be a number or a text", ""),
        ("blue_green: {service: x, colors: [a]}\n", "1:26", "`blue_green.colors` must have 2 entries", ""),
        ("blue_green: {service: x, colors: [a, a]}\n", "1:26", "`blue_green.colors` must be two different", ""),
        ("[]\n", "1:1", "`shipway.yaml` must be a mapping", ""),
        ("app: a\n---\napp: b\n", "3:1", "the configuration is one document", "remove the line `---`"),
        ("app: a\napp: b\n", "2:1", "`app` stands twice", "remove the one on line 1"),
    ]);
}

#[test]
fn faults_of_images_are_told_with_their_place() {
    table(&[
        ("images:\n- {name: a, volume: []}\n", "2:13", "unknown key `images[0].volume`", "known here: "),
        (
            "image_paths: [{kind: workflow, path: a}]\n",
            "1:16",
            "`image_paths[0].kind` is no kind",
            "write it as in `Work",
        ),
        (
            "image_paths: [{kind: W, path: 'a[0]'}]\n",
            "1:25",
            "`image_paths[0].path` is no path",
            "write it as in `spec",
        ),
        ("image_paths: [{kind: W}]\n", "1:15", "`image_paths[0]` needs `path`", ""),
        (
            "images: [{name: a, secrets: [{id: x}]}]\n",
            "1:30",
            "`images[0].secrets[0]` needs `file` or `env`",
            "write `{id: t",
        ),
        (
            "images: [{name: a, secrets: [{id: x, env: A, file: b}]}]\n",
            "1:30",
            "`images[0].secrets[0]` needs `file` or `env`, and not both",
            "write `{id: t",
        ),
        (
            "images: [{name: a, secrets: [{id: x, env: A}, {id: x, env: B}]}]\n",
            "1:48",
            "`images[0].secrets[1].id` stands twice",
            "",
        ),
        ("images: x\n", "1:1", "`images` must be a list", ""),
        ("images: [{context: .}]\n", "1:10", "`images[0]` needs `name`", ""),
        ("images: [{name: 'a:1'}]\n", "1:11", "`images[0].name` has a tag or digest", "write `a`"),
        ("images: [{name: a, args: {V: 3.10}}]\n", "1:27", "`images[0].args.V` must be a text", "quote it"),
        ("images: [{name: A}]\n", "1:11", "`images[0].name` is no image repository", ""),
    ]);
}

#[test]
fn faults_of_a_preview_are_told_with_their_place() {
    table(&[
        (
            "environments: {qa: {contexts: [a], context: b}}\n",
            "1:21",
            "`environments.qa.contexts` stands beside",
            "keep",
        ),
        ("environments: {qa: {contexts: []}}\n", "1:21", "`environments.qa.contexts` names no", "write it as in"),
        ("environments: {qa: {contexts: [a, a]}}\n", "1:35", "`environments.qa.contexts[1]` stands twice", ""),
        (
            "environments: {qa: {ttl: 72h}}\n",
            "1:21",
            "`environments.qa.ttl` counts only for",
            "add `create_namespace: true`",
        ),
        (
            "environments: {qa: {confirm: true, ttl: 1h}}\n",
            "1:36",
            "`environments.qa.ttl` stands where",
            "remove it, or",
        ),
        (
            "environments: {qa: {create_namespace: true, ttl: 0}}\n",
            "1:45",
            "`environments.qa.ttl` is no length",
            "write it",
        ),
        (
            "environments: {qa: {copy_secrets: {from: A, names: []}}}\n",
            "1:36",
            "`environments.qa.copy_secrets.from` is no",
            "",
        ),
        ("environments: {qa: {copy_secrets: {from: a}}}\n", "1:21", "`environments.qa.copy_secrets` needs `names`", ""),
    ]);
}

#[test]
fn rules_for_a_status_are_read() {
    let text = r#"status:
  - kind: Database.example.com
    ready: {.status.phase: Running, '.status.conditions[?(@.type=="Synced")].status': True, .status.nodes: [3, 5]}
    failed: {.status.phase: [Failed, Broken]}
    reason: .status.message
  - {kind: Note.example.com, ignore: true}
"#;
    let rules = settings(text).rules().status;
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0].kind.origin.to_string(), "shipway.yaml:2:5");
    assert_eq!(
        (rules[1].kind.value.to_string().as_str(), &rules[1].reading),
        ("Note.example.com", &StatusReading::Ignored)
    );
    let StatusReading::Conditions { ready, failed, reason } = &rules[0].reading else { panic!("{rules:?}") };
    let told = |condition: &StatusCondition| format!("{}={}", condition.path, condition.wanted.join("|"));
    assert_eq!(
        ready.iter().map(told).collect::<Vec<_>>(),
        [".status.conditions[?(@.type==\"Synced\")].status=true", ".status.nodes=3|5", ".status.phase=Running"]
    );
    assert_eq!(failed.iter().map(told).collect::<Vec<_>>(), [".status.phase=Failed|Broken"]);
    assert_eq!(reason.as_ref().map(ToString::to_string).as_deref(), Some(".status.message"));
    assert_eq!(status_rules(Some(&super::tests::text(text))).unwrap(), rules);
}

#[test]
fn faults_of_a_rule_for_a_status_are_told_with_their_place() {
    table(&[
        ("status: [{kind: Database, failed: {a: b}, ready: 3}]\n", "1:43", "`status[0].ready` must be a mapping", ""),
        (
            "status: [{kind: database.example.com, ignore: true}]\n",
            "1:11",
            "`status[0].kind` is no kind",
            "write it as in",
        ),
        ("status: [{ready: {a: b}}]\n", "1:10", "`status[0]` needs `kind`", ""),
        ("status: [{kind: A.b.c}]\n", "1:10", "`status[0]` needs `ready`, `failed` or `ignore: true`", ""),
        ("status: [{kind: A.b.c, reason: .a}]\n", "1:10", "`status[0]` needs `ready`", ""),
        ("status: [{kind: A.b.c, ready: {}}]\n", "1:24", "`status[0].ready` is empty", "write it as in"),
        ("status: [{kind: A.b.c, ready: {.a: []}}]\n", "1:32", "`status[0].ready..a` names no value", ""),
        ("status: [{kind: A.b.c, ready: {.a: {b: c}}}]\n", "1:32", "`status[0].ready..a` must be", ""),
        (
            "status:\n- kind: A.b.c\n  failed:\n    '.a[': x\n",
            "4:5",
            "`.a[` is no JSONPath",
            "write it as in `.status.phase`",
        ),
        ("status: [{kind: A.b.c, ready: {.a: b}, reason: a b}]\n", "1:40", "`a b` is no JSONPath", ""),
        ("status: [{kind: A.b.c, ignore: true, ready: {.a: b}}]\n", "1:24", "`status[0].ignore` leaves nothing", ""),
        (
            "status: [{kind: A.b.c, ignore: true}, {kind: A.b.c, ignore: true}]\n",
            "1:40",
            "`status[1].kind` stands twice",
            "",
        ),
        ("status: [{kind: A.b.c, redy: {.a: b}}]\n", "1:24", "unknown key `status[0].redy`", "did you mean `ready`?"), // typos: ignore
    ]);
}

#[test]
fn what_was_typed_is_checked_too() {
    let flags = Flags { timeout: Some("soon".into()), ..Flags::default() };
    let error = resolve(None, &flags, &Variables::default(), Some(&facts())).unwrap_err();
    assert!(error.to_string().starts_with("flag --timeout is `soon`, which is no length of time"), "{error}");
    for (expiry, seconds) in [("2", Some(2.0)), ("1m", Some(60.0)), ("0", None), ("1.5", None), ("soon", None)] {
        let variables: Variables = [("SHIPWAY_LOCK_EXPIRY", expiry)].into_iter().collect();
        let told = resolve(None, &Flags::default(), &variables, Some(&facts()));
        assert_eq!(told.ok().map(|settings| settings.deploy.lock_expiry.value), seconds, "{expiry}");
    }
    let flags = Flags { namespace: Some("A b".into()), ..Flags::default() };
    assert!(resolve(None, &flags, &Variables::default(), Some(&facts())).is_err());
    assert!(matches!(resolve(None, &Flags::default(), &Variables::default(), None), Err(ConfigError::NoApp)));
}

#[test]
fn every_value_is_described_with_its_origin() {
    let settings = settings("app: shop\nimages: [{name: team/shop, args: {TOKEN: s3cr3t-value}}]\n");
    let target = Target {
        app: "shop".into(),
        environment: Sourced::new("qa".into(), Origin::Rule("branch x".into())),
        namespace: Sourced::new("shop-qa".into(), Origin::Default),
        branch: settings.branch.clone(),
        git_tag: None,
        commit: None,
        tag: Sourced::new("x-fc598063".into(), Origin::Default),
        pull_request: None,
        run_url: None,
        user: None,
        confirm: false,
    };
    let (json, rows) = describe(&settings, &target);
    assert_eq!(json["v"], 1);
    assert_eq!(json["settings"]["app"], serde_json::json!({"value": "shop", "origin": "shipway.yaml:1:1"}));
    assert_eq!(json["settings"]["branch"], serde_json::json!({"value": "master", "origin": "git", "why": "HEAD"}));
    let environment = serde_json::json!({"value": "qa", "origin": "default", "why": "branch x"});
    assert_eq!(json["settings"]["environment"], environment);
    assert_eq!(json["settings"]["tag"], serde_json::json!({"value": "x-fc598063", "origin": "default"}));
    let names: Vec<&str> = json["settings"].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "app environment namespace branch commit head git_tag tag run_url ci context server user images";
    assert!(expected.split(' ').all(|name| names.contains(&name)), "{names:?}");
    assert!(json["settings"]["git_tag"].is_null());
    assert_eq!(json["settings"]["images"]["value"][0]["args"], serde_json::json!(["TOKEN"]));
    assert_eq!(rows[0], ["app", "shop", "shipway.yaml:1:1"]);
    assert!(rows.contains(&["deploy.timeout".into(), "10m".into(), "default".into()]), "{rows:?}");
    assert!(!format!("{rows:?}").contains("s3cr3t") && !json.to_string().contains("s3cr3t"));
}
