//! The clusters of an app, each once, with the environments that are there.

use super::{Context, checkout::Checkout};
use crate::{
    cluster::{Cluster, ClusterError},
    plan,
};

/// One cluster, with the environments that are configured to be there.
pub(super) struct Site {
    /// The first environment of this cluster: its connection is theirs.
    environment: String,
    pub(super) context: Option<String>,
    /// Environment and namespace, where that is known.
    pub(super) places: Vec<(String, String)>,
}

/// The clusters of all environments, in the order of the configuration.
pub(super) fn of(context: &Context, checkout: &Checkout) -> Vec<Site> {
    let settings = &checkout.settings;
    let places = plan::environments(settings, &checkout.facts);
    let mut sites: Vec<Site> = Vec::new();
    for environment in plan::environment_names(settings) {
        let at = settings.connection(&environment, &context.variables).context.map(|context| context.value);
        let known = sites.iter().position(|site| site.context == at);
        let number = known.unwrap_or_else(|| {
            sites.push(Site { environment: environment.clone(), context: at, places: Vec::new() });
            sites.len() - 1
        });
        let here = places.iter().filter(|(name, _)| *name == environment);
        sites[number].places.extend(here.cloned());
    }
    sites
}

impl Site {
    pub(super) async fn connect(&self, context: &Context, checkout: &Checkout) -> Result<Cluster, ClusterError> {
        let options = checkout.settings.connection(&self.environment, &context.variables);
        Cluster::connect(&options, &context.redactor, context.listener.clone()).await
    }
}
