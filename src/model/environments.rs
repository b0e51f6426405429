//! The environments of an app, and whatever was made for its branches.

use jiff::Timestamp;
use serde::Serialize;

use super::{Commit, Problem};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Environments {
    pub app: String,
    pub environments: Vec<EnvironmentEntry>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EnvironmentEntry {
    pub environment: String,
    pub namespace: String,
    /// None where the kubeconfig's current one is taken.
    pub context: Option<String>,
    /// Of the last deploy.
    pub branch: Option<String>,
    pub tag: Option<String>,
    pub commit: Option<Commit>,
    /// Seconds since the last deploy.
    pub age: Option<i64>,
    pub by: Option<String>,
    /// The colour that serves.
    pub color: Option<String>,
    /// True where shipway made the namespace.
    pub created: bool,
    pub expires: Option<Timestamp>,
    /// Seconds until then; negative where it has passed.
    pub expires_in: Option<i64>,
    /// True where it is being deleted.
    pub leaving: bool,
    /// Why nothing could be said, where nothing could.
    pub problem: Option<Problem>,
}

impl EnvironmentEntry {
    /// One of which nothing is known yet.
    pub fn new(environment: &str, namespace: &str, context: Option<&str>) -> Self {
        Self {
            environment: environment.to_owned(),
            namespace: namespace.to_owned(),
            context: context.map(str::to_owned),
            branch: None,
            tag: None,
            commit: None,
            age: None,
            by: None,
            color: None,
            created: false,
            expires: None,
            expires_in: None,
            leaving: false,
            problem: None,
        }
    }
}
