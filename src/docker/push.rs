//! Pushing an image: progress by layer, the digest from the registry's answer, errors told apart.
//!
//! bollard's push drops the layers' names and the digest of the stream, and encodes the login with the wrong
//! alphabet of base64, so the request is our own.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Empty};
use hyper::{Method, Request, Response, body::Incoming};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::model::{Digest, LayerState, Listener, Login, Note, PushEvent, Reference, Stop};

use super::{DockerError, Engine, error::RegistryTrouble};

/// The engine tries a dead registry again and again, some of it in silence: this long without a step forward
/// is enough.
const PATIENCE: Duration = Duration::from_secs(60);
/// After this much silence it is said aloud.
const SILENCE: Duration = Duration::from_secs(10);

/// One line of the engine's answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    id: Option<String>,
    status: Option<String>,
    #[serde(rename = "progressDetail")]
    progress: Amount,
    error: Option<String>,
    aux: Option<Pushed>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Amount {
    current: u64,
    total: u64,
}

#[derive(Deserialize)]
struct Pushed {
    #[serde(rename = "Digest")]
    digest: Option<String>,
}

impl Engine {
    /// Pushes an image that the engine has, under the reference's tag (`latest` without one).
    ///
    /// # Errors
    /// An image that is not there; a registry that does not answer or refuses.
    pub(crate) async fn push(
        &self,
        reference: &Reference,
        login: Option<&Login>,
        listener: &dyn Listener,
        stop: &Stop,
    ) -> Result<Digest, DockerError> {
        let started = Instant::now();
        listener.on(PushEvent::Started { reference: reference.clone() }.into());
        let mut run = Run { reference, login, listener, digest: None };
        let digest = tokio::select! {
            () = stop.wait() => return Err(DockerError::Stopped),
            digest = run.push(self) => digest?,
        };
        let seconds = started.elapsed().as_secs_f64();
        listener.on(PushEvent::Done { reference: reference.clone(), digest: digest.clone(), seconds }.into());
        Ok(digest)
    }
}

/// A push on its way.
struct Run<'a> {
    reference: &'a Reference,
    login: Option<&'a Login>,
    listener: &'a dyn Listener,
    digest: Option<Digest>,
}

impl Run<'_> {
    async fn push(&mut self, engine: &Engine) -> Result<Digest, DockerError> {
        let request = self.request().map_err(|error| DockerError::engine(&error))?;
        let mut advanced = Instant::now();
        let response = self.patiently(engine.send(request), advanced).await??;
        let is_refused = !response.status().is_success();
        let mut response = response;
        let mut unread = BytesMut::new();
        while let Some(data) = self.patiently(frame(&mut response), advanced).await?? {
            unread.extend_from_slice(&data);
            if is_refused {
                continue;
            }
            while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
                let line = unread.split_to(end + 1);
                if self.line(&line)? {
                    advanced = Instant::now();
                }
            }
        }
        if is_refused {
            return Err(self.failed(&message(&unread)));
        }
        self.line(&unread)?;
        self.digest.take().ok_or_else(|| self.failed("the answer names no digest"))
    }

    fn request(&self) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
        let tag = self.reference.tag.as_deref().unwrap_or("latest");
        Request::builder()
            .method(Method::POST)
            .uri(format!("/images/{}/push?tag={tag}", self.reference.repository))
            .header("X-Registry-Auth", authorization(self.login))
            .body(Empty::new())
    }

    /// Waits as long as there is reason to hope, and says so when it takes long.
    async fn patiently<T>(&self, step: impl Future<Output = T>, advanced: Instant) -> Result<T, DockerError> {
        tokio::pin!(step);
        if let Ok(done) = timeout(SILENCE, &mut step).await {
            return if advanced.elapsed() < PATIENCE { Ok(done) } else { Err(self.given_up()) };
        }
        let registry = &self.reference.repository.registry;
        let seconds = SILENCE.as_secs();
        self.listener.on(Note::attention("push", format!("{registry} has not answered for {seconds} s")).into());
        let left = PATIENCE.saturating_sub(advanced.elapsed());
        timeout(left, step).await.map_err(|_| self.given_up())
    }

    fn given_up(&self) -> DockerError {
        let why = format!("{} has not answered for {} s", self.reference.repository.registry, PATIENCE.as_secs());
        DockerError::Push { reference: Box::new(self.reference.clone()), why, trouble: RegistryTrouble::Unreachable }
    }

    /// Takes in a line; true where it is a step forward.
    fn line(&mut self, line: &[u8]) -> Result<bool, DockerError> {
        let Ok(line) = serde_json::from_slice::<Line>(line) else { return Ok(false) };
        if let Some(error) = line.error {
            return Err(self.failed(&error));
        }
        let status = line.status.as_deref().unwrap_or_default();
        let named = line.aux.and_then(|pushed| pushed.digest).or_else(|| digest_of(status));
        if let Some(digest) = named.and_then(|digest| digest.parse().ok()) {
            self.digest = Some(digest);
        }
        let Some(layer) = line.id else { return Ok(true) };
        if status.starts_with("Retrying in 5 ") {
            let text = format!("layer {layer} does not get through, the engine tries again");
            self.listener.on(Note::attention("push", text).into());
        }
        let state = match status {
            "Pushing" => LayerState::Pushing,
            "Pushed" => LayerState::Pushed,
            "Layer already exists" => LayerState::Exists,
            status if status.starts_with("Mounted from") => LayerState::Exists,
            status => return Ok(!status.starts_with("Retrying")),
        };
        let Amount { current: sent, total } = line.progress;
        self.listener.on(PushEvent::Layer { reference: self.reference.clone(), layer, state, sent, total }.into());
        Ok(true)
    }

    fn failed(&self, text: &str) -> DockerError {
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["does not exist locally", "No such image", "no such image", "tag does not exist"]) {
            return DockerError::ImageNotBuilt { image: self.reference.to_string() };
        }
        let trouble = trouble(text, self.login);
        let registry = &self.reference.repository.registry;
        let why = match &trouble {
            RegistryTrouble::WrongLogin { .. } => format!("{registry} rejects the login ({text})"),
            RegistryTrouble::Forbidden { .. } => format!("{registry} does not allow it ({text})"),
            RegistryTrouble::NoLogin => format!("{registry} demands a login, and none is known ({text})"),
            RegistryTrouble::Unknown => format!("{registry} does not know the repository ({text})"),
            RegistryTrouble::Unreachable => format!("{registry} cannot be reached ({text})"),
            RegistryTrouble::Untrusted => format!("the engine does not trust {registry} ({text})"),
            RegistryTrouble::Other => text.to_owned(),
        };
        DockerError::Push { reference: Box::new(self.reference.clone()), why, trouble }
    }
}

