//! Pushing an image: progress by layer, the digest from the registry's answer, errors told apart.
//!
//! Client libraries drop the layers' names and the digest of the stream: docs/decisions/0006.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Empty};
use hyper::{Method, Request, Response, body::Incoming};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::model::{Digest, LayerState, Listener, Login, Note, PushEvent, Reference, Stop};

use super::{DockerError, Engine, engine::message, error::RegistryTrouble};

/// The engine tries a dead registry again and again: this long with nothing but that is enough, and also this long
/// without a first word.
const PATIENCE: Duration = Duration::from_secs(60);
/// A registry may be silent while it stores a large layer.
const STORING: Duration = Duration::from_secs(600);
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
        let mut run =
            Run { reference, login, listener, digest: None, advanced: started, has_spoken: false, retries: false };
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
    /// The last step forward.
    advanced: Instant,
    has_spoken: bool,
    retries: bool,
}

impl Run<'_> {
    async fn push(&mut self, engine: &Engine) -> Result<Digest, DockerError> {
        let request = self.request().map_err(|error| DockerError::engine(&error))?;
        let mut response = self.patiently(engine.send(request)).await??;
        let is_refused = !response.status().is_success();
        let mut unread = BytesMut::new();
        while let Some(data) = self.patiently(frame(&mut response)).await?? {
            unread.extend_from_slice(&data);
            while let Some(end) = unread.iter().position(|byte| *byte == b'\n').filter(|_| !is_refused) {
                let line = unread.split_to(end + 1);
                self.line(&line)?;
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
    async fn patiently<T>(&self, step: impl Future<Output = T>) -> Result<T, DockerError> {
        tokio::pin!(step);
        if let Ok(done) = timeout(SILENCE, &mut step).await {
            let only_retries = self.advanced.elapsed() > PATIENCE;
            return if only_retries { Err(self.given_up(PATIENCE)) } else { Ok(done) };
        }
        let (registry, silence) = (&self.reference.repository.registry, SILENCE.as_secs());
        self.listener.on(Note::attention("push", format!("{registry} has not answered for {silence} s")).into());
        let limit = if self.has_spoken { STORING } else { PATIENCE };
        timeout(limit.saturating_sub(SILENCE), step).await.map_err(|_| self.given_up(limit))
    }

    fn given_up(&self, waited: Duration) -> DockerError {
        let why = format!("{} has not answered for {} s", self.reference.repository.registry, waited.as_secs());
        DockerError::Push { reference: Box::new(self.reference.clone()), why, trouble: RegistryTrouble::Unreachable }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), DockerError> {
        let Ok(line) = serde_json::from_slice::<Line>(line) else { return Ok(()) };
        if let Some(error) = line.error {
            return Err(self.failed(&error));
        }
        let status = line.status.as_deref().unwrap_or_default();
        let named = line.aux.and_then(|pushed| pushed.digest).or_else(|| digest_of(status));
        if let Some(digest) = named.and_then(|digest| digest.parse().ok()) {
            self.digest = Some(digest);
        }
        self.has_spoken = true;
        if !status.starts_with("Retrying") {
            self.advanced = Instant::now();
        } else if !std::mem::replace(&mut self.retries, true) {
            let registry = &self.reference.repository.registry;
            self.listener.on(Note::attention("push", format!("{registry} fails, the engine tries again")).into());
        }
        if let Some(layer) = line.id {
            self.layer(layer, status, line.progress);
        }
        Ok(())
    }

    fn layer(&self, layer: String, status: &str, progress: Amount) {
        let state = match status {
            "Pushing" => LayerState::Pushing,
            "Pushed" => LayerState::Pushed,
            "Layer already exists" => LayerState::Exists,
            status if status.starts_with("Mounted from") => LayerState::Exists,
            _ => return,
        };
        let Amount { current: sent, total } = progress;
        self.listener.on(PushEvent::Layer { reference: self.reference.clone(), layer, state, sent, total }.into());
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use crate::model::{Event, Masked};

    use super::*;

    fn login(password: &str, identity_token: bool) -> Login {
        Login {
            registry: "localhost:5000".into(),
            user: "me".into(),
            password: Masked::new(password),
            identity_token,
            origin: "DOCKER_USERNAME".into(),
        }
    }

    #[test]
    fn the_login_is_encoded_for_the_engine() {
        let header = authorization(Some(&login("ab>>>~~~???c", false)));
        assert!(header.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte)), "{header}");
        let sent: serde_json::Value = serde_json::from_slice(&URL_SAFE.decode(header).unwrap()).unwrap();
        assert_eq!(sent, json!({"username": "me", "password": "ab>>>~~~???c", "serveraddress": "localhost:5000"}));
        let token = URL_SAFE.decode(authorization(Some(&login("t", true)))).unwrap();
        assert_eq!(token, br#"{"identitytoken":"t","serveraddress":"localhost:5000"}"#);
        assert_eq!(authorization(None), "e30=");
    }

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Listener for Heard {
        fn on(&self, event: Event) {
            let text = match event {
                Event::Push(PushEvent::Layer { layer, state, sent, total, .. }) => {
                    format!("{layer} {state:?} {sent}/{total}")
                }
                Event::Note(note) => note.text,
                other => format!("{other:?}"),
            };
            self.0.lock().unwrap().push(text);
        }
    }

    fn answer(lines: &[&str], login: Option<&Login>) -> (Result<Option<Digest>, DockerError>, Vec<String>) {
        let heard = Heard::default();
        let reference = "localhost:5000/team/demo:v1".parse().unwrap();
        let advanced = Instant::now();
        let mut run = Run {
            reference: &reference,
            login,
            listener: &heard,
            digest: None,
            advanced,
            has_spoken: false,
            retries: false,
        };
        let outcome = lines.iter().try_for_each(|line| run.line(line.as_bytes()));
        let digest = run.digest.take();
        (outcome.map(|()| digest), heard.0.into_inner().unwrap())
    }

    #[test]
    fn layers_and_digest_are_read_from_the_answer() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let status = format!(r#"{{"status":"v1: digest: {digest} size: 528"}}"#);
        let (outcome, heard) = answer(
            &[
                r#"{"status":"The push refers to repository [localhost:5000/team/demo]"}"#,
                r#"{"status":"Preparing","progressDetail":{},"id":"l1"}"#,
                r#"{"status":"Pushing","progressDetail":{"current":5,"total":9},"progress":"[=>]","id":"l1"}"#,
                r#"{"status":"Layer already exists","progressDetail":{},"id":"l2"}"#,
                r#"{"status":"Mounted from team/base","progressDetail":{},"id":"l3"}"#,
                r#"{"status":"Retrying in 5 seconds","progressDetail":{},"id":"l1"}"#,
                r#"{"status":"Retrying in 4 seconds","progressDetail":{},"id":"l1"}"#,
                r#"{"status":"Pushed","progressDetail":{},"id":"l1"}"#,
                &status,
                "not json",
            ],
            None,
        );
        assert_eq!(outcome.unwrap().unwrap().as_str(), digest);
        assert_eq!(
            heard,
            [
                "l1 Pushing 5/9",
                "l2 Exists 0/0",
                "l3 Exists 0/0",
                "localhost:5000 fails, the engine tries again",
                "l1 Pushed 0/0"
            ]
        );
    }

    #[test]
    fn errors_are_told_apart() {
        use crate::model::Explain as _;
        let mine = login("secret-password", false);
        for (text, login, code) in [
            ("unauthorized: authentication required", Some(&mine), "registry-denied"),
            ("unauthorized: authentication required", None, "registry-login"),
            ("no basic auth credentials", None, "registry-login"),
            ("denied: requested access to the resource is denied", Some(&mine), "registry-denied"),
            ("denied: requested access to the resource is denied", None, "registry-login"),
            ("name unknown: The repository with name 'demo' does not exist", Some(&mine), "repository-unknown"),
            ("dial tcp 127.0.0.1:1: connect: connection refused", None, "registry-unreachable"),
            ("received unexpected HTTP status: 503 Service Unavailable", None, "registry-unreachable"),
            ("http: server gave HTTP response to HTTPS client", None, "registry-untrusted"),
            ("x509: certificate signed by unknown authority", None, "registry-untrusted"),
            ("An image does not exist locally with the tag: localhost:5000/team/demo", None, "image-not-built"),
            ("quota exceeded", None, "registry"),
        ] {
            let line = json!({"errorDetail": {"message": text}, "error": text}).to_string();
            let error = answer(&[&line], login).0.unwrap_err();
            assert_eq!((error.code(), error.exit().code()), (code, 4), "{text}");
            let said = format!("{error}{:?}", error.hints());
            assert!(!said.contains("secret-password"), "{said}");
        }
    }

    #[test]
    fn a_refused_request_is_read() {
        assert_eq!(message(br#"{"message":"invalid reference format"}"#), "invalid reference format");
        assert_eq!(message(b"bad gateway"), "bad gateway");
    }
}
