//! A network and an API server that misbehave: a deploy ends with the same verdict, and says what it waits for.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crate::support::{
    Project, Run,
    proxy::{Answer, Fault, Proxy, Rule, Seen, Then, Way},
    small,
};

/// A project whose way to the API server is a proxy.
pub(super) fn guarded(story: &str) -> (Project, Proxy) {
    let mut project = small::project(story, "one");
    let proxy = Proxy::start(&project.bench);
    proxy.guard(&mut project);
    (project, proxy)
}

/// A write that is no rehearsal, by a part of its path.
fn write_of(part: &str, fault: Fault) -> Rule {
    let part = part.to_owned();
    Rule::when(move |seen| seen.is_write() && seen.path.contains(&part), fault).times(1)
}

/// The deploy did all that it has to, once, and let the lock go.
pub(super) fn is_whole(project: &Project) {
    let namespace = project.namespace("qa");
    let jobs = project.bench.get(&namespace, &["jobs"]);
    assert_eq!(jobs["items"].as_array().map(Vec::len), Some(1), "{jobs}");
    let web = project.bench.get(&namespace, &["deployment", "web"]);
    assert_eq!(web["status"]["readyReplicas"], 1);
    let leases = project.bench.get(&namespace, &["leases"]);
    assert_eq!(leases["items"][0]["spec"]["holderIdentity"], "", "{leases}");
    let labels = "shipway.dev/state=succeeded";
    let records = project.bench.get(&namespace, &["secrets", "-l", labels]);
    assert_eq!(records["items"].as_array().map(Vec::len), Some(1), "{records}");
}

#[test]
fn a_busy_server_is_given_the_time_it_asks_for() {
    let (project, proxy) = guarded("busy");
    let busy = Answer::status(429).retry_after(3).body("Too many requests, please try again later.");
    proxy.rule(write_of("/configmaps/settings", Fault::Instead(Then::Answer(busy))));
    proxy.run(&project, &["deploy"]).expect(0).says("waiting for the API server");
    let times: Vec<_> = proxy
        .seen()
        .iter()
        .filter(|seen| seen.is_write() && seen.path.contains("/configmaps/settings"))
        .map(|seen| seen.at)
        .collect();
    assert_eq!(times.len(), 2);
    assert!(times[1] - times[0] >= Duration::from_secs(3), "{:?}", times[1] - times[0]);
    is_whole(&project);
}

