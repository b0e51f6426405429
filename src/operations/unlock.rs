//! `unlock`: takes the lock of an app and environment away from the run that holds it.
//!
//! On several clusters each has a lock of its own. All are looked at before one is taken, and they are taken together only
//! from one holder: a run that is under way elsewhere is not stopped along with one that hangs.

use futures::future::join_all;

use super::{
    Context,
    application::Application,
    clusters,
    failure::{self, Failure, conclude},
    record,
};
use crate::{
    cluster::{Cluster, Holder},
    model::{Evidence, Exit, Note, Outcome, Problem, SourceEvent, Target},
};

/// The lock of one cluster.
struct Lock {
    /// None where the environment has but one.
    context: Option<String>,
    cluster: Cluster,
    holder: Option<Holder>,
}

pub(crate) async fn run(context: &Context) -> Outcome {
    conclude(async |outcome| {
        let application = Application::without_manifests(context)?;
        let target = application.target.clone();
        let yes = application.checkout.settings.yes;
        outcome.app = Some(target.app.clone());
        outcome.environment = Some(target.environment.value.clone());
        outcome.namespace = Some(target.namespace.value.clone());
        let several = application.contexts().len() > 1;
        let (locks, problems) =
            clusters::ask(application, async |application| look(context, &application, several).await).await;
        let held: Vec<&Lock> = locks.iter().filter(|lock| lock.holder.is_some()).collect();
        for lock in &held {
            context.tell(Note::attention("lock", lock.describe()));
        }
        may_take(&locks, problems)?;
        if !held.is_empty() {
            confirm(context, yes, &target)?;
            let taken = held.iter().map(async |lock| {
                let taken = lock.take(context, &target).await;
                taken.map_err(|failure| match &lock.context {
                    Some(named) => clusters::told(failure, named),
                    None => failure,
                })
            });
            failure::all(join_all(taken).await)?;
        }
        let everywhere = if several { ", in every cluster" } else { "" };
        outcome.truth = Some(format!("the lock of {} in {} is free{everywhere}", target.app, target.environment.value));
        Ok(())
    })
    .await
}

async fn look(context: &Context, application: &Application, several: bool) -> Result<Lock, Failure> {
    let cluster = application.connect_quietly(context).await?;
    context.tell(SourceEvent::Connection { connection: cluster.connection().clone() });
    let target = &application.target;
    let holder = cluster.lease_holder(&target.namespace.value, &target.app, &target.environment.value).await?;
    let named = application.checkout.settings.context.as_ref().filter(|_| several);
    Ok(Lock { context: named.map(|named| named.value.clone()), cluster, holder })
}

/// Of several locks all are known, and those that are held are one holder's.
///
/// # Errors
/// A cluster that gave no answer, or several holders; then no lock is taken anywhere.
fn may_take(locks: &[Lock], mut problems: Vec<Problem>) -> Result<(), Failure> {
    let held: Vec<(&str, &Holder)> =
        locks.iter().filter_map(|lock| Some((lock.context.as_deref()?, lock.holder.as_ref()?))).collect();
    let one_each = || {
        let flags: Vec<String> = held.iter().map(|(context, _)| format!("`--context {context}`")).collect();
        format!("take them one at a time: {}", flags.join(", "))
    };
    if let Some(first) = problems.first_mut() {
        if !held.is_empty() {
            first.hints.push(one_each());
        }
        return Err(Failure(problems));
    }
    if held.iter().all(|(_, holder)| holder.by == held[0].1.by) {
        return Ok(());
    }
    let text = "the locks are held by different runs, and none was taken";
    let lines = held.iter().map(|(context, holder)| format!("{context}: {}", holder.by));
    Err(Problem::new("several-holders", Exit::Input, text)
        .with(Evidence::new("held by", lines))
        .hint(one_each())
        .into())
}

/// A lock is never taken away without a word, whatever the environment, and not by a CI job that nobody asked.
fn confirm(context: &Context, yes: bool, target: &Target) -> Result<(), Failure> {
    if yes {
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

impl Lock {
    /// `west: `, where there are several.
    fn lead(&self) -> String {
        self.context.as_ref().map(|context| format!("{context}: ")).unwrap_or_default()
    }

    /// `held by alice since 2026-11-21 12:01 UTC; waiting: 1a2b3c4d (bob), ..`
    fn describe(&self) -> String {
        let Some(holder) = &self.holder else { return format!("{}free", self.lead()) };
        let since = holder.since.map(|since| since.strftime(" since %Y-%m-%d %H:%M UTC").to_string());
        let waiting: Vec<String> = holder.waiting.iter().map(crate::model::Claim::describe).collect();
        let waiting = if waiting.is_empty() { String::new() } else { format!("; waiting: {}", waiting.join(", ")) };
        format!("{}held by {}{}{waiting}", self.lead(), holder.by, since.unwrap_or_default())
    }

    async fn take(&self, context: &Context, target: &Target) -> Result<(), Failure> {
        let Some(holder) = &self.holder else { return Ok(()) };
        let Some(seized) = self.cluster.seize_lease(holder, &record::holder(target)).await? else { return Ok(()) };
        let seconds = seized.length().as_secs();
        let text = format!(
            "{}taken from {}: it ends with exit 8 and writes nothing more, {seconds} s from now at the latest; what it \
             has applied goes on in the cluster",
            self.lead(),
            holder.by
        );
        context.tell(Note::new("lock", text));
        Ok(self.cluster.free_seized(seized, &context.stop).await?)
    }
}
