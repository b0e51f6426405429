use super::*;
use crate::{
    config::{Flags, resolve},
    model::{CiFacts, Commit, PullRequest, SourceText, Variables},
};

struct Case<'c> {
    file: &'c str,
    branch: Option<&'c str>,
    env: Option<&'c str>,
    default: Option<(&'c str, &'c str)>,
    ci: Option<CiFacts>,
    dirty: bool,
}

const CASE: Case<'static> = Case {
    file: "",
    branch: Some("master"),
    env: None,
    default: Some(("master", "origin/HEAD")),
    ci: None,
    dirty: false,
};

fn resolved(case: &Case<'_>) -> (Settings, Facts) {
    let sha = "fc59806301".repeat(4);
    let git = |(branch, from): (&str, &str)| Sourced::new(branch.to_owned(), Origin::Git(from.to_owned()));
    let facts = Facts {
        root: "/srv/demo".into(),
        commit: Commit { sha: sha.clone(), subject: String::new(), author: String::new(), time: 0 },
        checkout: sha,
        branch: case.branch.map(str::to_owned),
        remote_url: None,
        default_branch: case.default.map(git),
        dirty: case.dirty.then(|| "0011aabb".to_owned()),
        shallow: false,
        ci: case.ci.clone(),
    };
    let file = SourceText { name: "shipway.yaml".into(), text: case.file.into() };
    let flags = Flags { env: case.env.map(str::to_owned), ..Flags::default() };
    let settings = resolve(Some(&file), &flags, &Variables::default(), Some(&facts)).unwrap();
    (settings, facts)
}

/// `environment namespace tag`, or the error's code.
fn decide(case: &Case<'_>) -> String {
    let (settings, facts) = resolved(case);
    match target(&settings, &facts) {
        Ok(target) => format!("{} {} {}", target.environment.value, target.namespace.value, target.tag.value),
        Err(error) => crate::model::Explain::code(&error).to_owned(),
    }
}

fn why(case: &Case<'_>) -> String {
    let (settings, facts) = resolved(case);
    target(&settings, &facts).unwrap().environment.origin.to_string()
}

fn ci(branch: Option<&str>, default: Option<&str>, tag: Option<&str>, fork: Option<bool>) -> Option<CiFacts> {
    let said = |value: &str| Sourced::new(value.to_owned(), Origin::Variable("CI_VARIABLE".into()));
    Some(CiFacts {
        system: "gitlab",
        branch: branch.map(said),
        default_branch: default.map(said),
        git_tag: tag.map(said),
        pull_request: fork.map(|from_fork| PullRequest {
            number: None,
            source_branch: branch.map(str::to_owned),
            head: None,
            url: None,
            from_fork,
        }),
        ..CiFacts::default()
    })
}

const FILE: &str = r#"
environments:
  production: {branches: [master], namespace: shop}
  staging: {branches: ["release/*"], tags: ["v*"], confirm: true}
  preview: {branches: ["feature/*"], namespace: "{app}-{branch}"}
  qa: {branches: ["*"]}
"#;

#[test]
fn without_a_file_the_default_branch_is_production() {
    assert_eq!(decide(&CASE), "production demo master-fc598063");
    assert_eq!(why(&CASE), "branch master is the default branch, from origin/HEAD");
    let cart = Case { branch: Some("feature/cart"), ..CASE };
    assert_eq!(decide(&cart), "qa demo-qa feature_cart-fc598063");
    assert_eq!(why(&cart), "branch feature/cart is not the default branch master, from origin/HEAD");
    let unknown = Case { default: None, ..CASE };
    assert_eq!(decide(&unknown), "qa demo-qa master-fc598063");
    let (settings, facts) = resolved(&unknown);
    let said = notes(&settings, &facts, &target(&settings, &facts).unwrap());
    assert!(said[0].attention && said[0].text.starts_with("the default branch is not known"), "{said:?}");
    assert_eq!(decide(&Case { branch: None, ..CASE }), "no-branch");
    assert_eq!(decide(&Case { branch: Some("x"), env: Some("production"), ..CASE }), "production demo x-fc598063");
    assert_eq!(decide(&Case { env: Some("prod"), ..CASE }), "environment-unknown");
}

#[test]
fn ci_goes_before_git_and_contradictions_stop_where_they_matter() {
    let told = |branch, default| Case { branch: None, ci: ci(Some(branch), Some(default), None, None), ..CASE };
    assert_eq!(decide(&told("master", "master")), "production demo master-fc598063");
    assert_eq!(why(&told("master", "master")), "branch master is the default branch, from variable CI_VARIABLE");
    assert_eq!(decide(&told("trunk", "trunk")), "default-branch");
    assert_eq!(decide(&told("master", "trunk")), "default-branch");
    assert_eq!(decide(&told("cart", "trunk")), "qa demo-qa cart-fc598063");
    // that a branch of this name exists is no contradiction
    let guessed = Case { default: Some(("master", "branch master")), ..told("trunk", "trunk") };
    assert_eq!(decide(&guessed), "production demo trunk-fc598063");
}

