//! One request: its time limit, its retries, and what its failure means.

use std::{error::Error, time::Duration};

use http::{HeaderValue, Method, Request, header};
use kube::core::response::Status;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    answer::{Answer, Remedy, remedy},
    concurrency::Met,
    connect::Cluster,
    error::ClusterError,
    fence::Fence,
    patience::Tries,
    refusal::{About, refused},
};
use crate::model::{ObjectId, Resource};

pub(super) const JSON: &str = "application/json";
pub(super) const JSON_PATCH: &str = "application/json-patch+json";
pub(super) const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// The server itself gives up after 60 s; reading is quicker than admission webhooks are.
const READ_TIME: Duration = Duration::from_secs(35);
const WRITE_TIME: Duration = Duration::from_secs(65);
/// A run that is stopped waits so long for the lock to be confirmed.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A request that can be sent more than once.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub method: Method,
    /// With the query.
    pub path: String,
    pub accept: &'static str,
    pub content: &'static str,
    pub body: Vec<u8>,
    /// True where sending it twice does what sending it once does.
    pub repeatable: bool,
    pub time: Duration,
    pub object: Option<ObjectId>,
}

impl Call {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            accept: JSON,
            content: JSON,
            body: Vec::new(),
            repeatable: true,
            time: READ_TIME,
            object: None,
        }
    }

    /// Not repeatable, unless it is a dry run.
    pub(super) fn write(
        method: Method,
        path: impl Into<String>,
        content: &'static str,
        body: impl Into<Vec<u8>>,
    ) -> Self {
        let path = path.into();
        let repeatable = path.contains("dryRun=All") || content == APPLY_PATCH;
        Self { method, content, body: body.into(), repeatable, time: WRITE_TIME, ..Self::get(path) }
    }

    pub(super) fn about(mut self, object: &ObjectId) -> Self {
        self.object = Some(object.clone());
        self
    }

    /// The lock's own requests neither queue nor wait for the lock.
    fn is_of_lock(&self) -> bool {
        self.object.as_ref().is_some_and(|object| object.kind == "Lease")
    }

    fn is_a_write(&self) -> bool {
        self.method != Method::GET && !self.path.contains("dryRun=All")
    }

    fn request(&self, token: Option<&str>) -> Result<Request<Vec<u8>>, http::Error> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header(header::ACCEPT, self.accept)
            .header(header::USER_AGENT, concat!("shipway/", env!("CARGO_PKG_VERSION")));
        if !self.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, self.content);
        }
        if let Some(token) = token {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        request.body(self.body.clone())
    }
}

/// Why a request failed: the server's own word, or ours for everything before it.
pub(super) enum Failure {
    Status(Box<Status>),
    Error(ClusterError),
}

/// How one try ended.
enum Attempt {
    Answered(String),
    Refused {
        status: Box<Status>,
        asked: Option<Duration>,
        token: Option<String>,
    },
    /// No answer; `sent` is false where the server cannot have seen the request.
    Silent {
        error: ClusterError,
        sent: bool,
    },
    Failed(ClusterError),
    /// While it queued, the time was over for which the lock is known to be held.
    Fenced,
}

impl Attempt {
    /// True where nobody knows whether the server has done it.
    fn may_be_done(&self) -> bool {
        match self {
            Self::Silent { sent, .. } => *sent,
            Self::Refused { status, .. } => status.code >= 500,
            Self::Answered(_) | Self::Failed(_) | Self::Fenced => false,
        }
    }
}

/// What follows from a try that failed.
enum Next {
    /// Again, after a pause of at least so long.
    Again(Failure, Option<Duration>),
    AtOnce,
    Never(Failure),
}

impl Cluster {
    /// The answer as JSON; a refusal is explained for the call's object.
    pub(super) async fn ask(&self, call: &Call) -> Result<Value, ClusterError> {
        let text = self.ask_text(call).await.map_err(|failure| self.explain(failure, call.object.as_ref()))?;
        self.parse(&text)
    }

