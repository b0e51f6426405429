//! Writing objects: server-side apply, after taking over what people's tools own.

use http::Method;
use kube::core::response::Status;
use serde_json::{Value, json};

use super::{
    connect::Cluster,
    error::{ClusterError, FieldFinding, FieldOwner, Reason},
    owners,
    patience::Tries,
    proof::applied,
    replicas,
    request::{APPLY_PATCH, Call, Failure, JSON, JSON_PATCH, object_path, path},
    schema,
    survey::mask_last_applied,
};
use crate::model::{Applied, FieldPath, Live, MANAGER, ObjectId, Rendered, Resource};

/// What adoption takes from kubectl in any case, and what the server writes again by itself.
const OF_THE_SERVER: [&str; 2] = ["last-applied-configuration", "kubernetes.io/metadata.name"];

/// What a dry run says about an object.
#[derive(Clone, Debug)]
pub(crate) enum Rehearsed {
    Done {
        /// The object as it would be, but still with `leaving`, which a dry run cannot take away.
        body: Value,
        /// Fields of people's tools that the adoption will remove, and that no default brings back.
        leaving: Vec<FieldPath>,
        /// The tools whose fields will go over to shipway.
        adopts: Vec<String>,
    },
    /// Its namespace is not there yet.
    NotYet,
    /// A webhook has side effects and does not take part in dry runs.
    Unsupported { why: String },
}

/// A refused apply that another try may mend, and one that it may not.
enum Refused {
    Conflict(Vec<FieldOwner>),
    Final(Failure),
}

impl Cluster {
    /// A dry run of one object (server-side apply, `dryRun=All`, strict validation); `live` is what is there.
    pub(crate) async fn rehearse(&self, object: &Rendered, live: Option<&Value>) -> Result<Rehearsed, ClusterError> {
        match self.rehearse_one(object, live).await {
            Err(error) if error.reason() == Some(Reason::NamespaceMissing) => Ok(Rehearsed::NotYet),
            done => done,
        }
    }

    async fn rehearse_one(&self, object: &Rendered, live: Option<&Value>) -> Result<Rehearsed, ClusterError> {
        let adoption =
            live.and_then(|live| owners::adoption(live, &object.id, &object.resource.api_version(), &self.adopted));
        let mut body = match self.apply_forced(object, live, "All").await {
            Ok(done) => done,
            Err(Failure::Status(status)) if status.message.contains("does not support dry run") => {
                return Ok(Rehearsed::Unsupported { why: status.message });
            }
            Err(failure) => return Err(self.explain_apply(failure, object).await),
        };
        mask_last_applied(&mut body);
        let (Some(live), Some(adoption)) = (live, adoption) else {
            return Ok(Rehearsed::Done { body, leaving: Vec::new(), adopts: Vec::new() });
        };
        let leaving = owners::leaving(&adoption.fields, &object.body(), live).into_iter().map(FieldPath);
        let leaving = leaving.filter(|path| !OF_THE_SERVER.iter().any(|end| path.to_string().ends_with(end))).collect();
        let leaving = self.without_defaults(leaving, object, live).await;
        Ok(Rehearsed::Done { body, leaving, adopts: adoption.managers })
    }

    /// kubectl owns defaults, too: what a fresh object of this manifest would get again does not leave.
    async fn without_defaults(&self, leaving: Vec<FieldPath>, object: &Rendered, live: &Value) -> Vec<FieldPath> {
        if leaving.is_empty() {
            return leaving;
        }
        let mut fresh = object.body();
        if let Some(metadata) = fresh["metadata"].as_object_mut() {
            metadata.shift_remove("name");
            metadata.shift_remove("resourceVersion");
            metadata.insert("generateName".to_owned(), "shipway-rehearsal-".into());
        }
        let query = [("dryRun", "All"), ("fieldManager", MANAGER)];
        let path = path(&object.resource, object.id.namespace.as_deref(), None, &query);
        let call = Call::write(Method::POST, path, JSON, fresh.to_string()).about(&object.id);
        match self.ask(&call).await {
            Ok(fresh) => leaving.into_iter().filter(|path| path.find(&fresh) != path.find(live)).collect(),
            Err(_) => leaving,
        }
    }

