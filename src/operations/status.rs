//! `status`: what runs where, by the same judges as a deploy; `-f` judges saved objects, offline.

use std::path::PathBuf;

use futures::future::{join_all, try_join3};
use serde_json::Value;

use super::{
    Context,
    checkout::{Checkout, saved_rules},
    failure::{Failure, conclude},
    observe::{self, Colors, STATUS_KINDS},
};
use crate::{
    cluster::Cluster,
    config::Settings,
    files,
    model::{
        Answer, EnvironmentStatus, Health, Origin, Outcome, Problem, Record, Sourced, Status, TrafficStatus, Verdict,
        WorkloadStatus,
    },
    plan, rollout, yaml,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Objects saved from a cluster; `-` is standard input.
    pub(crate) files: Vec<PathBuf>,
}

pub(crate) async fn run(context: &Context, options: Options) -> Outcome {
    conclude(async |outcome| {
        let status = if options.files.is_empty() { live(context).await? } else { saved(context, &options.files)? };
        outcome.app = status.app.clone();
        outcome.answer = Answer::Status(Box::new(status));
        Ok(())
    })
    .await
}

/// Judges objects that were saved from a cluster. No repository and no cluster is needed.
fn saved(context: &Context, paths: &[PathBuf]) -> Result<Status, Failure> {
    let mut objects: Vec<Value> = Vec::new();
    for path in paths {
        let text = match path.to_str() {
            Some("-") => files::read_stdin()?,
            _ => files::read_text(&context.directory.join(path), &path.display().to_string())?,
        };
        objects.extend(yaml::documents(&text)?.documents.into_iter().map(|document| document.value));
    }
    let workloads = rollout::judge_saved(&objects, &saved_rules(context)?);
    let environment = EnvironmentStatus {
        environment: "saved".to_owned(),
        namespace: workloads.iter().find_map(|workload| workload.object.namespace.clone()).unwrap_or_default(),
        context: None,
        health: health(&workloads),
        tag: None,
        commit: None,
        age: None,
        by: None,
        traffic: None,
        workloads,
        addresses: Vec::new(),
        problem: None,
    };
    Ok(Status { app: None, environments: vec![environment] })
}

