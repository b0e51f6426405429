//! Manifest texts as they were found, before anything is read out of them.

use super::SourceText;

/// The texts of one environment, in the order in which they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    pub base: Vec<SourceText>,
    /// What is laid over the base by identity.
    pub overlay: Vec<SourceText>,
}

/// What the manifests may touch beyond the target's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    pub namespaces: Vec<String>,
    /// `Kind.group` or `Kind.group/name`; the core group is left out: `PersistentVolume`.
    pub cluster_scoped: Vec<String>,
}
