//! Answers without an end: watches and logs.

use http::{HeaderValue, Request, header};
use tokio::time::timeout;

use super::{connect::Cluster, error::ClusterError, refusal::refused, request::Call};

impl Cluster {
    /// Sends a request and waits, for the call's time, until the answer begins; how it is read is the caller's.
    pub(super) async fn open<T>(
        &self,
        call: &Call,
        open: impl AsyncFn(kube::Client, Request<Vec<u8>>) -> kube::Result<T>,
    ) -> Result<T, ClusterError> {
        let mut renewed = false;
        loop {
            let (mut request, token) = self.request(call).await?;
            // what is packed comes late, and servers of 1.37 and later pack each event by itself
            request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            match timeout(call.time, open(self.inner.client.clone(), request)).await {
                Ok(Ok(opened)) => return Ok(opened),
                Ok(Err(kube::Error::Api(status))) => {
                    if status.code == 401 && !renewed && self.renew(token.as_deref()).await? {
                        renewed = true;
                        continue;
                    }
                    return Err(refused(&status, self.about(call.object.as_ref())));
                }
                Ok(Err(error)) => return Err(self.explain_silence(&error)),
                Err(_) => return Err(self.unreachable(format!("no answer within {} s", call.time.as_secs()))),
            }
        }
    }
}
