//! An admission webhook of a story's own: a tiny TLS server that the API server asks.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

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

/// Asked about what is created in one namespace, until it is dropped.
pub struct Webhook {
    name: String,
    bench: Bench,
    relents: Arc<AtomicBool>,
    /// Serves as long as it lives.
    _runtime: Runtime,
}

impl Webhook {
    /// Asked about ConfigMaps.
    pub fn start(namespace: &str, does: Does) -> Self {
        Self::asked(namespace, "configmaps", does)
    }

    /// Asked about pods.
    pub fn of_pods(namespace: &str, does: Does) -> Self {
        Self::asked(namespace, "pods", does)
    }

    fn asked(namespace: &str, about: &str, does: Does) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let own = Own::new();
        let relents = Arc::new(AtomicBool::new(false));
        runtime.spawn(serve(listener, own.acceptor(), does, Arc::clone(&relents)));
        let webhook = Self { name: format!("{namespace}.example.com"), bench: Bench, relents, _runtime: runtime };
        let configuration = webhook.configuration((namespace, about), address, &own);
        let made = webhook.bench.try_kubectl(&["create", "-f", "-"], &configuration);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        webhook.until_asked(namespace, about);
        webhook
    }

    /// From now on it allows what it is asked.
    pub fn relent(&self) {
        self.relents.store(true, Ordering::SeqCst);
    }

    fn configuration(&self, (namespace, about): (&str, &str), address: SocketAddr, own: &Own) -> String {
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
        resources: [{about}]
",
            name = self.name,
            authority = own.authority
        )
    }

    /// The API server learns of a configuration a moment after it was made.
    fn until_asked(&self, namespace: &str, about: &str) {
        let probe: &[&str] = match about {
            "pods" => &["run", "probe", "--image=probe"],
            _ => &["create", "configmap", "probe"],
        };
        let probe = [&["-n", namespace, "--dry-run=server"], probe].concat();
        // something else may be in the way of what is created, as a ServiceAccount that is not there yet
        while !String::from_utf8_lossy(&self.bench.try_kubectl(&probe, "").stderr).contains(&self.name) {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.bench.try_kubectl(&["delete", "validatingwebhookconfiguration", &self.name, "--ignore-not-found"], "");
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, does: Does, relents: Arc<AtomicBool>) {
    let mut silent = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        match does {
            Does::Nothing => silent.push(stream),
            Does::Deny(reason) => {
                let (acceptor, relents) = (acceptor.clone(), Arc::clone(&relents));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        answer(stream, reason, &relents).await;
                    }
                });
            }
        }
    }
}

/// Answers each request of a connection.
async fn answer(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    reason: &str,
    relents: &AtomicBool,
) {
    let mut text = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        text.extend_from_slice(&buffer[..read]);
        let Some(review) = whole_body(&text) else { continue };
        text.clear();
        let answer = serde_json::json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": review["request"]["uid"], "allowed": relents.load(Ordering::SeqCst), "status": {"code": 403, "message": reason}},
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
