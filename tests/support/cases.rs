//! A workload each in a namespace of its own, deployed all at once, and what is to be told of it.

use serde_json::{Value, json};

use super::{Project, Running};

/// One workload and what is to be told of it.
pub struct Case {
    pub name: &'static str,
    pub objects: Vec<Value>,
    pub flags: &'static [&'static str],
    pub code: i32,
    /// The code of the finding; empty for a success.
    pub reason: &'static str,
    pub says: &'static str,
    /// Seconds within which the verdict is to be there.
    pub within: f64,
}

pub const DEADLINE: &[&str] = &["--timeout", "20s"];

pub fn fails(name: &'static str, objects: Vec<Value>, reason: &'static str, says: &'static str) -> Case {
    Case { name, objects, flags: &[], code: 6, reason, says, within: 60.0 }
}

/// It waits for what may still come, until time is up.
pub fn times_out(name: &'static str, objects: Vec<Value>, reason: &'static str, says: &'static str) -> Case {
    Case { name, objects, flags: DEADLINE, code: 7, reason, says, within: 40.0 }
}

pub fn succeeds(name: &'static str, objects: Vec<Value>, says: &'static str) -> Case {
    Case { name, objects, flags: &[], code: 0, reason: "", says, within: 60.0 }
}

/// Runs all at once; every verdict that is not as it should be is told.
pub fn check(cases: Vec<Case>) {
    let started: Vec<(Case, Project, Running)> = cases.into_iter().map(start).collect();
    let wrong: Vec<String> = started
        .into_iter()
        .filter_map(|(case, project, running)| {
            let run = running.wait();
            drop(project);
            let text = format!("{}{}", run.stderr, run.stdout);
            let reason = format!("error[{}]", case.reason);
            let right = run.code == case.code
                && (case.reason.is_empty() || text.contains(&reason))
                && text.contains(case.says)
                && run.seconds < case.within;
            (!right).then(|| {
                format!(
                    "{}: wanted exit {} {} {:?} within {} s\n{}",
                    case.name,
                    case.code,
                    case.reason,
                    case.says,
                    case.within,
                    run.transcript()
                )
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn start(case: Case) -> (Case, Project, Running) {
    let project = described(case.name, case.objects.clone());
    let running = project.start(&[DEPLOY, case.flags].concat());
    (case, project, running)
}

/// Deploys what [`describe`] wrote.
pub const DEPLOY: &[&str] = &["deploy", "-f", "objects.json"];

/// A repository that describes these objects and their namespace.
pub fn described(story: &str, objects: Vec<Value>) -> Project {
    let project = Project::new(story);
    project.branch("feature");
    describe(&project, objects);
    project
}

/// Describes these objects in the place of the others.
pub fn describe(project: &Project, mut objects: Vec<Value>) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": project.namespace("qa")}});
    objects.insert(0, namespace);
    project.write("objects.json", &json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string());
    project.commit("Describe it");
}
