//! Recorded streams through every form, as snapshots: the looks of shipway.

mod outside;
mod parity;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    sync::{Arc, Mutex},
};

use jiff::tz::TimeZone;

use super::{
    Reporter,
    board::Board,
    closing::Streams,
    github,
    json::Json,
    layout::{Paper, typeset},
    page::Paged,
    plain::Plain,
    samples,
    sink::{Columns, Sink},
    style::Sign,
    words::{self, Weight},
};
use crate::model::{Answer, Event, Exit, Outcome, Redactor, Stamped, StatusEvent};

/// What was written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic holds it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic holds it").clone()).expect("UTF-8")
    }
}

fn redactor() -> Redactor {
    let redactor = Redactor::default();
    redactor.learn("hunter2-hunter2");
    redactor
}

fn streams(columns: usize) -> (Streams, Written, Written) {
    let (story, data) = (Written::default(), Written::default());
    let sink = |written: &Written| Sink::new(Box::new(written.clone()), Columns::Fixed(columns), redactor());
    (Streams { story: sink(&story), data: sink(&data) }, story, data)
}

fn plain(columns: usize, least: Weight, (events, outcome): (Vec<Stamped>, Outcome)) -> String {
    let (streams, story, data) = streams(columns);
    let mut reporter = Plain::new(streams, TimeZone::UTC, least);
    events.iter().for_each(|event| reporter.on(event));
    reporter.finish(&outcome);
    let (story, data) = (story.text(), data.text());
    if data.is_empty() { story } else { format!("{story}--- stdout\n{data}") }
}

/// All lines that settle, and the frame after each event where it is not empty.
fn live(columns: usize, (events, outcome): (Vec<Stamped>, Outcome)) -> String {
    let paper = Paper { width: columns, unicode: true, redactor: redactor() };
    let mut board = Board::new(Weight::Normal);
    let mut shown = String::new();
    let mut say = |text: String| shown.push_str(&(text + "\n"));
    for event in &events {
        for block in board.on(event) {
            typeset(&block, &paper).iter().for_each(|line| say(line.paint(false)));
        }
        let frame = board.frame(&paper, 23, event.at);
        if !frame.is_empty() {
            say("    ┌".to_owned());
            frame.iter().for_each(|line| say(format!("    │{}", line.paint(false))));
        }
    }
    let sign = if outcome.exit == Exit::Done { Sign::None } else { Sign::Failed };
    let last = events.last().expect("an event").at;
    for block in board.end(last, sign).into_iter().chain(words::ending(&outcome)) {
        typeset(&block, &paper).iter().for_each(|line| say(line.paint(false)));
    }
    shown
}

fn with(problems: Vec<crate::model::Problem>, answer: Answer) -> (Vec<Stamped>, Outcome) {
    (Vec::new(), Outcome { problems, answer, ..Outcome::new(Exit::Input) })
}

fn answered(answer: Answer) -> (Vec<Stamped>, Outcome) {
    (Vec::new(), Outcome { answer, ..Outcome::new(Exit::Done) })
}

/// Every recorded run, by name.
fn runs() -> Vec<(&'static str, (Vec<Stamped>, Outcome))> {
    vec![
        ("deploy", samples::deploy()),
        ("failure", samples::failure()),
        ("clusters", samples::clusters()),
        ("build", samples::build_and_push()),
        ("switch", samples::switch()),
        ("notes", samples::notes()),
        ("problems", with(samples::problems(), Answer::Nothing)),
        ("plan", answered(Answer::Plan(Box::new(samples::plan())))),
        ("status", samples::status()),
        ("saved", samples::saved()),
        ("watch", samples::watch()),
        ("envs", answered(Answer::Environments(Box::new(samples::environments())))),
        ("history", answered(Answer::History(Box::new(samples::history())))),
    ]
}

#[test]
fn plain_at_60_80_and_200_columns() {
    for (name, run) in runs() {
        for columns in [60, 80, 200] {
            insta::assert_snapshot!(format!("plain-{name}-{columns}"), plain(columns, Weight::Normal, run.clone()));
        }
    }
}

#[test]
fn nothing_wraps_at_any_width() {
    for (name, run) in runs() {
        // references to copy are never cut
        let run = (run.0, Outcome { answer: if name == "build" { Answer::Nothing } else { run.1.answer }, ..run.1 });
        for columns in [40, 60, 80, 100] {
            for text in [plain(columns, Weight::Detail, run.clone())] {
                for line in text.lines() {
                    assert!(line.chars().count() <= columns, "{name} at {columns}: {line}");
                }
            }
        }
    }
}

