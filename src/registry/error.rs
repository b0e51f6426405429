use oci_client::errors::{OciDistributionError, OciErrorCode};

use crate::model::{Exit, Explain, Login, Reference};

/// What went wrong at, or on the way to, a registry. All are exit 4.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum RegistryError {
    #[error("{reference} is not at the registry")]
    NotFound { reference: Reference },
    #[error("{registry} denies access to {repository}: {login}")]
    Denied { registry: String, repository: String, login: String, anonymous: bool },
    #[error("{registry} cannot be reached: {why}")]
    Unreachable { registry: String, why: String },
    #[error("{registry} cannot serve {reference}: {why}")]
    Odd { registry: String, reference: String, why: String },
    #[error("{reference} is for {}, not for {wanted}", list(.found))]
    WrongPlatform { reference: String, wanted: String, found: Vec<String> },
    #[error("the logins in {origin} cannot be read: {why}")]
    Configuration { origin: String, why: String },
    #[error("{helper} has no answer about {registry}: {why}")]
    Helper { helper: String, registry: String, why: String },
}

fn list(found: &[String]) -> String {
    if found.is_empty() { "no platform".to_owned() } else { found.join(", ") }
}

impl RegistryError {
    /// An answer that is none.
    pub(super) fn odd(reference: &Reference, why: impl Into<String>) -> Self {
        let registry = reference.repository.registry.clone();
        Self::Odd { registry, reference: reference.to_string(), why: why.into() }
    }

    /// The library's error in our words: what the registry says decides, not how it is worded.
    pub(super) fn of(error: OciDistributionError, reference: &Reference, login: Option<&Login>) -> Self {
        use OciErrorCode::{Denied, ManifestUnknown, NameUnknown, NotFound, Toomanyrequests, Unauthorized};
        let missing = || Self::NotFound { reference: reference.clone() };
        match error {
            OciDistributionError::RequestError(error) => {
                Self::Unreachable { registry: reference.repository.registry.clone(), why: innermost(&error) }
            }
            OciDistributionError::AuthenticationFailure(_) | OciDistributionError::UnauthorizedError { .. } => {
                Self::denied(reference, login)
            }
            OciDistributionError::RegistryError { envelope, .. } => match envelope.errors.first() {
                Some(error) => match &error.code {
                    ManifestUnknown | NameUnknown | NotFound => missing(),
                    Denied | Unauthorized => Self::denied(reference, login),
                    Toomanyrequests => Self::odd(reference, "too many requests from here"),
                    code => Self::odd(reference, format!("{code:?} {}", error.message).trim_end().to_owned()),
                },
                None => Self::odd(reference, "an error without a reason"),
            },
            OciDistributionError::ServerError { code: 404, .. } => missing(),
            OciDistributionError::ServerError { code: 401 | 403, .. } => Self::denied(reference, login),
            OciDistributionError::ServerError { code, .. } => Self::odd(reference, format!("it answers {code}")),
            error => Self::odd(reference, error.to_string()),
        }
    }

    fn denied(reference: &Reference, login: Option<&Login>) -> Self {
        Self::Denied {
            registry: reference.repository.registry.clone(),
            repository: reference.repository.short().to_owned(),
            login: match login {
                Some(login) if login.identity_token => format!("asked with the token from {}", login.origin),
                Some(login) => format!("asked as `{}`, from {}", login.user, login.origin),
                None => "asked without a login, since none is known for it".to_owned(),
            },
            anonymous: login.is_none(),
        }
    }
}

/// The library says where it failed; the innermost cause says why.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string().trim_end_matches('.').to_owned()
}

impl Explain for RegistryError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "image-not-found",
            Self::Denied { .. } => "registry-denied",
            Self::Unreachable { .. } => "registry-unreachable",
            Self::Odd { .. } => "registry-answer",
            Self::WrongPlatform { .. } => "wrong-platform",
            Self::Configuration { .. } | Self::Helper { .. } => "registry-login",
        }
    }

    fn exit(&self) -> Exit {
        Exit::Registry
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::NotFound { .. } => {
                vec!["`shipway build` and `shipway push` put it there; `--tag TAG` deploys another".into()]
            }
            Self::Denied { registry, anonymous: true, .. } => {
                vec![format!("`docker login {registry}`, or DOCKER_USERNAME and DOCKER_PASSWORD for the one pushed to")]
            }
            Self::Denied { registry, .. } => vec![
                format!("`docker login {registry}` with a login that may"),
                "some registries deny what is not there: is the repository spelt right?".into(),
            ],
            Self::Unreachable { why, .. } if why.contains("certificate") => {
                vec!["SSL_CERT_FILE=FILE names the certificates to trust".into()]
            }
            Self::Unreachable { registry, why } if why.contains("InvalidContentType") || why.contains("corrupt") => {
                vec![format!("{registry} does not speak TLS, which is only done without on this machine")]
            }
            Self::Unreachable { registry, .. } => vec![
                format!("is {registry} right, and up? a proxy is taken from HTTPS_PROXY"),
                "where only the nodes reach it: `deploy: {registry_check: false}` in shipway.yaml".into(),
            ],
            Self::Odd { .. } => vec!["try again; if it stays so, ask who runs the registry".into()],
            Self::WrongPlatform { wanted, .. } => vec![format!("`platform: {wanted}` of the image in shipway.yaml")],
            Self::Configuration { origin, .. } => {
                vec![format!("mend or remove {origin}; `docker login` writes it anew")]
            }
            Self::Helper { registry, .. } => vec![
                format!("`docker login {registry}` uses the same helper and shows more"),
                "credsStore and credHelpers in the Docker configuration name it".into(),
            ],
        }
    }
}
