//! What the cluster has of what is to be deployed, in as few requests as that takes.

use std::collections::BTreeMap;

use base64::Engine as _;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use super::{
    connect::Cluster,
    error::{ClusterError, Reason},
    record::without_records,
    request::{Call, object_path, path},
};
use crate::model::{Live, ObjectId, Redactor, Rendered, Resource, Selection};

/// Requests in flight at once.
pub(super) const PARALLEL: usize = 32;
const PAGE: &str = "500";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The objects of one resource in one namespace, by their place in what was asked for.
struct Group<'o> {
    resource: &'o Resource,
    namespace: Option<&'o str>,
    wanted: Vec<(usize, &'o ObjectId)>,
}

impl Cluster {
    /// The live objects, in the order of `objects`; `body` is none where one is not there.
    ///
    /// A single object of a kind is read by GET, more by LIST, unless the list is longer than that is worth. The
    /// annotation with the last applied configuration is masked: of a Secret it holds the values in plain text.
    ///
    /// # Errors
    /// [`ClusterError::NotServed`] with the versions that are served, for kinds that no object of `objects` defines.
    pub(crate) async fn survey(&self, objects: &[Rendered]) -> Result<Vec<Live>, ClusterError> {
        let found: Vec<Vec<(usize, Value)>> = futures::stream::iter(groups(objects))
            .map(|group| async move {
                match self.survey_group(&group).await {
                    Err(ClusterError::NotServed { .. }) if is_defined_by(objects, group.resource) => Ok(Vec::new()),
                    found => found,
                }
            })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        let mut live: Vec<_> = objects
            .iter()
            .map(|object| Live { id: object.id.clone(), resource: object.resource.clone(), body: None })
            .collect();
        for (position, mut body) in found.into_iter().flatten() {
            clean(&mut body, &self.inner.redactor);
            live[position].body = Some(body);
        }
        Ok(live)
    }

    /// One object, none where it is not there; the last applied configuration is masked.
    pub(crate) async fn get(&self, resource: &Resource, id: &ObjectId) -> Result<Option<Value>, ClusterError> {
        let call = Call::get(object_path(resource, id, &[])).about(id);
        let mut found = match self.ask_if_there(&call).await {
            Ok(found) => found,
            Err(error) => return Err(self.or_not_served(error, resource, Some(id)).await),
        };
        if let Some(body) = &mut found {
            clean(body, &self.inner.redactor);
        }
        Ok(found)
    }

    /// All objects of a selection, with `apiVersion` and `kind`, which lists leave out.
    pub(crate) async fn list(&self, selection: &Selection) -> Result<Vec<Value>, ClusterError> {
        let mut objects = self.list_pages(selection, usize::MAX).await?.objects;
        objects.iter_mut().for_each(mask_last_applied);
        Ok(objects)
    }

    async fn survey_group(&self, group: &Group<'_>) -> Result<Vec<(usize, Value)>, ClusterError> {
        if group.wanted.len() > 1 {
            let selection = Selection {
                resource: group.resource.clone(),
                namespace: group.namespace.map(str::to_owned),
                labels: None,
                fields: without_records(group.resource),
            };
            match self.list_pages(&selection, group.wanted.len()).await {
                Ok(listed) if listed.complete => return Ok(pick(listed.objects, &group.wanted)),
                // too long a list, or a login that may get but not list
                Ok(_) => {}
                Err(error) if error.reason() == Some(Reason::Forbidden) => {}
                Err(error) => return Err(error),
            }
        }
        futures::stream::iter(&group.wanted)
            .map(|(position, id)| async move {
                let found = self.get(group.resource, id).await?;
                Ok(found.map(|body| (*position, body)))
            })
            .buffer_unordered(PARALLEL)
            .try_filter_map(|found| async move { Ok(found) })
            .try_collect()
            .await
    }

    /// The whole list, or its first page alone where the pages would be more than `most`.
    pub(super) async fn list_pages(&self, selection: &Selection, most: usize) -> Result<Listed, ClusterError> {
        let mut listed = Listed::default();
        let mut next = String::new();
        loop {
            let answer = self.list_page(selection, &next).await;
            let mut answer = match answer {
                // the history that the next page stands on is gone: from the start again
                Err(error) if error.reason() == Some(Reason::Gone) && !next.is_empty() => {
                    listed = Listed::default();
                    next.clear();
                    continue;
                }
                answer => answer?,
            };
            listed.add(&mut answer, &selection.resource);
            let metadata = &answer["metadata"];
            metadata["resourceVersion"].as_str().unwrap_or_default().clone_into(&mut listed.version);
            metadata["continue"].as_str().unwrap_or_default().clone_into(&mut next);
            let remaining = metadata["remainingItemCount"].as_u64().unwrap_or(0);
            if next.is_empty() || remaining.div_ceil(500) >= most as u64 {
                listed.complete = next.is_empty();
                return Ok(listed);
            }
        }
    }

    async fn list_page(&self, selection: &Selection, next: &str) -> Result<Value, ClusterError> {
        let mut query = vec![("limit", PAGE)];
        query.extend(selection.labels.as_deref().map(|labels| ("labelSelector", labels)));
        query.extend(selection.fields.as_deref().map(|fields| ("fieldSelector", fields)));
        if !next.is_empty() {
            query.push(("continue", next));
        }
        let resource = &selection.resource;
        let call = Call::get(path(resource, selection.namespace.as_deref(), None, &query));
        match self.ask(&call).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.or_not_served(error, resource, None).await),
        }
    }
}

/// Pages put together.
#[derive(Default)]
pub(super) struct Listed {
    pub objects: Vec<Value>,
    /// `metadata.resourceVersion` of the list, to watch from.
    pub version: String,
    pub complete: bool,
}

