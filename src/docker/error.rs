//! What can go wrong between us and the engine, and what to do about it.

use std::{io::ErrorKind, path::PathBuf};

use crate::model::{Evidence, Exit, Explain, Place, Reference, joined_causes};

#[derive(Debug, thiserror::Error)]
pub(crate) enum DockerError {
    #[error("cannot use the Docker Engine that {origin} names: {why}")]
    Address { origin: String, why: String },
    #[error("the Docker Engine at {address} does not answer")]
    Unreachable { address: String, origin: String, source: std::io::Error },
    #[error("no TLS connection to the Docker Engine at {address}: {why}")]
    Tls { address: String, why: String },
    #[error("{engine} has no BuildKit interface")]
    NoBuildKit { engine: String },
    #[error("the Docker Engine answers: {0}")]
    Engine(String),
    #[error("there is no Dockerfile at {}", .0.display())]
    DockerfileMissing(PathBuf),
    #[error("the build context {} is not a folder", .0.display())]
    ContextMissing(PathBuf),
    #[error("cannot read {} of the build context", path.display())]
    Context { path: PathBuf, source: std::io::Error },
    #[error("the name {:?} in the build context is not UTF-8, which images cannot carry", .0)]
    NotUtf8(PathBuf),
    #[error("cannot use {}: {why}", file.display())]
    Ignore { file: PathBuf, why: String },
    #[error("error in the Dockerfile: {why}")]
    Dockerfile { why: String, place: Option<Box<Place>> },
    #[error("cannot get the base image {image}: {why}")]
    BaseImage { image: String, why: String, trouble: RegistryTrouble },
    /// An instruction failed; `step` is its text.
    #[error("`{step}` fails: {why}")]
    Build { step: String, why: String, place: Option<Box<Place>>, is_missing_file: bool, log: Vec<String> },
    #[error("`{step}` wants the secret {id}, and shipway.yaml names none")]
    SecretMissing { step: String, id: String, place: Option<Box<Place>> },
    #[error("the engine has no image {image}")]
    ImageNotBuilt { image: String },
    #[error("cannot push {reference}: {why}")]
    Push { reference: Box<Reference>, why: String, trouble: RegistryTrouble },
    #[error("stopped before it was done")]
    Stopped,
}

/// How a registry failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RegistryTrouble {
    /// It rejected the login; `origin` says where that was found.
    WrongLogin {
        user: String,
        origin: String,
    },
    /// The login is right but may not do this.
    Forbidden {
        user: String,
        origin: String,
    },
    NoLogin,
    Unknown,
    Unreachable,
    /// It speaks plain HTTP, or with a certificate that the engine does not trust.
    Untrusted,
    Other,
}

impl RegistryTrouble {
    fn code(&self) -> &'static str {
        match self {
            Self::WrongLogin { .. } | Self::Forbidden { .. } => "registry-denied",
            Self::NoLogin => "registry-login",
            Self::Unknown => "repository-unknown",
            Self::Unreachable => "registry-unreachable",
            Self::Untrusted => "registry-untrusted",
            Self::Other => "registry",
        }
    }

    fn hints(&self, registry: &str) -> Vec<String> {
        let hint = match self {
            Self::WrongLogin { user, origin } => {
                format!("the login tried is {user}, from {origin}: `docker login {registry}` writes a new one")
            }
            Self::Forbidden { user, origin } => {
                format!("let {user} (login from {origin}) use this repository, or create it")
            }
            Self::NoLogin => format!("`docker login {registry}`, or set DOCKER_USERNAME and DOCKER_PASSWORD"),
            Self::Unknown => "create the repository at the registry, or correct `images: [{name: ..}]`".to_owned(),
            Self::Unreachable => format!("`curl -I https://{registry}/v2/` from the engine's machine shows why"),
            Self::Untrusted => {
                format!(
                    "give the engine the registry's CA in /etc/docker/certs.d/{registry}/ca.crt, or list it in `insecure-registries`"
                )
            }
            Self::Other => return Vec::new(),
        };
        vec![hint]
    }
}

impl DockerError {
    /// An answer that nothing better is known about.
    pub(super) fn engine(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Engine(joined_causes(error))
    }
}