    /// Writes an object. `live` is what was surveyed, none for one that was not there.
    ///
    /// What `kubectl` owns, and any deployer that was named, is adopted first, so that fields the manifest no longer has go. What people have changed by
    /// hand is put right; what controllers and other deployers own is a [`ClusterError::Conflict`]. A manifest with
    /// `metadata.resourceVersion` is only written over that very version, else [`ClusterError::Stale`].
    pub(crate) async fn apply(&self, object: &Rendered, live: Option<&Live>) -> Result<Applied, ClusterError> {
        let before = live.and_then(|live| live.body.as_ref());
        let adopted = match before {
            Some(before) => self.adopt(object, before).await?,
            None => None,
        };
        match self.apply_forced(object, adopted.as_ref().or(before), "").await {
            Ok(body) => Ok(applied(object, &body)),
            Err(failure) => Err(self.explain_apply(failure, object).await),
        }
    }

    /// Writes an object that is not there; answers it as it is then, too.
    pub(crate) async fn make(&self, object: &Rendered) -> Result<(Applied, Value), ClusterError> {
        match self.apply_forced(object, None, "").await {
            Ok(body) => Ok((applied(object, &body), body)),
            Err(failure) => Err(self.explain_apply(failure, object).await),
        }
    }

    /// Gives `kubectl`'s fields to shipway, with the object's own version as the condition; the object as it is then,
    /// none where there was nothing to give.
    async fn adopt(&self, object: &Rendered, before: &Value) -> Result<Option<Value>, ClusterError> {
        let mut live = before.clone();
        for _ in 0..ADOPTION_TRIES {
            let Some(adoption) = owners::adoption(&live, &object.id, &object.resource.api_version(), &self.adopted)
            else {
                break;
            };
            let patch = adoption_patch(&live, &adoption);
            let path = object_path(&object.resource, &object.id, &[("fieldManager", MANAGER)]);
            let mut call = Call::write(Method::PATCH, path, JSON_PATCH, patch.to_string()).about(&object.id);
            // the version is its condition: done twice, it is refused, and then there is nothing to adopt
            call.repeatable = true;
            match self.ask_text(&call).await {
                Ok(text) => return self.parse(&text).map(Some),
                // a status that is written all the time moves the version, too
                Err(Failure::Status(status)) if status.code == 409 || status.code == 422 => {
                    match self.get(&object.resource, &object.id).await? {
                        Some(again) => live = again,
                        None => break,
                    }
                }
                Err(failure) => return Err(self.explain(failure, Some(&object.id))),
            }
        }
        Ok(None)
    }

    /// Server-side apply; taken over by force is only what people own.
    async fn apply_forced(&self, object: &Rendered, live: Option<&Value>, dry_run: &str) -> Result<Value, Failure> {
        match self.apply_once(object, live, dry_run, false).await {
            Ok(body) => Ok(body),
            Err(Refused::Conflict(owners)) if replicas::is_set_meanwhile(&owners, live) => {
                Box::pin(self.apply_forced(&replicas::without_count(object), None, dry_run)).await
            }
            Err(Refused::Conflict(owners)) => {
                let is_ours_to_take = |owner: &FieldOwner| {
                    self.adopted.contains(&owner.manager)
                        || owners::is_taken_over(&owner.manager)
                        || replicas::is_scaled(owner, live)
                };
                let others: Vec<_> = owners.into_iter().filter(|owner| !is_ours_to_take(owner)).collect();
                if !others.is_empty() {
                    let conflict = ClusterError::Conflict { object: Box::new(object.id.clone()), owners: others };
                    return Err(Failure::Error(conflict));
                }
                match self.apply_once(object, live, dry_run, true).await {
                    Ok(body) => Ok(body),
                    Err(Refused::Final(failure)) => Err(failure),
                    Err(Refused::Conflict(owners)) => {
                        Err(Failure::Error(ClusterError::Conflict { object: Box::new(object.id.clone()), owners }))
                    }
                }
            }
            Err(Refused::Final(failure)) => Err(failure),
        }
    }

