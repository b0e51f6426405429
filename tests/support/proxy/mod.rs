//! A proxy between shipway and the real API server: it counts requests and does to them what a story asks for.
//!
//! It ends TLS with a certificate of its own and talks to the server with the bench's login, so a run needs none: what
//! login it sends is there for rules to look at.

use std::{
    error::Error,
    future::pending,
    net::SocketAddr,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    client::conn::http1::SendRequest,
    header,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{oneshot, watch},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{Bench, Project, Run};

mod rule;
pub mod tls;

pub use rule::{Answer, Fault, Rule, Seen, Then, Way};

type Failure = Box<dyn Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, Failure>;

struct State {
    upstream: SocketAddr,
    connector: TlsConnector,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    in_flight: AtomicUsize,
    /// The run to be killed.
    child: watch::Sender<Option<u32>>,
    down: watch::Sender<Option<Way>>,
    round_trip: Mutex<Duration>,
}

/// It ends with this value.
pub struct Proxy {
    state: Arc<State>,
    kubeconfig: tempfile::TempDir,
    address: SocketAddr,
    authority: String,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    pub fn start(bench: &Bench) -> Self {
        let login = tls::Login::of(bench);
        let own = tls::Own::new();
        let state = Arc::new(State {
            upstream: login.address,
            connector: login.connector(),
            rules: Mutex::default(),
            seen: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            child: watch::Sender::new(None),
            down: watch::Sender::new(None),
            round_trip: Mutex::default(),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("an address");
        let (end, ended) = oneshot::channel();
        let (shared, acceptor) = (Arc::clone(&state), own.acceptor());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = serve(listener, acceptor, shared) => {}
                    _ = ended => {}
                }
            });
        });
        let kubeconfig = tempfile::tempdir().expect("a temporary folder");
        let authority = own.authority;
        Self { state, kubeconfig, address, authority, end: Some(end), thread: Some(thread) }
    }

    pub fn rule(&self, rule: Rule) {
        self.state.rules.lock().expect("the rules").push(rule);
    }

    pub fn forget_rules(&self) {
        self.state.rules.lock().expect("the rules").clear();
    }

    /// Every request takes so long before it is looked at.
    pub fn set_round_trip(&self, time: Duration) {
        *self.state.round_trip.lock().expect("the round trip") = time;
    }

    /// What has come by so far, in this order.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().expect("what was seen").clone()
    }

    pub fn forget_seen(&self) {
        self.state.seen.lock().expect("what was seen").clear();
    }

    /// Points the project at the proxy, with any login.
    pub fn guard(&self, project: &mut Project) {
        self.guard_with_login(project, "{token: of-no-meaning}");
    }

    /// The same with a `user` of a kubeconfig.
    pub fn guard_with_login(&self, project: &mut Project, user: &str) {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: proxy\nclusters:\n- name: proxy\n  cluster:\n    server: https://{}\n    \
             certificate-authority-data: {}\nusers:\n- name: proxy\n  user: {user}\ncontexts:\n- name: proxy\n  \
             context: {{cluster: proxy, user: proxy}}\n",
            self.address, self.authority
        );
        let file = self.kubeconfig.path().join("kubeconfig");
        std::fs::write(&file, text).expect("a kubeconfig");
        project.set("KUBECONFIG", &file.display().to_string());
    }

    /// One run, which is the one that [`Then::Kill`] kills.
    pub fn run(&self, project: &Project, arguments: &[&str]) -> Run {
        self.state.child.send_replace(None);
        let running = project.start(arguments);
        self.state.child.send_replace(Some(running.id()));
        running.wait()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(mut listener: TcpListener, acceptor: TlsAcceptor, state: Arc<State>) {
    let connections = tokio::task::LocalSet::new();
    let mut down = state.down.subscribe();
    connections
        .run_until(async {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = until(&mut down, |way| way == Some(Way::Refused)) => {
                        let address = listener.local_addr().expect("an address");
                        drop(listener);
                        // nobody else gets the port, and nobody answers on it
                        let socket = bound(address).await;
                        until(&mut down, |way| way.is_none()).await;
                        listener = socket.listen(1024).expect("a listener");
                        continue;
                    }
                };
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                // closed without a word: whoever waits for an answer sees a reset
                let _ = stream.set_zero_linger();
                let (state, acceptor) = (Arc::clone(&state), acceptor.clone());
                tokio::task::spawn_local(async move {
                    let mut down = state.down.subscribe();
                    let mut connection = std::pin::pin!(connection(stream, acceptor, &state));
                    loop {
                        let way = *down.borrow_and_update();
                        match way {
                            Some(Way::Reset | Way::Refused) => return,
                            Some(Way::Swallowed) => drop(down.changed().await),
                            None => tokio::select! {
                                biased;
                                _ = down.changed() => {}
                                () = &mut connection => return,
                            },
                        }
                    }
                });
            }
        })
        .await;
}

async fn until(down: &mut watch::Receiver<Option<Way>>, holds: impl Fn(Option<Way>) -> bool) {
    let _ = down.wait_for(|way| holds(*way)).await;
}

/// One connection of the client, with one of its own to the server.
async fn connection(stream: TcpStream, acceptor: TlsAcceptor, state: &Arc<State>) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let server = tokio::sync::Mutex::new(None);
    let service = service_fn(|request| answer(state, &server, request));
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

