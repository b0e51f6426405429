//! One answer of the server, read to its end.

use std::time::Duration;

use http::{Request, header};
use kube::{client::Body, core::response::Status};

use super::connect::Cluster;

pub(super) enum Answer {
    Text(String),
    /// A refusal, with the time that the server asks to be left alone for.
    Status(Box<Status>, Option<Duration>),
}

/// What may be done about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    None,
    /// The server is there and asks to come back later.
    Later,
    /// Perhaps a fault of the moment, perhaps a bug: worth a few tries.
    FewTries,
    /// The login has run out.
    NewLogin,
}

impl Cluster {
    /// Sends a request once.
    ///
    /// # Errors
    /// There is no whole answer.
    pub(super) async fn send(&self, request: Request<Vec<u8>>) -> Result<Answer, kube::Error> {
        let (head, body) = self.inner.client.send(request.map(Body::from)).await?.into_parts();
        let text = String::from_utf8(body.collect_bytes().await?.into()).map_err(kube::Error::FromUtf8)?;
        if !head.status.is_client_error() && !head.status.is_server_error() {
            return Ok(Answer::Text(text));
        }
        let status = status_of(head.status.as_u16(), &text);
        // proxies and the server's own queue say it in the header only
        let header = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let details = status.details.as_ref().map(|details| u64::from(details.retry_after_seconds));
        let asked = header.or(details.filter(|seconds| *seconds > 0)).map(Duration::from_secs);
        Ok(Answer::Status(status, asked))
    }
}

/// The server's `Status`, or one around a text of something between it and us.
fn status_of(code: u16, text: &str) -> Box<Status> {
    let mut status = match serde_json::from_str::<Status>(text) {
        Ok(status) if status.code == code => status,
        _ => Status::failure(text.trim(), "").with_code(code),
    };
    status.code = code;
    status.boxed()
}

pub(super) fn remedy(status: &Status) -> Remedy {
    let message = status.message.as_str();
    match status.code {
        401 => Remedy::NewLogin,
        429 | 502..=504 => Remedy::Later,
        // a data store that is electing its leader
        500 if message.contains("etcdserver: ") => Remedy::Later,
        // the manifest's fault, or that of a webhook, which has had its time
        500 if super::schema::blames_manifest(500, message) || message.contains("failed calling webhook") => {
            Remedy::None
        }
        500 => Remedy::FewTries,
        _ => Remedy::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_about_a_refusal() {
        let rows = [
            (401, "Unauthorized", Remedy::NewLogin),
            (403, "forbidden", Remedy::None),
            (409, "conflict", Remedy::None),
            (429, "Too many requests, please try again later.", Remedy::Later),
            (500, "etcdserver: leader changed", Remedy::Later),
            (500, "failed to create typed patch object (a/b; v1, Kind=ConfigMap): .c", Remedy::None),
            (500, "Internal error occurred: failed calling webhook \"w\"", Remedy::None),
            (500, "internal server error", Remedy::FewTries),
            (502, "bad gateway", Remedy::Later),
            (503, "", Remedy::Later),
            (504, "Timeout: request did not complete within requested timeout", Remedy::Later),
        ];
        for (code, text, expected) in rows {
            assert_eq!(remedy(&status_of(code, text)), expected, "{code} {text}");
        }
    }

    #[test]
    fn a_status_is_the_servers_only_where_it_is_one() {
        let written = r#"{"kind":"Status","status":"Failure","reason":"Expired","code":410,"message":"old"}"#;
        assert_eq!((status_of(410, written).code, status_of(410, written).reason.as_str()), (410, "Expired"));
        for text in ["{}", "<html>", "", "[1]"] {
            assert_eq!(status_of(503, text).code, 503, "{text}");
        }
    }
}
