//! One client a process.

use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::Engine as _;
use kube::config::{AuthInfo, ExecAuthCluster};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::{
    concurrency::Concurrency,
    credential::{Credential, Issued},
    error::ClusterError,
    fence::Fence,
    kubeconfig::{Access, access, settings, source},
    patience::Outage,
    proxy::proxy_for,
    request::Call,
};
use crate::model::{Connection, ConnectionOptions, Listener, Redactor, Resource, Stop};

/// The API server of one cluster. Clones share the connection.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(super) inner: Arc<Inner>,
    /// How long an API server that cannot be reached is waited for.
    pub(super) patience: Duration,
    /// Ends such a wait.
    pub(super) stop: Stop,
    /// Stands before every write of a run that holds a lock.
    pub(super) fence: Option<Fence>,
    /// After it nothing is asked twice.
    pub(super) deadline: Option<Instant>,
    /// A watch that says nothing for so long is dead.
    pub(super) silence: Duration,
    /// Other deployers whose fields may be taken, by their managers' names.
    pub(super) adopted: Arc<[String]>,
    /// The Namespace as this run has read it: a survey does not ask for it again.
    pub(super) namespace: Option<Arc<serde_json::Value>>,
}

pub(super) struct Inner {
    pub client: kube::Client,
    pub connection: Connection,
    pub credential: Option<Credential>,
    pub redactor: Redactor,
    pub listener: Arc<dyn Listener>,
    pub outage: Mutex<Outage>,
    pub concurrency: Concurrency,
    pub with_status: Mutex<HashSet<Resource>>,
}

impl Inner {
    pub(super) fn new(
        (client, connection): (kube::Client, Connection),
        credential: Option<Credential>,
        redactor: Redactor,
        listener: Arc<dyn Listener>,
    ) -> Self {
        let (outage, concurrency, with_status) = (Mutex::default(), Concurrency::new(), Mutex::default());
        Self { client, connection, credential, redactor, listener, outage, concurrency, with_status }
    }
}

impl Cluster {
    /// Custom resources of which discovery has told that their status is written apart.
    pub(super) fn with_status(&self) -> MutexGuard<'_, HashSet<Resource>> {
        self.inner.with_status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until a deploy has begun, a server that is not there is told soon.
const PATIENCE_AT_START: Duration = Duration::from_secs(4);
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Bookmarks come about every minute.
const SILENCE: Duration = Duration::from_secs(90);
const SHORTEST_SILENCE: Duration = Duration::from_secs(2);

impl Cluster {
    /// Reads the settings (context, K8S_SERVER, KUBECONFIG, `~/.kube/config`, in-cluster, in this order), obtains the
    /// login and makes the client. The server is not asked yet; [`Cluster::version`] does that.
    ///
    /// # Errors
    /// [`ClusterError::Settings`] where a file cannot be read or names what it has not.
    pub(crate) async fn connect(
        options: &ConnectionOptions,
        redactor: &Redactor,
        listener: Arc<dyn Listener>,
    ) -> Result<Self, ClusterError> {
        // the first one in the process stays; main installs the same
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut access = access(source(options, Path::exists)?)?;
        learn(&access.login, redactor);
        let connection = Connection {
            server: access.server.server.clone().unwrap_or_default().trim_end_matches('/').to_owned(),
            context: access.context.clone(),
            user: access.user.clone(),
            origin: access.origin.clone(),
        };
        let mut config = configuration(&access, options)?;
        let credential = match access.login.exec.take() {
            Some(mut plugin) if !has_other_login(&access.login) => {
                if plugin.provide_cluster_info {
                    plugin.cluster =
                        Some(ExecAuthCluster::try_from(&access.server).map_err(|e| settings(e.to_string()))?);
                }
                let (credential, issued) = Credential::obtain(plugin, redactor.clone(), Arc::clone(&listener)).await?;
                use_certificate(&mut access.login, &issued);
                Some(credential)
            }
            _ => match access.login.token_file.take().filter(|_| access.login.token.is_none()) {
                Some(file) => Some(Credential::of_file(file, redactor.clone()).await?),
                None => None,
            },
        };
        config.auth_info = access.login;
        let client = tokio::task::spawn_blocking(move || kube::Client::try_from(config))
            .await
            .map_err(|_| settings("the client could not be made"))?
            .map_err(|error| unfit(&connection, &error))?;
        let inner = Inner::new((client, connection), credential, redactor.clone(), listener);
        Ok(Self {
            inner: Arc::new(inner),
            patience: PATIENCE_AT_START,
            stop: Stop::default(),
            deadline: None,
            fence: None,
            silence: SILENCE,
            adopted: Arc::default(),
            namespace: None,
        })
    }

    /// The same cluster, with another time to wait for a server that cannot be reached (at connecting: 4 s).
    pub(crate) fn with_patience(&self, patience: Duration, stop: &Stop) -> Self {
        Self { patience, stop: stop.clone(), ..self.clone() }
    }

    /// The same cluster, with the Namespace that was read or made a moment ago. Where it has changed since, the record does not prove
    /// it, and its rehearsal tells.
    pub(crate) fn having_read(&self, namespace: Option<serde_json::Value>) -> Self {
        Self { namespace: namespace.map(Arc::new), ..self.clone() }
    }

    /// The same cluster, where a silent watch is made anew often enough for what has to be seen within `time`.
    pub(crate) fn seeing_within(&self, time: Duration) -> Self {
        Self { silence: (time / 3).clamp(SHORTEST_SILENCE, self.silence.max(SHORTEST_SILENCE)), ..self.clone() }
    }