#[test]
fn quiet_says_what_needs_attention_and_the_end() {
    insta::assert_snapshot!("quiet-deploy", plain(80, Weight::Attention, samples::deploy()));
    insta::assert_snapshot!("quiet-failure", plain(80, Weight::Attention, samples::failure()));
}

#[test]
fn verbose_says_everything() {
    insta::assert_snapshot!("verbose-build", plain(80, Weight::Detail, samples::build_and_push()));
    insta::assert_snapshot!("verbose-deploy", plain(80, Weight::Detail, samples::deploy()));
}

#[test]
fn live_frames() {
    for (name, run) in [
        ("deploy", samples::deploy()),
        ("failure", samples::failure()),
        ("build", samples::build_and_push()),
        ("switch", samples::switch()),
        ("clusters", samples::clusters()),
        ("watch", samples::watch()),
    ] {
        for columns in [60, 80, 200] {
            if run.0.is_empty() {
                continue;
            }
            insta::assert_snapshot!(format!("live-{name}-{columns}"), live(columns, run.clone()));
        }
    }
}

#[test]
fn a_frame_is_no_higher_than_the_terminal() {
    let paper = Paper { width: 80, unicode: true, redactor: redactor() };
    let mut board = Board::new(Weight::Normal);
    for event in samples::many_workloads(40) {
        board.on(&event);
    }
    let frame = board.frame(&paper, 12, samples::at(9.0));
    let frame: Vec<String> = frame.iter().map(|line| line.paint(false)).collect();
    assert!(frame.len() <= 12, "{}", frame.len());
    insta::assert_snapshot!("live-many", frame.join("\n"));
}

#[test]
fn of_many_workloads_a_frame_keeps_what_is_wrong() {
    let paper = Paper { width: 80, unicode: true, redactor: redactor() };
    let mut board = Board::new(Weight::Normal);
    for event in samples::wide(40) {
        board.on(&event);
    }
    for rows in [20, 12] {
        let frame = board.frame(&paper, rows, samples::at(9.0));
        let frame: Vec<String> = frame.iter().map(|line| line.paint(false)).collect();
        assert!(frame.len() <= rows, "{}", frame.len());
        insta::assert_snapshot!(format!("live-wide-{rows}"), frame.join("\n"));
    }
}

#[test]
fn environments_stand_in_the_order_of_the_configuration() {
    let mut board = Board::new(Weight::Normal);
    let (events, _) = samples::watch();
    for (number, rank) in [(3, 1), (0, 0)] {
        let mut stamped = events[number].clone();
        let Event::Status(StatusEvent::Environment { status, .. }) = &mut stamped.event else { panic!("{stamped:?}") };
        status.rank = rank;
        board.on(&stamped);
    }
    let paper = Paper { width: 80, unicode: true, redactor: redactor() };
    let frame: Vec<String> = board.frame(&paper, 24, samples::at(30.0)).iter().map(|line| line.paint(false)).collect();
    let place = |name: &str| frame.iter().position(|line| line.trim_start().starts_with(name)).expect("an environment");
    assert!(place("load ") < place("preview "), "{frame:#?}");
}

#[test]
fn a_status_is_one_answer() {
    let text = json(samples::status());
    let outcome: serde_json::Value = serde_json::from_str(&text).expect("one line of JSON");
    insta::assert_snapshot!("json-status", format!("{:#}\n", outcome["answer"]["status"]));
    insta::assert_snapshot!("json-watch", json(samples::watch()).lines().take(2).collect::<Vec<_>>().join("\n"));
}

/// The log of a runner, and its step's summary.
fn runner((events, outcome): (Vec<Stamped>, Outcome)) -> (String, String) {
    let (mut streams, story, data) = streams(80);
    for sink in [&mut streams.story, &mut streams.data] {
        sink.columns = Columns::Unlimited;
        sink.commanded = true;
    }
    let summary = Written::default();
    let sink = Sink::new(Box::new(summary.clone()), Columns::Unlimited, redactor());
    let mut reporter = github::reporter(streams, (Weight::Normal, TimeZone::UTC), Some(sink));
    events.iter().for_each(|event| reporter.on(event));
    reporter.finish(&outcome);
    (story.text() + &data.text(), summary.text())
}