impl Explain for DockerError {
    fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "engine-address",
            Self::Unreachable { .. } => "engine-unreachable",
            Self::Tls { .. } => "engine-tls",
            Self::NoBuildKit { .. } => "engine-unsuited",
            Self::Engine(_) => "engine",
            Self::DockerfileMissing(_) => "dockerfile-missing",
            Self::ContextMissing(_) | Self::Context { .. } | Self::NotUtf8(_) => "build-context",
            Self::Ignore { .. } => "dockerignore",
            Self::Dockerfile { .. } => "dockerfile",
            Self::BaseImage { .. } => "base-image",
            Self::Build { .. } => "build-failed",
            Self::SecretMissing { .. } => "build-secret",
            Self::ImageNotBuilt { .. } => "image-not-built",
            Self::Push { trouble, .. } => trouble.code(),
            Self::Stopped => "interrupted",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Address { .. } | Self::DockerfileMissing(_) | Self::ContextMissing(_) | Self::Ignore { .. } => {
                Exit::Input
            }
            Self::Unreachable { .. }
            | Self::Tls { .. }
            | Self::NoBuildKit { .. }
            | Self::Engine(_)
            | Self::Context { .. }
            | Self::NotUtf8(_)
            | Self::Dockerfile { .. }
            | Self::BaseImage { .. }
            | Self::SecretMissing { .. }
            | Self::Build { .. } => Exit::Build,
            Self::ImageNotBuilt { .. } | Self::Push { .. } => Exit::Registry,
            Self::Stopped => Exit::Interrupted,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Address { .. } => "export DOCKER_HOST=unix:///var/run/docker.sock".to_owned(),
            Self::Unreachable { origin, source, .. } => unreachable_hint(origin, source.kind()),
            Self::Tls { .. } => "DOCKER_CERT_PATH names the folder of ca.pem, cert.pem and key.pem".to_owned(),
            Self::NoBuildKit { .. } => "use Docker Engine 18.09 or newer: DOCKER_HOST names it".to_owned(),
            Self::DockerfileMissing(_) => {
                "write one, or name it in shipway.yaml: `images: [{dockerfile: ..}]`".to_owned()
            }
            Self::ContextMissing(_) => "correct `images: [{context: ..}]` in shipway.yaml".to_owned(),
            Self::Context { .. } => "let it be read, or name it in .dockerignore".to_owned(),
            Self::NotUtf8(_) => "rename it, or exclude it in .dockerignore".to_owned(),
            Self::Build { is_missing_file: true, .. } => {
                "correct the path, or let .dockerignore keep the file: `shipway build --list-context` shows what is sent"
                    .to_owned()
            }
            Self::SecretMissing { id, .. } => {
                format!("write in shipway.yaml, below the image: `secrets: [{{id: {id}, env: VARIABLE}}]`, or `file: PATH`")
            }
            Self::BaseImage { image, trouble, .. } => return base_image_hints(image, trouble),
            Self::ImageNotBuilt { .. } => "`shipway build` builds it".to_owned(),
            Self::Push { reference, trouble, .. } => return trouble.hints(&reference.repository.registry),
            Self::Engine(_) | Self::Ignore { .. } | Self::Dockerfile { .. } | Self::Build { .. } | Self::Stopped => {
                return Vec::new();
            }
        };
        vec![hint]
    }

    fn place(&self) -> Option<Place> {
        match self {
            Self::Dockerfile { place, .. } | Self::Build { place, .. } | Self::SecretMissing { place, .. } => {
                place.as_deref().cloned()
            }
            _ => None,
        }
    }

    fn evidence(&self) -> Vec<Evidence> {
        match self {
            Self::Build { log, .. } if !log.is_empty() => vec![Evidence::new("last log", log)],
            _ => Vec::new(),
        }
    }
}

fn unreachable_hint(origin: &str, kind: ErrorKind) -> String {
    match (kind, origin) {
        (ErrorKind::PermissionDenied, _) => {
            "`sudo usermod -aG docker $USER` and a new login let you use the engine".to_owned()
        }
        (_, "default") => "start it (`sudo systemctl start docker`), or set DOCKER_HOST to where it listens".to_owned(),
        (_, origin) => format!("the address comes from {origin}: start the engine there, or correct it"),
    }
}

/// `DOCKER_USERNAME` counts only for the registry that is pushed to.
fn base_image_hints(image: &str, trouble: &RegistryTrouble) -> Vec<String> {
    let registry = image.split_once('/').map_or("docker.io", |(first, _)| first);
    match trouble {
        RegistryTrouble::NoLogin => vec![format!("`docker login {registry}` writes a login that the build uses")],
        RegistryTrouble::Unknown => vec!["correct the FROM line, or push that image first".to_owned()],
        trouble => trouble.hints(registry),
    }
}
