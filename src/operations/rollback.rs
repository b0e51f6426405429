//! `rollback`: an earlier release is applied again, out of its record, and proven as a deploy is; by hand, or where a
//! deploy has failed and the configuration asks for it.

use std::sync::OnceLock;

use tokio::time::{Duration, Instant};

use super::{
    Context,
    application::Application,
    clusters, consent,
    delivery::Delivery,
    failure::{Failure, conclude},
    namespace,
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
        let application = Application::without_manifests(context)?;
        // what the first cluster goes back to is what all go back to
        let chosen = OnceLock::new();
        clusters::each(context, application, outcome, async |context, application, outcome, leads| {
            let started = Instant::now();
            let cluster = application.connect(context).await?;
            let history = prepare::history(application, &cluster).await?;
            let source = match chosen.get() {
                None => plan::choose(&history.records, options.revision)?.clone(),
                Some(leading) => plan::counterpart(&history.records, leading)?.clone(),
            };
            let newest = history.records.last();
            if !leads && newest.is_some_and(|newest| newest.revision == source.revision) {
                outcome.truth = Some(format!("{} runs already", named(&source)));
                return Ok(());
            }
            application.take_up(&source);
            if leads {
                let _ = chosen.set(source.clone());
                application.announce(context, outcome);
            }
            context.tell(Note::attention("rollback", format!("goes back to {}", named(&source))));
            outcome.images = source.images.iter().map(PodsOnImage::none).collect();
            let registry = application.registry(context);
            if leads {
                recorded::ask_for_images(context, application, &registry, &source).await?;
                consent::confirm(context, application)?;
            }
            let back = Back { source, newest: newest.map(|record| record.revision), options, started };
            back.go(&Delivery { context, application, cluster: &cluster, registry: &registry }, outcome).await
        })
        .await
    })
    .await
}

/// A rollback whose release is chosen.
struct Back {
    source: Record,
    newest: Option<u64>,
    options: Options,
    started: Instant,
}

impl Back {
    /// Under the lock, which is taken here.
    async fn go(&self, delivery: &Delivery<'_>, outcome: &mut Outcome) -> Result<(), Failure> {
        let Delivery { context, application, cluster, .. } = *delivery;
        let lease = record::take_lease(context, application, cluster).await?;
        let rules = application.checkout.settings.rules();
        let patience = Duration::from_secs_f64(rules.timeout);
        let deadline = self.started + Duration::from_secs_f64(rules.max_time);
        let cluster = lease.guard(&cluster.with_patience(patience, &context.stop).until(deadline));
        let delivery = Delivery { cluster: &cluster, ..*delivery };
        let ended = async {
            let mut prepared =
                recorded::prepare(context, application, &cluster, &self.source, self.options.hooks).await?;
            self.unchanged_since(&prepared)?;
            namespace::renew(application, &cluster, &prepared.history).await?;
            let addresses = delivery.carry_out(&mut prepared, outcome).await?;
            outcome.truth = Some(truth(&prepared.release, &self.source, self.started, &addresses));
            Ok(())
        };
        let ended = ended.await;
        record::let_go(lease, ended).await
    }

    /// What was chosen before the lock was taken holds under it: nobody has deployed in between, or the revision was named.
    fn unchanged_since(&self, prepared: &Prepared) -> Result<(), Failure> {
        let records = &prepared.history.records;
        let is_there = records.iter().any(|record| record.revision == self.source.revision);
        let is_same = records.last().map(|record| record.revision) == self.newest;
        if is_there && (self.options.revision.is_some() || is_same) {
            return Ok(());
        }
        let text = "somebody else has deployed meanwhile";
        Err(Problem::new("changed-meanwhile", Exit::Cluster, text)
            .hint("`shipway history`, then the same again")
            .into())
    }
}

/// `revision 7 (master-3f36e234)`
fn named(record: &Record) -> String {
    format!("revision {} ({})", record.revision, record.tag)
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
        let mut prepared = recorded::prepare(context, application, &cluster, good, false).await?;
        delivery.carry_out(&mut prepared, &mut again).await.map_err(Failure::from)
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
