//! What the cluster has of what is to be deployed, in as few requests as that takes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use base64::Engine as _;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use super::{
    connect::Cluster,
    error::{ClusterError, Reason},
    listing::{Form, WHOLE},
    proof::{applied, is_untouched},
    record::without_records,
    request::{Call, JSON, object_path},
};
use crate::model::{
    Applied, Definition, Live, MANAGER, ObjectId, Redactor, Rendered, Resource, Selection, Slim, is_our_apply, is_ours,
    our_template, shrink_to_fit,
};

/// Requests in flight at once.
pub(super) const PARALLEL: usize = 32;
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What the cluster is asked about a release.
#[derive(Clone, Copy)]
pub(crate) struct Survey<'s> {
    pub objects: &'s [Rendered],
    /// What the last deploy wrote, as far as that may be trusted.
    pub known: &'s HashMap<&'s ObjectId, &'s Arc<Applied>>,
    /// True for what has to be read in full even where nobody touched it.
    pub reads: fn(&ObjectId) -> bool,
    /// Leaves of it only what is looked at.
    pub slim: Slim,
}

/// What the cluster has of a release, in the order of its objects.
#[derive(Debug)]
pub(crate) struct Surveyed {
    /// `body` is none where it is not there. Of what is proven untouched it is no more than `metadata.uid`, unless it had
    /// to be read in full.
    pub live: Vec<Live>,
    /// What the server would answer to the apply of an object that nobody has touched since the last deploy.
    pub proven: Vec<Option<Arc<Applied>>>,
    /// True where the kind is not served yet: this very release defines it.
    pub undefined: Vec<bool>,
}

/// The objects of one resource in one namespace, by their place in what was asked for.
struct Group<'o> {
    resource: &'o Resource,
    namespace: Option<&'o str>,
    /// By name.
    wanted: HashMap<&'o str, usize>,
}

/// An object that was asked for.
struct Found {
    position: usize,
    body: Value,
    proven: Option<Arc<Applied>>,
}

