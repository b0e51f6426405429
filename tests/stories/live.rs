//! The live view on a real terminal: resized while it runs, and ended in the middle.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    Figures, Project,
    kubelet::{Health, Node},
    terminal::OnTerminal,
};

const WORKLOADS: usize = 40;

/// Workloads of which every fifth never gets ready, on a node of the story's own.
fn project(story: &str) -> (Project, Node) {
    let project = Project::new(story);
    project.branch("feature");
    let node = Node::start(&project.app, |pod| {
        let name = pod["metadata"]["labels"]["app"].as_str().unwrap_or_default();
        if name.ends_with(['0', '5']) { Health::Hangs } else { Health::Ready }
    });
    let workload = |number: usize| {
        let name = format!("web-{number}");
        let mut spec = node.placed();
        spec["containers"] = json!([{"name": "web", "image": "registry.example.com/team/web:1"}]);
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
            "selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}}, "spec": spec}}})
    };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": project.namespace("qa")}});
    let items: Vec<Value> = std::iter::once(namespace).chain((0..WORKLOADS).map(workload)).collect();
    project.write("objects.json", &json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
    project.commit("Describe them");
    (project, node)
}

/// All that will be ready is, and what is not shown is summed up.
fn rests(rows: &[String]) -> bool {
    let waiting = rows.iter().filter(|row| row.contains("0/1 new ready")).count();
    waiting == WORKLOADS / 5
        && rows.iter().any(|row| row.trim_start().starts_with("and ") && row.ends_with("more ready"))
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
    let (project, _node) = project("resized");
    let run = OnTerminal::start(&project, &["deploy", "-f", "objects.json"], (120, 30));
    is_whole(&run.until(rests));
    let (before, began) = (run.bytes(), std::time::Instant::now());
    for (columns, rows) in [(60, 20), (200, 40), (70, 24), (61, 16), (160, 16)] {
        run.resize((columns, rows));
        let drawn = run.bytes();
        // two frames after it, for the first may have been on its way
        run.until(|_| run.bytes() > drawn + 2 * usize::from(columns));
        is_whole(&run.until(rests));
    }
    let mut figures = Figures::new("live");
    figures.add("live view: bytes a second", (run.bytes() - before) as f64 / began.elapsed().as_secs_f64(), "B/s");
    Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("kill runs");
    let (code, rows) = run.wait();
    assert_eq!(code, 130);
    assert!(
        rows.last().is_some_and(|row| row.contains("interrupted") || row.contains("exit 130")),
        "{}",
        rows.join("\n")
    );
}
