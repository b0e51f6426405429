//! The session: BuildKit calls back through the engine, and we answer for health, logins, secrets and files.

use std::{convert::Infallible, sync::Arc};

use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    task::JoinSet,
};
use tonic::{
    Status,
    body::Body,
    metadata::{MetadataMap, MetadataValue},
    server::Grpc,
};
use tonic_prost::ProstCodec;

use crate::model::{BuildSecret, Login};

use super::{
    control::Control,
    filesync::FileSync,
    messages::{
        BytesMessage, CredentialsRequest, CredentialsResponse, HealthRequest, HealthResponse, SERVING, SecretRequest,
        SecretResponse,
    },
};

/// How much the session's stream buffers in each direction.
const BUFFER: usize = 256 * 1024;

/// HTTP/2 allows as much framing overhead of small messages as half of this, and closes the connection beyond it:
/// BuildKit asks for each file of a context by such a message.
const CONNECTION_WINDOW: u32 = 32 * 1024 * 1024;

/// What BuildKit may call, as it is announced when the session opens.
const METHODS: [&str; 4] =
    ["/grpc.health.v1.Health/Check", "/moby.filesync.v1.Auth/Credentials", GET_SECRET, DIFF_COPY];
const GET_SECRET: &str = "/moby.buildkit.secrets.v1.Secrets/GetSecret";
const DIFF_COPY: &str = "/moby.filesync.v1.FileSync/DiffCopy";

/// What the session answers from.
pub(super) struct Services {
    pub files: FileSync,
    pub logins: Vec<Login>,
    pub secrets: Vec<BuildSecret>,
}

/// Who this session is.
pub(super) struct Identity {
    pub id: String,
    /// ASCII; BuildKit keeps what it received of a context under it.
    pub shared_key: String,
}

impl Identity {
    fn metadata(&self) -> Result<MetadataMap, Status> {
        let value = |text: &str| MetadataValue::try_from(text).map_err(|error| Status::internal(error.to_string()));
        let mut metadata = MetadataMap::new();
        metadata.insert("x-docker-expose-session-uuid", value(&self.id)?);
        metadata.insert("x-docker-expose-session-name", value("shipway")?);
        metadata.insert("x-docker-expose-session-sharedkey", value(&self.shared_key)?);
        for method in METHODS {
            metadata.append("x-docker-expose-session-grpc-method", value(method)?);
        }
        Ok(metadata)
    }
}

/// Opens the session and answers on it for as long as `tasks` lives.
///
/// # Errors
/// An identity that no header can carry.
pub(super) fn open(
    control: &Control,
    identity: &Identity,
    services: Services,
    tasks: &mut JoinSet<()>,
) -> Result<(), Status> {
    let metadata = identity.metadata()?;
    let (ours, theirs) = tokio::io::duplex(BUFFER);
    tasks.spawn(serve(ours, Arc::new(services)));
    let control = control.clone();
    tasks.spawn(async move {
        // an end of the session shows as the build's failure
        let _ = carry(control, metadata, theirs).await;
    });
    Ok(())
}

/// Carries bytes between the session's stream and the server.
async fn carry(control: Control, metadata: MetadataMap, stream: DuplexStream) -> Result<(), Status> {
    let (reader, mut writer) = tokio::io::split(stream);
    let outgoing = futures::stream::unfold(reader, |mut reader| async move {
        let mut data = bytes::BytesMut::with_capacity(64 * 1024);
        match reader.read_buf(&mut data).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some((BytesMessage { data: data.freeze() }, reader)),
        }
    });
    let mut incoming = control.session(metadata, outgoing).await?;
    while let Some(message) = incoming.message().await? {
        writer.write_all(&message.data).await?;
    }
    Ok(())
}