/// Every kind of write once, with its answer lost.
fn lose_answers(story: &str, then: &Then) {
    let (project, proxy) = guarded(story);
    let namespace = format!("/api/v1/namespaces/{}?", project.namespace("qa"));
    let places =
        ["/leases", "/secrets/shipway", "/configmaps/settings", "/secrets/password", "/jobs/", "/deployments/"];
    for part in places.into_iter().chain([namespace.as_str()]) {
        proxy.rule(write_of(part, Fault::After(then.clone())));
    }
    // the lock is let go with an answer that is lost, too
    let is_release =
        |seen: &Seen| seen.method == "PUT" && String::from_utf8_lossy(&seen.body).contains(r#""holderIdentity":"""#);
    proxy.rule(Rule::when(is_release, Fault::After(then.clone())).times(1));
    proxy.run(&project, &["deploy"]).expect(0);
    is_whole(&project);
}

#[test]
fn a_write_that_went_through_is_repeated_after_500() {
    lose_answers("lost500", &Then::Answer(Answer::status(500).body("internal server error")));
}

#[test]
fn a_write_that_went_through_is_repeated_after_503() {
    lose_answers("lost503", &Then::Answer(Answer::status(503)));
}

#[test]
fn a_write_that_went_through_is_repeated_after_504() {
    lose_answers("lost504", &Then::Answer(Answer::status(504).body("upstream request timeout")));
}

#[test]
fn a_write_that_went_through_is_repeated_after_a_reset() {
    lose_answers("lostreset", &Then::Reset);
}

#[test]
fn a_lock_that_was_taken_without_an_answer_is_held() {
    let (mut project, proxy) = guarded("lostlock");
    project.set("SHIPWAY_LOCK_EXPIRY", "2");
    proxy.rule(Rule::when(|seen| seen.method == "POST" && seen.path.contains("/leases"), Fault::After(Then::Silence)));
    proxy.run(&project, &["deploy"]).expect(0);
    is_whole(&project);
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again() {
    let (project, proxy) = guarded("cut");
    // in the middle of JSON: half an answer must never be taken for a whole one
    for part in ["/namespaces/", "/secrets?", "/configmaps/settings", "/pods?", "/secrets/shipway", "/deployments?"] {
        let fits = move |seen: &Seen| !seen.is_watch() && seen.path.contains(part);
        proxy.rule(Rule::when(fits, Fault::After(Then::Cut(40))).times(1));
    }
    proxy.run(&project, &["deploy"]).expect(0);
    is_whole(&project);
}

/// A deploy whose watches are all met by a fault, each twice.
fn disturb_watches(story: &str, fault: Fault) -> Run {
    let (project, proxy) = guarded(story);
    for kind in ["/jobs?", "/pods?", "/deployments?", "/replicasets?"] {
        proxy.rule(Rule::when(move |seen| seen.is_watch() && seen.path.contains(kind), fault.clone()).times(2));
    }
    let run = proxy.run(&project, &["deploy"]).expect(0);
    is_whole(&project);
    run
}

#[test]
fn a_watch_that_is_cut_is_taken_up_again() {
    disturb_watches("watchcut", Fault::After(Then::Cut(0)));
}

#[test]
fn a_watch_without_history_begins_with_a_new_list() {
    let gone = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old resource version"}"#;
    disturb_watches("watchgone", Fault::Instead(Then::Answer(Answer::status(410).body(gone))));
    let event = format!("{{\"type\":\"ERROR\",\"object\":{gone}}}\n");
    disturb_watches("watchevent", Fault::Instead(Then::Answer(Answer::status(200).body(event))));
}

/// The API server is gone for longer than the lock lasts, from the first request on that fits.
fn lose_the_server(story: &str, fits: impl Fn(&Seen) -> bool + Send + 'static) {
    let (mut project, proxy) = guarded(story);
    project.set("SHIPWAY_LOCK_EXPIRY", "2");
    proxy.rule(Rule::when(fits, Fault::After(Then::Outage(Way::Reset, Duration::from_secs(12)))).times(1));
    let run = proxy.run(&project, &["deploy"]).expect(0);
    run.says("the API server answers again after 1");
    is_whole(&project);
}

#[test]
fn an_outage_while_objects_are_written_is_waited_for() {
    lose_the_server("outapply", |seen| seen.is_write() && seen.path.contains("/configmaps/settings"));
}

#[test]
fn an_outage_while_a_rollout_is_followed_is_waited_for() {
    lose_the_server("outwatch", |seen| seen.is_watch() && seen.path.contains("/replicasets?"));
}

/// A rule that changes the login in the middle of a deploy and in the middle of a watch: the old one is refused from then on.
fn new_logins(mut change: impl FnMut(&str) + Send + 'static) -> Rule {
    let state = std::sync::Mutex::new((0, "one"));
    let refused = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#;
    let change = std::sync::Mutex::new(move |token: &str| change(token));
    let fits = move |seen: &Seen| {
        let mut state = state.lock().expect("a state");
        let next = match state.0 {
            0 if seen.is_write() && seen.path.contains("/configmaps/settings") => Some("two"),
            1 if seen.is_watch() && seen.path.contains("/deployments?") => Some("three"),
            _ => None,
        };
        if let Some(next) = next {
            (change.lock().expect("a change"))(next);
            *state = (state.0 + 1, next);
        }
        seen.token.as_deref() != Some(state.1)
    };
    Rule::when(fits, Fault::Instead(Then::Answer(Answer::status(401).body(refused))))
}

/// The tokens in the order of their first use.
fn tokens(proxy: &Proxy) -> Vec<String> {
    let mut tokens: Vec<String> = proxy.seen().into_iter().filter_map(|seen| seen.token).collect();
    tokens.dedup();
    tokens
}

#[test]
fn a_token_in_a_file_is_read_again_when_it_is_refused() {
    let (mut project, proxy) = guarded("tokenfile");
    let file = project.root().join("../token");
    std::fs::write(&file, "one\n").expect("a token");
    proxy.guard_with_login(&mut project, &format!("{{tokenFile: {}}}", file.display()));
    proxy.rule(new_logins(move |token| std::fs::write(&file, token).expect("a token")));
    proxy.run(&project, &["deploy"]).expect(0);
    assert_eq!(tokens(&proxy), ["one", "two", "three"]);
    is_whole(&project);
}

#[test]
fn a_login_program_is_asked_again_when_its_token_is_refused() {
    let (mut project, proxy) = guarded("tokenexec");
    let folder = project.root().join("..").canonicalize().expect("a folder");
    let (file, program) = (folder.join("token"), folder.join("login"));
    std::fs::write(&file, "one\n").expect("a token");
    let answer =
        r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"'$token'"}}"#;
    let text = format!("#!/bin/sh\nread -r token < {}\necho '{answer}'\n", file.display());
    std::fs::write(&program, text).expect("a program");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).expect("an executable file");
    let user = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}, interactiveMode: Never}}}}",
        program.display()
    );
    proxy.guard_with_login(&mut project, &user);
    proxy.rule(new_logins(move |token| std::fs::write(&file, format!("{token}\n")).expect("a token")));
    proxy.run(&project, &["deploy"]).expect(0);
    assert_eq!(tokens(&proxy), ["one", "two", "three"]);
    is_whole(&project);
}

