//! From a decision to a written record: target, release, plan, record.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Commit, Connection, Image, ObjectId, Problem, PullRequestRef, Rendered, Resource, Sourced};

/// Which app goes where, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    pub app: String,
    pub environment: Sourced<String>,
    pub namespace: Sourced<String>,
    pub branch: Option<Sourced<String>>,
    pub git_tag: Option<Sourced<String>>,
    /// None for `-f` outside a repository.
    pub commit: Option<Commit>,
    /// The image tag.
    pub tag: Sourced<String>,
    /// What the CI system runs for, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequestRef>,
    /// The CI run, for the lock and the record.
    pub run_url: Option<String>,
    /// Who started it.
    pub user: Option<String>,
    /// True where a person must agree (production).
    pub confirm: bool,
}

/// What a deploy sends: the one form in which objects go to a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    pub target: Target,
    pub images: Vec<Image>,
    /// In the order of stages, and within a stage in the order of files.
    pub objects: Vec<Rendered>,
    /// The colour that is deployed to, in a blue/green app.
    pub color: Option<String>,
}

/// A Job that runs at a moment of the deploy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    pub object: ObjectId,
    pub phase: HookPhase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookPhase {
    Before,
    After,
    OnFailure,
}

/// An object as the cluster has it; `body` is none where it is not there.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    pub id: ObjectId,
    pub resource: Resource,
    pub body: Option<Value>,
}

/// What happened, or would happen, to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    Created,
    Changed,
    Unchanged,
    Pruned,
    Skipped,
}

impl Change {
    /// As JSON has it, too.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Pruned => "pruned",
            Self::Skipped => "skipped",
        }
    }
}

/// A field's old and new value as short texts, already masked where the kind is confidential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// `containers[web].image`, the pod template's prefix left out
    pub path: String,
    pub before: Option<String>,
    pub after: Option<String>,
    /// `set by hand (kubectl-set, 3 days ago)`
    pub remark: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectChange {
    pub object: ObjectId,
    pub change: Change,
    pub fields: Vec<FieldChange>,
    /// Why it was skipped, or what is special: `not the target's namespace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// What deploy would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    pub target: Target,
    pub connection: Connection,
    pub images: Vec<Image>,
    pub hooks: Vec<Hook>,
    pub changes: Vec<ObjectChange>,
    /// The commit that is deployed now, and how ours stands to it, in words.
    pub order: Option<String>,
    /// `free`, or the holder.
    pub lock: String,
    /// The colour that would be deployed to.
    pub color: Option<String>,
    pub warnings: Vec<Problem>,
}

impl Plan {
    /// True where a deploy would write or delete an object.
    pub fn has_changes(&self) -> bool {
        self.changes.iter().any(|c| matches!(c.change, Change::Created | Change::Changed | Change::Pruned))
    }
}

/// What the server answered to an apply.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Applied {
    pub id: ObjectId,
    pub resource: Resource,
    pub uid: String,
    /// `metadata.generation`; 0 for kinds without one.
    pub generation: i64,
    pub resource_version: String,
    /// SHA-256 of what was rendered.
    pub hash: String,
    /// SHA-256 of our own entry's `fieldsV1` in managedFields, as the server returned it.
    pub ours: Option<String>,
    /// The same of what of it lies in the pod template; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// That entry's `time`.
    pub at: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordState {
    /// Written before the first object; it stays where a run was killed.
    Running,
    Succeeded,
    Failed,
    /// It ended for a newer run of the branch, while it watched.
    Superseded,
}