impl Listed {
    fn add(&mut self, answer: &mut Value, resource: &Resource) {
        if let Some(items) = answer.get_mut("items").and_then(Value::as_array_mut) {
            self.objects.extend(items.drain(..).map(|mut object| {
                stamp(&mut object, resource);
                object
            }));
        }
    }
}

fn groups(objects: &[Rendered]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<(&str, &str, &str, Option<&str>), Group<'_>> = BTreeMap::new();
    for (position, object) in objects.iter().enumerate() {
        let (resource, namespace) = (&object.resource, object.id.namespace.as_deref());
        let key = (resource.group.as_str(), resource.version.as_str(), resource.plural.as_str(), namespace);
        let group = groups.entry(key).or_insert_with(|| Group { resource, namespace, wanted: Vec::new() });
        group.wanted.push((position, &object.id));
    }
    groups.into_values().collect()
}

fn pick(objects: Vec<Value>, wanted: &[(usize, &ObjectId)]) -> Vec<(usize, Value)> {
    let mut named: BTreeMap<String, Value> = objects
        .into_iter()
        .filter_map(|object| Some((object.pointer("/metadata/name")?.as_str()?.to_owned(), object)))
        .collect();
    wanted.iter().filter_map(|(position, id)| Some((*position, named.remove(&id.name)?))).collect()
}

/// True where a CustomResourceDefinition among the objects brings this kind.
pub(super) fn is_defined_by(objects: &[Rendered], resource: &Resource) -> bool {
    objects.iter().filter(|object| object.id.kind == "CustomResourceDefinition").any(|object| {
        let body = object.body();
        let at = |pointer| body.pointer(pointer).and_then(Value::as_str);
        at("/spec/group") == Some(&resource.group) && at("/spec/names/kind") == Some(&resource.kind)
    })
}

/// Puts in what lists and watches leave out.
pub(super) fn stamp(object: &mut Value, resource: &Resource) {
    if let Some(fields) = object.as_object_mut() {
        fields.entry("apiVersion").or_insert_with(|| resource.api_version().into());
        fields.entry("kind").or_insert_with(|| resource.kind.as_str().into());
    }
}

/// Masks what repeats values, and learns the values of a Secret.
fn clean(body: &mut Value, redactor: &Redactor) {
    mask_last_applied(body);
    if body["kind"] == "Secret" {
        learn_values(body, redactor);
    }
}

pub(super) fn mask_last_applied(body: &mut Value) {
    let annotations = body.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    if let Some(text) = annotations.and_then(|annotations| annotations.get_mut(LAST_APPLIED)) {
        *text = "***".into();
    }
}

/// A ServiceAccount's token Secret also holds its namespace and the public certificate authority.
const PUBLIC_KEYS: [&str; 4] = ["namespace", "ca.crt", "tls.crt", "service-ca.crt"];

fn learn_values(secret: &Value, redactor: &Redactor) {
    for (key, value) in secret["data"].as_object().into_iter().flatten() {
        let decoded = value.as_str().and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
        if let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok())
            && !PUBLIC_KEYS.contains(&key.as_str())
        {
            redactor.learn(&text);
            learn_logins(&text, redactor);
        }
    }
}

/// The parts of a registry login (`.dockerconfigjson`), each of which a message may repeat by itself.
fn learn_logins(text: &str, redactor: &Redactor) {
    let Ok(Value::Object(configuration)) = serde_json::from_str(text) else { return };
    let logins = configuration.get("auths").and_then(Value::as_object).unwrap_or(&configuration);
    for (key, secret) in logins.values().filter_map(Value::as_object).flatten() {
        let Some(secret) = secret.as_str() else { continue };
        match key.as_str() {
            "password" | "identitytoken" | "registrytoken" => redactor.learn(secret),
            "auth" => {
                redactor.learn(secret);
                let decoded = base64::engine::general_purpose::STANDARD.decode(secret).ok();
                if let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) {
                    redactor.learn(text.split_once(':').map_or("", |(_, password)| password));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_read_without_a_copy_of_its_values() {
        let redactor = Redactor::default();
        let mut secret = json!({
            "kind": "Secret",
            "metadata": {"annotations": {LAST_APPLIED: "{\"stringData\":{\"a\":\"hunter22\"}}", "other": "stays"}},
            "data": {"a": "aHVudGVyMjI=", "namespace": "ZGVtby1xYQ=="},
        });
        clean(&mut secret, &redactor);
        assert_eq!(secret["metadata"]["annotations"], json!({LAST_APPLIED: "***", "other": "stays"}));
        assert_eq!(redactor.clean("hunter22 aHVudGVyMjI= in demo-qa"), "*** *** in demo-qa");
    }

    #[test]
    fn the_parts_of_a_registry_login_are_learnt() {
        let redactor = Redactor::default();
        let auths =
            json!({"auths": {"registry.example.com": {"username": "robot-1", "auth": "cm9ib3QtMTpodW50ZXIyMg=="}}});
        let encoded = base64::engine::general_purpose::STANDARD.encode(auths.to_string());
        clean(&mut json!({"kind": "Secret", "data": {".dockerconfigjson": encoded}}), &redactor);
        assert_eq!(redactor.clean("robot-1 hunter22 cm9ib3QtMTpodW50ZXIyMg=="), "robot-1 *** ***");
    }

    #[test]
    fn objects_of_a_list_say_what_they_are() {
        let resource = super::super::request::built_in("apps", "v1", "Deployment", "deployments");
        let mut listed = Listed::default();
        listed.add(&mut json!({"items": [{"metadata": {"name": "web"}}]}), &resource);
        assert_eq!(
            listed.objects,
            [json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}})]
        );
    }
}
