//! The clusters of an app, each once, with the environments that are there.

use super::{Context, checkout::Checkout};
use crate::{
    cluster::{Cluster, ClusterError},
    model::{ConnectionOptions, Sourced},
    plan,
};

/// One cluster, with the environments that are configured to be there.
pub(super) struct Site {
    /// The first environment of this cluster: its connection is theirs.
    environment: String,
    context: Option<Sourced<String>>,
    /// Environment and namespace, where that is known.
    pub(super) places: Vec<(String, String)>,
}

/// The clusters of all environments, in the order of the configuration.
pub(super) fn of(context: &Context, checkout: &Checkout) -> Vec<Site> {
    let settings = &checkout.settings;
    let places = plan::environments(settings, &checkout.facts);
    let mut sites: Vec<Site> = Vec::new();
    for environment in plan::environment_names(settings) {
        let connection = settings.connection(&environment, &context.variables);
        let several: Vec<_> = settings.contexts(&environment).into_iter().map(Some).collect();
        let contexts = if several.is_empty() { vec![connection.context] } else { several };
        for at in contexts {
            let known = sites.iter().position(|site| site.is_at(&at));
            let number = known.unwrap_or_else(|| {
                sites.push(Site { environment: environment.clone(), context: at, places: Vec::new() });
                sites.len() - 1
            });
            let here = places.iter().filter(|(name, _)| *name == environment);
            sites[number].places.extend(here.cloned());
        }
    }
    sites
}

impl Site {
    pub(super) fn context(&self) -> Option<&str> {
        self.context.as_ref().map(|context| context.value.as_str())
    }

    fn is_at(&self, context: &Option<Sourced<String>>) -> bool {
        self.context() == context.as_ref().map(|context| context.value.as_str())
    }

    pub(super) async fn connect(&self, context: &Context, checkout: &Checkout) -> Result<Cluster, ClusterError> {
        let options = checkout.settings.connection(&self.environment, &context.variables);
        let options = ConnectionOptions { context: self.context.clone(), ..options };
        Cluster::connect(&options, &context.redactor, context.listener.clone()).await
    }
}