    /// As [`Cluster::ask`]; none where the object is not there.
    pub(super) async fn ask_if_there(&self, call: &Call) -> Result<Option<Value>, ClusterError> {
        match self.ask(call).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn parse(&self, text: &str) -> Result<Value, ClusterError> {
        serde_json::from_str(text).map_err(|error| ClusterError::Nonsense {
            server: self.connection().server.clone(),
            why: format!("no JSON at line {}", error.line()),
        })
    }

    pub(super) fn explain(&self, failure: Failure, object: Option<&ObjectId>) -> ClusterError {
        match failure {
            Failure::Status(status) => refused(&status, self.about(object)),
            Failure::Error(error) => error,
        }
    }

    pub(super) fn about<'a>(&'a self, object: Option<&'a ObjectId>) -> About<'a> {
        About { object, server: &self.connection().server, origin: &self.connection().origin }
    }

    /// The answer's text. A server that is silent or busy is asked again until patience ends, where that does no harm.
    pub(super) async fn ask_text(&self, call: &Call) -> Result<String, Failure> {
        self.ask_by(call, &mut Tries::new()).await
    }

    /// As [`Cluster::ask_text`]; afterwards the tries tell what became of them.
    pub(super) async fn ask_by(&self, call: &Call, tries: &mut Tries) -> Result<String, Failure> {
        loop {
            if let Some(fence) = self.fence.as_ref().filter(|_| call.is_a_write()) {
                self.pass(fence, tries).await.map_err(Failure::Error)?;
            }
            let attempt = self.telling(self.attempt(call)).await;
            tries.note(attempt.may_be_done());
            let (failure, asked) = match attempt {
                Attempt::Answered(text) => {
                    self.note_answer(tries.answered());
                    return Ok(text);
                }
                attempt => match self.next(call, attempt, tries).await {
                    Next::Again(failure, asked) => (failure, asked),
                    Next::AtOnce => continue,
                    Next::Never(failure) => return Err(failure),
                },
            };
            let patience = self.patience_for(tries, matches!(failure, Failure::Status(_)));
            let Some(pause) = tries.next_pause(Instant::now(), patience, asked) else { return Err(failure) };
            tries.wait(self);
            tokio::select! {
                () = self.telling(tokio::time::sleep(pause)) => {}
                () = self.stop.wait() => return Err(Failure::Error(ClusterError::Stopped)),
            }
        }
    }

    /// Waits until the lock is known to be held.
    async fn pass(&self, fence: &Fence, tries: &Tries) -> Result<(), ClusterError> {
        tokio::select! {
            biased;
            passed = self.telling(fence.pass()) => passed,
            // what is written after an interrupt is how the run ended
            () = async { self.stop.wait().await; tokio::time::sleep(LAST_WORDS).await } => Err(ClusterError::Stopped),
            () = tokio::time::sleep_until(tries.end(self.patience_for(tries, false))) => {
                Err(self.unreachable("the lock could not be renewed".to_owned()))
            }
        }
    }

    async fn next(&self, call: &Call, attempt: Attempt, tries: &mut Tries) -> Next {
        match attempt {
            Attempt::Refused { status, asked, token } => match remedy(&status) {
                Remedy::NewLogin if tries.may_renew() => match self.renew(token.as_deref()).await {
                    Ok(true) => Next::AtOnce,
                    Ok(false) => Next::Never(Failure::Status(status)),
                    Err(error) => Next::Never(Failure::Error(error)),
                },
                Remedy::None | Remedy::NewLogin => {
                    self.note_answer(tries.answered());
                    Next::Never(Failure::Status(status))
                }
                Remedy::FewTries if call.repeatable && !tries.are_few() => Next::Never(Failure::Status(status)),
                // 429 is said before anything is done
                _ if call.repeatable || status.code == 429 => Next::Again(Failure::Status(status), asked),
                // whether it was done is as unknown as after a silence
                _ => Next::Never(Failure::Error(self.unreachable(format!("it answers {}", status.code)))),
            },
            Attempt::Silent { error, sent } if call.repeatable || !sent => Next::Again(Failure::Error(error), None),
            Attempt::Silent { error, .. } | Attempt::Failed(error) => Next::Never(Failure::Error(error)),
            Attempt::Answered(_) | Attempt::Fenced => Next::AtOnce,
        }
    }

    async fn attempt(&self, call: &Call) -> Attempt {
        let mut slot = match call.is_of_lock() {
            true => None,
            false => Some(self.inner.concurrency.enter().await),
        };
        let mut meet = |met| slot.iter_mut().for_each(|slot| slot.met = met);
        let (request, token) = match self.request(call).await {
            Ok(request) => request,
            Err(error) => return Attempt::Failed(error),
        };
        if self.fence.as_ref().is_some_and(|fence| call.is_a_write() && !fence.is_open()) {
            return Attempt::Fenced;
        }
        match tokio::time::timeout(call.time, self.send(request)).await {
            Err(_) => Attempt::Silent {
                error: self.unreachable(format!("no answer within {} s", call.time.as_secs())),
                sent: true,
            },
            Ok(Ok(Answer::Text(text))) => {
                meet(Met::Answer);
                Attempt::Answered(text)
            }
            Ok(Ok(Answer::Status(status, asked))) => {
                meet(if status.code == 429 { Met::TooMany } else { Met::Answer });
                Attempt::Refused { status, asked, token }
            }
            Ok(Err(error)) => self.silent(&error),
        }
    }

    /// The call as an HTTP request with the login, and the token that it has.
    pub(super) async fn request(&self, call: &Call) -> Result<(Request<Vec<u8>>, Option<String>), ClusterError> {
        let token = match &self.inner.credential {
            Some(credential) => credential.token().await?,
            None => None,
        };
        let request = call.request(token.as_deref()).map_err(|error| ClusterError::Nonsense {
            server: self.connection().server.clone(),
            why: format!("the request cannot be written: {error}"),
        })?;
        Ok((request, token))
    }

    /// Obtains another token than the one that was refused; false where there is none.
    pub(super) async fn renew(&self, refused: Option<&str>) -> Result<bool, ClusterError> {
        match &self.inner.credential {
            Some(credential) => credential.renew(refused).await,
            None => Ok(false),
        }
    }

    fn silent(&self, error: &kube::Error) -> Attempt {
        match self.explain_silence(error) {
            error @ (ClusterError::Untrusted { .. } | ClusterError::Settings { .. }) => Attempt::Failed(error),
            told => {
                let sent = !chain(error).any(|cause| cause.to_string().contains("(Connect)"));
                Attempt::Silent { error: told, sent }
            }
        }
    }

    /// What a connection that failed died of.
    pub(super) fn explain_silence(&self, error: &kube::Error) -> ClusterError {
        let server = || self.connection().server.clone();
        for cause in chain(error) {
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return match tls {
                    rustls::Error::InvalidCertificate(fault) => {
                        let (why, hint) = certificate_fault(fault);
                        ClusterError::Untrusted { server: server(), why, hint }
                    }
                    rustls::Error::InvalidMessage(_) => self.unreachable("it does not speak TLS".to_owned()),
                    tls => self.unreachable(format!("TLS: {tls}")),
                };
            }
        }
        // the innermost cause is what happened; those around it say only where
        let why = chain(error).last().map_or_else(|| error.to_string(), ToString::to_string);
        let why = why.split(" (os error").next().unwrap_or_default().to_lowercase();
        self.unreachable(why)
    }

