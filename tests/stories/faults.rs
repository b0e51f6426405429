//! A network and an API server that misbehave: a deploy ends with the same verdict, and says what it waits for.

use crate::support::{
    Project, Run,
    proxy::{Answer, Fault, Proxy, Rule, Seen, Then},
    small,
};

/// A project whose way to the API server is a proxy.
fn guarded(story: &str) -> (Project, Proxy) {
    let mut project = small::project(story, "one");
    let proxy = Proxy::start(&project.bench);
    proxy.guard(&mut project);
    (project, proxy)
}

/// The deploy did all that it has to, once, and let the lock go.
fn is_whole(project: &Project) {
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

/// Every kind of write once, with its answer lost.
fn lose_answers(story: &str, then: &Then) {
    let (project, proxy) = guarded(story);
    let places = ["/namespaces/", "/leases?", "/secrets/shipway", "/configmaps/settings", "/jobs/", "/deployments/"];
    for part in places {
        let part_of = if part == "/namespaces/" { "?fieldManager=shipway&fieldValidation=Strict" } else { part };
        let fault = Fault::After(then.clone());
        let is_namespace = part == "/namespaces/";
        proxy.rule(
            Rule::when(
                move |seen| {
                    let names_one = seen.path.split('?').next().is_some_and(|path| path.split('/').count() == 5);
                    seen.is_write() && seen.path.contains(part_of) && is_namespace == names_one
                },
                fault,
            )
            .times(1),
        );
    }
    proxy.run(&project, &["deploy"]).expect(0);
    is_whole(&project);
}

#[test]
fn a_write_that_went_through_is_repeated_after_a_reset() {
    lose_answers("lostreset", &Then::Reset);
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
