//! The registry: logins, manifests, platforms, tags. Nothing is written but a tag.

mod credentials;
mod error;
mod helper;
mod manifest;

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::future::try_join_all;
use oci_client::{
    Client, RegistryOperation,
    client::{ClientConfig, ClientProtocol},
    errors::OciDistributionError,
    secrets::RegistryAuth,
};

use crate::model::{Digest, Image, ImagePlatform, Login, Redactor, Reference, Variables};

use self::{
    credentials::Credentials,
    manifest::{ACCEPTED, Child, Manifest},
};

pub(crate) use error::RegistryError;
pub(crate) use manifest::check_platform;

const CONNECT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(30);
/// What registries and Azure's token service take as the user of an identity token.
const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";

/// Asks registries, each with its own login. TLS everywhere but on this machine.
pub(crate) struct Registry {
    credentials: Arc<Credentials>,
    secure: OnceLock<Client>,
    local: OnceLock<Client>,
}

impl Registry {
    /// `pushed` are the registries of the app's own images: `DOCKER_USERNAME` and `DOCKER_PASSWORD` count for these only.
    /// Nothing is read before it is needed.
    pub(crate) fn new(variables: &Variables, redactor: &Redactor, pushed: impl IntoIterator<Item = String>) -> Self {
        let pushed: BTreeSet<String> = pushed.into_iter().collect();
        Self {
            credentials: Arc::new(Credentials::new(variables.clone(), redactor.clone(), pushed)),
            secure: OnceLock::new(),
            local: OnceLock::new(),
        }
    }

    /// The login for a registry (`docker.io`, `localhost:5000`), none where it is asked anonymously. May start a
    /// credential helper, once.
    ///
    /// # Errors
    /// A configuration that cannot be read, a helper that fails.
    pub(crate) fn login(&self, registry: &str) -> Result<Option<Login>, RegistryError> {
        self.credentials.login(registry)
    }

    /// All logins that are configured by name, and Docker Hub's: for a build, whose base images may come from anywhere. A
    /// helper that fails is passed over here, since its registry may not be needed.
    ///
    /// # Errors
    /// A configuration that cannot be read.
    pub(crate) fn logins(&self) -> Result<Vec<Login>, RegistryError> {
        self.credentials.logins()
    }

    /// What the registry has under a tag or digest: the digest, and each platform's manifest and configuration.
    ///
    /// # Errors
    /// Not there, denied, unreachable: each its own error.
    pub(crate) async fn resolve(&self, reference: &Reference) -> Result<Image, RegistryError> {
        let access = self.access(reference).await?;
        let (body, digest) = access.manifest(reference).await?;
        let platforms = match Manifest::read(&body, reference)? {
            Manifest::Single { config } => vec![access.single(reference, &digest, config).await?],
            Manifest::Index { children } => {
                try_join_all(children.into_iter().map(|child| access.child(reference, child))).await?
            }
        };
        Ok(Image { reference: reference.with_digest(digest), platforms })
    }

