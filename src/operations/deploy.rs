//! `deploy`: from a commit whose images are at the registry to pods that are proven to run them.

use std::path::PathBuf;

use futures::future::join;
use tokio::time::{Duration, Instant};

use super::{
    Context,
    application::Application,
    clusters, consent,
    delivery::{Delivery, Unproven},
    failure::{Failure, conclude},
    faults,
    namespace::{self, Ground, Made},
    order, planned,
    prepare::{self, Base},
    record, rights, rollback,
};
use crate::{
    cluster::{Cluster, SeenLease},
    model::{Change, Image, Outcome, PodsOnImage, Release, short_duration},
    plan::Planned,
};

/// What `deploy` is asked for beyond the flags that every verb knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Ready manifests of another renderer; `-` is standard input.
    pub(crate) files: Vec<PathBuf>,
    /// A plan to be carried out as it is.
    pub(crate) plan: Option<PathBuf>,
}

pub(crate) async fn run(context: &Context, options: Options) -> Outcome {
    conclude(async |outcome| {
        let planned = options.plan.as_deref().map(|file| planned::read(context, file)).transpose()?;
        let application = match &planned {
            Some(parts) => planned::application(context, parts, &options.files)?,
            None => faults::read(context, &options.files).await?,
        };
        if let Some(parts) = &planned {
            planned::check(context, &application, parts).await?;
        }
        clusters::each(context, application, outcome, async |context, application, outcome, leads| {
            let cluster = application.connect(context).await?;
            if leads {
                application.announce(context, outcome);
                consent::confirm(context, application)?;
            }
            application.learn_kinds(&cluster).await?;
            let part = planned.as_ref().map(|parts| planned::part(parts, application).clone());
            deploy(context, application, &cluster, part, outcome).await
        })
        .await
    })
    .await
}

/// Deploys, by a plan where there is one, and writes into the outcome what is known at each moment.
pub(super) async fn deploy(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    planned: Option<Planned>,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let ended = attempt(context, application, cluster, planned, outcome).await;
    rights::explain(application, cluster, ended).await
}

async fn attempt(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    planned: Option<Planned>,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let started = Instant::now();
    let registry = application.registry(context);
    let images = match &planned {
        Some(planned) => planned::images(context, application, (planned, &registry)).await?,
        None => application.resolve_images(context, &registry).await?,
    };
    outcome.images = images.iter().map(PodsOnImage::none).collect();
    // what cannot be had is told before anything is made
    let mut first = None;
    let rendered = || match &planned {
        Some(planned) => Ok(planned::namespace(planned)),
        None => {
            let (release, own) = prepare::first(application, &images)?;
            first = Some(release);
            Ok(own)
        }
    };
    let (ground, seen) =
        join(namespace::look(application, cluster, rendered), record::see_lease(application, cluster)).await;
    // what is wrong with the namespace explains the rest
    let (mut ground, seen) = (ground?, seen?);
    let rules = application.checkout.settings.rules();
    let patience = Duration::from_secs_f64(rules.timeout);
    let made = ground.make(context, cluster, patience).await?;
    // in a new namespace there is none
    let seen = if made.id().is_some() { SeenLease::default() } else { seen };
    // once the lock is held, a server that is gone for a while is waited for
    let deadline = started + Duration::from_secs_f64(rules.max_time);
    let patient = cluster.with_patience(patience, &context.stop).until(deadline).having_read(ground.body());
    let read = async || prepare::base(application, &patient).await;
    let (lease, base) = order::take_turn(context, application, cluster, seen, read).await?;
    let cluster = lease.guard(&patient);
    let delivery = Delivery { context, application, cluster: &cluster, registry: &registry };
    let deploy = Deploy { delivery, planned, ground, made, started };
    let ended = deploy.under_lock(images, base.map(|base| Base { first, ..base }), outcome).await;
    order::ended(application, record::let_go(lease, ended).await)
}

/// A deploy that holds the lock.
struct Deploy<'d> {
    delivery: Delivery<'d>,
    planned: Option<Planned>,
    ground: Ground,
    made: Made,
    started: Instant,
}

impl Deploy<'_> {
    async fn under_lock(
        &self,
        images: Vec<Image>,
        base: Result<Base, Failure>,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let Delivery { context, application, cluster, .. } = self.delivery;
        let base = Base { made: self.made.applied().cloned(), ..base? };
        let mut prepared = match &self.planned {
            Some(planned) => planned::prepare(context, application, cluster, (planned, self.made.id()), base).await?,
            None => prepare::prepare(context, application, cluster, images, base).await?,
        };
        for change in prepared.changes.iter_mut().filter(|change| self.made.id() == Some(&change.object)) {
            change.change = Change::Created;
        }
        self.ground.refuse_others(&prepared.history)?;
        self.ground.settle(context, application, cluster).await?;
        let ended = self.delivery.carry_out(&mut prepared, outcome).await;
        outcome.objects.splice(0..0, self.ground.outcomes());
        match ended {
            Ok(addresses) => {
                outcome.truth = Some(self.truth(&prepared.release, &addresses));
                Ok(())
            }
            Err(Unproven { failure, record: Some(record) }) => {
                Err(rollback::put_back(&self.delivery, (&prepared, &record), failure, outcome).await)
            }
            Err(Unproven { failure, record: None }) => Err(failure),
        }
    }

    fn truth(&self, release: &Release, addresses: &[String]) -> String {
        let target = &release.target;
        let color = release.color.as_ref().map(|color| format!(" ({color})")).unwrap_or_default();
        let seconds = short_duration(self.started.elapsed().as_secs());
        let addresses: String = addresses.iter().map(|address| format!(" · {address}")).collect();
        format!("deployed {} to {}{color} in {seconds}{addresses}", target.tag.value, target.environment.value)
    }
}
