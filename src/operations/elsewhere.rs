//! Configuration that the cluster has and a part of the manifests does not: pods that use it are not to roll for it.

use futures::future::try_join_all;

use super::{application::Application, failure::Failure};
use crate::{cluster::Cluster, kinds, model::Object, render};

/// The app's own ConfigMaps and Secrets that given manifests (`-f`) name and leave out; nothing is asked without `-f`.
pub(super) async fn configuration(application: &Application, cluster: &Cluster) -> Result<Vec<Object>, Failure> {
    if !application.given {
        return Ok(Vec::new());
    }
    let target = &application.target;
    let wanted = render::configuration_elsewhere(&application.manifests, target);
    let found = try_join_all(wanted.into_iter().map(async |id| {
        let Some(kind) = kinds::find(&id.group, &id.kind) else { return Ok(None) };
        let resource = kind.resource();
        let body = cluster.get(&resource, &id).await?;
        Ok::<_, Failure>(body.map(|body| Object { id, resource, body, from: Vec::new() }))
    }))
    .await?;
    let is_ours = |object: &Object| {
        let labels = &object.body["metadata"]["labels"];
        labels["shipway.dev/app"] == target.app.as_str()
            && labels["shipway.dev/env"] == target.environment.value.as_str()
    };
    Ok(found.into_iter().flatten().filter(is_ours).collect())
}
