//! Whose log is to be shown: each run of each container of a hook, once.

use std::collections::HashSet;

use super::{track::Track, view::View};
use crate::{
    kinds::{self, read},
    model::LogSource,
};

#[derive(Debug, Default)]
pub(super) struct Logs(HashSet<(String, String, i64)>);

impl Logs {
    /// The runs that have begun since this was asked last.
    pub(super) fn begun(&mut self, tracks: &[Track], view: &View) -> Vec<LogSource> {
        let mut sources = Vec::new();
        for track in tracks.iter().filter(|track| track.watched.shows_log) {
            let family = view.family(&track.watched.applied.uid);
            for object in family.into_iter().filter(|object| read::is_kind(object, "Pod")) {
                for (container, run) in kinds::begun(object) {
                    if self.0.insert((read::uid(object).to_owned(), container.to_owned(), run)) {
                        sources.push(LogSource {
                            object: track.watched.applied.id.clone(),
                            pod: read::id(object),
                            container: container.to_owned(),
                        });
                    }
                }
            }
        }
        sources
    }
}
