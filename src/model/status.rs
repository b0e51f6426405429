//! What runs where.

use serde::Serialize;

use super::{Commit, ObjectId, Problem, Progress, Reference};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    pub app: Option<String>,
    pub environments: Vec<EnvironmentStatus>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    Healthy,
    /// Rolling out, or waiting for something.
    Progressing,
    Failing,
    /// Nothing is deployed.
    Absent,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EnvironmentStatus {
    pub environment: String,
    pub namespace: String,
    /// The cluster, where the environment is on several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    pub health: Health,
    pub tag: Option<String>,
    pub commit: Option<Commit>,
    /// Seconds since the last deploy.
    pub age: Option<i64>,
    pub by: Option<String>,
    pub traffic: Option<TrafficStatus>,
    pub workloads: Vec<WorkloadStatus>,
    pub addresses: Vec<String>,
    /// Why nothing could be said, where nothing could.
    pub problem: Option<Problem>,
}

/// One colour of a blue/green app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrafficStatus {
    pub service: ObjectId,
    pub color: String,
    pub serves: bool,
    pub pods: usize,
    pub tag: Option<String>,
    pub image: Option<Reference>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkloadStatus {
    pub object: ObjectId,
    /// waiting, ready, assumed, failed, gone
    pub verdict: &'static str,
    pub progress: Progress,
    pub images: Vec<Reference>,
    pub problem: Option<Problem>,
    pub pods: Vec<PodStatus>,
    /// `way back` for an idle colour that is ready.
    pub remark: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PodStatus {
    pub name: String,
    pub ready: bool,
    pub restarts: u32,
    pub reason: Option<String>,
}