/// Asks the cluster of every environment whose namespace is known.
async fn live(context: &Context) -> Result<Status, Failure> {
    let checkout = Checkout::read(context)?;
    let settings = &checkout.settings;
    let places = plan::environments(settings, &checkout.facts);
    let on_clusters = places.into_iter().flat_map(|(environment, namespace)| {
        let several: Vec<_> = settings.contexts(&environment).into_iter().map(|context| Some(context.value)).collect();
        let contexts = if several.is_empty() { vec![None] } else { several };
        contexts.into_iter().map(move |context| (environment.clone(), namespace.clone(), context))
    });
    let asked = on_clusters.map(|place| {
        let checkout = &checkout;
        async move { environment_status(context, checkout, place).await }
    });
    let environments = join_all(asked).await;
    all_known(&environments)?;
    Ok(Status { app: Some(settings.app.value.clone()), environments })
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

async fn environment_status(
    context: &Context,
    checkout: &Checkout,
    (environment, namespace, site): (String, String, Option<String>),
) -> EnvironmentStatus {
    let empty = EnvironmentStatus {
        environment: environment.clone(),
        namespace: namespace.clone(),
        context: site.clone(),
        health: Health::Absent,
        tag: None,
        commit: None,
        age: None,
        by: None,
        traffic: None,
        workloads: Vec::new(),
        addresses: Vec::new(),
        problem: None,
    };
    match read_environment(context, checkout, (&environment, &namespace), site).await {
        Ok(found) => found.into_status(&checkout.settings, empty),
        Err(Failure(problems)) => {
            EnvironmentStatus { health: Health::Unknown, problem: problems.into_iter().next(), ..empty }
        }
    }
}

/// What was read of one environment.
struct Found {
    server: String,
    records: Vec<Record>,
    objects: Vec<Value>,
    traffic: Option<crate::model::Traffic>,
}

async fn read_environment(
    context: &Context,
    checkout: &Checkout,
    (environment, namespace): (&str, &str),
    site: Option<String>,
) -> Result<Found, Failure> {
    let settings = &checkout.settings;
    let mut options = settings.connection(environment, &context.variables);
    if let Some(site) = site {
        options.context = Some(Sourced::new(site, Origin::Rule(format!("environment {environment}"))));
    }
    let cluster = Cluster::connect(&options, &context.redactor, context.listener.clone()).await?;
    let app = &settings.app.value;
    let traffic = async {
        match &settings.blue_green {
            Some(blue_green) => Ok(cluster.traffic(namespace, blue_green).await?),
            None => Ok(None),
        }
    };
    let records = async { Ok(cluster.history(namespace, app, environment).await?.records) };
    let objects = observe::app_objects(&cluster, namespace, app, &STATUS_KINDS);
    let (records, objects, traffic) = try_join3(records, objects, traffic).await?;
    Ok(Found { server: cluster.connection().server.clone(), records, objects, traffic })
}

impl Found {
    fn into_status(self, settings: &Settings, empty: EnvironmentStatus) -> EnvironmentStatus {
        let mut workloads = rollout::judge_saved(&self.objects, &settings.status);
        workloads.retain(|workload| workload.object.kind != "Service" || workload.problem.is_some());
        if workloads.is_empty() && self.records.is_empty() {
            return empty;
        }
        for problem in workloads.iter_mut().filter_map(|workload| workload.problem.as_mut()) {
            // it is this very command
            problem.hints.retain(|hint| !hint.contains("shipway status"));
        }
        let addresses = self.objects.iter().filter_map(|object| observe::address(object, &self.server)).collect();
        let colors = self.colors(settings);
        mark_idle(&mut workloads, &self.objects, settings, &colors);
        let latest = self.records.into_iter().next_back();
        let now = jiff::Timestamp::now();
        EnvironmentStatus {
            health: health(&workloads),
            tag: latest.as_ref().map(|record| record.tag.clone()),
            age: latest.as_ref().map(|record| now.as_second() - record.at.as_second()),
            by: latest.as_ref().map(|record| record.by.clone()),
            commit: latest.and_then(|record| record.commit),
            traffic: colors.into_iter().find(|color| color.serves),
            workloads,
            addresses,
            ..empty
        }
    }

    fn colors(&self, settings: &Settings) -> Vec<TrafficStatus> {
        match (&settings.blue_green, &self.traffic) {
            (Some(blue_green), Some(traffic)) => {
                Colors::of(self.objects.clone(), blue_green).colors(traffic, &self.records)
            }
            _ => Vec::new(),
        }
    }
}

/// The idle colour, where it is ready, is the way back.
fn mark_idle(workloads: &mut [WorkloadStatus], objects: &[Value], settings: &Settings, colors: &[TrafficStatus]) {
    let Some(blue_green) = &settings.blue_green else { return };
    for workload in workloads {
        let object = objects.iter().find(|object| {
            object["kind"] == workload.object.kind.as_str()
                && object["metadata"]["name"] == workload.object.name.as_str()
        });
        let color = object
            .and_then(|object| object.pointer("/spec/template/metadata/labels")?.get(&blue_green.label)?.as_str());
        let idle = colors.iter().any(|entry| Some(entry.color.as_str()) == color && !entry.serves);
        if idle && workload.verdict == Verdict::Ready.word() {
            workload.remark = Some("way back".to_owned());
        }
    }
}

fn health(workloads: &[WorkloadStatus]) -> Health {
    let any = |word: &str| workloads.iter().any(|workload| workload.verdict == word);
    if workloads.is_empty() {
        Health::Absent
    } else if any("failed") || any("gone") {
        Health::Failing
    } else if any("waiting") {
        Health::Progressing
    } else {
        Health::Healthy
    }
}
