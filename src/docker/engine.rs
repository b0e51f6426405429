//! The engine's HTTP interface: dial, one request, hijack. What has no trap is left to bollard, over the same dialer.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use bollard::{Docker, models::SystemVersion, query_parameters::TagImageOptionsBuilder};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    header,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use crate::model::{Reference, Variables};

use super::{
    DockerError,
    address::{Address, Endpoint},
    tls::secure,
};

/// The oldest that has BuildKit on `/grpc` (Docker 18.09).
const OLDEST_API: Api = Api(1, 39);
/// From here on the socket speaks gRPC itself and `/grpc` is on its way out (Docker 29.2).
const NATIVE_GRPC_API: Api = Api(1, 53);

/// A bound for what is answered at once; builds and pushes have none.
const ANSWER_SECONDS: u64 = 60;

/// A bound for reaching it.
const CONNECT: Duration = Duration::from_secs(15);

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The Docker Engine; one for a process.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    address: Arc<Address>,
    docker: Docker,
    version: String,
    api: Api,
    is_podman: bool,
}

/// Both directions of a connection.
pub(super) trait Stream: hyper::rt::Read + hyper::rt::Write + Send + Unpin {}
impl<T: hyper::rt::Read + hyper::rt::Write + Send + Unpin> Stream for T {}

impl Engine {
    /// Finds the engine and asks for its version.
    ///
    /// # Errors
    /// An address that cannot be used; an engine that does not answer.
    pub(crate) async fn connect(variables: &Variables) -> Result<Self, DockerError> {
        let address = Arc::new(Address::find(variables)?);
        let dialled = Arc::clone(&address);
        let transport = move |request: bollard::BollardRequest| {
            let address = Arc::clone(&dialled);
            async move { send(&address, request).await.map_err(|error| std::io::Error::other(error).into()) }
        };
        let docker = Docker::connect_with_custom_transport(
            transport,
            Some("http://docker"),
            ANSWER_SECONDS,
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|error| DockerError::engine(&error))?;
        dial(&address, None).await?;
        let version = docker.version().await.map_err(answered)?;
        Ok(Self {
            address,
            docker,
            api: version.api_version.as_deref().map_or(Api(0, 0), Api::parse),
            is_podman: is_podman(&version),
            version: version.version.unwrap_or_default(),
        })
    }

    /// Gives an image, named by reference or id, one more name.
    ///
    /// # Errors
    /// An image that the engine does not have.
    pub(crate) async fn tag(&self, image: &str, reference: &Reference) -> Result<(), DockerError> {
        let options = TagImageOptionsBuilder::new().repo(&reference.repository.to_string());
        let options = options.tag(reference.tag.as_deref().unwrap_or("latest")).build();
        match self.docker.tag_image(image, Some(options)).await {
            Err(error) if is_not_found(&error) => Err(DockerError::ImageNotBuilt { image: image.to_owned() }),
            Err(error) => Err(answered(error)),
            Ok(()) => Ok(()),
        }
    }

    /// The image's id, where the engine has it.
    ///
    /// # Errors
    /// An engine that does not answer.
    pub(crate) async fn has_image(&self, reference: &Reference) -> Result<Option<String>, DockerError> {
        match self.docker.inspect_image(&reference.to_string()).await {
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(answered(error)),
            Ok(image) => Ok(image.id),
        }
    }

    /// One request over a connection of its own. Dropping the answer closes the connection, by which the engine
    /// knows that nobody waits any more.
    pub(super) async fn send<B>(&self, request: Request<B>) -> Result<Response<Incoming>, DockerError>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        send(&self.address, request).await
    }

    /// A connection that speaks BuildKit's gRPC.
    ///
    /// # Errors
    /// An engine without BuildKit.
    pub(super) async fn buildkit(&self) -> Result<Box<dyn Stream>, DockerError> {
        if self.is_podman || self.api < OLDEST_API {
            let name = if self.is_podman { "podman" } else { "Docker" };
            return Err(DockerError::NoBuildKit { engine: format!("{name} {}", self.version) });
        }
        if self.api >= NATIVE_GRPC_API {
            return dial(&self.address, Some("h2")).await;
        }
        let request = Request::builder()
            .method(Method::POST)
            .uri("/grpc")
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "h2c")
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .map_err(|error| DockerError::engine(&error))?;
        let response = self.send(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(DockerError::NoBuildKit { engine: format!("Docker {}", self.version) });
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(|error| DockerError::engine(&error))?;
        Ok(Box::new(upgraded))
    }
}

