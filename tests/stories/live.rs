//! The live view on a real terminal: many workloads on few rows, and resized while it runs.

use serde_json::{Value, json};

use crate::support::{
    Figures, Project,
    kubelet::{Health, Node},
    terminal::OnTerminal,
};

/// So many workloads, `web-0` and on, on a node of the story's own.
pub fn project(story: &str, count: usize, health: fn(usize) -> Health) -> (Project, Node) {
    let project = Project::new(story);
    project.branch("feature");
    let node = Node::start(&project.app, move |pod| {
        let name = pod["metadata"]["labels"]["app"].as_str().unwrap_or_default();
        health(name.trim_start_matches("web-").parse().expect("a number"))
    });
    let workload = |number: usize| {
        let name = format!("web-{number}");
        let mut spec = node.placed();
        spec["containers"] = json!([{"name": "web", "image": "registry.example.com/team/web:1"}]);
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
            "selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}}, "spec": spec}}})
    };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": project.namespace("qa")}});
    let items: Vec<Value> = std::iter::once(namespace).chain((0..count).map(workload)).collect();
    project.write("objects.json", &json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
    project.commit("Describe them");
    (project, node)
}

/// Every fifth never gets ready.
pub fn every_fifth_hangs(number: usize) -> Health {
    if number.is_multiple_of(5) { Health::Hangs } else { Health::Ready }
}

pub const DEPLOY: [&str; 3] = ["deploy", "-f", "objects.json"];

const WORKLOADS: usize = 60;

/// All that will be ready is, and what is not shown is summed up.
fn rests(rows: &[String]) -> bool {
    let waiting = rows.iter().filter(|row| row.contains("0/1 new ready")).count();
    waiting == WORKLOADS / 5
        && rows.iter().any(|row| row.trim_start().starts_with("and ") && row.ends_with("more ready"))
}

/// Without what left the screen when its lines were broken and came back with a wider one: that is out of reach.
fn last_frame(rows: &[String]) -> Vec<String> {
    let start = rows.iter().rposition(|row| row.starts_with("~ rollout"));
    rows[start.unwrap_or_default()..].to_vec()
}

/// No line of an earlier drawing stands beside this one.
fn is_whole(rows: &[String]) {
    for number in 0..WORKLOADS {
        let name = format!("deployment/web-{number} ");
        let times = rows.iter().filter(|row| row.contains(&name)).count();
        assert!(times <= 1, "{name} stands there {times} times:\n{}", rows.join("\n"));
    }
    assert_eq!(rows.iter().filter(|row| row.starts_with("~ rollout")).count(), 1, "{}", rows.join("\n"));
}

#[test]
fn a_resized_terminal_shows_no_torn_line() {
    let (project, _node) = project("resized", WORKLOADS, every_fifth_hangs);
    let run = OnTerminal::start(&project, &DEPLOY, (120, 50));
    is_whole(&run.until(rests));
    let (before, began) = (run.bytes(), std::time::Instant::now());
    for (columns, rows) in [(60, 48), (200, 50), (70, 46), (61, 48), (160, 46)] {
        // a frame that is on its way to a terminal while that becomes narrower cannot know it
        run.until_drawn();
        run.resize((columns, rows));
        run.until_drawn();
        is_whole(&last_frame(&run.until(|rows| rests(&last_frame(rows)))));
    }
    let mut figures = Figures::new("live");
    figures.add("live view: bytes a second", (run.bytes() - before) as f64 / began.elapsed().as_secs_f64(), "B/s");
    run.signal("INT");
    let (code, rows) = run.wait();
    assert_eq!(code, 130);
    assert!(
        rows.last().is_some_and(|row| row.contains("interrupted") || row.contains("exit 130")),
        "{}",
        rows.join("\n")
    );
}

#[test]
fn a_terminal_of_almost_no_room_is_drawn_on_and_comes_back() {
    let (project, _node) = project("tiny", WORKLOADS, every_fifth_hangs);
    let run = OnTerminal::start(&project, &DEPLOY, (120, 30));
    run.until(rests);
    for size in [(10, 3), (1, 1), (10, 3)] {
        run.resize(size);
        let drawn = run.bytes();
        run.until(|_| run.bytes() > drawn);
    }
    run.resize((120, 30));
    is_whole(&last_frame(&run.until(|rows| rests(&last_frame(rows)))));
    run.signal("INT");
    assert_eq!(run.wait().0, 130);
}

/// Of 200 five crash, once all others are told of, and ten hang.
fn few_fail(number: usize) -> Health {
    match (number % 40, number % 20) {
        (7, _) => Health::Crashes { after: 195 },
        (_, 5) => Health::Hangs,
        _ => Health::Ready,
    }
}

#[test]
fn of_two_hundred_workloads_a_small_terminal_shows_what_fails() {
    let (project, _node) = project("crowded", 200, few_fail);
    let run = OnTerminal::start(&project, &DEPLOY, (80, 24));
    let count = |rows: &[String], text: &str| rows.iter().filter(|row| row.contains(text)).count();
    let rows = run.until(|rows| {
        count(rows, "crash-loop") == 5 && count(rows, "0/1 new ready") == 15 && count(rows, "and 185 more ready") == 1
    });
    assert!(rows.len() <= 23, "{}", rows.join("\n"));
    assert!(rows[0].starts_with("~ rollout  deployment/web-7 "), "{}", rows.join("\n"));
    assert!(rows.iter().take(5).all(|row| row.ends_with("crash-loop")), "{}", rows.join("\n"));
    // one finding for all five, and room for it however it is wrapped
    let told: String = run
        .until(|rows| count(rows, "    failed: deployment/web-7 does not start") == 1)
        .iter()
        .map(|row| format!("{} ", row.trim()))
        .collect();
    assert!(told.contains("container `web` exits with code 3 (and 4 more alike)"), "{told}");
    // at rest only the ages change, once a second
    let second = |rows: &[String]| rows.iter().find(|row| row.contains("deployment/web-5 ")).cloned();
    let (before, began) = (run.bytes(), std::time::Instant::now());
    for _ in 0..3 {
        let now = second(&run.rows());
        run.until(|rows| second(rows) != now);
    }
    let rate = (run.bytes() - before) as f64 / began.elapsed().as_secs_f64();
    Figures::new("live-crowded").at_most("live view of 200 workloads at rest: bytes a second", rate, "B/s", 5000.0);
    assert!(rate < 5000.0, "{rate} bytes a second");
    run.signal("INT");
    let (code, rows, lines) = run.wait_for_lines();
    // a minute after the last progress it ends by itself, which a slow machine may see first
    assert!([130, 6].contains(&code), "{code}");
    assert!(rows.iter().any(|row| row.contains(&format!("(exit {code}) after"))), "{}", rows.join("\n"));
    // no long list stays behind
    let left = lines.iter().filter(|line| line.contains("deployment/web-")).count();
    assert!((15..30).contains(&left), "{left}: {}", lines.join("\n"));
}