    /// True where the image is there, false where it is not: also whether the registry answers and takes the login, before
    /// a push is begun.
    ///
    /// # Errors
    /// Denied or unreachable.
    pub(crate) async fn reach(&self, reference: &Reference) -> Result<bool, RegistryError> {
        let access = self.access(reference).await?;
        let asked = oci(reference);
        let answer = twice(async || {
            access.client.auth(&asked, &access.auth, RegistryOperation::Push).await?;
            access.client.fetch_manifest_digest(&asked, &access.auth).await
        });
        match answer.await.map_err(|error| access.explain(error, reference)) {
            Ok(_) => Ok(true),
            Err(RegistryError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts what is under `from` under another tag too. No layer moves.
    ///
    /// # Errors
    /// As [`Registry::resolve`]; a login that may read but not write is denied.
    pub(crate) async fn rename(&self, from: &Reference, tag: &str) -> Result<Digest, RegistryError> {
        let access = self.access(from).await?;
        let (body, digest) = access.manifest(from).await?;
        let to = from.with_tag(tag);
        let media_type = Manifest::media_type(&body, from)?;
        let asked = oci(&to);
        let written = twice(async || {
            let kind =
                media_type.parse().map_err(|_| OciDistributionError::UnsupportedMediaTypeError(media_type.clone()))?;
            access.client.push_manifest_raw(&asked, body.clone(), kind).await
        });
        written.await.map_err(|error| access.explain(error, &to))?;
        Ok(digest)
    }

    /// The client and login for a reference. Helpers are programs, so they are waited for aside.
    async fn access(&self, reference: &Reference) -> Result<Access<'_>, RegistryError> {
        let registry = reference.repository.registry.clone();
        let credentials = self.credentials.clone();
        let asked = tokio::task::spawn_blocking(move || credentials.login(&registry));
        let login = asked.await.map_err(|error| RegistryError::Helper {
            helper: "credential helper".into(),
            registry: reference.repository.registry.clone(),
            why: error.to_string(),
        })??;
        let auth = match &login {
            None => RegistryAuth::Anonymous,
            Some(login) if login.identity_token => {
                RegistryAuth::Basic(TOKEN_USER.into(), login.password.reveal().to_owned())
            }
            Some(login) => RegistryAuth::Basic(login.user.clone(), login.password.reveal().to_owned()),
        };
        let client = if is_local(&reference.repository.registry) {
            self.local.get_or_init(local_client)
        } else {
            self.secure.get_or_init(|| Client::new(configuration(ClientProtocol::Https)))
        };
        Ok(Access { client, auth, login })
    }
}

fn configuration(protocol: ClientProtocol) -> ClientConfig {
    ClientConfig {
        protocol,
        connect_timeout: Some(CONNECT),
        read_timeout: Some(SILENCE),
        user_agent: concat!("shipway/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    }
}

/// The library takes HTTP_PROXY from the environment even for this machine; one that is named but used for nothing keeps it
/// from doing so.
fn local_client() -> Client {
    Client::new(ClientConfig {
        http_proxy: Some("http://localhost".to_owned()),
        no_proxy: Some("*".to_owned()),
        ..configuration(ClientProtocol::Http)
    })
}

/// As the Docker engine has it: registries on this machine are asked without TLS.
fn is_local(registry: &str) -> bool {
    let host = match registry.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => registry.split(':').next().unwrap_or(registry),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn oci(reference: &Reference) -> oci_client::Reference {
    let (registry, path) = (reference.repository.registry.clone(), reference.repository.path.clone());
    match (&reference.digest, &reference.tag) {
        (Some(digest), _) => oci_client::Reference::with_digest(registry, path, digest.to_string()),
        (None, tag) => {
            oci_client::Reference::with_tag(registry, path, tag.clone().unwrap_or_else(|| "latest".to_owned()))
        }
    }
}

/// Once more where the connection failed; an answer, whatever it says, stands.
async fn twice<T>(ask: impl AsyncFn() -> Result<T, OciDistributionError>) -> Result<T, OciDistributionError> {
    match ask().await {
        Err(OciDistributionError::RequestError(error)) if !error.is_timeout() => ask().await,
        answer => answer,
    }
}

struct Access<'r> {
    client: &'r Client,
    auth: RegistryAuth,
    login: Option<Login>,
}

impl Access<'_> {
    async fn manifest(&self, reference: &Reference) -> Result<(Vec<u8>, Digest), RegistryError> {
        let asked = oci(reference);
        let answer = twice(async || self.client.pull_manifest_raw(&asked, &self.auth, ACCEPTED).await).await;
        let (body, digest) = answer.map_err(|error| self.explain(error, reference))?;
        let digest = digest.parse().map_err(|_| RegistryError::odd(reference, format!("`{digest}` is its digest")))?;
        Ok((body.to_vec(), digest))
    }

    /// An image for one platform: which one stands in its configuration.
    async fn single(
        &self,
        image: &Reference,
        manifest: &Digest,
        config: Digest,
    ) -> Result<ImagePlatform, RegistryError> {
        let asked = oci(image);
        let read = twice(async || {
            let mut blob = Vec::new();
            self.client.pull_blob(&asked, config.as_str(), &mut blob).await.map(|()| blob)
        });
        let blob = read.await.map_err(|error| self.explain(error, image))?;
        let platform = manifest::platform(&blob, image)?;
        Ok(ImagePlatform { platform, manifest: manifest.clone(), config })
    }

    /// One entry of an index: its platform is named there, its configuration in its manifest.
    async fn child(&self, image: &Reference, child: Child) -> Result<ImagePlatform, RegistryError> {
        let reference = image.with_digest(child.manifest.clone());
        let (body, _) = self.manifest(&reference).await?;
        match Manifest::read(&body, &reference)? {
            Manifest::Single { config } => {
                Ok(ImagePlatform { platform: child.platform, manifest: child.manifest, config })
            }
            Manifest::Index { .. } => Err(RegistryError::odd(image, "its index names another index")),
        }
    }

    fn explain(&self, error: OciDistributionError, reference: &Reference) -> RegistryError {
        RegistryError::of(error, reference, self.login.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_this_machine_is_asked_without_tls() {
        for (registry, local) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("[::1]:5000", true),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("10.0.0.1:5000", false),
            ("docker.io", false),
        ] {
            assert_eq!(is_local(registry), local, "{registry}");
        }
    }
}
