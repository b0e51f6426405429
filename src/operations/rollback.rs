//! `rollback`: an earlier release is applied again, out of its record, and proven as a deploy is; by hand, or where a
//! deploy has failed and the configuration asks for it.

use tokio::time::{Duration, Instant};

use super::{
    Context,
    application::Application,
    consent,
    delivery::Delivery,
    failure::{Failure, conclude},
    prepare::{self, Prepared},
    record, recorded,
};
use crate::{
    config::OnFailure,
    model::{Exit, Note, Outcome, PodsOnImage, Problem, Record, RecordState, Release, short_duration},
    plan,
};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// None: what stands before the current release.
    pub(crate) revision: Option<u64>,
    /// Run the release's hooks, too.
    pub(crate) hooks: bool,
}

pub(crate) async fn run(context: &Context, options: Options) -> Outcome {
    conclude(async |outcome| {
        let started = Instant::now();
        let mut application = Application::without_manifests(context)?;
        let cluster = application.connect(context).await?;
        let history = prepare::history(&application, &cluster).await?;
        let newest = history.records.last().map(|record| record.revision);
        let source = plan::choose(&history.records, options.revision)?.clone();
        application.take_up(&source);
        application.announce(context, outcome);
        context.tell(Note::attention("rollback", format!("goes back to {}", named(&source))));
        outcome.images = source.images.iter().map(PodsOnImage::none).collect();
        let registry = application.registry(context);
        recorded::ask_for_images(context, &application, &registry, &source).await?;
        consent::confirm(context, &application)?;
        let lease = record::take_lease(context, &application, &cluster).await?;
        let rules = application.checkout.settings.rules();
        let patience = Duration::from_secs_f64(rules.timeout);
        let deadline = started + Duration::from_secs_f64(rules.max_time);
        let cluster = lease.guard(&cluster.with_patience(patience, &context.stop).until(deadline));
        let delivery = Delivery { context, application: &application, cluster: &cluster, registry: &registry };
        let ended = async {
            let prepared = recorded::prepare(context, &application, &cluster, &source, options.hooks).await?;
            unchanged_since(&prepared, newest, &source, options)?;
            let addresses = delivery.carry_out(&prepared, outcome).await?;
            outcome.truth = Some(truth(&prepared.release, &source, started, &addresses));
            Ok(())
        };
        let ended = ended.await;
        record::let_go(lease, ended).await
    })
    .await
}

/// `revision 7 (master-3f36e234)`
fn named(record: &Record) -> String {
    format!("revision {} ({})", record.revision, record.tag)
}

/// What was chosen before the lock was taken holds under it: nobody has deployed in between, or the revision was named.
fn unchanged_since(prepared: &Prepared, newest: Option<u64>, source: &Record, options: Options) -> Result<(), Failure> {
    let records = &prepared.history.records;
    let is_there = records.iter().any(|record| record.revision == source.revision);
    let is_same = records.last().map(|record| record.revision) == newest;
    if is_there && (options.revision.is_some() || is_same) {
        return Ok(());
    }
    let text = "somebody else has deployed meanwhile";
    Err(Problem::new("changed-meanwhile", Exit::Cluster, text).hint("`shipway history`, then the same again").into())
}

fn truth(release: &Release, source: &Record, started: Instant, addresses: &[String]) -> String {
    let color = release.color.as_ref().map(|color| format!(", {color}")).unwrap_or_default();
    let seconds = short_duration(started.elapsed().as_secs());
    let addresses: String = addresses.iter().map(|address| format!(" · {address}")).collect();
    format!("rolled back to {}{color} in {seconds}{addresses}", named(source))
}

/// After a deploy that failed: what it left in the cluster gives way to the last release that succeeded, where the
/// environment asks for that. The deploy has failed all the same; what is true now is written into the outcome, and
/// what the rollback fails of is added to the problems.
pub(super) async fn put_back(
    delivery: &Delivery<'_>,
    (prepared, failed): (&Prepared, &Record),
    mut failure: Failure,
    outcome: &mut Outcome,
) -> Failure {
    let Delivery { context, application, cluster, .. } = delivery;
    let environment = &application.target.environment.value;
    let good = plan::to_put_back(&prepared.history.records, failed);
    let Some(good) = good.filter(|_| failed.state == RecordState::Failed && !context.stop.is_set()) else {
        return failure;
    };
    if application.checkout.settings.on_failure(environment).value == OnFailure::Hold {
        if let Some(first) = failure.0.first_mut() {
            first.hints.push(format!("`shipway rollback --env {environment}` brings {} back", good.tag));
        }
        return failure;
    }
    context.tell(Note::attention("rollback", format!("the deploy has failed: goes back to {}", named(good))));
    // the deploy's own time may be up
    let all = Duration::from_secs_f64(application.checkout.settings.deploy.max_time.value);
    let cluster = cluster.until(Instant::now() + all);
    let delivery = Delivery { cluster: &cluster, ..*delivery };
    let mut again = Outcome::new(Exit::Done);
    again.images = good.images.iter().map(PodsOnImage::none).collect();
    let done = async {
        let prepared = recorded::prepare(context, application, &cluster, good, false).await?;
        delivery.carry_out(&prepared, &mut again).await.map_err(Failure::from)
    };
    match done.await {
        Ok(_) => {
            let pods: usize = again.images.iter().map(|image| image.pods).sum();
            let proven = if pods == 0 { String::new() } else { format!(": {pods} pods are proven to run it") };
            outcome.truth = Some(format!("rolled back to {}{proven}", named(good)));
        }
        Err(Failure(problems)) => {
            outcome.truth = Some(format!("the rollback to {} failed, too", named(good)));
            failure.0.extend(problems);
        }
    }
    failure
}
