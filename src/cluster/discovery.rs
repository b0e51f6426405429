//! What the server serves (aggregated discovery, apidiscovery.k8s.io/v2: two requests for everything).

use serde_json::Value;

use super::{
    connect::Cluster,
    error::{ClusterError, Reason},
    request::Call,
};
use crate::model::{ObjectId, Resource};

/// How the server knows a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    /// In the version asked for.
    As(Resource),
    /// In other versions only (`apps/v1`), the preferred one first; possibly in another group of the same kind.
    Otherwise(Vec<String>),
    Nowhere,
}

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

impl Cluster {
    /// What is served of kinds that are not built in, in the order asked for. Two requests for all of them.
    pub(crate) async fn serves(&self, kinds: &[Resource]) -> Result<Vec<Served>, ClusterError> {
        let lists = self.discovery().await?;
        let known = self.known(&lists)?;
        let apart = lists.iter().flat_map(|list| resources(list, has_status)).filter(|known| kinds.contains(known));
        self.with_status().extend(apart);
        Ok(kinds.iter().map(|asked| find(&known, &asked.group, &asked.version, &asked.kind)).collect())
    }

    /// The documents of the core group and of all others.
    pub(super) async fn discovery(&self) -> Result<[Value; 2], ClusterError> {
        let call = |path: &str| Call { accept: AGGREGATED, ..Call::get(path) };
        let (core, groups) = (call("/api"), call("/apis"));
        let (core, groups) = futures::try_join!(self.ask(&core), self.ask(&groups))?;
        Ok([core, groups])
    }

    async fn discover(&self) -> Result<Vec<Resource>, ClusterError> {
        self.known(&self.discovery().await?)
    }

    fn known(&self, lists: &[Value]) -> Result<Vec<Resource>, ClusterError> {
        let known: Vec<_> = lists.iter().flat_map(|list| resources(list, |_| true)).collect();
        if known.is_empty() {
            return Err(ClusterError::Nonsense {
                server: self.connection().server.clone(),
                why: "no aggregated discovery; Kubernetes 1.26 or newer is needed".to_owned(),
            });
        }
        Ok(known)
    }

    /// The same error, unless it says that there is no such kind: then the one with the versions that are served.
    pub(super) async fn or_not_served(
        &self,
        error: ClusterError,
        resource: &Resource,
        object: Option<&ObjectId>,
    ) -> ClusterError {
        if error.reason() != Some(Reason::NotServed) {
            return error;
        }
        let served = match self.discover().await {
            Ok(known) => match find(&known, &resource.group, &resource.version, &resource.kind) {
                Served::Otherwise(versions) => versions,
                Served::As(_) | Served::Nowhere => Vec::new(),
            },
            Err(error) => return error,
        };
        ClusterError::NotServed {
            object: object.cloned().map(Box::new),
            api_version: resource.api_version(),
            kind: resource.kind.clone(),
            served,
        }
    }
}

/// True where the status is written apart from the rest.
fn has_status(resource: &Value) -> bool {
    resource["subresources"].as_array().into_iter().flatten().any(|part| part["subresource"] == "status")
}

/// The resources of an APIGroupDiscoveryList that are asked for, in the server's order of preference.
fn resources(list: &Value, wanted: fn(&Value) -> bool) -> Vec<Resource> {
    let mut found = Vec::new();
    for group in list["items"].as_array().into_iter().flatten() {
        let name = group.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        for version in group["versions"].as_array().into_iter().flatten() {
            for resource in version["resources"].as_array().into_iter().flatten().filter(|one| wanted(one)) {
                let text = |pointer| resource.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
                found.push(Resource {
                    group: name.to_owned(),
                    version: version["version"].as_str().unwrap_or_default().to_owned(),
                    kind: text("/responseKind/kind"),
                    plural: text("/resource"),
                    namespaced: resource["scope"] == "Namespaced",
                });
            }
        }
    }
    found
}

fn find(known: &[Resource], group: &str, version: &str, kind: &str) -> Served {
    let of_kind = || known.iter().filter(|one| one.kind == kind);
    if let Some(found) = of_kind().find(|one| one.group == group && one.version == version) {
        return Served::As(found.clone());
    }
    let mut versions: Vec<_> = of_kind().filter(|one| one.group == group).map(Resource::api_version).collect();
    if versions.is_empty() {
        // kinds move between groups: Deployment and Ingress left `extensions`
        versions = of_kind().filter(|one| one.kind != "Event").map(Resource::api_version).collect();
    }
    if versions.is_empty() { Served::Nowhere } else { Served::Otherwise(versions) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_are_found_where_they_moved_to() {
        let list = json!({"items": [
            {"metadata": {}, "versions": [{"version": "v1", "resources": [
                {"resource": "pods", "responseKind": {"kind": "Pod"}, "scope": "Namespaced"}]}]},
            {"metadata": {"name": "apps"}, "versions": [{"version": "v1", "resources": [
                {"resource": "deployments", "responseKind": {"kind": "Deployment"}, "scope": "Namespaced"}]}]},
            {"metadata": {"name": "example.com"}, "versions": [
                {"version": "v2", "resources": [{"resource": "gadgets", "responseKind": {"kind": "Gadget"}, "scope": "Cluster"}]},
                {"version": "v1", "resources": [{"resource": "gadgets", "responseKind": {"kind": "Gadget"}, "scope": "Cluster"}]}]},
        ]});
        let known = resources(&list, |_| true);
        let rows = [
            (("", "v1", "Pod"), Served::As(known[0].clone())),
            (("extensions", "v1beta1", "Deployment"), Served::Otherwise(vec!["apps/v1".to_owned()])),
            (
                ("example.com", "v1beta1", "Gadget"),
                Served::Otherwise(vec!["example.com/v2".to_owned(), "example.com/v1".to_owned()]),
            ),
            (("example.com", "v1", "Widget"), Served::Nowhere),
        ];
        for ((group, version, kind), served) in rows {
            assert_eq!(find(&known, group, version, kind), served);
        }
        assert!(!known[2].namespaced && known[0].namespaced);
    }
}