/// One deploy, kept in the namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Counts from 1 within app and environment.
    pub revision: u64,
    pub app: String,
    pub environment: String,
    pub state: RecordState,
    pub commit: Option<Commit>,
    /// The source branch, where it is a pull request's.
    pub branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequestRef>,
    pub tag: String,
    pub images: Vec<Image>,
    /// The colour it was deployed to.
    pub color: Option<String>,
    /// Who, and from where: `ci run https://..`, `alice`.
    pub by: String,
    pub at: jiff::Timestamp,
    /// Shared with the records before it where an object has stayed as it was, and with what this run knows of it.
    pub applied: Vec<Arc<Applied>>,
    /// The Jobs of this release, also those that ran before and were not run again.
    #[serde(default)]
    pub jobs: Vec<JobRun>,
    /// The uid of the namespace, where shipway made it.
    #[serde(default)]
    pub made_namespace: Option<String>,
    /// True where its manifests came from another renderer: it may be a part of the app only.
    #[serde(default)]
    pub given: bool,
    /// The revision that a rollback went back to.
    #[serde(default)]
    pub source: Option<u64>,
    /// None where its objects were not kept.
    #[serde(default)]
    pub objects: Option<KeptObjects>,
    /// The commits before it, the newest first, each by its first 16 digits: a run whose clone does not have `commit` yet
    /// finds its own among them.
    #[serde(default)]
    pub ancestors: Vec<String>,
}

/// Where the rendered objects of a release are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptObjects {
    /// The revision that they were written with: a set that does not change is kept once.
    pub revision: u64,
    /// How many Secrets of their own they take; 0 where they are in the Secret of the record.
    pub parts: usize,
    /// SHA-256 over all of them.
    pub hash: String,
}

/// A Job cannot be changed, so each release runs one of its own, unless the same has run to its end before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRun {
    /// Its name in the manifests.
    pub job: String,
    /// Its name in the cluster: `migrate-7`.
    pub name: String,
    /// Where it runs; none in a record that does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// SHA-256 of what was rendered, under the name of the manifests.
    pub hash: String,
    /// True once it was seen to complete.
    pub done: bool,
    /// True once it was seen to fail. With neither its end is not known: it may be running.
    #[serde(default)]
    pub failed: bool,
}

impl JobRun {
    /// True where this is its object in the cluster.
    pub(crate) fn is(&self, id: &ObjectId) -> bool {
        let may_lie_there = self.namespace.is_none() || self.namespace == id.namespace;
        id.kind == "Job" && self.name == id.name && may_lie_there
    }
}

/// The Service that is switched, with its selector and what carries traffic now.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    pub service: ObjectId,
    /// The whole selector, as read.
    pub selector: std::collections::BTreeMap<String, String>,
    pub resource_version: String,
    /// The value of the colour label in the selector.
    pub color: Option<String>,
}

#[cfg(test)]
impl Target {
    /// A target that tests change what they need of.
    pub(crate) fn sample(environment: &str) -> Self {
        let sourced = |text: &str| Sourced::new(text.to_owned(), super::Origin::Default);
        Self {
            app: "demo".into(),
            environment: sourced(environment),
            namespace: sourced("demo-cart"),
            branch: None,
            git_tag: None,
            commit: None,
            tag: sourced("t"),
            pull_request: None,
            run_url: None,
            user: None,
            confirm: false,
        }
    }
}

#[cfg(test)]
impl Record {
    /// A record that tests change what they need of.
    pub(crate) fn sample(revision: u64, state: RecordState) -> Self {
        Self {
            revision,
            app: "demo".into(),
            environment: "qa".into(),
            state,
            commit: None,
            branch: None,
            pull_request: None,
            tag: "feature_a-0c2a77d1".into(),
            images: Vec::new(),
            color: None,
            by: "alice".into(),
            at: jiff::Timestamp::UNIX_EPOCH,
            applied: Vec::new(),
            jobs: Vec::new(),
            made_namespace: None,
            given: false,
            source: None,
            objects: None,
            ancestors: Vec::new(),
        }
    }
}

impl Applied {
    /// What is known by its name alone: no apply has answered about it.
    pub fn named(id: ObjectId, resource: Resource) -> Self {
        Self {
            id,
            resource,
            uid: String::new(),
            generation: 0,
            resource_version: String::new(),
            hash: String::new(),
            ours: None,
            template: None,
            at: None,
        }
    }

    /// What an apply answered with this body, or would have for a body that equals what was rendered; without what
    /// managedFields tell.
    pub fn of(object: &Rendered, body: &Value) -> Self {
        let metadata = &body["metadata"];
        let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
        Self {
            uid: text("uid"),
            generation: metadata["generation"].as_i64().unwrap_or_default(),
            resource_version: text("resourceVersion"),
            hash: object.hash.clone(),
            ..Self::named(object.id.clone(), object.resource.clone())
        }
    }
}
