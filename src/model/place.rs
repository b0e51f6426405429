//! Where in the user's files something stands.

use std::{fmt, sync::Arc};

use serde::Serialize;

/// A text that was read, with the name to show for it (`kubernetes/demo.yaml`, `-` for standard input).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    pub name: Arc<str>,
    pub text: Arc<str>,
}

/// A file, line and column, both counted from 1; `snippet` is the line itself, where it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub column: usize,
    #[serde(skip)]
    pub snippet: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A document of a manifest: the file's name as shown, the document's number in it (from 0), the line it starts at (from 1),
/// and the item's number where the document is a `List`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRef {
    pub file: Arc<str>,
    pub document: usize,
    pub line: usize,
    pub item: Option<usize>,
}