/// Nothing but metadata, which is all that a proof takes.
const METADATA_LIST: Form =
    Form { page: 10_000, accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" };
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// A list is read by larger pages where more of it is wanted, but not by endless ones.
const LARGEST_PAGE: usize = 2_000;
/// So many objects are read one by one rather than with all of their kind.
const FEW: usize = 4;

impl Cluster {
    /// What is there of a release: one request for each kind and namespace, and for each object that metadata alone do
    /// not prove to be as it was written.
    ///
    /// A single object of a kind is read by GET, more by LIST, unless the list is longer than that is worth. The
    /// annotation with the last applied configuration is masked: of a Secret it holds the values in plain text.
    ///
    /// # Errors
    /// [`ClusterError::NotServed`] with the versions that are served, for kinds that no object of the release defines.
    pub(crate) async fn survey(&self, survey: Survey<'_>) -> Result<Surveyed, ClusterError> {
        let objects = survey.objects;
        let found: Vec<(Group<'_>, Option<Vec<Found>>)> = futures::stream::iter(groups(objects))
            .map(|group| async move {
                match self.survey_group(&group, survey).await {
                    Err(ClusterError::NotServed { .. }) if is_defined_by(objects, group.resource) => Ok((group, None)),
                    found => found.map(|found| (group, Some(found))),
                }
            })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        let absent = |object: &Rendered| Live { id: object.id.clone(), resource: object.resource.clone(), body: None };
        let mut surveyed = Surveyed {
            live: objects.iter().map(absent).collect(),
            proven: vec![None; objects.len()],
            undefined: vec![false; objects.len()],
        };
        for (group, found) in found {
            if found.is_none() {
                group.wanted.values().for_each(|position| surveyed.undefined[*position] = true);
            }
            for Found { position, body, proven } in found.into_iter().flatten() {
                surveyed.live[position].body = Some(body);
                surveyed.proven[position] = proven;
            }
        }
        Ok(surveyed)
    }

    /// One object, none where it is not there; the last applied configuration is masked.
    pub(crate) async fn get(&self, resource: &Resource, id: &ObjectId) -> Result<Option<Value>, ClusterError> {
        let mut found = self.get_as(resource, id, JSON).await?;
        if let Some(body) = &mut found {
            clean(body, &self.inner.redactor);
        }
        Ok(found)
    }

    async fn get_as(
        &self,
        resource: &Resource,
        id: &ObjectId,
        accept: &'static str,
    ) -> Result<Option<Value>, ClusterError> {
        let call = Call { accept, ..Call::get(object_path(resource, id, &[])).about(id) };
        match self.ask_if_there(&call).await {
            Ok(found) => Ok(found),
            Err(error) => Err(self.or_not_served(error, resource, Some(id)).await),
        }
    }

    /// All objects of a selection, with `apiVersion` and `kind`, which lists leave out.
    pub(crate) async fn list(&self, selection: &Selection) -> Result<Vec<Value>, ClusterError> {
        let keep = |mut object| {
            mask_last_applied(&mut object);
            shrink_to_fit(&mut object);
            Some(object)
        };
        Ok(self.list_kept(selection, (WHOLE, usize::MAX), keep).await?.objects)
    }

    /// First by metadata where that may be enough; what they do not prove is read in full.
    async fn survey_group(&self, group: &Group<'_>, survey: Survey<'_>) -> Result<Vec<Found>, ClusterError> {
        if let Some((position, body)) = self.at_hand(group) {
            return Ok(vec![self.weigh(position, body, survey)]);
        }
        let all: Vec<usize> = group.wanted.values().copied().collect();
        if !all.iter().all(|position| survey.may_be_untouched(*position)) {
            return self.read_all(group, &all, survey, false).await;
        }
        let found = self.read_all(group, &all, survey, true).await?;
        let (mut proven, rest): (Vec<Found>, Vec<Found>) = found.into_iter().partition(|found| found.proven.is_some());
        let rest: Vec<usize> = rest.into_iter().map(|found| found.position).collect();
        if !rest.is_empty() {
            proven.extend(self.read_all(group, &rest, survey, false).await?);
        }
        Ok(proven)
    }

    /// The Namespace, where it is all that is wanted and was read before.
    fn at_hand(&self, group: &Group<'_>) -> Option<(usize, Value)> {
        let body = self.namespace.as_ref().filter(|_| group.resource.kind == "Namespace" && group.wanted.len() == 1)?;
        let position = group.wanted.get(body["metadata"]["name"].as_str()?)?;
        Some((*position, Value::clone(body)))
    }

    /// Those of the group's objects that are wanted, in full or by their metadata only.
    async fn read_all(
        &self,
        group: &Group<'_>,
        wanted: &[usize],
        survey: Survey<'_>,
        metadata: bool,
    ) -> Result<Vec<Found>, ClusterError> {
        if wanted.len() > 1 && (metadata || wanted.len() == group.wanted.len() || wanted.len() > FEW) {
            let whole = Form { page: (2 * wanted.len()).clamp(WHOLE.page, LARGEST_PAGE), ..WHOLE };
            let form = if metadata { METADATA_LIST } else { whole };
            let selection = selection(group);
            let listed = self.list_kept(&selection, (form, wanted.len()), |body| {
                let name = body.pointer("/metadata/name").and_then(Value::as_str)?;
                let position = group.wanted.get(name)?;
                Some(self.weigh(*position, body, survey))
            });
            match listed.await {
                Ok(listed) if listed.complete => return Ok(listed.objects),
                // too long a list, or a login that may get but not list
                Ok(_) => {}
                Err(error) if error.reason() == Some(Reason::Forbidden) => {}
                Err(error) => return Err(error),
            }
        }
        let accept = if metadata { METADATA } else { JSON };
        futures::stream::iter(wanted)
            .map(|position| async move {
                let found = self.get_as(group.resource, &survey.objects[*position].id, accept).await?;
                Ok(found.map(|body| self.weigh(*position, body, survey)))
            })
            .buffer_unordered(PARALLEL)
            .try_filter_map(|found| async move { Ok(found) })
            .try_collect()
            .await
    }

    /// Weighs an object against what is known of it, and keeps no more of it than is needed.
    fn weigh(&self, position: usize, mut body: Value, survey: Survey<'_>) -> Found {
        let object = &survey.objects[position];
        let recorded = survey.known.get(&object.id).filter(|recorded| is_untouched(recorded, object, &body));
        let proven = recorded.map(|recorded| as_recorded(applied(object, &body), recorded));
        if proven.is_none() || (survey.reads)(&object.id) {
            clean(&mut body, &self.inner.redactor);
            if proven.is_some() {
                (survey.slim)(&object.resource, &mut body);
            }
            shrink_to_fit(&mut body);
        } else {
            body = serde_json::json!({"metadata": {"uid": body["metadata"]["uid"]}});
        }
        Found { position, body, proven }
    }
}

impl Survey<'_> {
    /// True where what is rendered is what was written, and it does not have to be read in any case.
    fn may_be_untouched(&self, position: usize) -> bool {
        let object = &self.objects[position];
        let recorded = self.known.get(&object.id);
        !(self.reads)(&object.id) && recorded.is_some_and(|recorded| recorded.hash == object.hash)
    }
}

fn groups(objects: &[Rendered]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<(&str, &str, &str, Option<&str>), Group<'_>> = BTreeMap::new();
    for (position, object) in objects.iter().enumerate() {
        let (resource, namespace) = (&object.resource, object.id.namespace.as_deref());
        let key = (resource.group.as_str(), resource.version.as_str(), resource.plural.as_str(), namespace);
        let group = groups.entry(key).or_insert_with(|| Group { resource, namespace, wanted: HashMap::new() });
        group.wanted.insert(&object.id.name, position);
    }
    groups.into_values().collect()
}

/// All objects of the group's kind; of Secrets without records, which are large.
fn selection(group: &Group<'_>) -> Selection {
    Selection {
        resource: group.resource.clone(),
        namespace: group.namespace.map(str::to_owned),
        labels: None,
        fields: without_records(group.resource),
    }
}

/// The record's own where nothing differs: of thousands of objects one copy is enough.
fn as_recorded(now: Applied, recorded: &Arc<Applied>) -> Arc<Applied> {
    if now == **recorded { Arc::clone(recorded) } else { Arc::new(now) }
}

/// True where a CustomResourceDefinition among the objects brings this kind.
fn is_defined_by(objects: &[Rendered], resource: &Resource) -> bool {
    let mut definitions = objects.iter().filter_map(|object| Definition::of(&object.id, || object.body()));
    definitions.any(|definition| definition.serves(resource))
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

/// Half of an object's text is about who wrote it: only who wrote into a pod template stays, of others without the fields and of
/// ourselves with nothing but a hash of them.
pub(super) fn thin_managed_fields(body: &mut Value) {
    const TEMPLATE: &str = "/fieldsV1/f:spec/f:template";
    let ours = our_template(body);
    let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let Some(Value::Array(mut entries)) = metadata.shift_remove("managedFields") else { return };
    let of_a_controller = |entry: &Value| entry["manager"] == "kube-controller-manager";
    let is_other = |entry: &Value| entry["manager"].as_str().is_some_and(|manager| !is_ours(manager));
    let stays = |entry: &Value| is_our_apply(entry) || is_other(entry) && !of_a_controller(entry);
    entries.retain(|entry| entry.pointer(TEMPLATE).is_some() && stays(entry));
    for entry in &mut entries {
        match is_our_apply(entry) {
            true => *entry = serde_json::json!({"manager": MANAGER, "operation": "Apply", "fieldsV1": ours}),
            false => entry["fieldsV1"] = serde_json::json!({"f:spec": {"f:template": {}}}),
        }
    }
    if !entries.is_empty() {
        metadata.insert("managedFields".to_owned(), Value::Array(entries));
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
    fn of_who_wrote_an_object_only_a_templates_writers_stay() {
        let entry = |manager: &str, operation: &str, fields: Value| json!({"manager": manager, "operation": operation, "fieldsV1": {"f:spec": fields}});
        let template = json!({"f:template": {"f:spec": {}}});
        let mut body = json!({"metadata": {"managedFields": [
            entry("shipway", "Apply", template.clone()),
            entry("shipway", "Update", template.clone()),
            entry("kubectl-set", "Update", template.clone()),
            entry("kubectl", "Update", json!({"f:replicas": {}})),
            entry("kube-controller-manager", "Update", template),
        ]}});
        let ours = our_template(&body).expect("a hash");
        thin_managed_fields(&mut body);
        assert_eq!(
            body["metadata"]["managedFields"],
            json!([
                {"manager": "shipway", "operation": "Apply", "fieldsV1": ours},
                entry("kubectl-set", "Update", json!({"f:template": {}})),
            ])
        );
        assert_eq!(our_template(&body), Some(ours), "thin or not");
    }

    #[test]
    fn objects_of_a_list_say_what_they_are() {
        let resource = super::super::request::built_in("apps", "v1", "Deployment", "deployments");
        let mut object = json!({"metadata": {"name": "web"}});
        stamp(&mut object, &resource);
        assert_eq!(object, json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}));
    }
}
