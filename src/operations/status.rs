//! `status`: what runs where, by the same judges as a deploy; `-f` judges saved objects, offline.

use std::path::PathBuf;

use serde_json::Value;

use super::{
    Context,
    checkout::{Checkout, saved_rules},
    failure::{Failure, conclude},
    picture::{health, is_shown},
    sight::Sight,
    status_watch,
};
use crate::{
    files,
    model::{Answer, EnvironmentStatus, Exit, Health, Outcome, Problem, SourceText, Status},
    plan, rollout, yaml,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Objects saved from a cluster; `-` is standard input.
    pub(crate) files: Vec<PathBuf>,
    /// Go on telling what changes, until the run is stopped.
    pub(crate) watch: bool,
}

pub(crate) async fn run(context: &Context, options: Options) -> Outcome {
    conclude(async |outcome| {
        if !options.files.is_empty() {
            return take_in(outcome, saved(context, &options.files)?);
        }
        let checkout = Checkout::read(context)?;
        outcome.app = Some(checkout.settings.app.value.clone());
        let sight = Sight::new(context, &checkout);
        if options.watch {
            let (exit, environments) = status_watch::run(&sight).await;
            take_in(outcome, in_order(&checkout, environments))?;
            (outcome.exit, outcome.truth) = (exit, None);
            return Ok(());
        }
        let environments = sight.all().await;
        all_known(&environments)?;
        take_in(outcome, in_order(&checkout, environments))
    })
    .await
}

fn take_in(outcome: &mut Outcome, status: Status) -> Result<(), Failure> {
    if let [one] = status.environments.as_slice() {
        outcome.environment.clone_from(&one.environment);
        outcome.namespace = Some(one.namespace.clone()).filter(|namespace| !namespace.is_empty());
        outcome.tag = one.deploy.as_ref().map(|deploy| deploy.tag.clone());
        outcome.commit = one.deploy.as_ref().and_then(|deploy| Some(deploy.commit.as_ref()?.sha.clone()));
    }
    (outcome.exit, outcome.truth) = verdict(&status.environments);
    outcome.answer = Answer::Status(Box::new(status));
    Ok(())
}

/// The exit code, and what it is for.
fn verdict(environments: &[EnvironmentStatus]) -> (Exit, Option<String>) {
    let of = |health: Health| environments.iter().filter(move |status| status.health == health);
    let unknown = of(Health::Unknown).filter_map(|status| status.problem.as_ref()).map(|problem| problem.exit).next();
    let exit = match (unknown, of(Health::Failing).next(), of(Health::Progressing).next()) {
        (Some(exit), ..) => exit,
        (None, Some(_), _) => Exit::Rollout,
        (None, None, Some(_)) => Exit::TimedOut,
        (None, None, None) => return (Exit::Done, None),
    };
    let said = [(Health::Failing, "failing"), (Health::Progressing, "not ready yet"), (Health::Unknown, "not known")];
    let names = |health| of(health).map(EnvironmentStatus::name).collect::<Vec<_>>().join(", ");
    let parts = said.map(|(health, words)| (names(health), words));
    let parts = parts.iter().filter(|(names, _)| !names.is_empty());
    (exit, Some(parts.map(|(names, words)| format!("{words}: {names}")).collect::<Vec<_>>().join("; ")))
}

/// As the configuration has them, then by namespace.
fn in_order(checkout: &Checkout, mut environments: Vec<EnvironmentStatus>) -> Status {
    environments.sort_by_key(|status| rank(checkout, status));
    Status { app: Some(checkout.settings.app.value.clone()), environments }
}

/// The place of its environment in the configuration.
pub(super) fn rank(checkout: &Checkout, status: &EnvironmentStatus) -> usize {
    let names = plan::environment_names(&checkout.settings);
    names.iter().position(|name| Some(name) == status.environment.as_ref()).map_or(0, |place| place + 1)
}

/// Where nothing could be asked there is no status to show, only why.
fn all_known(environments: &[EnvironmentStatus]) -> Result<(), Failure> {
    let mut problems: Vec<Problem> = Vec::new();
    for environment in environments {
        let Some(problem) = environment.problem.as_ref().filter(|_| environment.health == Health::Unknown) else {
            return Ok(());
        };
        if !problems.contains(problem) {
            problems.push(problem.clone());
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure(problems)) }
}

/// Judges objects that were saved from a cluster. No repository and no cluster is needed.
fn saved(context: &Context, paths: &[PathBuf]) -> Result<Status, Failure> {
    let mut objects: Vec<Value> = Vec::new();
    for path in paths {
        let text = match path.to_str() {
            Some("-") => files::read_stdin()?,
            _ => files::read_text(&context.directory.join(path), &path.display().to_string())?,
        };
        objects.extend(objects_of(&text)?);
    }
    let mut workloads = rollout::judge_saved(&objects, &saved_rules(context)?);
    // where there is nothing else, a Service is what was asked about
    if workloads.iter().any(is_shown) {
        workloads.retain(is_shown);
    }
    if workloads.is_empty() {
        return Err(Problem::new("no-manifests", Exit::Input, "nothing in it has a state to judge")
            .hint("save workloads with their pods: `kubectl get deployment,replicaset,pod -o yaml`")
            .into());
    }
    let namespaces = workloads.iter().find_map(|workload| workload.object.namespace.clone());
    let mut status = EnvironmentStatus::new(None, &namespaces.unwrap_or_default(), None);
    status.health = health(&workloads, false);
    status.workloads = workloads;
    Ok(Status { app: None, environments: vec![status] })
}

fn objects_of(text: &SourceText) -> Result<Vec<Value>, Failure> {
    let documents = yaml::documents(text)?.documents;
    let is_object =
        |value: &Value| value["kind"].is_string() && (value["metadata"].is_object() || value["items"].is_array());
    if let Some(odd) = documents.iter().find(|document| !is_object(&document.value)) {
        let what =
            format!("{}:{}: not an object of Kubernetes: `kind` and `metadata` are missing", text.name, odd.at.line);
        return Err(Problem::new("manifest", Exit::Input, what).into());
    }
    Ok(documents.into_iter().map(|document| document.value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str, health: Health) -> EnvironmentStatus {
        let problem = Problem::new("cluster-denied", Exit::Cluster, "may not");
        EnvironmentStatus {
            health,
            problem: Some(problem).filter(|_| health == Health::Unknown),
            ..EnvironmentStatus::new(Some(name), "demo", None)
        }
    }

    #[test]
    fn what_is_not_known_counts_before_what_fails_and_that_before_what_waits() {
        use Health::{Absent, Failing, Healthy, Progressing, Unknown};
        for (all, exit, truth) in [
            (&[Healthy, Absent][..], Exit::Done, None),
            (&[Absent], Exit::Done, None),
            (&[Healthy, Progressing], Exit::TimedOut, Some("not ready yet: e1")),
            (&[Progressing, Failing], Exit::Rollout, Some("failing: e1; not ready yet: e0")),
            (&[Failing, Unknown, Failing], Exit::Cluster, Some("failing: e0, e2; not known: e1")),
        ] {
            let named = |(number, health): (usize, &Health)| environment(&format!("e{number}"), *health);
            let environments: Vec<EnvironmentStatus> = all.iter().enumerate().map(named).collect();
            let (code, said) = verdict(&environments);
            assert_eq!((code, said.as_deref()), (exit, truth), "{all:?}");
        }
    }
}
