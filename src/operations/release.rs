//! `release`: build, push and deploy in one run, and with `--switch` the switch too.

use super::{
    Context,
    application::Application,
    build, clusters, consent, deploy,
    failure::{Failure, conclude, interrupted},
    faults, push, switch,
};
use crate::model::Outcome;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub(crate) switch: bool,
}

pub(crate) async fn run(context: &Context, options: Options) -> Outcome {
    conclude(async |outcome| {
        let application = faults::read(context, &[]).await?;
        if options.switch {
            switch::colors(&application)?;
        }
        clusters::each(context, application, outcome, async |context, application, outcome, leads| {
            let cluster = application.connect(context).await?;
            if leads {
                application.announce(context, outcome);
                consent::confirm(context, application)?;
                // a cluster that does not answer is told before a build that takes minutes
                cluster.version().await?;
            }
            application.learn_kinds(&cluster).await?;
            if leads {
                publish(context, application).await?;
            }
            deploy::deploy(context, application, &cluster, None, outcome).await?;
            if options.switch {
                switch::switch(context, application, &cluster, &switch::Options::default(), outcome).await?;
            }
            Ok(())
        })
        .await
    })
    .await
}

/// Builds and pushes, once for all clusters.
async fn publish(context: &Context, application: &Application) -> Result<(), Failure> {
    build::build(context, application).await?;
    if context.stop.is_set() {
        return Err(interrupted("after the build; nothing was pushed").into());
    }
    push::push(context, application).await?;
    if context.stop.is_set() {
        return Err(interrupted("after the push; the cluster is as it was").into());
    }
    Ok(())
}
