//! An admission webhook of a story's own: a tiny TLS server that the API server asks.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

use super::{Bench, proxy::tls::Own};

/// What the webhook does when it is asked.
#[derive(Clone, Copy)]
pub enum Does {
    /// Refuses, with this reason.
    Deny(&'static str),
    /// Takes the connection and says nothing.
    Nothing,
}

/// Asked about the ConfigMaps of one namespace, until it is dropped.
pub struct Webhook {
    name: String,
    bench: Bench,
    /// Serves as long as it lives.
    _runtime: Runtime,
}

impl Webhook {
    pub fn start(namespace: &str, does: Does) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let own = Own::new();
        runtime.spawn(serve(listener, own.acceptor(), does));
        let webhook = Self { name: format!("{namespace}.example.com"), bench: Bench, _runtime: runtime };
        let made = webhook.bench.try_kubectl(&["create", "-f", "-"], &webhook.configuration(namespace, address, &own));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        webhook.until_asked(namespace);
        webhook
    }

    fn configuration(&self, namespace: &str, address: SocketAddr, own: &Own) -> String {
        format!(
            "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata:
  name: {name}
webhooks:
  - name: {name}
    admissionReviewVersions: [v1]
    sideEffects: None
    timeoutSeconds: 1
    failurePolicy: Fail
    clientConfig:
      url: https://{address}/
      caBundle: {authority}
    namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: {namespace}
    rules:
      - apiGroups: ['']
        apiVersions: [v1]
        operations: [CREATE, UPDATE]
        resources: [configmaps]
",
            name = self.name,
            authority = own.authority
        )
    }

    /// The API server learns of a configuration a moment after it was made.
    fn until_asked(&self, namespace: &str) {
        let probe = ["-n", namespace, "create", "configmap", "probe", "--dry-run=server"];
        while self.bench.try_kubectl(&probe, "").status.success() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.bench.try_kubectl(&["delete", "validatingwebhookconfiguration", &self.name, "--ignore-not-found"], "");
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, does: Does) {
    let mut silent = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        match does {
            Does::Nothing => silent.push(stream),
            Does::Deny(reason) => {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        deny(stream, reason).await;
                    }
                });
            }
        }
    }
}

/// Answers each request of a connection.
async fn deny(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin, reason: &str) {
    let mut text = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        text.extend_from_slice(&buffer[..read]);
        let Some(review) = whole_body(&text) else { continue };
        text.clear();
        let answer = serde_json::json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": review["request"]["uid"], "allowed": false, "status": {"code": 403, "message": reason}},
        })
        .to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", answer.len());
        if stream.write_all((head + &answer).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The request's JSON once all of it is there.
fn whole_body(request: &[u8]) -> Option<serde_json::Value> {
    let text = String::from_utf8_lossy(request);
    let (_, body) = text.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}
