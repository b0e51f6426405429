//! `unlock`: takes the lock of an app and environment away from the run that holds it.

use super::{
    Context,
    checkout::Checkout,
    clusters,
    failure::{Failure, conclude},
    record,
};
use crate::{
    cluster::{Cluster, Holder},
    model::{Exit, Note, Outcome, Problem, SourceEvent, Target},
};

pub(crate) async fn run(context: &Context) -> Outcome {
    conclude(async |outcome| {
        let checkout = Checkout::read(context)?;
        let target = checkout.target()?;
        clusters::only_one(&checkout, &target.environment.value)?;
        outcome.app = Some(target.app.clone());
        outcome.environment = Some(target.environment.value.clone());
        outcome.namespace = Some(target.namespace.value.clone());
        let options = checkout.settings.connection(&target.environment.value, &context.variables);
        let cluster = Cluster::connect(&options, &context.redactor, context.listener.clone()).await?;
        context.tell(SourceEvent::Connection { connection: cluster.connection().clone() });
        let holder = cluster.lease_holder(&target.namespace.value, &target.app, &target.environment.value).await?;
        if let Some(holder) = holder {
            context.tell(Note::attention("lock", describe(&holder)));
            confirm(context, &checkout, &target)?;
            unlock(context, &cluster, &target, &holder).await?;
        }
        outcome.truth = Some(format!("the lock of {} in {} is free", target.app, target.environment.value));
        Ok(())
    })
    .await
}

/// `held by alice since 2026-11-21 12:01 UTC; 2 runs wait: 1a2b3c4d (bob), ..`
fn describe(holder: &Holder) -> String {
    let since = holder.since.map(|since| since.strftime(" since %Y-%m-%d %H:%M UTC").to_string());
    let waiting: Vec<String> = holder.waiting.iter().map(crate::model::Claim::describe).collect();
    let waiting = if waiting.is_empty() { String::new() } else { format!("; waiting: {}", waiting.join(", ")) };
    format!("held by {}{}{waiting}", holder.by, since.unwrap_or_default())
}

/// A lock is never taken away without a word, whatever the environment, and not by a CI job that nobody asked.
fn confirm(context: &Context, checkout: &Checkout, target: &Target) -> Result<(), Failure> {
    if checkout.settings.yes {
        return Ok(());
    }
    let environment = &target.environment.value;
    let Some(ask) = &context.ask else {
        let text = format!("taking away the lock of {environment} needs a confirmation, and there is nobody to ask");
        return Err(Problem::new("confirmation", Exit::Input, text).hint("add --yes").into());
    };
    let question = "this stops that run where it is";
    if ask.confirm(question, environment) {
        return Ok(());
    }
    Err(Problem::new("confirmation", Exit::Input, "not confirmed: the lock is as it was").into())
}

async fn unlock(context: &Context, cluster: &Cluster, target: &Target, holder: &Holder) -> Result<(), Failure> {
    let Some(seized) = cluster.seize_lease(holder, &record::holder(target)).await? else { return Ok(()) };
    let seconds = seized.length().as_secs();
    context.tell(Note::new(
        "lock",
        format!(
            "taken from {}: it ends with exit 8 and writes nothing more, {seconds} s from now at the latest; what it \
             has applied goes on in the cluster",
            holder.by
        ),
    ));
    Ok(cluster.free_seized(seized, &context.stop).await?)
}
