//! One self-contained page about a run (`--report FILE.html`): how it ended and why, the timeline of its pods, what
//! changed, and the whole story. It needs no script, no network and no other file.

mod document;
mod timeline;

use jiff::{Timestamp, tz::TimeZone};

use super::{Reporter, repeats::Repeats, sink::Sink, words::Weight};
use crate::model::{ApplyEvent, Commit, Connection, Event, ObjectChange, Outcome, SourceEvent, Stamped};
use timeline::Timeline;

/// Lines of the story that are kept: a build may write without end.
const MOST_LINES: usize = 5000;

/// Tells a run as another reporter does, and writes the page once it has ended.
pub(super) struct Paged {
    inner: Box<dyn Reporter>,
    target: Sink,
    zone: TimeZone,
    run: Run,
    repeats: Repeats,
}

/// What was told of a run.
#[derive(Default)]
struct Run {
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    commit: Option<Commit>,
    connection: Option<Connection>,
    changes: Vec<ObjectChange>,
    timeline: Timeline,
    /// Time, phase and text of each line.
    story: Vec<[String; 3]>,
}

impl Paged {
    pub(super) fn new(inner: Box<dyn Reporter>, target: Sink, zone: TimeZone) -> Self {
        Self { inner, target, zone, run: Run::default(), repeats: Repeats::default() }
    }

    fn note(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Source(SourceEvent::Target { target }) => self.run.commit.clone_from(&target.commit),
            Event::Source(SourceEvent::Connection { connection }) => self.run.connection = Some(connection.clone()),
            Event::Apply(ApplyEvent::Object { change }) => self.run.changes.push(change.clone()),
            Event::Rollout(event) => self.run.timeline.take(at, event),
            _ => {}
        }
        let time = at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string();
        let lines = self.repeats.said(event).into_iter().filter(|said| said.weight > Weight::Detail);
        let room = MOST_LINES.saturating_sub(self.run.story.len());
        self.run
            .story
            .extend(lines.take(room).map(|said| [time.clone(), said.step.to_owned(), said.text.paint(false)]));
    }
}

impl Reporter for Paged {
    fn on(&mut self, stamped: &Stamped) {
        self.run.started.get_or_insert(stamped.at);
        self.run.ended = Some(stamped.at);
        self.note(stamped.at, &stamped.event);
        self.inner.on(stamped);
    }

    fn tick(&mut self, now: Timestamp) {
        self.inner.tick(now);
    }

    fn resumed(&mut self) {
        self.inner.resumed();
    }

    fn ask(&mut self, question: &str) {
        self.inner.ask(question);
    }

    fn finish(&mut self, outcome: &Outcome) {
        let clean = |text: &str| self.target.redactor.clean(text);
        let page = document::page(&self.run, outcome, &clean);
        self.target.write(&page);
        self.inner.finish(outcome);
    }
}
