//! The objects of an earlier release as they are sent again: its hooks only if asked for, and traffic stays where it is.

use serde_json::Value;

use super::{jobs, release::at_rest};
use crate::model::{BlueGreen, Change, FieldPath, JobRun, Object, ObjectChange, Rendered, Stage};

/// How it is sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Again<'r> {
    pub blue_green: Option<&'r BlueGreen>,
    /// The colour that serves now.
    pub live_color: Option<&'r str>,
    /// The release's number, which hooks run under; none runs no hooks.
    pub hooks: Option<u64>,
    /// The Jobs of the earlier release.
    pub runs: &'r [JobRun],
}

/// What of the objects is sent, and what is passed over.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recorded {
    pub objects: Vec<Rendered>,
    pub skipped: Vec<ObjectChange>,
    pub jobs: Vec<JobRun>,
}

pub(crate) fn again(objects: Vec<Rendered>, how: &Again<'_>) -> Recorded {
    let mut recorded = Recorded::default();
    for object in objects {
        let is_job = (object.id.group.as_str(), object.id.kind.as_str()) == ("batch", "Job");
        let is_hook = matches!(object.stage, Stage::Before | Stage::After | Stage::OnFailure);
        match how.hooks {
            None if is_job || is_hook => {
                let remark = Some("a rollback runs it with --hooks only".to_owned());
                let (object, fields) = (object.id, Vec::new());
                recorded.skipped.push(ObjectChange { object, change: Change::Skipped, fields, remark });
            }
            Some(revision) if is_job => {
                let (object, run) = run_again(object, how.runs, revision);
                recorded.objects.push(object);
                recorded.jobs.push(run);
            }
            _ => recorded.objects.push(pointed(object, how)),
        }
    }
    if how.hooks.is_none() {
        recorded.jobs = how.runs.to_vec();
    }
    recorded
}

/// A Job cannot be changed: it runs under the number of the new release.
fn run_again(object: Rendered, runs: &[JobRun], revision: u64) -> (Rendered, JobRun) {
    let earlier = runs.iter().find(|run| run.is(&object.id));
    let job = earlier.map_or_else(|| object.id.name.clone(), |run| run.job.clone());
    let hash = earlier.map_or_else(|| object.hash.clone(), |run| run.hash.clone());
    let (name, namespace) = (jobs::name(&job, revision), object.id.namespace.clone());
    (jobs::renamed(object, &name), JobRun { job, name, namespace, hash, done: false, failed: false })
}

/// The switched Service goes on leading where it leads: only a switch moves traffic.
fn pointed(object: Rendered, how: &Again<'_>) -> Rendered {
    let (Some(blue_green), Some(live)) = (how.blue_green, how.live_color) else { return object };
    if (object.id.group.as_str(), object.id.kind.as_str()) != ("", "Service") || object.id.name != blue_green.service {
        return object;
    }
    let mut body = object.body();
    if let Some(color) = FieldPath::parse("spec.selector").key(&blue_green.label).find_mut(&mut body) {
        *color = Value::from(live);
    }
    let Rendered { id, resource, stage, hook, from, .. } = object;
    Rendered { hook, ..at_rest(Object { id, resource, body, from }, stage) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{ObjectId, Resource};

    fn rendered(group: &str, kind: &str, name: &str, stage: Stage, spec: Value) -> Rendered {
        let id = ObjectId { group: group.into(), kind: kind.into(), namespace: None, name: name.into() };
        let resource = Resource {
            group: group.into(),
            version: "v1".into(),
            kind: kind.into(),
            plural: String::new(),
            namespaced: true,
        };
        let body = json!({"metadata": {"name": name}, "spec": spec});
        at_rest(Object { id, resource, body, from: Vec::new() }, stage)
    }

    fn objects() -> Vec<Rendered> {
        vec![
            rendered("", "Service", "web", Stage::Service, json!({"selector": {"color": "blue"}})),
            rendered("", "Service", "other", Stage::Service, json!({"selector": {"color": "blue"}})),
            rendered("batch", "Job", "migrate-3", Stage::Before, json!({})),
            rendered("", "ConfigMap", "seeds", Stage::Before, json!({})),
            rendered("batch", "Job", "index-3", Stage::Workload, json!({})),
            rendered("apps", "Deployment", "web-blue", Stage::Workload, json!({})),
        ]
    }

    fn run(job: &str, done: bool) -> JobRun {
        JobRun { job: job.into(), name: format!("{job}-3"), namespace: None, hash: "a".into(), done, failed: false }
    }

    #[test]
    fn without_asking_no_hook_runs_and_no_job() {
        let blue_green =
            BlueGreen { service: "web".into(), label: "color".into(), colors: ["blue".into(), "green".into()] };
        let runs = [run("migrate", true), run("index", true)];
        let how = Again { blue_green: Some(&blue_green), live_color: Some("green"), hooks: None, runs: &runs };
        let again = again(objects(), &how);
        let names: Vec<String> = again.objects.iter().map(|object| object.id.to_string()).collect();
        assert_eq!(names, ["service/web", "service/other", "deployment/web-blue"]);
        let skipped: Vec<String> = again.skipped.iter().map(|change| change.object.to_string()).collect();
        assert_eq!(skipped, ["job/migrate-3", "configmap/seeds", "job/index-3"]);
        assert_eq!(again.jobs, runs);
        // only the Service that is switched, and by its live colour
        let color = |position: usize| again.objects[position].body()["spec"]["selector"]["color"].clone();
        assert_eq!((color(0), color(1)), (json!("green"), json!("blue")));
    }

    #[test]
    fn hooks_that_are_asked_for_run_under_the_new_number() {
        let runs = [run("migrate", true)];
        let how = Again { blue_green: None, live_color: None, hooks: Some(7), runs: &runs };
        let again = again(objects(), &how);
        assert!(again.skipped.is_empty() && again.objects.len() == 6);
        let names: Vec<&str> = again.jobs.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(names, ["migrate-7", "index-3-7"]);
        assert_eq!((again.jobs[0].job.as_str(), again.jobs[0].done), ("migrate", false));
        assert_eq!(again.objects[2].body()["metadata"]["name"], "migrate-7");
    }

    #[test]
    fn of_two_runs_of_one_name_each_goes_on_in_its_namespace() {
        let in_namespace =
            |name: &str| JobRun { namespace: Some(name.into()), hash: name.into(), ..run("migrate", true) };
        let runs = [in_namespace("one"), in_namespace("two")];
        let hash = |namespace: Option<&str>, runs: &[JobRun]| {
            let mut object = rendered("batch", "Job", "migrate-3", Stage::Before, json!({}));
            object.id.namespace = namespace.map(str::to_owned);
            let (_, run) = run_again(object, runs, 7);
            assert_eq!(run.namespace.as_deref(), namespace);
            run.hash
        };
        assert_eq!((hash(Some("two"), &runs), hash(Some("one"), &runs)), ("two".into(), "one".into()));
        // an earlier record does not say where
        assert_eq!(hash(Some("two"), &[run("migrate", true)]), "a");
    }
}