type Server = tokio::sync::Mutex<Option<SendRequest<Full<Bytes>>>>;

async fn answer(state: &Arc<State>, server: &Server, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
    let (head, body) = request.into_parts();
    let token = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let mut seen = Seen {
        at: Instant::now(),
        method: head.method.clone(),
        path: head.uri.to_string(),
        token: token.map(str::to_owned),
        body: body.collect().await?.to_bytes(),
        in_flight: 0,
    };
    let _under_way = (!seen.is_watch()).then(|| UnderWay::new(&state.in_flight));
    seen.in_flight = state.in_flight.load(Ordering::SeqCst);
    let round_trip = *state.round_trip.lock().expect("the round trip");
    let fault = {
        state.seen.lock().expect("what was seen").push(seen.clone());
        state.rules.lock().expect("the rules").iter_mut().find_map(|rule| rule.take(&seen))
    };
    let is_watch = seen.is_watch();
    tokio::time::sleep(round_trip).await;
    let (response, then) = match fault {
        None => return forward(state, server, head, seen.body).await,
        Some(Fault::Instead(then)) => (None, then),
        Some(Fault::After(then)) => (Some(forward(state, server, head, seen.body).await?), then),
    };
    misbehave(state, (response, is_watch), then).await
}

/// What the client gets to see, in place of the server's answer or after it.
async fn misbehave(
    state: &Arc<State>,
    (mut response, is_watch): (Option<Response<Body>>, bool),
    then: Then,
) -> Result<Response<Body>, Failure> {
    match then {
        Then::Answer(answer) => {
            whole(response.take()).await?;
            Ok(answer.response())
        }
        Then::Reset => {
            whole(response.take()).await?;
            Err("reset".into())
        }
        Then::Cut(bytes) => Ok(response.ok_or("nothing to cut")?.map(|body| cut(body, bytes))),
        Then::Kill => {
            // of a watch the beginning is answer enough
            whole(response.take().filter(|_| !is_watch)).await?;
            let mut child = state.child.subscribe();
            let id = *child.wait_for(Option::is_some).await?;
            let _ = Command::new("kill").args(["-9", &id.unwrap_or_default().to_string()]).output();
            pending().await
        }
        Then::Silence => {
            whole(response.take().filter(|_| !is_watch)).await?;
            pending().await
        }
        Then::Mute => Ok(response.ok_or("nothing to be mute about")?.map(|body| {
            let frames = stream::pending::<Result<Frame<Bytes>, Failure>>();
            // the server's end stays open, too
            StreamBody::new(frames.map(move |frame| (&body, frame).1)).boxed_unsync()
        })),
        Then::Outage(way, time) => {
            let response = match way {
                Way::Swallowed => response,
                Way::Reset | Way::Refused => {
                    whole(response.take().filter(|_| !is_watch)).await?;
                    None
                }
            };
            state.down.send_replace(Some(way));
            let shared = Arc::clone(state);
            tokio::task::spawn_local(async move {
                tokio::time::sleep(time).await;
                shared.down.send_replace(None);
            });
            until(&mut state.down.subscribe(), |way| way.is_none()).await;
            response.ok_or_else(|| "down".into())
        }
    }
}

/// Counts a request while it is under way.
struct UnderWay<'s>(&'s AtomicUsize);

impl<'s> UnderWay<'s> {
    fn new(count: &'s AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn forward(
    state: &State,
    server: &Server,
    mut head: hyper::http::request::Parts,
    body: Bytes,
) -> Result<Response<Body>, Failure> {
    head.headers.remove(header::AUTHORIZATION);
    let mut server = server.lock().await;
    let ready = match server.as_mut() {
        Some(sender) => sender.ready().await.is_ok(),
        None => false,
    };
    if !ready {
        *server = Some(connect(state).await?);
    }
    let sender = server.as_mut().ok_or("no connection")?;
    let response = sender.send_request(Request::from_parts(head, Full::new(body))).await?;
    Ok(response.map(|body| body.map_err(Failure::from).boxed_unsync()))
}

async fn connect(state: &State) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(state.upstream).await?;
    stream.set_nodelay(true)?;
    let stream = state.connector.connect(tls::name(state.upstream), stream).await?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(connection);
    Ok(sender)
}

/// Reads the server's answer to its end: then it is done there.
async fn whole(response: Option<Response<Body>>) -> Result<(), Failure> {
    if let Some(response) = response {
        response.into_body().collect().await?;
    }
    Ok(())
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// The first bytes of a body, then an error, which ends the connection.
fn cut(body: Body, bytes: usize) -> Body {
    let mut left = bytes;
    let frames = body.into_data_stream().map(move |data| {
        let mut data = data?;
        if data.len() <= left {
            left -= data.len();
            return Ok(vec![Ok(data)]);
        }
        let rest = std::mem::take(&mut left);
        Ok::<_, Failure>(vec![Ok(data.split_to(rest)), Err("cut".into())])
    });
    let frames = frames.map_ok(stream::iter).try_flatten().map_ok(Frame::data);
    StreamBody::new(Box::pin(frames)).boxed_unsync()
}

/// A socket that has this address and does not listen. A connection that somebody opens may have the port for a moment.
async fn bound(address: SocketAddr) -> TcpSocket {
    loop {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("a socket");
        match socket.bind(address) {
            Ok(()) => return socket,
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("the same port: {error}"),
        }
    }
}