    /// The same cluster, with a moment after which nothing is waited for.
    pub(crate) fn until(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// The same cluster, where these deployers' fields are taken over.
    pub(crate) fn with_adopted(&self, managers: &[String]) -> Self {
        Self { adopted: managers.into(), ..self.clone() }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.inner.connection
    }

    /// The server's version (`v1.34.4`, GET /version): also the cheap way to learn whether it answers.
    pub(crate) async fn version(&self) -> Result<String, ClusterError> {
        let answer = self.ask(&Call::get("/version")).await?;
        let version = answer.get("gitVersion").and_then(serde_json::Value::as_str);
        version.map(str::to_owned).ok_or_else(|| ClusterError::Nonsense {
            server: self.inner.connection.server.clone(),
            why: "/version has no gitVersion".to_owned(),
        })
    }
}

fn has_other_login(login: &AuthInfo) -> bool {
    login.token.is_some()
        || login.token_file.is_some()
        || login.password.is_some()
        || login.client_certificate.is_some()
        || login.client_certificate_data.is_some()
}

/// The client's settings without the login.
fn configuration(access: &Access, options: &ConnectionOptions) -> Result<kube::Config, ClusterError> {
    let server = access.server.server.as_deref().unwrap_or_default();
    let url: http::Uri =
        server.parse().map_err(|_| settings(format!("{}: `{server}` is no URL of a server", access.origin)))?;
    let (Some(scheme), Some(host)) = (url.scheme_str(), url.host()) else {
        return Err(
            settings(format!("{}: `{server}` is no URL of a server", access.origin)).hint("write https://HOST:PORT")
        );
    };
    let is_local =
        host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|a: std::net::IpAddr| a.is_loopback());
    if scheme != "https" && !(scheme == "http" && is_local) {
        return Err(settings(format!(
            "{}: `{server}` is not https; the login would be sent in the clear",
            access.origin
        )));
    }
    let mut config = kube::Config::new(url.clone());
    config.default_retry = false;
    // audit logs tell by it whose request it was
    let agent = http::HeaderValue::from_static(concat!("shipway/", env!("CARGO_PKG_VERSION")));
    config.headers.push((http::header::USER_AGENT, agent));
    config.connect_timeout = Some(CONNECT_TIME);
    config.tls_server_name.clone_from(&access.server.tls_server_name);
    config.disable_compression = access.server.disable_compression.unwrap_or(false);
    let proxy = access.server.proxy_url.clone().filter(|proxy| !proxy.is_empty());
    let proxy = proxy.or_else(|| proxy_for(host, url.port_u16().unwrap_or(443), &options.variables));
    config.proxy_url = match proxy {
        Some(proxy) => {
            Some(proxy.parse().map_err(|_| settings("the proxy's address is no URL").hint("check HTTPS_PROXY"))?)
        }
        None => None,
    };
    config.root_cert = authorities(access)?;
    Ok(config)
}

/// The certificate authorities, DER; none for the system's.
fn authorities(access: &Access) -> Result<Option<Vec<Vec<u8>>>, ClusterError> {
    let from = &access.origin;
    let pem = match (&access.server.certificate_authority_data, &access.server.certificate_authority) {
        (Some(data), _) if !data.is_empty() => base64::engine::general_purpose::STANDARD
            .decode(data.trim())
            .map_err(|_| settings(format!("{from}: certificate-authority-data is not base64")))?,
        (_, Some(file)) if !file.is_empty() => {
            std::fs::read(file).map_err(|error| settings(format!("{from}: {file} cannot be read: {error}")))?
        }
        _ => return Ok(None),
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(Some(certificates.iter().map(|one| one.to_vec()).collect())),
        _ => Err(settings(format!("{from}: the certificate authority holds no certificate in PEM"))),
    }
}

fn use_certificate(login: &mut AuthInfo, issued: &Issued) {
    let encode = |pem: &String| base64::engine::general_purpose::STANDARD.encode(pem);
    login.client_certificate_data = issued.client_certificate_data.as_ref().map(encode);
    login.client_key_data = issued.client_key_data.as_ref().map(encode).map(SecretString::from);
}

/// Everything of a login that must never be shown.
fn learn(login: &AuthInfo, redactor: &Redactor) {
    for secret in [&login.token, &login.password, &login.client_key_data].into_iter().flatten() {
        redactor.learn(secret.expose_secret());
    }
    let key = login.client_key_data.as_ref().and_then(|key| {
        let key = base64::engine::general_purpose::STANDARD.decode(key.expose_secret().trim()).ok()?;
        String::from_utf8(key).ok()
    });
    let token = login.token_file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    for secret in [key, token].into_iter().flatten() {
        redactor.learn(secret.trim());
    }
    if let Some(provider) = &login.auth_provider {
        provider.config.iter().filter(|(key, _)| key.contains("token") || key.contains("secret")).for_each(
            |(_, value)| {
                redactor.learn(value);
            },
        );
    }
}

/// What keeps kube from making a client is always in the settings.
fn unfit(connection: &Connection, error: &kube::Error) -> ClusterError {
    let text = match error {
        kube::Error::RustlsTls(error) => format!("{}: {error}", connection.origin),
        error => format!("{}: the login cannot be used: {error}", connection.origin),
    };
    settings(text)
}
