//! The engine's HTTP interface: dial, one request, hijack.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    header,
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use crate::model::Variables;

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
const ANSWER: Duration = Duration::from_secs(60);
/// Of such an answer.
const LARGEST: usize = 1 << 20;

/// A bound for reaching it.
const CONNECT: Duration = Duration::from_secs(15);

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The Docker Engine; one for a process.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    address: Arc<Address>,
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
        let version = timeout(ANSWER, version(&address)).await;
        let version = version.map_err(|_| DockerError::Engine(format!("nothing for {} s", ANSWER.as_secs())))??;
        Ok(Self {
            address,
            api: Api::parse(&version.api_version),
            is_podman: version.is_podman(),
            version: version.version,
        })
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
            .body(Empty::<Bytes>::new())
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

/// What `GET /version` answers, as far as it matters here.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Version {
    version: String,
    api_version: String,
    components: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    name: String,
}

impl Version {
    fn is_podman(&self) -> bool {
        self.components.iter().any(|component| component.name.starts_with("Podman"))
    }
}

async fn version(address: &Address) -> Result<Version, DockerError> {
    let request = Request::get("/version").body(Empty::<Bytes>::new()).map_err(|error| DockerError::engine(&error))?;
    let response = send(address, request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    let body = body.map_err(|error| DockerError::engine(&*error))?.to_bytes();
    if !status.is_success() {
        return Err(refused(status, &body));
    }
    serde_json::from_slice(&body).map_err(|error| DockerError::engine(&error))
}

fn refused(status: StatusCode, body: &[u8]) -> DockerError {
    let text = message(body);
    DockerError::Engine(match text.trim() {
        text if text.contains("to an HTTPS server") => {
            "it speaks TLS only: export DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH".to_owned()
        }
        "" => format!("HTTP status {}", status.as_u16()),
        text => text.to_owned(),
    })
}

/// The engine's `{"message":..}`, or the text as it is.
pub(super) fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Answer {
        message: String,
    }
    serde_json::from_slice::<Answer>(body)
        .map_or_else(|_| String::from_utf8_lossy(body).into_owned(), |answer| answer.message)
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

    #[test]
    fn podman_is_known_by_its_components() {
        for (answer, api, is_podman) in [
            (r#"{"Version": "26.1", "ApiVersion": "1.45", "Components": [{"Name": "Engine"}]}"#, "1.45", false),
            (r#"{"ApiVersion": "1.41", "Components": [{"Name": "Podman Engine", "Details": {}}]}"#, "1.41", true),
            ("{}", "", false),
        ] {
            let version: Version = serde_json::from_str(answer).unwrap();
            assert_eq!((version.api_version.as_str(), version.is_podman()), (api, is_podman));
        }
    }

    #[test]
    fn a_refusal_says_what_to_do_or_what_the_engine_says() {
        for (body, said) in [
            ("Client sent an HTTP request to an HTTPS server.\n", "DOCKER_TLS_VERIFY=1"),
            (r#"{"message": "no room"}"#, "answers: no room"),
            ("", "HTTP status 500"),
        ] {
            let error = refused(StatusCode::INTERNAL_SERVER_ERROR, body.as_bytes()).to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