fn trouble(text: &str, login: Option<&Login>) -> RegistryTrouble {
    let text = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let with = |login: &Login| (login.user.clone(), login.origin.clone());
    if says(&["unauthorized", "no basic auth", "authentication required", "incorrect username", "401"]) {
        return login
            .map(with)
            .map_or(RegistryTrouble::NoLogin, |(user, origin)| RegistryTrouble::WrongLogin { user, origin });
    }
    if says(&["denied", "insufficient_scope", "403", "forbidden"]) {
        return login
            .map(with)
            .map_or(RegistryTrouble::NoLogin, |(user, origin)| RegistryTrouble::Forbidden { user, origin });
    }
    if says(&["x509", "http response to https", "tls: "]) {
        return RegistryTrouble::Untrusted;
    }
    if says(&["name unknown", "name_unknown", "repository not found", "404"]) {
        return RegistryTrouble::Unknown;
    }
    let lost = ["dial tcp", "no such host", "timeout", "connection refused", "connection reset", "eof", "broken pipe"];
    let broken = ["500", "502", "503", "504", "deadline exceeded", "no route to host"];
    if says(&lost) || says(&broken) { RegistryTrouble::Unreachable } else { RegistryTrouble::Other }
}

/// `{"username":..}` in the alphabet that the engine reads.
fn authorization(login: Option<&Login>) -> String {
    let login = match login {
        None => json!({}),
        Some(login) if login.identity_token => {
            json!({"identitytoken": login.password.reveal(), "serveraddress": login.registry})
        }
        Some(login) => {
            json!({"username": login.user, "password": login.password.reveal(), "serveraddress": login.registry})
        }
    };
    URL_SAFE.encode(login.to_string())
}

async fn frame(response: &mut Response<Incoming>) -> Result<Option<Bytes>, DockerError> {
    loop {
        match response.frame().await.transpose().map_err(|error| DockerError::engine(&error))? {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// `v1: digest: sha256:.. size: 528`
fn digest_of(status: &str) -> Option<String> {
    let (_, after) = status.split_once("digest: ")?;
    after.split(' ').next().map(str::to_owned)
}

/// The engine's `{"message":..}`, or the text as it is.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Answer {
        message: String,
    }
    serde_json::from_slice::<Answer>(body)
        .map_or_else(|_| String::from_utf8_lossy(body).into_owned(), |answer| answer.message)
}
