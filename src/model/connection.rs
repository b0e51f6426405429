//! Which cluster is spoken to, and why.

use serde::Serialize;

use super::{Sourced, Variables};

/// What decides about the connection, before anything is read from disk.
#[derive(Clone, Debug)]
pub struct ConnectionOptions {
    /// `--context`, or the environment's `context`.
    pub context: Option<Sourced<String>>,
    /// `--server`
    pub server: Option<Sourced<String>>,
    pub variables: Variables,
}

/// The connection as it was made, for the first line of plan and deploy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// `https://203.0.113.1:6443`
    pub server: String,
    pub context: Option<String>,
    pub user: Option<String>,
    /// `KUBECONFIG`, `K8S_SERVER`, `~/.kube/config`, `in-cluster`, ...
    pub origin: String,
}