    async fn apply_once(
        &self,
        object: &Rendered,
        live: Option<&Value>,
        dry_run: &str,
        force: bool,
    ) -> Result<Value, Refused> {
        let mut query = vec![("fieldManager", MANAGER), ("fieldValidation", "Strict")];
        if !dry_run.is_empty() {
            query.push(("dryRun", dry_run));
        }
        if force {
            query.push(("force", "true"));
        }
        let path = object_path(&object.resource, &object.id, &query);
        let call = Call::write(Method::PATCH, path, APPLY_PATCH, object.json.as_str()).about(&object.id);
        match self.ask_text(&call).await {
            Ok(text) => self.parse(&text).map_err(|error| Refused::Final(Failure::Error(error))),
            Err(Failure::Status(status)) if status.code == 409 => Err(conflict(&status, live, &object.id)),
            Err(failure) => Err(Refused::Final(failure)),
        }
    }

    /// The error of a refused apply: the manifest's own faults, all of them, or what the server says.
    async fn explain_apply(&self, failure: Failure, object: &Rendered) -> ClusterError {
        let fields = match &failure {
            Failure::Status(status) if schema::blames_manifest(status.code, &status.message) => {
                self.faults(&status.message, object).await
            }
            _ => Vec::new(),
        };
        if !fields.is_empty() {
            return ClusterError::Manifest { object: Box::new(object.id.clone()), fields };
        }
        let error = self.explain(failure, Some(&object.id));
        self.or_not_served(error, &object.resource, Some(&object.id)).await
    }

    async fn faults(&self, message: &str, object: &Rendered) -> Vec<FieldFinding> {
        let body = object.body();
        let query = [("dryRun", "All"), ("fieldValidation", "Strict"), ("fieldManager", MANAGER)];
        let path = path(&object.resource, object.id.namespace.as_deref(), None, &query);
        let call = Call::write(Method::POST, path, JSON, object.json.as_str());
        let decoded = match self.ask_text(&call).await {
            Err(Failure::Status(status)) => schema::from_decoder(&status.message),
            _ => Vec::new(),
        };
        let mut fields = schema::from_apply(message, &body);
        for finding in decoded {
            let is_known = fields.iter().any(|known| known.path == finding.path || known.text.starts_with("expected"));
            if !is_known {
                fields.push(finding);
            }
        }
        if fields.is_empty() && object.id.kind == "Secret" {
            fields = schema::not_base64(&body);
        }
        if fields.is_empty() {
            // the text may repeat a value, so it is not told
            fields.push(FieldFinding::new(FieldPath::default(), "it does not fit its kind's schema"));
        }
        self.suggest(&object.resource, &mut fields).await;
        fields
    }

    /// Deletes this very object in this very version, in the background; false where it is gone already.
    ///
    /// # Errors
    /// It is another one by now, or was changed: the server's 409.
    pub(crate) async fn delete_exactly(&self, live: &Live) -> Result<bool, ClusterError> {
        let metadata = live.body.as_ref().map_or(&Value::Null, |body| &body["metadata"]);
        let exactly = json!({"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]});
        self.delete_if(&live.resource, &live.id, exactly).await
    }

    /// Deletes this very object, in whatever version, in the background; false where it is gone already.
    ///
    /// # Errors
    /// Another one has its name by now: the server's 409.
    pub(crate) async fn delete_applied(&self, applied: &Applied) -> Result<bool, ClusterError> {
        self.delete_if(&applied.resource, &applied.id, json!({"uid": applied.uid})).await
    }

    /// Deletes one object, in the background; true where it was there.
    pub(super) async fn delete(&self, resource: &Resource, id: &ObjectId) -> Result<bool, ClusterError> {
        self.delete_if(resource, id, json!({})).await
    }

    /// `preconditions` as in `DeleteOptions`: none where it is empty.
    pub(super) async fn delete_if(
        &self,
        resource: &Resource,
        id: &ObjectId,
        preconditions: Value,
    ) -> Result<bool, ClusterError> {
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": preconditions,
        });
        let mut call = Call::write(Method::DELETE, object_path(resource, id, &[]), JSON, options.to_string()).about(id);
        call.repeatable = true;
        let mut tries = Tries::new();
        match self.ask_by(&call, &mut tries).await.map_err(|failure| self.explain(failure, Some(id))) {
            Ok(_) => Ok(true),
            // it is gone: by an earlier try of ours, whose answer was lost
            Err(error) if error.is_missing() => Ok(tries.may_be_done()),
            Err(error) => Err(error),
        }
    }
}

