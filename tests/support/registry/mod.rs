//! A registry of a story's own: a proxy before the bench's open one, which the node and shipway ask under its own port.
//!
//! Nothing that it has is known to the node's runtime under this name, so each image is asked for anew.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
};

use super::Bench;

mod push;

pub use push::{Content, Store};

/// Who asks for what.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: Instant,
    /// True for the node's runtime, false for shipway.
    pub by_node: bool,
    /// `/v2/team/web/manifests/1`
    pub path: String,
}

impl Asked {
    /// For a manifest, or for the blob under whose digest a runtime looks for it next.
    pub fn is_for(&self, digest: &str) -> bool {
        self.path.contains("/manifests/") || self.path.ends_with(digest)
    }
}

/// What is answered in the place of the registry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    /// A status and the code of the registry's error: `404`, `MANIFEST_UNKNOWN`.
    Status(u16, &'static str),
    /// Nobody listens any more, for so long.
    Down(Duration),
}

type Rule = Box<dyn FnMut(&Asked) -> Option<Refusal> + Send>;

struct State {
    upstream: SocketAddr,
    rule: Mutex<Rule>,
    asked: Mutex<Vec<Asked>>,
    down: watch::Sender<bool>,
}

/// It ends with this value.
pub struct OwnRegistry {
    state: Arc<State>,
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl OwnRegistry {
    pub fn start() -> Self {
        let port = Bench.variable("REGISTRY").rsplit(':').next().and_then(|port| port.parse().ok());
        let upstream = SocketAddr::from(([127, 0, 0, 1], port.expect("the registry's port")));
        let state = Arc::new(State {
            upstream,
            rule: Mutex::new(Box::new(|_| None)),
            asked: Mutex::default(),
            down: watch::Sender::new(false),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("an address");
        let (end, ended) = oneshot::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = serve(listener, address, shared) => {}
                    _ = ended => {}
                }
            });
        });
        Self { state, address, end: Some(end), thread: Some(thread) }
    }

    /// A repository as manifests name it: `localhost:43127/team/web`.
    pub fn repository(&self, path: &str) -> String {
        format!("localhost:{}/{path}", self.address.port())
    }

    /// What becomes of each request; what the rule has no refusal for passes.
    pub fn rule(&self, rule: impl FnMut(&Asked) -> Option<Refusal> + Send + 'static) {
        *self.state.rule.lock().expect("the rule") = Box::new(rule);
    }

    /// The rule holds from the node's first request on, for so long.
    pub fn refuse_for(
        &self,
        time: Duration,
        refusal: Refusal,
        mut refuses: impl FnMut(&Asked) -> bool + Send + 'static,
    ) {
        let mut first = None;
        self.rule(move |asked| {
            first = first.or(asked.by_node.then_some(asked.at));
            let holds = first.is_some_and(|first| asked.at < first + time);
            (holds && refuses(asked)).then_some(refusal)
        });
    }

    /// What the node asked for so far.
    pub fn asked_by_node(&self) -> Vec<Asked> {
        self.state.asked.lock().expect("what was asked").iter().filter(|asked| asked.by_node).cloned().collect()
    }
}

impl Drop for OwnRegistry {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(mut listener: TcpListener, address: SocketAddr, state: Arc<State>) {
    let mut down = state.down.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                tokio::spawn(connection(stream, Arc::clone(&state)));
            }
            Ok(()) = down.changed() => {
                drop(listener);
                while *down.borrow_and_update() && down.changed().await.is_ok() {}
                listener = TcpListener::bind(address).await.expect("its port again");
            }
        }
    }
}

/// One request, with one connection to the registry: the answer ends with it.
async fn connection(mut client: TcpStream, state: Arc<State>) {
    let Some(head) = head(&mut client).await else { return };
    let mut words = head.split(' ');
    let path = words.nth(1).unwrap_or_default().to_owned();
    let by_node = !head.to_lowercase().contains("user-agent: shipway/");
    let asked = Asked { at: Instant::now(), by_node, path };
    state.asked.lock().expect("what was asked").push(asked.clone());
    let refusal = (state.rule.lock().expect("the rule"))(&asked);
    match refusal {
        None => {
            let Ok(mut server) = TcpStream::connect(state.upstream).await else { return };
            let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            if server.write_all(head.as_bytes()).await.is_ok() {
                let _ = copy(&mut server, &mut client).await;
            }
        }
        Some(Refusal::Status(status, code)) => {
            let body = format!(r#"{{"errors":[{{"code":"{code}","message":"refused by the story"}}]}}"#);
            let answer = format!(
                "HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = client.write_all(answer.as_bytes()).await;
        }
        Some(Refusal::Down(time)) => {
            state.down.send_replace(true);
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                state.down.send_replace(false);
            });
        }
    }
}

/// The request's head; nothing that is only read has a body.
async fn head(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
