//! The logs of hooks while they run: one stream a container, told as lines come.

use std::pin::Pin;

use futures::{FutureExt as _, Stream, StreamExt as _, stream::SelectAll};
use tokio::time::{Duration, timeout};

use super::Context;
use crate::{
    cluster::Cluster,
    model::{LogSource, Note, RolloutEvent},
};

/// Lines told at once, where so many have come.
const MOST_LINES: usize = 100;
/// What ended containers wrote last is waited for no longer than this.
const LAST_LINES: Duration = Duration::from_secs(2);

type Told = Result<RolloutEvent, Note>;

#[derive(Default)]
pub(super) struct HookLogs(SelectAll<Pin<Box<dyn Stream<Item = Told>>>>);

impl HookLogs {
    pub(super) fn add(&mut self, cluster: &Cluster, source: LogSource) {
        let cluster = cluster.clone();
        let lines = async move {
            match cluster.follow_log(&source.pod, &source.container).await {
                Ok(lines) => told(source, lines).left_stream(),
                Err(error) => futures::stream::iter([Err(cut(&source, &error))]).right_stream(),
            }
        };
        self.0.push(Box::pin(lines.flatten_stream()));
    }

    /// The next lines of any container; never, where there is none to listen to.
    pub(super) async fn next(&mut self) -> Told {
        match self.0.next().await {
            Some(told) => told,
            None => futures::future::pending().await,
        }
    }

    /// Tells what is still on its way from containers that have ended.
    pub(super) async fn drain(&mut self, context: &Context) {
        let rest = async {
            while let Some(told) = self.0.next().await {
                tell(context, told);
            }
        };
        // a container that goes on writing is not waited for
        let _ = timeout(LAST_LINES, rest).await;
    }
}

pub(super) fn tell(context: &Context, told: Told) {
    match told {
        Ok(event) => context.tell(event),
        Err(note) => context.tell(note),
    }
}

fn told<E: std::fmt::Display>(
    source: LogSource,
    lines: impl Stream<Item = Result<String, E>>,
) -> impl Stream<Item = Told> {
    lines.ready_chunks(MOST_LINES).flat_map(move |chunk| {
        let mut told = Vec::new();
        let mut lines = Vec::new();
        for line in chunk {
            match line {
                Ok(line) => lines.push(line),
                Err(error) => told.push(Err(cut(&source, &error))),
            }
        }
        if !lines.is_empty() {
            let (object, pod, container) = (source.object.clone(), source.pod.name.clone(), source.container.clone());
            told.insert(0, Ok(RolloutEvent::Log { object, pod, container, lines }));
        }
        futures::stream::iter(told)
    })
}

fn cut(source: &LogSource, error: &dyn std::fmt::Display) -> Note {
    Note::attention("log", format!("the log of {} is not shown further: {error}", source.object))
}