async fn serve(stream: DuplexStream, services: Arc<Services>) {
    let service = service_fn(move |request| {
        let services = Arc::clone(&services);
        async move { Ok::<_, Infallible>(answer(&services, request).await) }
    });
    let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    server.initial_connection_window_size(CONNECTION_WINDOW);
    // it ends with the session
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(services: &Arc<Services>, request: Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/grpc.health.v1.Health/Check" => {
            let mut server = Grpc::new(ProstCodec::default());
            server.unary(Unary(|_: HealthRequest| Ok(HealthResponse { status: SERVING })), request).await
        }
        "/moby.filesync.v1.Auth/Credentials" => {
            let services = Arc::clone(services);
            let answer = move |asked: CredentialsRequest| Ok(credentials(&services.logins, &asked.host));
            Grpc::new(ProstCodec::default()).unary(Unary(answer), request).await
        }
        GET_SECRET => {
            let services = Arc::clone(services);
            let answer = move |asked: SecretRequest| secret(&services.secrets, &asked.id);
            Grpc::new(ProstCodec::default()).unary(Unary(answer), request).await
        }
        path if path.eq_ignore_ascii_case(DIFF_COPY) => {
            Grpc::new(ProstCodec::default()).streaming(services.files.clone(), request).await
        }
        path => Status::unimplemented(format!("{path} is not served")).into_http(),
    }
}

/// A call that is answered at once.
struct Unary<F>(F);

impl<Asked, Answer, F: FnMut(Asked) -> Result<Answer, Status>> tonic::server::UnaryService<Asked> for Unary<F> {
    type Response = Answer;
    type Future = std::future::Ready<Result<tonic::Response<Answer>, Status>>;

    fn call(&mut self, request: tonic::Request<Asked>) -> Self::Future {
        std::future::ready((self.0)(request.into_inner()).map(tonic::Response::new))
    }
}

/// The login for a host; an empty answer lets BuildKit try without one.
fn credentials(logins: &[Login], host: &str) -> CredentialsResponse {
    let host = registry_name(host);
    match logins.iter().find(|login| registry_name(&login.registry) == host) {
        Some(login) if login.identity_token => {
            CredentialsResponse { username: String::new(), secret: login.password.reveal().to_owned() }
        }
        Some(login) => CredentialsResponse { username: login.user.clone(), secret: login.password.reveal().to_owned() },
        None => CredentialsResponse::default(),
    }
}

/// One that is not there is not found: BuildKit then leaves the mount out, unless the Dockerfile requires it.
fn secret(secrets: &[BuildSecret], id: &str) -> Result<SecretResponse, Status> {
    match secrets.iter().find(|secret| secret.id == id) {
        Some(secret) => Ok(SecretResponse { data: secret.value.reveal().to_vec() }),
        None => Err(Status::not_found(format!("secret {id} not found"))),
    }
}

/// One name for each registry: Docker Hub has several, and configurations write URLs.
pub(super) fn registry_name(registry: &str) -> &str {
    let bare = registry.split_once("://").map_or(registry, |(_, rest)| rest);
    let host = bare.split('/').next().unwrap_or(bare);
    match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Masked, MaskedBytes};

    use super::*;

    fn login(registry: &str, user: &str, identity_token: bool) -> Login {
        let password = Masked::new(format!("secret of {registry}"));
        Login { registry: registry.into(), user: user.into(), password, identity_token, origin: "test".into() }
    }

    #[test]
    fn a_secret_is_given_by_its_id_and_never_printed() {
        let value = MaskedBytes::new(b"hunter2".to_vec());
        let secrets = [BuildSecret { id: "token".into(), value }];
        let answer = secret(&secrets, "token").unwrap();
        assert_eq!(answer.data, b"hunter2");
        assert_eq!(format!("{answer:?}"), "SecretResponse(***)");
        assert!(!format!("{secrets:?}").contains("hunter2"));
        assert_eq!(secret(&secrets, "npmrc").unwrap_err().code(), tonic::Code::NotFound);
    }

    #[test]
    fn credentials_are_found_by_any_name_of_the_registry() {
        let logins = [
            login("https://index.docker.io/v1/", "hub", false),
            login("localhost:5000", "me", false),
            login("x.io", "", true),
        ];
        for (host, user, secret) in [
            ("registry-1.docker.io", "hub", "secret of https://index.docker.io/v1/"),
            ("docker.io", "hub", "secret of https://index.docker.io/v1/"),
            ("localhost:5000", "me", "secret of localhost:5000"),
            ("localhost:5001", "", ""),
            ("x.io", "", "secret of x.io"),
        ] {
            let answer = credentials(&logins, host);
            assert_eq!((answer.username.as_str(), answer.secret.as_str()), (user, secret), "{host}");
            assert_eq!(format!("{answer:?}"), "CredentialsResponse(***)");
        }
    }
}
