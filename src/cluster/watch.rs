//! List and watch, one connection a selection: resumed after a cut, listed again after lost history.

use std::time::Duration;

use futures::{Stream, TryStreamExt as _};
use http::{HeaderValue, header};
use kube::core::WatchEvent;
use serde_json::Value;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    connect::Cluster,
    error::{ClusterError, Reason},
    refusal::refused,
    request::{Call, path},
    survey::stamp,
};
use crate::model::{Seen, Selection, Stop};

/// The server ends a watch after so long; it is taken up again without a word.
const WATCH_SECONDS: &str = "290";
/// Bookmarks come about every minute: a longer silence is a dead connection.
const SILENCE: Duration = Duration::from_secs(90);
/// Until the server says that the watch has begun.
const BEGINNING: Duration = Duration::from_secs(35);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What ends one watch connection.
enum End {
    /// As agreed: take it up again at once.
    Usual,
    /// The history is gone: list again.
    Expired,
    Cut(String),
    Refused(ClusterError),
}

/// One selection's watch and whom it tells.
struct Watch {
    cluster: Cluster,
    selection: Selection,
    sender: mpsc::Sender<Result<Seen, ClusterError>>,
    /// `metadata.resourceVersion` to go on from; none before the first list.
    version: Option<String>,
    failures: u32,
}

impl Cluster {
    /// Everything that happens to the selections, each begun with a full list, until the stream is dropped or `stop` is
    /// set. Objects carry `apiVersion` and `kind`; `managedFields` are left out.
    ///
    /// A connection that is cut is told as [`Seen::Interrupted`] and made again. An error in the stream is a refusal that
    /// asking again cannot mend (rights, an unknown kind); it ends that one selection.
    pub(crate) fn watch(
        &self,
        selections: Vec<Selection>,
        stop: &Stop,
    ) -> impl Stream<Item = Result<Seen, ClusterError>> + use<> {
        let (sender, receiver) = mpsc::channel(256);
        for selection in selections {
            let (cluster, sender, stop) = (self.with_patience(Duration::ZERO, stop), sender.clone(), stop.clone());
            tokio::spawn(async move {
                let gone = sender.clone();
                let mut watch = Watch { cluster, selection, sender, version: None, failures: 0 };
                tokio::select! {
                    () = watch.run() => {}
                    () = gone.closed() => {}
                    () = stop.wait() => {}
                }
            });
        }
        ReceiverStream::new(receiver)
    }
}

impl Watch {
    /// Ends with a refusal, or when nobody listens.
    async fn run(&mut self) {
        loop {
            let end = match self.version.clone() {
                None => self.list().await,
                Some(version) => self.follow(&version).await,
            };
            match end {
                End::Usual => self.failures = 0,
                End::Expired => self.version = None,
                End::Cut(text) => {
                    self.tell(Seen::Interrupted { selection: self.selection.clone(), text }).await;
                    tokio::time::sleep(self.pause()).await;
                }
                End::Refused(error) => {
                    let _ = self.sender.send(Err(error)).await;
                    return;
                }
            }
        }
    }

    fn pause(&mut self) -> Duration {
        self.failures += 1;
        (Duration::from_millis(250) * 2_u32.saturating_pow(self.failures.min(10))).min(LONGEST_PAUSE)
    }

    async fn tell(&self, seen: Seen) {
        // a closed channel is noticed by the select around us
        let _ = self.sender.send(Ok(seen)).await;
    }

    async fn list(&mut self) -> End {
        match self.cluster.list_pages(&self.selection, usize::MAX).await {
            Ok(mut listed) => {
                listed.objects.iter_mut().for_each(without_bookkeeping);
                self.version = Some(listed.version);
                self.tell(Seen::Listed { selection: self.selection.clone(), objects: listed.objects }).await;
                End::Usual
            }
            Err(error) => end_of(error),
        }
    }

    /// Reads one watch connection to its end.
    async fn follow(&mut self, version: &str) -> End {
        let request = match self.cluster.request(&self.call(version)).await {
            Ok(mut request) => {
                // servers of 1.37 and later gzip each event by itself, which the client does not decode
                request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
                request
            }
            Err(error) => return end_of(error),
        };
        let client = self.cluster.inner.client.clone();
        let mut events = match timeout(BEGINNING, client.request_events::<Value>(request)).await {
            Ok(Ok(events)) => Box::pin(events),
            Ok(Err(kube::Error::Api(status))) => return end_of(refused(&status, self.cluster.about(None))),
            Ok(Err(error)) => return end_of(self.cluster.explain_silence(&error)),
            Err(_) => return End::Cut(format!("no answer within {} s", BEGINNING.as_secs())),
        };
        loop {
            match timeout(SILENCE, events.try_next()).await {
                Ok(Ok(Some(event))) => {
                    self.failures = 0;
                    if let Some(end) = self.take(event).await {
                        return end;
                    }
                }
                Ok(Ok(None)) => return End::Usual,
                Ok(Err(kube::Error::Api(status))) => return end_of(refused(&status, self.cluster.about(None))),
                Ok(Err(error)) => return end_of(self.cluster.explain_silence(&error)),
                Err(_) => return End::Cut(format!("silent for {} s", SILENCE.as_secs())),
            }
        }
    }

    fn call(&self, version: &str) -> Call {
        let mut query = vec![
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", WATCH_SECONDS),
            ("resourceVersion", version),
        ];
        query.extend(self.selection.labels.as_deref().map(|labels| ("labelSelector", labels)));
        query.extend(self.selection.fields.as_deref().map(|fields| ("fieldSelector", fields)));
        Call::get(path(&self.selection.resource, self.selection.namespace.as_deref(), None, &query))
    }

    async fn take(&mut self, event: WatchEvent<Value>) -> Option<End> {
        let (mut object, is_deleted) = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
            WatchEvent::Deleted(object) => (object, true),
            WatchEvent::Bookmark(bookmark) => {
                self.version = Some(bookmark.metadata.resource_version);
                return None;
            }
            WatchEvent::Error(status) => return Some(end_of(refused(&status, self.cluster.about(None)))),
        };
        if let Some(version) = object.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
            self.version = Some(version.to_owned());
        }
        stamp(&mut object, &self.selection.resource);
        without_bookkeeping(&mut object);
        let selection = self.selection.clone();
        self.tell(if is_deleted { Seen::Deleted { selection, object } } else { Seen::Changed { selection, object } })
            .await;
        None
    }
}

/// Half of an object's text is about who wrote it, and nobody who watches wants to know.
fn without_bookkeeping(object: &mut Value) {
    super::survey::mask_last_applied(object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
}

fn end_of(error: ClusterError) -> End {
    match error.reason() {
        Some(Reason::Gone) => End::Expired,
        Some(Reason::Unauthorized | Reason::Forbidden | Reason::NotServed) => End::Refused(error),
        None if matches!(error, ClusterError::Unreachable { .. } | ClusterError::Nonsense { .. }) => {
            End::Cut(error.to_string())
        }
        None => End::Refused(error),
        Some(_) => End::Cut(error.to_string()),
    }
}
