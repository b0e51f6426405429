//! A server of this process's own for the tests of what a real one cannot be made to do: it answers each request with
//! what its script says.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::connect::{Cluster, Inner};
use crate::model::{Connection, Event, Listener, Redactor, Stop};

/// What is told, in this order.
#[derive(Default)]
pub(super) struct Told(Mutex<Vec<String>>);

impl Told {
    pub(super) fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Listener for Told {
    fn on(&self, event: Event) {
        if let Event::Note(note) = event {
            self.0.lock().unwrap().push(note.text);
        }
    }
}

/// An answer; none for silence.
pub(super) type Script = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A cluster whose server answers the first line of each request by the script.
pub(super) async fn cluster(script: Script) -> (Cluster, Arc<Told>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&script)));
        }
    });
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = kube::Client::try_from(kube::Config::new(server.parse().unwrap())).unwrap();
    let told = Arc::new(Told::default());
    let connection = Connection { server, context: None, user: None, origin: "a test".to_owned() };
    let inner = Inner::new((client, connection), None, Redactor::default(), Arc::clone(&told) as _);
    let patience = Duration::from_secs(60);
    let silence = Duration::from_millis(200);
    let cluster = Cluster {
        inner: Arc::new(inner),
        patience,
        stop: Stop::default(),
        deadline: None,
        silence,
        fence: None,
        adopted: Arc::default(),
        namespace: None,
    };
    (cluster, told)
}

/// `HTTP/1.1 200 OK` with JSON.
pub(super) fn ok(json: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{json}", json.len())
}

/// The beginning of an answer without an end.
pub(super) fn begun(json: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{json}\r\n",
        json.len()
    )
}

async fn answer(mut stream: TcpStream, script: Script) {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    loop {
        let Ok(read) = stream.read(&mut bytes).await else { return };
        if read == 0 {
            return;
        }
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
        let length = |head: &str| {
            let lengths = head.lines().filter_map(|line| line.strip_prefix("content-length: "));
            lengths.filter_map(|length| length.parse::<usize>().ok()).next().unwrap_or(0)
        };
        if text.split_once("\r\n\r\n").is_some_and(|(head, body)| body.len() >= length(head)) {
            let line = text.lines().next().unwrap_or_default().to_owned();
            text.clear();
            match script(&line) {
                Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                None => std::future::pending().await,
            }
        }
    }
}
