//! GitHub Actions: the plain lines, folded by phase where nothing is awaited; findings as annotations; a step summary.
//!
//! A line of the runner's log that begins with `::` is a command. Those here are the only ones: whatever else would be read
//! as one is made harmless (`commands`), and what an annotation says is escaped as the runner asks.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    Reporter,
    closing::Streams,
    layout::{Paper, Row, typeset},
    plain::Plain,
    sink::Sink,
    words::{self, Weight},
};
use crate::model::{
    ApplyEvent, Event, Exit, ObjectOutcome, Outcome, Problem, Redactor, RolloutEvent, Stamped, printable,
};

pub(crate) struct GitHub {
    pub(super) plain: Plain,
    /// The step's summary, in Markdown; none where the runner has none.
    pub(super) summary: Option<Sink>,
    pub(super) open: Option<&'static str>,
}

impl GitHub {
    /// Opens the group of an event's phase, and ends another one.
    fn fold(&mut self, group: Option<&'static str>) {
        if group == self.open {
            return;
        }
        if self.open.is_some() {
            self.command("::endgroup::");
        }
        if let Some(group) = group {
            self.command(&format!("::group::{group}"));
        }
        self.open = group;
    }

    fn command(&mut self, command: &str) {
        self.story().write(&format!("{command}\n"));
    }

    fn story(&mut self) -> &mut Sink {
        &mut self.plain.streams.story
    }

    fn annotate(&mut self, level: &str, problem: &Problem) {
        let command = annotation(level, problem, &self.story().redactor);
        self.command(&command);
    }
}

impl Reporter for GitHub {
    fn on(&mut self, stamped: &Stamped) {
        let least = self.plain.least;
        if words::said(&stamped.event).iter().any(|said| said.weight >= least) {
            self.fold(group(stamped.event.itself()));
        }
        self.plain.on(stamped);
        if let Event::Rollout(event) = stamped.event.itself()
            && let RolloutEvent::Warning { problem } = &**event
        {
            self.annotate("warning", problem);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        self.plain.tick(now);
    }

    fn ask(&mut self, question: &str) {
        self.plain.ask(question);
    }

    fn finish(&mut self, outcome: &Outcome) {
        self.fold(None);
        let good = matches!(outcome.exit, Exit::Done | Exit::Changes);
        for problem in &outcome.problems {
            self.annotate(if good { "warning" } else { "error" }, problem);
        }
        self.plain.finish(outcome);
        if let Some(sink) = &mut self.summary {
            let text = summary(outcome, &sink.redactor);
            sink.write(&text);
        }
    }
}

/// What is folded: nobody looks for a verdict in it.
fn group(event: &Event) -> Option<&'static str> {
    match event {
        Event::Build(_) => Some("build"),
        Event::Push(_) => Some("push"),
        Event::Apply(ApplyEvent::Object { .. } | ApplyEvent::Adopted { .. }) => Some("apply"),
        _ => None,
    }
}

/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>
fn annotation(level: &str, problem: &Problem, redactor: &Redactor) -> String {
    let place = problem.place.as_ref().map(|place| {
        format!("file={},line={},col={},", property(&redactor.clean(&place.file)), place.line, place.column)
    });
    let hints: String = problem.hints.iter().map(|hint| format!("\nhint: {hint}")).collect();
    let text = redactor.clean(&format!("{}{hints}", words::sentence(problem)));
    let text: Vec<String> = text.lines().map(printable).collect();
    format!("::{level} {}title={}::{}", place.unwrap_or_default(), problem.code, data(&text.join("\n")))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Wide enough for whole lines of a log; a summary scrolls.
const WIDTH: usize = 120;

/// What is true now, what was found, and what became of each object.
fn summary(outcome: &Outcome, redactor: &Redactor) -> String {
    let mut text = String::new();
    if outcome.app.is_none() && outcome.problems.is_empty() {
        return text;
    }
    let named: Vec<String> =
        [&outcome.app, &outcome.environment].into_iter().flatten().map(|name| cell(name)).collect();
    let title = if named.is_empty() { "shipway".to_owned() } else { named.join(" · ") };
    text.push_str(&format!("### {title}\n\n"));
    let blocks = words::ending(outcome);
    if !blocks.is_empty() {
        text.push_str(&fenced(&blocks, redactor));
    }
    if !outcome.images.is_empty() {
        text.push_str("| image | tag | digest | pods |\n|---|---|---|---|\n");
        for image in &outcome.images {
            let digest = image.digest.as_ref().map(ToString::to_string).unwrap_or_default();
            let row = [image.name.as_str(), &image.tag, &digest].map(|text| format!("`{}`", cell(text))).join(" | ");
            text.push_str(&format!("| {row} | {} |\n", image.pods));
        }
        text.push('\n');
    }
    if !outcome.objects.is_empty() {
        text.push_str("| object | change | verdict |\n|---|---|---|\n");
        text.extend(outcome.objects.iter().map(|object| self::object(object, &outcome.problems)));
    }
    redactor.clean(&text) + "\n"
}

/// What is told in full above stands here by its code.
fn object(object: &ObjectOutcome, problems: &[Problem]) -> String {
    let is_told = |why: &Problem| problems.iter().any(|told| told.code == why.code);
    let why = object.why.as_ref().map(|why| if is_told(why) { why.code } else { why.text.as_str() });
    let why = why.map(|why| format!(": {}", cell(why))).unwrap_or_default();
    let change = object.change.word();
    format!("| {} | {change} | {}{why} |\n", cell(&object.id.to_string()), object.verdict)
}

/// Text as it is: no line of it can end the block, for none begins with a fence.
fn fenced(blocks: &[Vec<Row>], redactor: &Redactor) -> String {
    let paper = Paper { width: WIDTH, unicode: true, redactor: redactor.clone() };
    let blocks: Vec<String> = blocks
        .iter()
        .map(|rows| typeset(rows, &paper).iter().map(|line| format!("    {}\n", line.paint(false))).collect())
        .collect();
    format!("{}\n", blocks.join("    \n"))
}

/// A text in a cell of a table: one line, with nothing that Markdown or HTML would read.
fn cell(text: &str) -> String {
    let text = printable(&text.replace('\n', " "));
    ["&", "<", ">", "|", "*", "_", "[", "]"].iter().fold(text, |text, sign| {
        let escaped = match *sign {
            "&" => "&amp;".to_owned(),
            "<" => "&lt;".to_owned(),
            ">" => "&gt;".to_owned(),
            sign => format!("\\{sign}"),
        };
        text.replace(sign, &escaped)
    })
}

/// The reporter for a runner whose variables say so.
pub(super) fn reporter(streams: Streams, (least, zone): (Weight, TimeZone), summary: Option<Sink>) -> GitHub {
    let plain = Plain::new(streams, zone, least);
    GitHub { plain, summary, open: None }
}