#[test]
fn a_runner_folds_annotates_and_sums_up() {
    for (name, run) in [
        ("deploy", samples::deploy()),
        ("failure", samples::failure()),
        ("build", samples::build_and_push()),
        ("problems", with(samples::problems(), Answer::Nothing)),
    ] {
        let (log, summary) = runner(run);
        assert_eq!(log.matches("::group::").count(), log.matches("::endgroup::").count(), "{log}");
        insta::assert_snapshot!(format!("github-{name}"), log);
        insta::assert_snapshot!(format!("github-summary-{name}"), summary);
    }
}

fn page((events, outcome): (Vec<Stamped>, Outcome)) -> String {
    let (streams, ..) = streams(80);
    let written = Written::default();
    let target = Sink::new(Box::new(written.clone()), Columns::Unlimited, redactor());
    let inner = Plain::new(streams, TimeZone::UTC, Weight::Normal);
    let mut reporter = Paged::new(Box::new(inner), target, TimeZone::UTC);
    events.iter().for_each(|event| reporter.on(event));
    reporter.finish(&outcome);
    written.text()
}

#[test]
fn a_page_holds_the_whole_run() {
    for (name, run) in [("deploy", samples::deploy_with_pods()), ("failure", samples::failure())] {
        let page = page(run);
        let (_, body) = page.split_once("</style>").expect("a style");
        insta::assert_snapshot!(format!("page-{name}"), body);
    }
}

fn json((events, outcome): (Vec<Stamped>, Outcome)) -> String {
    let (streams, story, data) = streams(80);
    let mut reporter = Json { streams, now: samples::at(0.0) };
    events.iter().for_each(|event| reporter.on(event));
    reporter.finish(&outcome);
    assert_eq!(story.text(), "", "the story is on stdout too");
    data.text()
}

#[test]
fn json_is_one_event_a_line_and_the_outcome_last() {
    for (name, run) in runs() {
        let text = json(run);
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
        let last = lines.last().expect("an outcome");
        assert_eq!(last["event"], "outcome", "{name}");
        for line in &lines {
            assert_eq!(line["v"], 1, "{name}: {line}");
            assert!(line["at"].is_string() && line["event"].is_string(), "{name}: {line}");
        }
    }
    insta::assert_snapshot!("json-deploy", json(samples::deploy()));
    insta::assert_snapshot!("json-failure", json(samples::failure()));
}

/// The names in the first column of the table of events.
fn documented() -> BTreeSet<String> {
    let text = include_str!("../../docs/json.md");
    let (_, table) = text.split_once("| event | tells | with |").expect("a table of events");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let first = rows.filter_map(|row| row.split('|').nth(1));
    first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn json_has_each_event_that_is_documented_and_no_other() {
    let mut first = BTreeMap::new();
    for run in runs().into_iter().map(|(_, run)| run).chain([samples::deploy_with_pods()]) {
        for line in json(run).lines() {
            let event = serde_json::from_str::<serde_json::Value>(line).expect("JSON")["event"].clone();
            first.entry(event.as_str().expect("a name").to_owned()).or_insert_with(|| line.to_owned());
        }
    }
    first.remove("outcome");
    assert_eq!(first.keys().cloned().collect::<BTreeSet<_>>(), documented());
    insta::assert_snapshot!("json-events", first.into_values().collect::<Vec<_>>().join("\n"));
}

#[test]
fn settings_are_one_object() {
    let answer = Answer::Data { json: serde_json::json!({"v": 1, "settings": {}}), rows: Vec::new() };
    assert_eq!(json(answered(answer)), "{\"v\":1,\"settings\":{}}\n");
}

#[test]
fn colour_stands_beside_signs() {
    let (mut streams, story, _) = streams(80);
    streams.story.colour = true;
    let mut reporter = Plain::new(streams, TimeZone::UTC, Weight::Normal);
    let (events, outcome) = samples::failure();
    events.iter().for_each(|event| reporter.on(event));
    reporter.finish(&outcome);
    insta::assert_snapshot!("colour-failure", story.text().replace('\u{1b}', "ESC"));
}

#[test]
fn manifests_are_written_as_they_are() {
    let (streams, story, data) = streams(20);
    let mut reporter = Plain::new(streams, TimeZone::UTC, Weight::Normal);
    let text = "apiVersion: v1\nkind: ConfigMap # hunter2-hunter2 is what the user wrote\n";
    reporter.finish(&Outcome { answer: Answer::Text(text.into()), ..Outcome::new(Exit::Done) });
    assert_eq!((story.text(), data.text()), (String::new(), text.to_owned()));
}

#[test]
fn a_closed_stream_is_quiet() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Sink::new(Box::new(Closed), Columns::Fixed(80), redactor());
    sink.write("one");
    sink.write("two");
}
