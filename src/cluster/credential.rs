//! Logins that change during a run: a program hands them out (`user.exec` of a kubeconfig,
//! client.authentication.k8s.io/v1), or they stand in a file that is written again (`user.tokenFile`, in a pod).
//!
//! kube would run the program three times for each client; here it runs once, and again when its token runs out or is
//! refused. kube would read the file each minute; here it is also read when the token is refused.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

use kube::config::{ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::json;
use tokio::{sync::Mutex, time::Instant};

use super::{error::ClusterError, kubeconfig::settings};
use crate::model::{Listener, Note, Redactor};

/// Where tokens come from, and the last one.
pub(super) struct Credential {
    source: Source,
    redactor: Redactor,
    last: Mutex<Issued>,
}

enum Source {
    Program(Arc<ExecConfig>, Arc<dyn Listener>),
    File(String),
}

/// `status` of an ExecCredential.
#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Issued {
    token: Option<String>,
    expiration_timestamp: Option<jiff::Timestamp>,
    /// PEM
    pub client_certificate_data: Option<String>,
    /// PEM
    pub client_key_data: Option<String>,
}

#[derive(Deserialize)]
struct ExecCredential {
    status: Option<Issued>,
}

/// A login at a browser takes its time.
const PLUGIN_TIME: Duration = Duration::from_secs(120);
/// A token is renewed so long before it runs out.
const EARLY: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// So long a token out of a file is taken to be the newest. kubelet writes it again long before it runs out.
const FILE_TIME: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

impl Credential {
    /// Runs the program for the first time.
    pub(super) async fn obtain(
        plugin: ExecConfig,
        redactor: Redactor,
        listener: Arc<dyn Listener>,
    ) -> Result<(Self, Issued), ClusterError> {
        let plugin = Arc::new(plugin);
        let first = run(&plugin, &redactor, &listener).await?;
        let last = Mutex::new(first.clone());
        Ok((Self { source: Source::Program(plugin, listener), redactor, last }, first))
    }

    /// Reads the file for the first time.
    pub(super) async fn of_file(file: String, redactor: Redactor) -> Result<Self, ClusterError> {
        let last = Mutex::new(read(&file, &redactor)?);
        Ok(Self { source: Source::File(file), redactor, last })
    }

    /// The token to send, renewed where it is about to run out. None for a login by client certificate.
    pub(super) async fn token(&self) -> Result<Option<String>, ClusterError> {
        let mut last = self.last.lock().await;
        if last.expiration_timestamp.is_some_and(|end| jiff::Timestamp::now() + EARLY >= end) {
            *last = self.issue().await?;
        }
        Ok(last.token.clone())
    }

    /// Another token than the one that was refused; false where there is no other.
    pub(super) async fn renew(&self, refused: Option<&str>) -> Result<bool, ClusterError> {
        let mut last = self.last.lock().await;
        if last.token.as_deref() == refused {
            *last = self.issue().await?;
        }
        Ok(last.token.is_some() && last.token.as_deref() != refused)
    }

    async fn issue(&self) -> Result<Issued, ClusterError> {
        match &self.source {
            Source::Program(plugin, listener) => run(plugin, &self.redactor, listener).await,
            Source::File(file) => read(file, &self.redactor),
        }
    }
}

/// The token in a file. It has no end of its own: so long as it is read again in time, that of the file counts.
fn read(file: &str, redactor: &Redactor) -> Result<Issued, ClusterError> {
    let text = std::fs::read_to_string(file).map_err(|error| settings(format!("{file} cannot be read: {error}")))?;
    let token = text.trim();
    redactor.learn(token);
    let expiration_timestamp = Some(jiff::Timestamp::now() + EARLY + FILE_TIME);
    Ok(Issued { token: Some(token.to_owned()), expiration_timestamp, ..Issued::default() })
}

async fn run(
    plugin: &Arc<ExecConfig>,
    redactor: &Redactor,
    listener: &Arc<dyn Listener>,
) -> Result<Issued, ClusterError> {
    let (plugin, listener) = (Arc::clone(plugin), Arc::clone(listener));
    let issued = tokio::task::spawn_blocking(move || run_blocking(&plugin, listener))
        .await
        .map_err(|_| settings("the login program could not be run"))??;
    for secret in [&issued.token, &issued.client_key_data].into_iter().flatten() {
        redactor.learn(secret);
    }
    Ok(issued)
}

fn run_blocking(plugin: &ExecConfig, listener: Arc<dyn Listener>) -> Result<Issued, ClusterError> {
    let name = plugin.command.as_deref().unwrap_or_default();
    let failed = |why: String| {
        let error = settings(format!("the login program `{name}` {why}"));
        match &plugin.install_hint {
            Some(hint) => error.hint(hint.trim().to_owned()),
            None => error,
        }
    };
    let mut child = command(plugin).spawn().map_err(|error| failed(format!("cannot be started: {error}")))?;
    let answer = collect(&mut child);
    let said = relay(&mut child, listener);
    let deadline = Instant::now() + PLUGIN_TIME;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!("did not end within {} s", PLUGIN_TIME.as_secs())));
            }
        }
    };
    if !status.success() {
        let said = said.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        return Err(failed(format!("failed ({status}): {said}").trim_end_matches(": ").to_owned()));
    }
    let answer = answer.recv_timeout(Duration::from_secs(5)).unwrap_or_default();
    // the parser's text is not shown: it may quote the token
    let answer: ExecCredential =
        serde_json::from_slice(&answer).map_err(|_| failed("answers no ExecCredential in JSON".to_owned()))?;
    let issued = answer.status.filter(|status| status.token.is_some() || status.client_certificate_data.is_some());
    issued.ok_or_else(|| failed("hands out neither token nor certificate".to_owned()))
}

fn command(plugin: &ExecConfig) -> Command {
    let interactive = plugin.interactive_mode != Some(ExecInteractiveMode::Never);
    let version = plugin.api_version.as_deref().unwrap_or("client.authentication.k8s.io/v1");
    let information = json!({
        "kind": "ExecCredential",
        "apiVersion": version,
        "spec": {"interactive": interactive, "cluster": plugin.cluster},
    });
    let mut command = Command::new(plugin.command.as_deref().unwrap_or_default());
    command
        .args(plugin.args.iter().flatten())
        .env("KUBERNETES_EXEC_INFO", information.to_string())
        .stdin(if interactive { Stdio::inherit() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for variable in plugin.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    command
}

/// All of standard output, read beside the program so that it never blocks on us.
fn collect(child: &mut Child) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = output.take(1 << 20).read_to_end(&mut bytes);
            let _ = sender.send(bytes);
        });
    }
    receiver
}

/// What the program says to people is passed on while it runs (`go to .. and enter the code ..`); the last line is kept.
fn relay(child: &mut Child, listener: Arc<dyn Listener>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    if let Some(errors) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut last = String::new();
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                last.clone_from(&line);
                listener.on(Note::new("cluster", line).into());
            }
            let _ = sender.send(last);
        });
    }
    receiver
}
