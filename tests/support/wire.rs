//! The API server without kubectl: what a second watcher sees at the same time, and what a kubelet writes.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Instant,
};

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, client::conn::http1::SendRequest, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, sync::oneshot};
use tokio_rustls::TlsConnector;

use super::{Bench, proxy::tls};

/// Where the API server is, with the administrator's login.
#[derive(Clone)]
pub struct Wire {
    address: SocketAddr,
    connector: TlsConnector,
}

impl Wire {
    pub fn of(bench: &Bench) -> Self {
        let login = tls::Login::of(bench);
        Self { address: login.address, connector: login.connector() }
    }

    pub async fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).await.expect("an API server");
        stream.set_nodelay(true).expect("a socket");
        let stream = self.connector.connect(tls::name(self.address), stream).await.expect("TLS");
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        Connection { wire: self.clone(), sender }
    }
}

/// One connection: a request after another, or one watch.
pub struct Connection {
    wire: Wire,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// One request; answers the status and the body. The server may have ended the connection since the last one.
    pub async fn send(&mut self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "bench")
            .header(header::CONTENT_TYPE, kind)
            .body(Full::new(Bytes::from(body.to_string())))
            .expect("a request");
        if self.sender.ready().await.is_err() {
            *self = self.wire.connect().await;
        }
        let response = self.sender.send_request(request).await.expect("an answer");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Hands over what a watch tells, as `{type, object}`, until the server ends it.
    pub async fn watch(mut self, path: &str, mut each: impl FnMut(Value)) {
        let request = Request::get(path).header(header::HOST, "bench").body(Full::default()).expect("a request");
        let response = self.sender.send_request(request).await.expect("an answer");
        assert!(response.status().is_success(), "{path}: {}", response.status());
        let mut body = response.into_body();
        let mut text = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            text.extend_from_slice(frame.data_ref().expect("data"));
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                each(serde_json::from_slice(&line).expect("an event"));
            }
        }
    }
}

/// A thread with a runtime of its own, until the value is gone.
pub struct Beside {
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    pub fn start<F: Future<Output = ()>>(work: impl FnOnce() -> F + Send + 'static) -> Self {
        let (end, ended) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = work() => {}
                    _ = ended => {}
                }
            });
        });
        Self { end: Some(end), thread: Some(thread) }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

type Told = Arc<Mutex<Vec<(Instant, Value)>>>;

/// Watches on its own, and notes when it was told what.
pub struct Watcher {
    told: Told,
    _beside: Beside,
}

impl Watcher {
    /// Of the paths of lists.
    pub fn start(bench: &Bench, paths: Vec<String>) -> Self {
        let wire = Wire::of(bench);
        let told = Told::default();
        let kept = Arc::clone(&told);
        let beside = Beside::start(move || async move {
            let watches = paths.iter().map(async |path| {
                let path = format!("{path}?watch=true");
                let note = |event| kept.lock().expect("what was told").push((Instant::now(), event));
                // the server ends the watch of one who reads too slowly; what is told twice was told before
                loop {
                    wire.connect().await.watch(&path, note).await;
                }
            });
            join_all(watches).await;
        });
        Self { told, _beside: beside }
    }

    /// When an object first was so.
    pub fn first(&self, fits: impl Fn(&Value) -> bool) -> Option<Instant> {
        let told = self.told.lock().expect("what was told");
        told.iter().find(|(_, event)| fits(&event["object"])).map(|(at, _)| *at)
    }
}

/// The condition of an object's status is true.
pub fn is_true(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|found| found["type"] == condition && found["status"] == "True")
}
