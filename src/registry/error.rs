use oci_client::errors::{OciDistributionError, OciErrorCode};

use crate::model::{Exit, Explain, Login, Reference};

/// What went wrong at, or on the way to, a registry. All are exit 4.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum RegistryError {
    #[error("{reference} is not at the registry")]
    NotFound { reference: Reference },
    #[error("{registry} denies access to {repository}: {login}")]
    Denied { registry: String, repository: String, login: String, anonymous: bool },
    /// 401 in spite of a login. With tokens that may also mean that the login is not enough for this repository.
    #[error("{registry} rejects the login for {repository}: {login}")]
    LoginRejected { registry: String, repository: String, login: String },
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
            // token services say so of a login that is right but may not do this
            OciDistributionError::AuthenticationFailure(reason) if reason.to_lowercase().contains("denied") => {
                Self::denied(reference, login)
            }
            OciDistributionError::AuthenticationFailure(_) | OciDistributionError::UnauthorizedError { .. } => {
                Self::rejected(reference, login)
            }
            OciDistributionError::RegistryError { envelope, .. } => match envelope.errors.first() {
                Some(error) => match &error.code {
                    ManifestUnknown | NameUnknown | NotFound => missing(),
                    Denied => Self::denied(reference, login),
                    Unauthorized => Self::rejected(reference, login),
                    Toomanyrequests => Self::odd(reference, "too many requests from here"),
                    code => Self::odd(reference, format!("{code:?} {}", error.message).trim_end().to_owned()),
                },
                None => Self::odd(reference, "an error without a reason"),
            },
            OciDistributionError::ServerError { code: 404, .. } => missing(),
            OciDistributionError::ServerError { code: 401, .. } => Self::rejected(reference, login),
            OciDistributionError::ServerError { code: 403, .. } => Self::denied(reference, login),
            OciDistributionError::ServerError { code, .. } => Self::odd(reference, format!("it answers {code}")),
            error => Self::odd(reference, error.to_string()),
        }
    }

    fn rejected(reference: &Reference, login: Option<&Login>) -> Self {
        match Self::denied(reference, login) {
            Self::Denied { registry, repository, login, anonymous: false } => {
                Self::LoginRejected { registry, repository, login }
            }
            anonymous => anonymous,
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
            Self::Denied { anonymous: true, .. } => "registry-login",
            Self::Denied { .. } | Self::LoginRejected { .. } => "registry-denied",
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
            Self::LoginRejected { registry, .. } => vec![
                format!("`docker login {registry}`, or correct DOCKER_USERNAME and DOCKER_PASSWORD"),
                "a login that is right but not enough is answered so too: may it use this repository?".into(),
            ],
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Masked;

    #[test]
    fn a_rejected_login_is_told_apart_from_one_that_may_not_and_from_none() {
        let reference: Reference = "r.example.com/team/demo:x".parse().unwrap();
        let unauthorized = || OciDistributionError::UnauthorizedError { url: String::new() };
        let no_token = |reason: &str| OciDistributionError::AuthenticationFailure(reason.into());
        let forbidden = || OciDistributionError::ServerError { code: 403, url: String::new(), message: String::new() };
        let login = Login {
            registry: "r.example.com".into(),
            user: "ann".into(),
            password: Masked::new("hidden"),
            identity_token: false,
            origin: "DOCKER_USERNAME".into(),
        };
        for (error, login, expected) in [
            (unauthorized(), Some(&login), "r.example.com rejects the login for team/demo"),
            (no_token("incorrect username or password"), Some(&login), "r.example.com rejects the login for team/demo"),
            (no_token(r#"{"errors":[{"code":"DENIED"}]}"#), Some(&login), "r.example.com denies access to team/demo"),
            (forbidden(), Some(&login), "r.example.com denies access to team/demo"),
            (unauthorized(), None, "r.example.com denies access to team/demo: asked without a login"),
        ] {
            let told = RegistryError::of(error, &reference, login).to_string();
            assert!(told.starts_with(expected) && !told.contains("hidden"), "{told}");
        }
    }
}