    pub(super) fn unreachable(&self, why: String) -> ClusterError {
        ClusterError::Unreachable { server: self.connection().server.clone(), why }
    }
}

fn certificate_fault(fault: &rustls::CertificateError) -> (String, String) {
    use rustls::CertificateError as Fault;
    let (why, hint) = match fault {
        Fault::UnknownIssuer => {
            ("nobody trusted has signed it", "set the cluster's certificate-authority-data, or K8S_CA")
        }
        Fault::Expired | Fault::ExpiredContext { .. } => ("it has expired", "renew the server's certificate"),
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => ("it is not valid yet", "check this machine's clock"),
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => {
            ("it is for another name", "use the name in the certificate, or set tls-server-name in the kubeconfig")
        }
        _ => return (fault.to_string(), "check the cluster's certificate authority".to_owned()),
    };
    (why.to_owned(), hint.to_owned())
}

/// An error and its causes, also those inside `std::io::Error`, which its `source` leaves out.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

/// `/apis/apps/v1/namespaces/demo/deployments/web?a=b`
pub(super) fn path(resource: &Resource, namespace: Option<&str>, name: Option<&str>, query: &[(&str, &str)]) -> String {
    let root = if resource.group.is_empty() { "/api" } else { "/apis" };
    let mut path = format!("{root}/{}", resource.api_version());
    if let Some(namespace) = namespace.filter(|_| resource.namespaced) {
        path = format!("{path}/namespaces/{}", escaped(namespace));
    }
    path = format!("{path}/{}", resource.plural);
    if let Some(name) = name {
        path = format!("{path}/{}", escaped(name));
    }
    for (position, (key, value)) in query.iter().enumerate() {
        let sign = if position == 0 { '?' } else { '&' };
        path = format!("{path}{sign}{key}={}", escaped(value));
    }
    path
}

