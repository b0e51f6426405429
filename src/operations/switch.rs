//! `switch`: traffic moves to the colour of the newest proven release, once its pods are ready for it.

use std::{collections::BTreeMap, pin::pin};

use futures::{StreamExt as _, future::try_join};
use tokio::time::{Duration, Instant, timeout_at};

use super::{
    Context,
    application::Application,
    clusters, consent,
    failure::{Failure, conclude, interrupted},
    observe, prepare, record,
};
use crate::{
    cluster::Cluster,
    kinds,
    model::{BlueGreen, Exit, Outcome, Problem, Record, SwitchEvent, Traffic},
    plan::{self, Decision, PlanError, Wish},
    rollout,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) color: Option<String>,
    pub(crate) back: bool,
}

pub(crate) async fn run(context: &Context, options: Options) -> Outcome {
    conclude(async |outcome| {
        let application = Application::read(context, &[])?;
        colors(&application)?;
        clusters::each(context, application, outcome, async |context, application, outcome, leads| {
            let cluster = application.connect(context).await?;
            if leads {
                application.announce(context, outcome);
                consent::confirm(context, application)?;
            }
            switch(context, application, &cluster, &options, outcome).await
        })
        .await
    })
    .await
}

/// The app's colours.
///
/// # Errors
/// It has none.
pub(super) fn colors(application: &Application) -> Result<&BlueGreen, Failure> {
    application.checkout.settings.blue_green.as_ref().ok_or_else(|| {
        let hint = "write `blue_green: {service: NAME}` into shipway.yaml, with the Service that carries the traffic";
        Problem::new("no-colours", Exit::Input, "this app has no colours to switch between").hint(hint).into()
    })
}

pub(super) async fn switch(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    options: &Options,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let blue_green = colors(application)?;
    let lease = record::take_lease(context, application, cluster).await?;
    let cluster = lease.guard(cluster);
    let switch = Switch { context, application, cluster: &cluster, blue_green };
    let ended = switch.under_lock(options, outcome).await;
    record::let_go(lease, ended).await
}

/// A switch that holds the lock.
struct Switch<'s> {
    context: &'s Context,
    application: &'s Application,
    cluster: &'s Cluster,
    blue_green: &'s BlueGreen,
}

/// How long the endpoints may take to follow the selector; a healthy cluster takes well under a second.
const ENDPOINTS_WAIT: Duration = Duration::from_secs(60);

impl Switch<'_> {
    async fn under_lock(&self, options: &Options, outcome: &mut Outcome) -> Result<(), Failure> {
        let target = &self.application.target;
        let (traffic, history) = try_join(self.traffic(), prepare::history(self.application, self.cluster)).await?;
        let records: Vec<Record> = history.records.into_iter().rev().collect();
        let observed = observe::colors(self.application, self.cluster, self.blue_green).await?;
        let wish = match (&options.color, options.back) {
            (Some(color), _) => Wish::Color(color.clone()),
            (None, true) => Wish::Back,
            (None, false) => Wish::Newest,
        };
        let readiness = |color: &str| observed.readiness(&self.future(&traffic, color));
        match plan::switch(&traffic, self.blue_green, &records, &wish, readiness) {
            Decision::Refuse(PlanError::NotReady { color, ready, wanted }) => {
                let refused = PlanError::NotReady { color: color.clone(), ready, wanted };
                Err(observed.explain(refused.into(), &self.future(&traffic, &color)).into())
            }
            Decision::Refuse(error) => Err(error.into()),
            Decision::Nothing { color, why } => {
                outcome.truth = Some(format!("{color} serves {}", target.environment.value));
                self.context.tell(SwitchEvent::Unneeded { service: traffic.service, color, why });
                Ok(())
            }
            Decision::Move { from, to } => {
                self.context.tell(SwitchEvent::Planned {
                    service: traffic.service.clone(),
                    from: from.unwrap_or_else(|| "nothing".to_owned()),
                    to: to.clone(),
                    colors: observed.colors(&traffic, &records),
                });
                self.context.tell(SwitchEvent::Checked { color: to.clone(), ready: readiness(&to).ready });
                self.move_to(&traffic, &to, outcome).await
            }
        }
    }

    /// The selector as it will be.
    fn future(&self, traffic: &Traffic, color: &str) -> BTreeMap<String, String> {
        let mut selector = traffic.selector.clone();
        selector.insert(self.blue_green.label.clone(), color.to_owned());
        selector
    }

    async fn traffic(&self) -> Result<Traffic, Failure> {
        let namespace = &self.application.target.namespace.value;
        let found = self.cluster.traffic(namespace, self.blue_green).await?;
        found.ok_or_else(|| {
            let service = &self.blue_green.service;
            Problem::new("nothing-deployed", Exit::Input, format!("service/{service} is not in namespace {namespace}"))
                .hint("`shipway deploy` makes it")
                .into()
        })
    }

    async fn move_to(&self, traffic: &Traffic, to: &str, outcome: &mut Outcome) -> Result<(), Failure> {
        if self.context.stop.is_set() {
            return Err(interrupted("before the switch; traffic is as it was").into());
        }
        self.cluster.move_traffic(traffic, &self.blue_green.label, to).await?;
        self.context.tell(SwitchEvent::Selector { service: traffic.service.clone(), color: to.to_owned() });
        outcome.truth = Some(format!("the selector holds {to}, the endpoints were not seen to follow"));
        self.await_endpoints(traffic, &self.future(traffic, to)).await?;
        outcome.truth = Some(format!("{to} serves · back: shipway switch --back"));
        Ok(())
    }

    /// Watches the EndpointSlices until only ready pods of the new colour take traffic.
    async fn await_endpoints(&self, traffic: &Traffic, selector: &BTreeMap<String, String>) -> Result<(), Failure> {
        let started = Instant::now();
        let selections = observe::traffic_selections(self.application, &traffic.service.name);
        let cluster = self.cluster.seeing_within(ENDPOINTS_WAIT);
        let mut seen = pin!(cluster.watch(selections, kinds::slim, &self.context.stop));
        let mut pool = observe::Pool::default();
        loop {
            let event = timeout_at(started + ENDPOINTS_WAIT, seen.next()).await;
            let Ok(Some(event)) = event else { break };
            pool.take(event?);
            let Some((slices, pods)) = pool.both("EndpointSlice", "Pod") else { continue };
            let endpoints = rollout::endpoints(&slices, &pods, selector);
            if endpoints.new > 0 && endpoints.old == 0 {
                self.context.tell(SwitchEvent::Endpoints {
                    new: endpoints.new,
                    old: endpoints.old,
                    seconds: started.elapsed().as_secs_f64(),
                });
                return Ok(());
            }
        }
        if self.context.stop.is_set() {
            return Err(interrupted("after the selector was changed; the endpoints follow by themselves").into());
        }
        let seconds = ENDPOINTS_WAIT.as_secs();
        let text = format!("the selector was changed, but the endpoints did not follow within {seconds} s");
        Err(Problem::new("endpoints-late", Exit::TimedOut, text)
            .about(traffic.service.clone())
            .hint("`shipway status` shows what serves; `shipway switch --back` returns")
            .into())
    }
}
