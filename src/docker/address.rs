//! Which engine: `DOCKER_HOST`, else the Docker client's context, else the usual socket.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::model::{Variables, hex};

use super::DockerError;

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Where the engine listens, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub endpoint: Endpoint,
    /// The folder of the client's certificates, where the engine speaks TLS.
    pub certificates: Option<PathBuf>,
    /// `DOCKER_HOST`, `docker context work`, `default`
    pub origin: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Unix(PathBuf),
    /// `host:port`
    Tcp(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

impl Address {
    /// In the Docker client's order: `DOCKER_HOST`, `DOCKER_CONTEXT`, `currentContext` of its configuration.
    ///
    /// # Errors
    /// An address that cannot be used, or a context that is not there.
    pub(super) fn find(variables: &Variables) -> Result<Self, DockerError> {
        if let Some(host) = variables.get("DOCKER_HOST") {
            return Self::parse(host, "DOCKER_HOST", certificates(variables));
        }
        let folder = configuration_folder(variables);
        let named = variables.get("DOCKER_CONTEXT").map(str::to_owned);
        let context = named.or_else(|| folder.as_deref().and_then(current_context));
        match (context, folder) {
            (Some(context), Some(folder)) if context != "default" => Self::of_context(&context, &folder),
            _ => Self::parse(&format!("unix://{DEFAULT_SOCKET}"), "default", None),
        }
    }

    fn of_context(name: &str, folder: &Path) -> Result<Self, DockerError> {
        let origin = format!("docker context {name}");
        let unusable = |why: &str| DockerError::Address { origin: origin.clone(), why: why.to_owned() };
        let hash = hex(&Sha256::digest(name));
        let meta = folder.join("contexts/meta").join(&hash).join("meta.json");
        let text = std::fs::read(&meta).map_err(|_| unusable("there is no such context"))?;
        let meta: ContextMeta = serde_json::from_slice(&text).map_err(|error| unusable(&error.to_string()))?;
        if meta.endpoints.docker.skip_verify {
            return Err(unusable("it skips TLS checks, which shipway never does"));
        }
        let certificates = folder.join("contexts/tls").join(hash).join("docker");
        Self::parse(&meta.endpoints.docker.host, &origin, Some(certificates).filter(|folder| folder.exists()))
    }

    fn parse(host: &str, origin: &str, certificates: Option<PathBuf>) -> Result<Self, DockerError> {
        let unusable =
            |why: String| Err(DockerError::Address { origin: origin.to_owned(), why: format!("`{host}` {why}") });
        let endpoint = match host.split_once("://") {
            Some(("unix", path)) if !path.is_empty() => Endpoint::Unix(path.into()),
            Some(("https", _)) if certificates.is_none() => {
                return unusable("needs DOCKER_TLS_VERIFY and DOCKER_CERT_PATH".to_owned());
            }
            Some(("tcp" | "http" | "https", authority)) if !authority.is_empty() => {
                let authority = authority.trim_end_matches('/');
                let port = match certificates {
                    _ if has_port(authority) => "",
                    Some(_) => ":2376",
                    None => ":2375",
                };
                Endpoint::Tcp(format!("{authority}{port}"))
            }
            _ => return unusable("is not an address that shipway can dial: use unix:// or tcp://".to_owned()),
        };
        let certificates = certificates.filter(|_| matches!(endpoint, Endpoint::Tcp(_)));
        Ok(Self { endpoint, certificates, origin: origin.to_owned() })
    }
}

#[derive(Deserialize)]
struct ContextMeta {
    #[serde(rename = "Endpoints")]
    endpoints: ContextEndpoints,
}

#[derive(Deserialize)]
struct ContextEndpoints {
    docker: ContextEndpoint,
}

#[derive(Deserialize)]
struct ContextEndpoint {
    #[serde(rename = "Host")]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_verify: bool,
}

fn has_port(authority: &str) -> bool {
    authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'))
}

/// `DOCKER_TLS_VERIFY` turns TLS on; the files stand in `DOCKER_CERT_PATH`, else beside the configuration.
fn certificates(variables: &Variables) -> Option<PathBuf> {
    variables.get("DOCKER_TLS_VERIFY")?;
    let named = variables.get("DOCKER_CERT_PATH").map(PathBuf::from);
    named.or_else(|| configuration_folder(variables))
}

fn configuration_folder(variables: &Variables) -> Option<PathBuf> {
    let named = variables.get("DOCKER_CONFIG").map(PathBuf::from);
    named.or_else(|| variables.get("HOME").map(|home| Path::new(home).join(".docker")))
}

/// An unreadable configuration names no context, as for the Docker client.
fn current_context(folder: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Configuration {
        #[serde(rename = "currentContext")]
        current_context: Option<String>,
    }
    let text = std::fs::read(folder.join("config.json")).ok()?;
    serde_json::from_slice::<Configuration>(&text).ok()?.current_context.filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &[(&str, &str)]) -> Result<(String, String), DockerError> {
        let address = Address::find(&pairs.iter().copied().collect())?;
        Ok((address.endpoint.to_string(), address.origin))
    }

    #[test]
    fn the_variable_goes_first() {
        for (host, expected) in [
            ("unix:///run/d.sock", "unix:///run/d.sock"),
            ("tcp://build:2376", "tcp://build:2376"),
            ("tcp://build", "tcp://build:2375"),
            ("http://build:1/", "tcp://build:1"),
        ] {
            assert_eq!(found(&[("DOCKER_HOST", host)]).unwrap(), (expected.to_owned(), "DOCKER_HOST".to_owned()));
        }
        assert_eq!(found(&[]).unwrap().0, "unix:///var/run/docker.sock");
    }

    #[test]
    fn what_cannot_be_dialled_is_told() {
        for host in ["ssh://me@build", "/run/d.sock", "tcp://", "unix://"] {
            assert!(found(&[("DOCKER_HOST", host)]).is_err(), "{host}");
        }
    }

    #[test]
    fn tls_takes_its_files_from_where_the_client_does() {
        for (more, endpoint, folder) in [
            (&[][..], "tcp://build:2375", None),
            (&[("DOCKER_CERT_PATH", "/certs")], "tcp://build:2375", None),
            (&[("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/certs")], "tcp://build:2376", Some("/certs")),
            (&[("DOCKER_TLS_VERIFY", "1"), ("HOME", "/h")], "tcp://build:2376", Some("/h/.docker")),
        ] {
            let variables = more.iter().chain(&[("DOCKER_HOST", "tcp://build")]).copied().collect();
            let address = Address::find(&variables).unwrap();
            assert_eq!(address.endpoint.to_string(), endpoint, "{more:?}");
            assert_eq!(address.certificates, folder.map(PathBuf::from), "{more:?}");
        }
        assert!(found(&[("DOCKER_HOST", "https://build")]).is_err());
        let over_socket = [("DOCKER_HOST", "unix:///s"), ("DOCKER_TLS_VERIFY", "1"), ("HOME", "/h")];
        assert_eq!(Address::find(&over_socket.into_iter().collect()).unwrap().certificates, None);
    }

    #[test]
    fn the_clients_current_context_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let hash = hex(&Sha256::digest("work"));
        let meta = folder.path().join("contexts/meta").join(hash);
        std::fs::create_dir_all(&meta).unwrap();
        std::fs::write(meta.join("meta.json"), r#"{"Name":"work","Endpoints":{"docker":{"Host":"unix:///w.sock"}}}"#)
            .unwrap();
        std::fs::write(folder.path().join("config.json"), r#"{"currentContext":"work"}"#).unwrap();
        let configured = ("DOCKER_CONFIG", folder.path().to_str().unwrap());
        let work = ("unix:///w.sock".to_owned(), "docker context work".to_owned());
        assert_eq!(found(&[configured]).unwrap(), work);
        assert_eq!(found(&[configured, ("DOCKER_CONTEXT", "default")]).unwrap().0, "unix:///var/run/docker.sock");
        assert!(found(&[configured, ("DOCKER_CONTEXT", "gone")]).is_err());
    }
}
