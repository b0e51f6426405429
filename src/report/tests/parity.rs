//! One finding through every form: the same words in each, and in each once.

use serde_json::Value;

use super::*;
use crate::model::{Event, Problem, RolloutEvent, Verdict};

/// Wide enough for whole lines.
const WIDE: usize = 250;

/// The run that fails, without the suspicion before.
fn failure() -> (Vec<Stamped>, Outcome) {
    let (mut events, outcome) = samples::failure();
    events.retain(|stamped| !is_suspicion(&stamped.event));
    (events, outcome)
}

fn is_suspicion(event: &Event) -> bool {
    let Event::Rollout(event) = event else { return false };
    matches!(&**event, RolloutEvent::Changed { verdict: Verdict::Suspect { .. }, .. })
}

/// What stays on the screen.
fn live_in_the_end((events, outcome): (Vec<Stamped>, Outcome)) -> String {
    let drawn = live(WIDE, (events, outcome));
    let is_frame = |line: &&str| line.starts_with("    ┌") || line.starts_with("    │");
    drawn.lines().filter(|line| !is_frame(line)).map(|line| format!("{line}\n")).collect()
}

/// Each form for people, with the name of it.
fn forms(run: &(Vec<Stamped>, Outcome)) -> Vec<(&'static str, String)> {
    let (log, summary) = runner(run.clone());
    let (annotations, log): (Vec<&str>, Vec<&str>) = log.lines().partition(|line| line.starts_with("::error "));
    let annotations = annotations.join("\n").replace("%0A", "\n");
    let page = page(run.clone()).replace("&#39;", "'").replace("&quot;", "\"");
    let page = page.split_once("</style>").map(|(_, body)| body.to_owned()).expect("a style");
    vec![
        ("plain", plain(WIDE, Weight::Normal, run.clone())),
        ("live", live_in_the_end(run.clone())),
        ("runner", log.join("\n")),
        ("annotation", annotations),
        ("summary", summary),
        ("page", page),
    ]
}

/// What a finding tells, in the words that every form has; an annotation leaves out the evidence. The image is the whole
/// deploy's, and told with it, too.
fn words_of<'p>(problem: &'p Problem, form: &str) -> Vec<&'p str> {
    let evidence = problem.evidence.iter().filter(|fact| form != "annotation" && fact.label != "image");
    let evidence = evidence.flat_map(|evidence| &evidence.lines);
    [&problem.text].into_iter().chain(&problem.hints).chain(evidence).map(|text| text.trim()).collect()
}

#[test]
fn a_finding_is_told_alike_and_once_in_every_form() {
    let run = failure();
    let [problem] = &run.1.problems[..] else { panic!("one finding") };
    for (form, told) in forms(&run) {
        for words in words_of(problem, form) {
            assert_eq!(told.matches(words).count(), 1, "{form}: {words}\n{told}");
        }
        assert_eq!(told.matches("(and 2 more alike)").count(), 1, "{form}\n{told}");
    }
    let told = json(run.clone());
    let outcome: Value = serde_json::from_str(told.lines().last().expect("an outcome")).expect("JSON");
    let found = outcome["problems"].as_array().expect("problems");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0], serde_json::to_value(problem).expect("JSON"));
    let why = &outcome["objects"][0]["why"];
    assert_eq!((&why["code"], &why["text"]), (&found[0]["code"], &found[0]["text"]));
    assert_eq!(why["hint"], problem.hints.join("; "));
}

#[test]
fn a_suspicion_is_told_once_and_its_end_once() {
    let run = samples::failure();
    assert_eq!(run.0.iter().filter(|stamped| is_suspicion(&stamped.event)).count(), 2);
    for (form, told) in forms(&run) {
        let suspicions = told.matches("looks failed").count();
        assert_eq!(suspicions, usize::from(matches!(form, "plain" | "runner" | "page")), "{form}\n{told}");
    }
}
