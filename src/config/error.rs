use crate::model::{Exit, Explain, Place, Problem};
use crate::yaml::YamlError;

/// What is wrong with the configuration. All are exit 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error(transparent)]
    Yaml(#[from] YamlError),
    #[error("{}", .0.text)]
    Duplicate(Box<Problem>),
    #[error("unknown key `{path}`")]
    UnknownKey { path: String, nearest: Option<String>, known: Vec<String>, place: Option<Box<Place>> },
    #[error("`{path}` {wrong}")]
    Value { path: String, wrong: String, hint: Option<String>, place: Option<Box<Place>> },
    #[error("the configuration is one document, and another begins here")]
    SeveralDocuments { place: Option<Box<Place>> },
    #[error("{origin} is `{value}`, {wrong}")]
    Given { origin: String, value: String, wrong: String },
    #[error("nothing says which app this is: there is no repository here")]
    NoApp,
}

impl Explain for ConfigError {
    fn code(&self) -> &'static str {
        match self {
            Self::Yaml(error) => error.code(),
            Self::Duplicate(problem) => problem.code,
            _ => "configuration",
        }
    }

    fn exit(&self) -> Exit {
        Exit::Input
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Yaml(error) => error.hints(),
            Self::Duplicate(problem) => problem.hints.clone(),
            Self::UnknownKey { nearest: Some(nearest), .. } => vec![format!("did you mean `{nearest}`?")],
            Self::UnknownKey { known, .. } => vec![format!("known here: {}", known.join(", "))],
            Self::Value { hint, .. } => hint.iter().cloned().collect(),
            Self::SeveralDocuments { .. } => vec!["remove the line `---`".into()],
            Self::Given { .. } => Vec::new(),
            Self::NoApp => vec!["write `app: NAME` into shipway.yaml, or run shipway in a checkout".into()],
        }
    }

    fn place(&self) -> Option<Place> {
        match self {
            Self::Yaml(error) => error.place(),
            Self::Duplicate(problem) => problem.place.clone(),
            Self::SeveralDocuments { place } | Self::UnknownKey { place, .. } | Self::Value { place, .. } => {
                place.as_deref().cloned()
            }
            Self::Given { .. } | Self::NoApp => None,
        }
    }
}