#[test]
fn the_first_environment_that_matches_wins() {
    let of = |branch| decide(&Case { file: FILE, branch: Some(branch), ..CASE });
    assert_eq!(of("master"), "production shop master-fc598063");
    assert_eq!(of("release/1/a"), "staging demo-staging release_1_a-fc598063");
    assert_eq!(of("anything"), "qa demo-qa anything-fc598063");
    assert!(of("feature/cart").starts_with("preview demo-feature-cart-"), "{}", of("feature/cart"));
    assert_eq!(
        why(&Case { file: FILE, branch: Some("release/1"), ..CASE }),
        "branch release/1 matches `release/*`, shipway.yaml:4:3"
    );
    let one = "environments: {production: {branches: [master]}}";
    assert_eq!(decide(&Case { file: one, branch: Some("x"), ..CASE }), "no-environment");
}

#[test]
fn previews_are_named_after_branch_and_user_and_take_no_others_place() {
    let file = r#"
environments:
  production: {branches: [master]}
  mine: {branches: ["mine/*"], namespace: "{app}-{user}"}
  preview: {branches: ["*"], namespace: "{app}-{branch}"}
  qa: {branches: ["none"]}
"#;
    let of = |branch| decide(&Case { file, branch: Some(branch), ..CASE });
    assert_eq!(of("cart"), "preview demo-cart cart-fc598063");
    assert_eq!(of("qa"), "namespace");
    // no user is known
    assert_eq!(of("mine/cart"), "namespace");
    let (mut settings, facts) = resolved(&Case { file, branch: Some("mine/cart"), ..CASE });
    settings.user = Some(Sourced::new("alice".into(), Origin::Default));
    assert_eq!(target(&settings, &facts).unwrap().namespace.value, "demo-alice");
    settings.user = Some(Sourced::new("ci[bot]".into(), Origin::Default));
    assert_eq!(target(&settings, &facts).unwrap().namespace.value, "demo-ci-bot-262b");
    settings.app.value = "a".repeat(60);
    assert!(matches!(target(&settings, &facts), Err(PlanError::LongNamespace { .. })));
}

#[test]
fn git_tags_go_where_tags_say() {
    let tagged = |file, tag| decide(&Case { file, branch: None, ci: ci(None, None, Some(tag), None), ..CASE });
    assert_eq!(tagged(FILE, "v1.2"), "staging demo-staging v1.2-fc598063");
    assert_eq!(tagged(FILE, "x"), "no-environment");
    assert_eq!(tagged("", "v1.2"), "no-environment");
}

#[test]
fn pull_requests_stay_out_of_what_is_guarded() {
    let request = |file, branch, fork, env| {
        decide(&Case { file, branch: None, env, ci: ci(Some(branch), Some("master"), None, Some(fork)), ..CASE })
    };
    assert_eq!(request("", "master", false, None), "qa demo-qa master-fc598063");
    assert_eq!(request(FILE, "master", false, None), "qa demo-qa master-fc598063");
    assert_eq!(request(FILE, "release/1", false, None), "qa demo-qa release_1-fc598063");
    assert_eq!(request(FILE, "cart", false, Some("production")), "pull-request");
    assert_eq!(request(FILE, "cart", true, Some("staging")), "pull-request");
    assert_eq!(request(FILE, "cart", true, None), "pull-request");
    assert_eq!(request(FILE, "cart", true, Some("qa")), "qa demo-qa cart-fc598063");
}

#[test]
fn dirty_trees_are_marked_and_stay_out_of_production() {
    let dirty = Case { dirty: true, ..CASE };
    assert_eq!(decide(&dirty), "dirty");
    assert_eq!(decide(&Case { branch: Some("x"), ..dirty }), "qa demo-qa x-fc598063-dirty-0011aabb");
    let (mut settings, facts) = resolved(&Case { dirty: true, ..CASE });
    settings.allow_dirty = true;
    assert_eq!(target(&settings, &facts).unwrap().tag.value, "master-fc598063-dirty-0011aabb");
}

#[test]
fn an_asked_tag_is_taken_as_it_is() {
    let (mut settings, facts) = resolved(&Case { dirty: true, ..CASE });
    settings.tag = Sourced::new("master-1a2b3c4d".into(), Origin::Flag("--tag"));
    assert_eq!(target(&settings, &facts).unwrap().tag.value, "master-1a2b3c4d");
    settings.tag = Sourced::new("no tag".into(), Origin::Flag("--tag"));
    assert!(matches!(target(&settings, &facts), Err(PlanError::Tag { .. })));
}

#[test]
fn patterns_know_one_sign() {
    use crate::plan::environment::matches;
    for (pattern, name, fits) in [
        ("*", "a/b", true),
        ("*", "", true),
        ("release/*", "release/1/2", true),
        ("release/*", "release", false),
        ("*-fix", "a-fix", true),
        ("a*b*c", "aXbYbZc", true),
        ("a*b*c", "aXbYbZ", false),
        ("a.b", "axb", false),
    ] {
        assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
    }
}
