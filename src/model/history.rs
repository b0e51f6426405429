//! What was deployed before.

use serde::Serialize;

use super::{Commit, PullRequestRef, RecordState, Reference};

/// The deploys of an app to an environment that are remembered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeployHistory {
    pub app: String,
    pub environment: String,
    pub namespace: String,
    /// The cluster, where one of several was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The newest first.
    pub deploys: Vec<PastDeploy>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PastDeploy {
    pub revision: u64,
    pub state: RecordState,
    /// True for what was proven last, in an app of two colours of the colour that serves.
    pub current: bool,
    pub at: jiff::Timestamp,
    /// Seconds since then.
    pub age: i64,
    pub commit: Option<Commit>,
    pub branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequestRef>,
    pub tag: String,
    pub images: Vec<Reference>,
    pub color: Option<String>,
    pub by: String,
    /// The revision that it went back to.
    pub source: Option<u64>,
}
