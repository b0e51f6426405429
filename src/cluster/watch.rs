//! List and watch, one connection a selection: resumed after a cut, listed again after lost history.

use std::time::Duration;

use futures::{Stream, TryStreamExt as _};
use kube::core::WatchEvent;
use serde_json::Value;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    connect::Cluster,
    error::{ClusterError, Reason},
    listing::{Listed, WHOLE},
    patience::Waiting,
    refusal::refused,
    request::{Call, path},
    survey::{mask_last_applied, stamp, thin_managed_fields},
};
use crate::model::{Resource, Seen, Selection, Slim, Stop, shrink_to_fit};

/// The server ends a watch after so long; it is taken up again without a word.
const WATCH_SECONDS: &str = "290";
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
    slim: Slim,
    sender: mpsc::Sender<Result<Seen, ClusterError>>,
    /// `metadata.resourceVersion` to go on from; none before the first list.
    version: Option<String>,
    failures: u32,
    /// From a cut to the next answer.
    waiting: Option<Waiting>,
}

impl Cluster {
    /// What a watch of the selection begins with.
    pub(crate) async fn look(&self, selection: &Selection, slim: Slim) -> Result<Seen, ClusterError> {
        let objects = self.list_to_watch(selection, slim).await?.objects;
        Ok(Seen::Listed { selection: selection.clone(), objects })
    }

    /// The whole list, of which no object is held as it came once the next is read.
    async fn list_to_watch(&self, selection: &Selection, slim: Slim) -> Result<Listed<Value>, ClusterError> {
        let keep = |mut object| {
            reduce(&mut object, &selection.resource, slim);
            Some(object)
        };
        self.list_kept(selection, (WHOLE, usize::MAX), keep).await
    }

    /// Everything that happens to the selections, each begun with a full list, until the stream is dropped or `stop` is
    /// set. Objects carry `apiVersion` and `kind`; `managedFields` are left out, and what `slim` leaves out.
    ///
    /// A connection that is cut is told as [`Seen::Interrupted`] and made again. An error in the stream is a refusal that
    /// asking again cannot mend (rights, an unknown kind); it ends that one selection.
    pub(crate) fn watch(
        &self,
        selections: Vec<Selection>,
        slim: Slim,
        stop: &Stop,
    ) -> impl Stream<Item = Result<Seen, ClusterError>> + use<> {
        let (sender, receiver) = mpsc::channel(256);
        for selection in selections {
            let (cluster, sender, stop) = (self.with_patience(Duration::ZERO, stop), sender.clone(), stop.clone());
            tokio::spawn(async move {
                let gone = sender.clone();
                let mut watch = Watch { cluster, selection, slim, sender, version: None, failures: 0, waiting: None };
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
                    self.waiting.get_or_insert_with(|| self.cluster.waiting());
                    let pause = self.pause();
                    self.cluster.telling(tokio::time::sleep(pause)).await;
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
        match self.cluster.list_to_watch(&self.selection, self.slim).await {
            Ok(listed) => {
                self.cluster.note_answer(self.waiting.take());
                self.version = Some(listed.version);
                self.tell(Seen::Listed { selection: self.selection.clone(), objects: listed.objects }).await;
                End::Usual
            }
            Err(error) => end_of(error),
        }
    }

    /// Reads one watch connection to its end.
    async fn follow(&mut self, version: &str) -> End {
        let open = async |client: kube::Client, request| client.request_events::<Value>(request).await;
        let mut events = match self.cluster.open(&self.call(version), open).await {
            Ok(events) => {
                if self.waiting.is_some() {
                    self.tell(Seen::Resumed { selection: self.selection.clone() }).await;
                }
                self.cluster.note_answer(self.waiting.take());
                Box::pin(events)
            }
            Err(error) => return end_of(error),
        };
        loop {
            match timeout(self.cluster.silence, events.try_next()).await {
                Ok(Ok(Some(event))) => {
                    self.failures = 0;
                    if let Some(end) = self.take(event).await {
                        return end;
                    }
                }
                Ok(Ok(None)) => return End::Usual,
                Ok(Err(kube::Error::Api(status))) => return end_of(refused(&status, self.cluster.about(None))),
                Ok(Err(error)) => return end_of(self.cluster.explain_silence(&error)),
                Err(_) => return End::Cut(format!("silent for {} s", self.cluster.silence.as_secs())),
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
        reduce(&mut object, &self.selection.resource, self.slim);
        let selection = self.selection.clone();
        self.tell(if is_deleted { Seen::Deleted { selection, object } } else { Seen::Changed { selection, object } })
            .await;
        None
    }
}

/// Leaves out what nobody who watches wants to know: thousands of objects are held for as long as it takes.
fn reduce(object: &mut Value, resource: &Resource, slim: Slim) {
    mask_last_applied(object);
    thin_managed_fields(object);
    slim(resource, object);
    shrink_to_fit(object);
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

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures::StreamExt as _;

    use super::{super::wire, *};

    #[tokio::test]
    async fn a_silent_watch_is_taken_up_where_it_was() {
        let event = |version: &str| {
            let object = format!(r#"{{"metadata":{{"name":"a","uid":"1","resourceVersion":"{version}"}}}}"#);
            wire::begun(&format!(r#"{{"type":"MODIFIED","object":{object}}}{}"#, '\n'))
        };
        let watches = AtomicUsize::new(0);
        let script = move |line: &str| match line {
            line if !line.contains("watch=true") => {
                Some(wire::ok(r#"{"metadata":{"resourceVersion":"1"},"items":[]}"#))
            }
            // one word, then silence; then one that must not be missed
            line => match watches.fetch_add(1, Ordering::SeqCst) {
                0 if line.contains("resourceVersion=1") => Some(event("2")),
                1 if line.contains("resourceVersion=2") => Some(event("3")),
                _ => None,
            },
        };
        let (mut cluster, told) = wire::cluster(Arc::new(script)).await;
        cluster.silence = Duration::from_millis(150);
        let pods = super::super::request::built_in("", "v1", "Pod", "pods");
        let selection = Selection { resource: pods, namespace: Some("a".to_owned()), labels: None, fields: None };
        let stop = Stop::default();
        let mut seen = Box::pin(cluster.watch(vec![selection], |_, _| {}, &stop));
        let mut words = Vec::new();
        while words.len() < 5 {
            words.push(match seen.next().await.unwrap().unwrap() {
                Seen::Listed { objects, .. } => format!("{} listed", objects.len()),
                Seen::Changed { object, .. } => format!("version {}", object["metadata"]["resourceVersion"]),
                Seen::Interrupted { text, .. } => text,
                Seen::Resumed { .. } => "resumed".to_owned(),
                Seen::Deleted { .. } => "deleted".to_owned(),
            });
        }
        assert_eq!(words, ["0 listed", r#"version "2""#, "silent for 0 s", "resumed", r#"version "3""#]);
        assert_eq!(told.texts(), Vec::<String>::new());
    }
}
