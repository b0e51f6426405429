//! A kind as people write it: `Database.example.com`, or `Service` in the core group.

use std::fmt;

use super::ObjectId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupKind {
    /// Empty for the core group.
    pub group: String,
    pub kind: String,
}

impl GroupKind {
    /// None for what is not written as `Kind.group` or `Kind`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, group) = text.split_once('.').unwrap_or((text, ""));
        let is_kind =
            kind.starts_with(|c: char| c.is_ascii_uppercase()) && kind.bytes().all(|b| b.is_ascii_alphanumeric());
        let is_group = group.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
        let holds = is_kind && is_group && !text.ends_with('.');
        holds.then(|| Self { group: group.to_owned(), kind: kind.to_owned() })
    }

    pub fn is_of(&self, id: &ObjectId) -> bool {
        self.kind == id.kind && self.group == id.group
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        write!(f, "{}{dot}{}", self.kind, self.group)
    }
}
