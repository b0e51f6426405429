use crate::model::{Exit, Explain, Place, SourceText};

use super::node::Mark;

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum YamlError {
    #[error("{file} is not valid {format}: {reason}", file = place.file)]
    Syntax { format: &'static str, reason: String, place: Place },
    #[error("{file} is larger than {limit} MB", file = place.file)]
    TooLarge { limit: usize, place: Place },
    #[error("values are nested deeper than {limit} levels")]
    TooDeep { limit: usize, place: Place },
    #[error("{file} has more than {limit} values", file = place.file)]
    TooMany { limit: usize, place: Place },
    #[error("aliases unfold to more than {limit} values")]
    TooManyAliased { limit: usize, place: Place },
    #[error("the anchor contains an alias of itself")]
    Cycle { place: Place },
    #[error("`<<` takes a mapping, or a list of mappings")]
    Merge { place: Place },
    #[error("a key must be a text, a number or a boolean, not {found}")]
    Key { found: &'static str, place: Place },
    #[error("`{text}` cannot be read as {wanted}")]
    Tag { text: String, wanted: &'static str, place: Place },
    #[error("`{text}` is no number that Kubernetes can hold")]
    NotFinite { text: String, place: Place },
}

impl YamlError {
    pub(super) fn at(&self) -> &Place {
        match self {
            Self::Syntax { place, .. }
            | Self::TooLarge { place, .. }
            | Self::TooDeep { place, .. }
            | Self::TooMany { place, .. }
            | Self::TooManyAliased { place, .. }
            | Self::Cycle { place }
            | Self::Merge { place }
            | Self::Key { place, .. }
            | Self::Tag { place, .. }
            | Self::NotFinite { place, .. } => place,
        }
    }
}

impl Explain for YamlError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } | Self::TooDeep { .. } | Self::TooMany { .. } | Self::TooManyAliased { .. } => {
                "yaml-limit"
            }
            _ => "yaml",
        }
    }

    fn exit(&self) -> Exit {
        Exit::Input
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Syntax { place, .. } if place.snippet.as_deref().is_some_and(|line| line.contains("{{")) => {
                "this looks like a template: render it first (`helm template .. | shipway deploy -f -`)"
            }
            Self::Syntax { place, .. } if place.snippet.as_deref().is_some_and(|line| line.contains("${")) => {
                "within `{..}` and `[..]` quote what holds `${..}`"
            }
            Self::Syntax { place, .. } if place.snippet.as_deref().is_some_and(is_indented_by_tabs) => {
                "YAML is indented by spaces, not tabs"
            }
            Self::TooLarge { .. } | Self::TooMany { .. } => "split the file",
            Self::NotFinite { .. } => "quote it if it is a text",
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }

    fn place(&self) -> Option<Place> {
        Some(self.at().clone())
    }
}

fn is_indented_by_tabs(line: &str) -> bool {
    line.trim_start_matches(' ').starts_with('\t')
}

impl Mark {
    /// The place in the file, with the line itself unless it may be a Secret's.
    pub(super) fn place(self, text: &SourceText) -> Place {
        let line = text.text.lines().nth(self.line.saturating_sub(1) as usize);
        Place {
            file: text.name.to_string(),
            line: self.line as usize,
            column: self.column as usize,
            snippet: line.filter(|_| !has_secrets(text)).map(str::to_owned),
        }
    }
}

/// Looks at the text only: what cannot be parsed may hold a Secret as well.
fn has_secrets(text: &SourceText) -> bool {
    text.text.split("Secret").skip(1).zip(text.text.split("Secret")).any(|(after, before)| {
        let before = before.trim_end_matches(['"', '\'', ' ', '\t', ':', '\n', '\r']);
        before.ends_with("kind") && !after.starts_with(|c: char| c.is_ascii_alphanumeric() && c != 'L')
    })
}