const ADOPTION_TRIES: usize = 5;

/// The annotation goes with the apply that follows, as our own field; a Deployment's generation moves with it.
fn adoption_patch(live: &Value, adoption: &owners::Adoption) -> Value {
    let version = live.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    let mut patch = vec![
        json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version}),
        json!({"op": "replace", "path": "/metadata/managedFields", "value": adoption.managed_fields}),
    ];
    let ours = adoption.fields.pointer("/f:metadata/f:annotations");
    let marks = adoption.managers.iter().any(|manager| manager == HELM).then_some(OF_HELM);
    for name in marks.into_iter().flatten().chain([LAST_APPLIED]) {
        let is_ours = ours.is_some_and(|ours| ours.get(format!("f:{name}")).is_some());
        if !is_ours && live["metadata"]["annotations"].get(name).is_some() {
            let path = format!("/metadata/annotations/{}", name.replace('/', "~1"));
            patch.push(json!({"op": "remove", "path": path}));
        }
    }
    Value::Array(patch)
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const HELM: &str = "helm";
/// By these Helm knows what belongs to a release.
const OF_HELM: [&str; 2] = ["meta.helm.sh/release-name", "meta.helm.sh/release-namespace"];

/// `conflict with "kubectl-edit" using apps/v1` for each field; a 409 without such causes is about the version.
fn conflict(status: &Status, live: Option<&Value>, object: &ObjectId) -> Refused {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let owners: Vec<_> = causes
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| {
            let manager = cause.message.split('"').nth(1).unwrap_or_default();
            let field = cause.field.trim_start_matches('.').to_owned();
            FieldOwner { field, manager: manager.to_owned(), since: owners::since(live, manager) }
        })
        .collect();
    if owners.is_empty() {
        return Refused::Final(Failure::Error(ClusterError::Stale { object: Box::new(object.clone()) }));
    }
    Refused::Conflict(owners)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ObjectId {
        ObjectId { group: "apps".to_owned(), kind: "Deployment".to_owned(), namespace: None, name: "web".to_owned() }
    }

    #[test]
    fn a_conflict_tells_owner_and_time() {
        let status: Status = serde_json::from_value(
            json!({"code": 409, "reason": "Conflict", "message": "Apply failed with 1 conflict",
            "details": {"causes": [{"reason": "FieldManagerConflict", "field": ".spec.replicas",
                "message": "conflict with \"kube-controller-manager\" with subresource \"scale\" using apps/v1"}]}}),
        )
        .unwrap();
        let live = json!({"metadata": {"managedFields": [
            {"manager": "kube-controller-manager", "time": "2026-11-20T19:57:01Z"}]}});
        let Refused::Conflict(owners) = conflict(&status, Some(&live), &id()) else { panic!("no conflict") };
        assert_eq!(owners[0].to_string(), "spec.replicas (kube-controller-manager, since 2026-11-20T19:57:01Z)");
    }

    #[test]
    fn a_conflict_without_owners_is_about_the_version() {
        let status: Status =
            serde_json::from_value(json!({"code": 409, "reason": "Conflict", "details": {"name": "web"},
            "message": "Operation cannot be fulfilled on deployments.apps \"web\": the object has been modified"}))
            .unwrap();
        assert!(matches!(conflict(&status, None, &id()), Refused::Final(Failure::Error(ClusterError::Stale { .. }))));
    }
}