/// The path of an object of this resource.
pub(super) fn object_path(resource: &Resource, id: &ObjectId, query: &[(&str, &str)]) -> String {
    path(resource, id.namespace.as_deref(), Some(&id.name), query)
}

/// Percent-encoded, all but what RFC 3986 calls unreserved.
pub(super) fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut done, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => done.push(byte.into()),
            byte => done.push_str(&format!("%{byte:02X}")),
        }
        done
    })
}

/// Built-in resources that this room itself uses.
pub(super) fn built_in(group: &str, version: &str, kind: &str, plural: &str) -> Resource {
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        namespaced: kind != "Namespace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_api() {
        let deployments = built_in("apps", "v1", "Deployment", "deployments");
        let namespaces = built_in("", "v1", "Namespace", "namespaces");
        let rows = [
            (path(&deployments, Some("demo"), Some("web"), &[]), "/apis/apps/v1/namespaces/demo/deployments/web"),
            (path(&deployments, None, None, &[("limit", "500")]), "/apis/apps/v1/deployments?limit=500"),
            (path(&namespaces, Some("demo"), Some("demo"), &[]), "/api/v1/namespaces/demo"),
            (
                path(&deployments, Some("a/b"), None, &[("labelSelector", "a in (b,c)"), ("x", "1")]),
                "/apis/apps/v1/namespaces/a%2Fb/deployments?labelSelector=a%20in%20%28b%2Cc%29&x=1",
            ),
        ];
        for (path, expected) in rows {
            assert_eq!(path, expected);
        }
    }

    #[test]
    fn what_is_sent_twice() {
        let rows = [
            (Method::POST, "/api/v1/pods", JSON, false),
            (Method::POST, "/api/v1/pods?dryRun=All", JSON, true),
            (Method::PATCH, "/api/v1/pods/a", APPLY_PATCH, true),
            (Method::PATCH, "/api/v1/pods/a", JSON_PATCH, false),
            (Method::PUT, "/api/v1/pods/a", JSON, false),
        ];
        for (method, path, content, repeatable) in rows {
            assert_eq!(Call::write(method.clone(), path, content, "{}").repeatable, repeatable, "{method} {path}");
        }
    }

    #[test]
    fn causes_inside_an_io_error_are_seen() {
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let error = kube::Error::Service(std::io::Error::other(tls).into());
        assert!(chain(&error).any(|cause| cause.is::<rustls::Error>()));
    }

    #[tokio::test]
    async fn a_request_without_an_answer_is_sent_again_and_told_where_that_does_no_harm() {
        let requests = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = std::sync::Arc::clone(&requests);
        let script = move |line: &str| {
            let mut seen = seen.lock().unwrap();
            seen.push(line.split(' ').next().unwrap_or_default().to_owned());
            (seen.len() > 2).then(|| super::super::wire::ok("{}"))
        };
        let (cluster, told) = super::super::wire::cluster(std::sync::Arc::new(script)).await;
        let mut write = Call::write(Method::POST, "/api/v1/pods", JSON, "");
        write.time = Duration::from_millis(100);
        assert!(matches!(cluster.ask(&write).await, Err(ClusterError::Unreachable { .. })));
        let mut look = Call::get("/api/v1/pods");
        look.time = Duration::from_millis(1200);
        assert_eq!(cluster.ask(&look).await.unwrap(), serde_json::json!({}));
        assert_eq!(*requests.lock().unwrap(), ["POST", "GET", "GET"]);
        assert_eq!(told.texts().len(), 0, "a second is not worth a word: {:?}", told.texts());
    }
}
