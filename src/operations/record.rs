//! The lock and the record around a deploy.

use tokio::time::Duration;

use super::{Context, application::Application, failure::Failure, prepare::Prepared};
use crate::{
    cluster::{Cluster, Lease, LeaseRequest},
    model::{Record, RecordState, Target},
};

/// Unrenewed for so long, the lock of a killed run is free again.
const LEASE_EXPIRY: Duration = Duration::from_secs(30);

/// Takes the lock of the app and environment, waiting for another holder at most as long as a rollout may stand still.
pub(super) async fn take_lease(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
) -> Result<Lease, Failure> {
    let target = &application.target;
    let request = LeaseRequest {
        namespace: target.namespace.value.clone(),
        app: target.app.clone(),
        environment: target.environment.value.clone(),
        holder: holder(target),
        wait: Duration::from_secs_f64(application.checkout.settings.deploy.timeout.value),
        expiry: LEASE_EXPIRY,
    };
    Ok(cluster.take_lease(&request, &context.stop).await?)
}

/// Who deploys, for the next one who waits.
pub(super) fn holder(target: &Target) -> String {
    match (&target.run_url, &target.user) {
        (Some(url), _) => format!("ci run {url}"),
        (None, Some(user)) => user.clone(),
        (None, None) => "a terminal".to_owned(),
    }
}

/// Writes the record before the first object, so that a killed run leaves its trace.
pub(super) async fn begin(
    application: &Application,
    cluster: &Cluster,
    prepared: &Prepared,
) -> Result<Record, Failure> {
    let target = &application.target;
    let record = Record {
        revision: prepared.history.next,
        app: target.app.clone(),
        environment: target.environment.value.clone(),
        state: RecordState::Running,
        commit: target.commit.clone(),
        branch: target.branch.as_ref().map(|branch| branch.value.clone()),
        tag: target.tag.value.clone(),
        images: prepared.release.images.clone(),
        color: prepared.release.color.clone(),
        by: holder(target),
        at: jiff::Timestamp::now(),
        applied: Vec::new(),
    };
    cluster.save_record(&target.namespace.value, &record).await?;
    Ok(record)
}
