//! BuildKit's `Control` service over one HTTP/2 connection: Solve, Status, Session.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use hyper::{
    Request, Response, Uri,
    body::Incoming,
    client::conn::http2::{self, SendRequest},
    http::uri::PathAndQuery,
};
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;
use tonic::{Status, Streaming, body::Body, client::Grpc, codegen::Service, metadata::MetadataMap};
use tonic_prost::ProstCodec;

use super::{
    engine::Stream,
    messages::{BytesMessage, SolveRequest, SolveResponse, StatusRequest, StatusResponse},
};

/// A message may hold many log lines; the default of 4 MB would end the build's progress.
const LARGEST_MESSAGE: usize = 64 * 1024 * 1024;

/// The connection; clones share it.
#[derive(Clone)]
pub(super) struct Control(SendRequest<Body>);

impl Control {
    /// Starts HTTP/2 on the stream; `tasks` keeps it going.
    pub(super) async fn open(stream: Box<dyn Stream>, tasks: &mut JoinSet<()>) -> Result<Self, hyper::Error> {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        tasks.spawn(async move {
            // its end is seen by the calls on it
            let _ = connection.await;
        });
        Ok(Self(sender))
    }

    pub(super) async fn solve(&self, request: SolveRequest) -> Result<SolveResponse, Status> {
        let mut client = self.client().await?;
        let path = PathAndQuery::from_static("/moby.buildkit.v1.Control/Solve");
        let response = client.unary(tonic::Request::new(request), path, ProstCodec::default()).await?;
        Ok(response.into_inner())
    }

    pub(super) async fn status(&self, reference: String) -> Result<Streaming<StatusResponse>, Status> {
        let mut client = self.client().await?;
        let request = tonic::Request::new(StatusRequest { reference });
        let path = PathAndQuery::from_static("/moby.buildkit.v1.Control/Status");
        Ok(client.server_streaming(request, path, ProstCodec::default()).await?.into_inner())
    }

    /// A byte stream on which BuildKit calls us.
    pub(super) async fn session(
        &self,
        metadata: MetadataMap,
        outgoing: impl futures::Stream<Item = BytesMessage> + Send + 'static,
    ) -> Result<Streaming<BytesMessage>, Status> {
        let mut client = self.client().await?;
        let mut request = tonic::Request::new(outgoing);
        *request.metadata_mut() = metadata;
        let path = PathAndQuery::from_static("/moby.buildkit.v1.Control/Session");
        Ok(client.streaming(request, path, ProstCodec::default()).await?.into_inner())
    }

    async fn client(&self) -> Result<Grpc<Self>, Status> {
        let client = Grpc::with_origin(self.clone(), Uri::from_static("http://docker"));
        let mut client = client.max_decoding_message_size(LARGEST_MESSAGE);
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(client)
    }
}

impl Service<Request<Body>> for Control {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