#[test]
fn a_token_that_is_refused_and_not_renewed_ends_the_deploy() {
    let (project, proxy) = guarded("tokengone");
    let refused = AtomicBool::new(false);
    let fits = move |seen: &Seen| {
        refused.fetch_or(seen.is_write() && seen.path.contains("/configmaps/"), Ordering::SeqCst)
            || refused.load(Ordering::SeqCst)
    };
    proxy.rule(Rule::when(fits, Fault::Instead(Then::Answer(Answer::status(401)))));
    proxy.run(&project, &["deploy"]).expect(5).says("does not accept the login");
}

#[test]
fn a_server_that_takes_four_at_once_gets_four_at_once() {
    let (project, proxy) = guarded("crowded");
    for number in 0..60 {
        let map = format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: map-{number}\ndata:\n  a: b\n");
        project.write(&format!("kubernetes/map-{number}.yaml"), &map);
    }
    proxy.set_round_trip(Duration::from_millis(20));
    let busy = Fault::Instead(Then::Answer(Answer::status(429)));
    proxy.rule(Rule::when(|seen| !seen.is_watch() && seen.in_flight > 4, busy));
    proxy.run(&project, &["deploy"]).expect(0);
    let crowd = |fits: &dyn Fn(&Seen) -> bool| {
        let seen = proxy.seen();
        let crowd: Vec<usize> = seen.iter().filter(|seen| fits(seen)).map(|seen| seen.in_flight).collect();
        crowd
    };
    let rehearsed = crowd(&|seen| seen.path.contains("dryRun=All"));
    assert!(rehearsed.iter().max() > Some(&8), "{rehearsed:?}");
    let written = crowd(&|seen| seen.is_write() && seen.path.contains("/configmaps/"));
    assert!(written.iter().max() < Some(&8), "{written:?}");
    assert!(written.len() < 90, "{} requests for 61 maps", written.len());
    is_whole(&project);
}
