//! Whatever ends or stops a run while its live view is drawn, the terminal is left as it was.

use serde_json::Value;

use super::live::{DEPLOY, every_fifth_hangs, project};
use crate::support::{
    Project,
    kubelet::Node,
    proxy::{Fault, Proxy, Rule, Then},
    terminal::OnTerminal,
};

const SIZE: (u16, u16) = (80, 24);

/// A run that waits for two of ten workloads, for ever.
fn waiting(project: &Project) -> OnTerminal {
    let run = OnTerminal::start(project, &DEPLOY, SIZE);
    run.until(rests);
    run
}

fn rests(rows: &[String]) -> bool {
    let count = |text: &str| rows.iter().filter(|row| row.contains(text)).count();
    (count("0/1 new ready"), count("1/1 new ready")) == (2, 8)
}

fn ten(story: &str) -> (Project, Node) {
    project(story, 10, every_fifth_hangs)
}

/// Who holds the lock.
fn holder(project: &Project) -> String {
    let leases = project.bench.get(&project.namespace("qa"), &["lease"]);
    let holders = leases["items"].as_array().into_iter().flatten();
    holders.filter_map(|lease: &Value| lease["spec"]["holderIdentity"].as_str()).collect()
}

/// What was said before stays above what was drawn.
fn keeps_the_story(lines: &[String]) {
    for part in ["Describe them", "\u{2713} apply    11 created"] {
        assert_eq!(lines.iter().filter(|line| line.contains(part)).count(), 1, "{part}:\n{}", lines.join("\n"));
    }
}

#[test]
fn a_terminated_run_leaves_the_terminal_as_it_was() {
    let (project, _node) = ten("terminated");
    let run = waiting(&project);
    run.signal("TERM");
    let (code, rows, lines) = run.wait_for_lines();
    assert_eq!(code, 130);
    keeps_the_story(&lines);
    assert!(rows.iter().any(|row| row.starts_with("interrupted (exit 130)")), "{}", rows.join("\n"));
    assert_eq!(holder(&project), "");
}

#[test]
fn a_second_interrupt_leaves_at_once_and_the_terminal_as_it_was() {
    let (mut project, _node) = ten("twice");
    let proxy = Proxy::start(&project.bench);
    proxy.guard(&mut project);
    // so that the first has something to wait for
    let is_release = |seen: &crate::support::proxy::Seen| {
        seen.is_write() && String::from_utf8_lossy(&seen.body).contains(r#""holderIdentity":"""#)
    };
    proxy.rule(Rule::when(is_release, Fault::Instead(Then::Silence)));
    let run = waiting(&project);
    // the terminal echoes it
    run.types("\u{3}");
    run.signal("INT");
    run.until(|rows| rows.iter().any(|row| row.starts_with("! stop")));
    run.signal("INT");
    let (code, rows, lines) = run.wait_for_lines();
    assert_eq!(code, 130);
    keeps_the_story(&lines);
    let last = rows.last().map(String::as_str).unwrap_or_default();
    assert!(lines.iter().any(|line| line.contains("interrupted (exit 130)")), "{}", lines.join("\n"));
    assert!(last.ends_with("be done"), "{}", rows.join("\n"));
    assert_ne!(holder(&project), "");
}

#[test]
fn a_killed_run_leaves_the_terminal_as_it_was_and_its_lock_expires() {
    let (mut project, _node) = ten("killed");
    project.set("SHIPWAY_LOCK_EXPIRY", "2");
    let run = waiting(&project);
    run.signal("KILL");
    let (code, rows, lines) = run.wait_for_lines();
    assert_eq!(code, -1);
    keeps_the_story(&lines);
    assert!(rests(&rows), "{}", rows.join("\n"));
    assert_ne!(holder(&project), "");
    let run = waiting(&project);
    assert_ne!(holder(&project), "");
    run.signal("INT");
    assert_eq!(run.wait().0, 130);
    assert_eq!(holder(&project), "");
}

#[test]
fn what_a_shell_says_while_a_run_is_stopped_is_not_drawn_over() {
    let (project, _node) = ten("suspended");
    let run = waiting(&project);
    for _ in 0..2 {
        run.types("\u{1a}");
        run.signal("TSTP");
        run.until_stopped();
        run.meanwhile("\n[1]+  Stopped   shipway deploy\n$ fg\nshipway deploy\n");
        let stopped = std::time::Instant::now();
        // the age of what waits shows that it was long enough to be seen
        let age = |rows: &[String]| rows.iter().rfind(|row| row.contains("deployment/web-0 ")).cloned();
        let before = age(&run.rows());
        run.until(|_| stopped.elapsed().as_millis() > 1200);
        run.signal("CONT");
        let rows = run.until(|rows| age(rows) != before);
        let said = rows.iter().rposition(|row| row == "shipway deploy");
        let said = said.unwrap_or_else(|| panic!("the shell's words are gone:\n{}", run.lines().join("\n")));
        assert_eq!(rows[said - 2..=said], ["[1]+  Stopped   shipway deploy", "$ fg", "shipway deploy"]);
        assert!(rests(&rows[said + 1..]), "{}", rows.join("\n"));
    }
    run.signal("INT");
    let (code, _, lines) = run.wait_for_lines();
    assert_eq!(code, 130);
    keeps_the_story(&lines);
    assert_eq!(lines.iter().filter(|line| line.contains("[1]+  Stopped")).count(), 2, "{}", lines.join("\n"));
}
