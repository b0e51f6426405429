use std::io;

use crate::model::{Exit, Explain};

/// Why a file could not be read or written. Names are as they are shown: relative to the repository.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("{name} is not there")]
    Missing { name: String },
    /// As [`FileError::Missing`], of what was named as manifests.
    #[error("{name} is not there")]
    ManifestsMissing { name: String },
    #[error("cannot read {name}")]
    Read { name: String, source: io::Error },
    #[error("cannot write {name}")]
    Write { name: String, source: io::Error },
    #[error("{name} is larger than {limit} MB")]
    TooLarge { name: String, limit: u64 },
    #[error("{name} is larger than {limit} bytes")]
    TooManyBytes { name: String, limit: u64 },
    #[error("{name} is not UTF-8 text (byte {byte})")]
    NotText { name: String, byte: usize, utf16: bool },
    #[error("no manifests in {names}", names = names.join(", "))]
    NoManifests { names: Vec<String> },
    #[error("{name} has more than {limit} manifests")]
    TooMany { name: String, limit: usize },
}

impl Explain for FileError {
    fn code(&self) -> &'static str {
        match self {
            Self::ManifestsMissing { .. } | Self::NoManifests { .. } => "no-manifests",
            Self::Write { .. } => "write",
            _ => "read",
        }
    }

    fn exit(&self) -> Exit {
        Exit::Input
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::ManifestsMissing { .. } => {
                "name the folder or file in shipway.yaml: `manifests: [deploy/kubernetes]`"
            }
            Self::NoManifests { .. } => {
                "write one (*.yaml, *.yml, *.json), or name another folder in shipway.yaml: `manifests: [deploy/kubernetes]`"
            }
            Self::NotText { utf16: true, .. } => "the file is UTF-16: save it as UTF-8",
            Self::TooLarge { .. } => "split the file",
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}
