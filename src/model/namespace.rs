//! A namespace with what shipway has written on it.

use jiff::Timestamp;

/// What a namespace says about itself, in labels and annotations of shipway's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceMarks {
    pub app: Option<String>,
    pub environment: Option<String>,
    /// True where shipway made it.
    pub created: bool,
    /// What it is named after.
    pub branch: Option<String>,
    pub user: Option<String>,
    /// From when on it may be removed.
    pub expires: Option<Timestamp>,
}

/// A namespace as the cluster has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveNamespace {
    pub name: String,
    pub uid: String,
    pub resource_version: String,
    /// True where it is being deleted.
    pub leaving: bool,
    pub marks: NamespaceMarks,
    /// Why it is still there while it is being deleted, in the server's words.
    pub remains: Vec<String>,
    /// The whole object as it was read.
    pub body: serde_json::Value,
}
