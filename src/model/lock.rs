//! Who holds the lock of an app and environment, and who waits for it.

use serde::{Deserialize, Serialize};

/// A run at a lock, as it says of itself in the Lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Tells runs apart, whoever started them.
    pub run: String,
    /// For people: `ci run https://..`, `alice`.
    pub by: String,
    /// None for a run that takes no part in the order of commits: it neither gives way nor is given way to.
    pub head: Option<Head>,
    /// The runs that this one knows to be older than itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<String>,
}

/// A commit as the newest of its branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub branch: String,
    /// The full hash.
    pub commit: String,
}

impl Claim {
    /// `1a2b3c4d (alice)`
    pub fn describe(&self) -> String {
        let commit = self.head.as_ref().and_then(|head| head.commit.get(..8));
        commit.map_or_else(|| self.by.clone(), |commit| format!("{commit} ({})", self.by))
    }
}
