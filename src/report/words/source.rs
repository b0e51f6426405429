//! What is done, to what, and why there.

use jiff::Timestamp;

use super::{Part, Said, State, View};
use crate::{
    model::{Commit, Connection, Event, Image, SourceEvent, Target},
    report::{
        layout::{Row, solid},
        style::{Line, Sign},
    },
};

pub(super) fn said(event: &SourceEvent) -> Vec<Said> {
    let quiet = |step, text: Line| Said::new(step, Sign::None, text);
    match event {
        SourceEvent::Target { target } => {
            let mut all = vec![quiet("target", place(target))];
            all.extend(target.commit.as_ref().map(|commit| quiet("commit", named_commit(target, commit))));
            all
        }
        SourceEvent::Connection { connection } => vec![quiet("server", server(connection).into())],
        SourceEvent::Order { order } => vec![quiet("order", order.as_str().into())],
        SourceEvent::Image { image } => vec![Said::new("image", Sign::Done, self::image(image))],
    }
}

/// `demo to production, namespace demo (branch master is the default branch)`
pub(super) fn place(target: &Target) -> Line {
    Line::new()
        .strong(&target.app)
        .plain(" to ")
        .strong(&target.environment.value)
        .plain(format!(", namespace {}", target.namespace.value))
        .dim(format!(" ({})", target.environment.origin))
}

/// `https://203.0.113.1:6443, context prod (shipway.yaml:9), as ci-deployer`
pub(super) fn server(connection: &Connection) -> String {
    let context = connection.context.as_ref().map_or_else(String::new, |context| format!(", context {context}"));
    let user = connection.user.as_ref().map_or_else(String::new, |user| format!(", as {user}"));
    format!("{}{context} ({}){user}", connection.server, connection.origin)
}

/// `team/demo@05ee9b3c linux/amd64, in the registry`
fn image(image: &Image) -> Line {
    let platforms: Vec<&str> = image.platforms.iter().map(|platform| platform.platform.0.as_str()).collect();
    let found = match (image.reference.digest.is_some(), platforms.is_empty()) {
        (true, false) => format!("  {}, in the registry", platforms.join(" ")),
        (true, true) => "  in the registry".to_owned(),
        (false, _) => "  by tag only: the registry was not asked".to_owned(),
    };
    Line::new().strong(image.reference.short()).dim(found)
}

fn named_commit(target: &Target, commit: &Commit) -> Line {
    Line::new().strong(&target.tag.value).plain(format!(" \"{}\"", commit.subject))
}

/// The first lines of the live view: all that is known before the work begins.
#[derive(Default)]
struct Header {
    target: Option<Box<Target>>,
    connection: Option<Connection>,
    order: Option<String>,
    finished: bool,
}

pub(super) fn open(event: &SourceEvent) -> Option<Box<dyn Part>> {
    let mut header = Header::default();
    header.take(event).then(|| Box::new(header) as Box<dyn Part>)
}

impl Header {
    fn take(&mut self, event: &SourceEvent) -> bool {
        match event {
            SourceEvent::Target { target } => self.target = Some(target.clone()),
            SourceEvent::Connection { connection } => self.connection = Some(connection.clone()),
            // without a target before it, it is a line of its own
            SourceEvent::Order { order } if self.target.is_some() => self.order = Some(order.clone()),
            SourceEvent::Order { .. } | SourceEvent::Image { .. } => return false,
        }
        true
    }

    fn first(&self) -> Line {
        let dot = |line: Line| if line.is_empty() { line } else { line.dim(" · ") };
        let mut line = Line::new();
        if let Some(target) = &self.target {
            line = line.strong(&target.app).dim(" · ").strong(&target.environment.value);
            line = line.dim(" · ").plain(solid(&format!("namespace {}", target.namespace.value)));
        }
        if let Some(connection) = &self.connection {
            let origin = match &connection.context {
                Some(context) => format!(" (context {context}, from {})", connection.origin),
                None => format!(" (from {})", connection.origin),
            };
            line = dot(line).plain(solid(&connection.server)).dim(solid(&origin));
        }
        line
    }

    fn second(&self) -> Option<Line> {
        let target = self.target.as_ref()?;
        let mut line = Line::new();
        if let Some(commit) = &target.commit {
            line = named_commit(target, commit).dim(" · ");
        }
        line = line.dim(solid(&target.environment.origin.to_string()));
        Some(self.order.iter().fold(line, |line, order| line.dim(" · ").plain(solid(order))))
    }
}

impl Part for Header {
    fn on(&mut self, _: Timestamp, event: &Event) -> bool {
        matches!(event, Event::Source(event) if self.take(event))
    }

    fn overtaken(&mut self, _: Option<&Event>) {
        self.finished = true;
    }

    fn state(&self) -> State {
        if self.finished { State::Finished } else { State::Running }
    }

    fn rows(&self, _: &View) -> Vec<Row> {
        let mut rows = vec![Row::text(self.first())];
        rows.extend(self.second().map(Row::text));
        rows.push(Row::blank());
        rows
    }
}
