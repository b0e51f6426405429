//! `plan`: what a deploy would do, and why there. It writes nothing.

use std::path::PathBuf;

use futures::future::join3;

use super::{
    Context,
    application::Application,
    clusters,
    failure::{Failure, conclude},
    faults, namespace, planned,
    prepare::{self, Base},
    rights,
};
use crate::{
    cluster::Cluster,
    model::{Answer, Exit, Hook, HookPhase, Outcome, Plan, Stage},
    plan::Planned,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) files: Vec<PathBuf>,
    /// Exit 10 where there are changes.
    pub(crate) exit_code: bool,
    /// Where the plan is kept, to be carried out later.
    pub(crate) out: Option<PathBuf>,
}

pub(crate) async fn run(context: &Context, options: Options) -> Outcome {
    conclude(async |outcome| {
        let application = faults::read(context, &options.files).await?;
        application.describe(outcome);
        let several = application.contexts().len() > 1;
        let (asked, problems) = clusters::ask(application, async |application| plan(context, application).await).await;
        if !problems.is_empty() {
            return Err(Failure(problems));
        }
        let (mut plans, parts): (Vec<Plan>, Vec<Planned>) = asked.into_iter().unzip();
        if let Some(file) = &options.out {
            planned::write(context, &parts, file)?;
            outcome.truth = Some(format!("`shipway deploy --plan {}` does this, or refuses", file.display()));
        }
        if options.exit_code && plans.iter().any(Plan::has_changes) {
            outcome.exit = Exit::Changes;
        }
        outcome.answer = match several {
            true => Answer::Plans(plans),
            false => plans.pop().map_or(Answer::Nothing, |plan| Answer::Plan(Box::new(plan))),
        };
        Ok(())
    })
    .await
}

/// What is told of one cluster, and what is kept of it.
async fn plan(context: &Context, mut application: Application) -> Result<(Plan, Planned), Failure> {
    // server and images are the answer's own first lines
    let cluster = application.connect_quietly(context).await?;
    application.learn_kinds(&cluster).await?;
    let planned = ask(context, &application, &cluster).await;
    rights::explain(&application, &cluster, planned).await
}

async fn ask(context: &Context, application: &Application, cluster: &Cluster) -> Result<(Plan, Planned), Failure> {
    let registry = application.registry(context);
    let images = application.find_images(&registry).await?;
    let target = &application.target;
    let mut first = None;
    let rendered = || {
        let (release, own) = prepare::first(application, &images)?;
        first = Some(release);
        Ok(own)
    };
    let (ground, lock, base) = join3(
        namespace::look(application, cluster, rendered),
        cluster.lease_holder(&target.namespace.value, &target.app, &target.environment.value),
        prepare::base(application, cluster),
    )
    .await;
    // what is wrong with the namespace explains the rest
    let (ground, lock, base) = (ground?, lock?, base?);
    let cluster = &cluster.having_read(ground.body());
    let prepared = prepare::prepare(context, application, cluster, images, Base { first, ..base }).await?;
    ground.refuse_others(&prepared.history)?;
    let planned = planned::of(application, cluster, &prepared);
    let plan = Plan {
        target: target.clone(),
        connection: cluster.connection().clone(),
        hooks: prepared.release.objects.iter().filter_map(hook).collect(),
        images: prepared.release.images,
        changes: ground.changes().into_iter().chain(prepared.changes).collect(),
        order: prepared.order,
        lock: lock.map_or_else(|| "free".to_owned(), |holder| holder.by),
        color: prepared.release.color,
        warnings: Vec::new(),
    };
    Ok((plan, planned))
}

fn hook(object: &crate::model::Rendered) -> Option<Hook> {
    let phase = match object.stage {
        Stage::Before => HookPhase::Before,
        Stage::After => HookPhase::After,
        Stage::OnFailure => HookPhase::OnFailure,
        _ => return None,
    };
    Some(Hook { object: object.id.clone(), phase })
}