/// `protocol` is what TLS is to agree on, where it is not HTTP/1.1.
async fn dial(address: &Address, protocol: Option<&str>) -> Result<Box<dyn Stream>, DockerError> {
    let unreachable = |source| DockerError::Unreachable {
        address: address.endpoint.to_string(),
        origin: address.origin.clone(),
        source,
    };
    let authority = match &address.endpoint {
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(unreachable)?;
            return Ok(Box::new(TokioIo::new(stream)));
        }
        Endpoint::Tcp(authority) => authority,
    };
    let connecting = timeout(CONNECT, TcpStream::connect(authority)).await;
    let stream = connecting.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())).map_err(unreachable)?;
    // a failure only costs latency
    let _ = stream.set_nodelay(true);
    let Some(folder) = &address.certificates else { return Ok(Box::new(TokioIo::new(stream))) };
    match timeout(CONNECT, secure(stream, authority, folder, protocol)).await {
        Ok(Ok(stream)) => Ok(Box::new(TokioIo::new(stream))),
        Ok(Err(why)) => Err(DockerError::Tls { address: address.endpoint.to_string(), why }),
        Err(_) => Err(unreachable(ErrorKind::TimedOut.into())),
    }
}

async fn send<B>(address: &Address, request: Request<B>) -> Result<Response<Incoming>, DockerError>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse().map_err(|error: hyper::http::uri::InvalidUri| DockerError::engine(&error))?;
    parts.headers.insert(header::HOST, header::HeaderValue::from_static("docker"));
    let stream = dial(address, None).await?;
    let lost = |error: hyper::Error| DockerError::engine(&error);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.map_err(lost)?;
    // ends by itself when the answer has been read or dropped; its error reaches the answer's reader
    tokio::spawn(connection.with_upgrades());
    sender.send_request(Request::from_parts(parts, body)).await.map_err(lost)
}

/// bollard's error without its wrapping; our dialer's own errors come back through it.
fn answered(error: bollard::errors::Error) -> DockerError {
    use bollard::errors::Error;
    match error {
        Error::DockerResponseServerError { message, .. } if message.contains("to an HTTPS server") => {
            DockerError::Engine("it speaks TLS only: export DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH".to_owned())
        }
        Error::DockerResponseServerError { status_code, message } if message.trim().is_empty() => {
            DockerError::Engine(format!("HTTP status {status_code}"))
        }
        Error::DockerResponseServerError { message, .. } => DockerError::Engine(message.trim().to_owned()),
        Error::RequestTimeoutError => DockerError::Engine(format!("nothing for {ANSWER_SECONDS} s")),
        Error::IOError { err } => match err.downcast::<DockerError>() {
            Ok(ours) => ours,
            Err(err) => DockerError::engine(&err),
        },
        other => DockerError::engine(&other),
    }
}

fn is_not_found(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { status_code: 404, .. })
}

fn is_podman(version: &SystemVersion) -> bool {
    version.components.iter().flatten().any(|component| component.name.starts_with("Podman"))
}

/// A version of the engine's interface, `1.41`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Api(u32, u32);

impl Api {
    /// What is not a version is older than any.
    fn parse(text: &str) -> Self {
        let numbers =
            text.split_once('.').and_then(|(major, minor)| Some(Self(major.parse().ok()?, minor.parse().ok()?)));
        numbers.unwrap_or(Self(0, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(Api::parse("1.9") < Api::parse("1.41"));
        assert!(Api::parse("1.53") >= NATIVE_GRPC_API);
        assert!(Api::parse("x") < OLDEST_API);
    }
}
