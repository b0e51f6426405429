//! What comes from outside, through every form: it steers no terminal, commands no runner, and is no markup.

use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::{
    model::{Evidence, Problem, misleads},
    report::{last_text, screen::Screen},
};

/// Everything that acts on a terminal, and what looks like something else.
const STEERING: &str = "a\u{1b}[2J\u{1b}[31mb\u{1b}]52;c;aGk=\u{7}c\u{1b}]8;;http://x\u{1b}\\d\u{9b}5A\u{9d}e\r100 %\u{8}\u{8}\u{7f}\
                        \u{202e}f\u{2066}g\u{200b}h\u{feff}\u{2028}i\u{267b}\u{fe0f}\u{6f22}\u{5b57}Z\u{300}\u{301}\u{302}";

/// A run in which every text that others wrote is this one.
fn told_by_others(text: &str) -> (Vec<Stamped>, Outcome) {
    let (mut events, mut outcome) = samples::notes();
    let problem = Problem::new("manifest", Exit::Input, text).with(Evidence::new("last log", [text, text])).hint(text);
    events.push(samples::log(text));
    events.extend(samples::others(text, &problem));
    outcome.answer = samples::others_status(text, &problem);
    outcome.problems = vec![problem];
    outcome.truth = Some(text.to_owned());
    (events, outcome)
}

/// No word of it acts on a terminal; our own colours aside.
fn is_inert(text: &str) {
    let ours = ["0", "1", "2", "31", "32", "33"].map(|code| format!("\u{1b}[{code}m"));
    let bare = ours.iter().fold(text.to_owned(), |text, ours| text.replace(ours, ""));
    let found = bare.chars().find(|c| *c != '\n' && (misleads(*c)));
    assert_eq!(found, None, "{}", bare.escape_debug());
}

#[test]
fn nothing_from_outside_steers_a_terminal() {
    for columns in [20, 60, 200] {
        let said = plain(columns, Weight::Detail, told_by_others(STEERING));
        is_inert(&said);
        is_inert(&live(columns, told_by_others(STEERING)));
        for line in said.lines() {
            assert!(line.width() <= columns, "{columns}: {line}");
        }
    }
    let (log, summary) = runner(told_by_others(STEERING));
    is_inert(&log);
    is_inert(&summary);
    is_inert(&json(told_by_others(STEERING)));
    is_inert(&page(told_by_others(STEERING)));
    is_inert(&last_text(STEERING, &redactor()));
}

#[test]
fn the_only_colours_are_those_that_every_ground_has() {
    for run in [samples::failure(), samples::deploy(), samples::status(), told_by_others(STEERING)] {
        let (mut streams, story, data) = streams(80);
        (streams.story.colour, streams.data.colour) = (true, true);
        let mut reporter = Plain::new(streams, TimeZone::UTC, Weight::Detail);
        run.0.iter().for_each(|event| reporter.on(event));
        reporter.finish(&run.1);
        let text = story.text() + &data.text();
        assert!(text.contains('\u{1b}'));
        is_inert(&text);
        // what is coloured ends on its line
        for line in text.lines() {
            let last = line.rfind('\u{1b}').map_or("", |at| &line[at..]);
            assert!(last.is_empty() || last.starts_with("\u{1b}[0m"), "{}", line.escape_debug());
        }
    }
}

/// A line of 10,000 characters in each place; what is drawn fits, whatever it is made of.
#[test]
fn long_lines_stay_within_the_terminal() {
    for piece in ["long words ", "\u{6f22}", "e\u{301}"] {
        let long: String = piece.chars().cycle().take(10_000).collect();
        for (columns, rows) in [(10, 3), (80, 24)] {
            let (events, outcome) = told_by_others(&long);
            let paper = Paper { width: columns, unicode: true, redactor: redactor() };
            let mut shown = avt::Terminal::with_scrollback(columns, rows, None).expect("a size");
            let (mut screen, mut board) = (Screen::new(true), Board::new(Weight::Normal));
            for event in &events {
                board.on(event);
                let frame = board.frame(&paper, rows - 1, event.at);
                assert!(frame.len() < rows, "{}", frame.len());
                let drawn = screen.draw("", &frame, (columns, true)).unwrap_or_default();
                shown.feed(drawn.replace('\n', "\r\n").as_str());
                assert_eq!(shown.cursor().position(), Some((0, frame.len())), "{frame:#?}");
            }
            for line in plain(columns, Weight::Normal, (Vec::new(), outcome)).lines() {
                assert!(line.width() <= columns, "{columns}: {line}");
            }
        }
    }
}

/// The lines in which GitHub's runner looks for a command: those that begin with `::`, spaces aside, and those with `##[`.
fn commands(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.trim_start().starts_with("::") || line.contains("##[")).collect()
}

#[test]
fn nothing_from_outside_commands_a_runner() {
    let (mut events, mut outcome) = samples::notes();
    let evil =
        "::set-output name=a::hunter2-hunter2\r\n  ::stop-commands::x\n::error::`</pre>|<script> ##[add-mask]a %0A::x";
    events.push(samples::log(evil));
    let problem = Problem::new("manifest", Exit::Input, evil)
        .with(Evidence::new("last log", evil.lines().chain([evil])))
        .hint(evil);
    outcome.problems = vec![problem.clone()];
    outcome.truth = Some(evil.to_owned());
    let status = samples::others_status(evil, &problem);
    for answer in [Answer::Nothing, status] {
        outcome.answer = answer;
        let (log, summary) = runner((events.clone(), outcome.clone()));
        assert!(!log.contains("hunter2") && !summary.contains("hunter2"), "{log}{summary}");
        let found = commands(&log);
        let ours = ["::warning title=", "::error title=manifest::::set-output name=a::***%0A"];
        assert!(found.iter().all(|line| ours.iter().any(|start| line.starts_with(start))), "{found:#?}");
        assert_eq!(found.iter().filter(|line| line.starts_with("::error")).count(), 1, "{found:#?}");
        assert!(found.iter().all(|line| !line.contains(" %0A::x")), "{found:#?}");
        assert!(summary.lines().all(|line| !line.contains("<script>") || line.starts_with("    ")), "{summary}");
    }
    let line = json((events, outcome));
    assert_eq!(commands(&line), [""; 0]);
    assert!(line.contains("#\\u0023[add-mask]a"), "{line}");
}

#[test]
fn nothing_from_outside_is_markup_in_a_page() {
    let (mut events, mut outcome) = samples::notes();
    let evil = "<script>alert('hunter2-hunter2')</script>\u{202e}\"&";
    events.push(samples::log(evil));
    outcome.problems = vec![Problem::new("manifest", Exit::Input, evil).with(Evidence::new(evil, [evil])).hint(evil)];
    outcome.truth = Some(evil.to_owned());
    let page = page((events, outcome));
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
    assert!(!page.contains("hunter2") && !page.contains('\u{202e}'), "{page}");
}

#[test]
fn a_last_text_is_cleaned() {
    let text = last_text("error[bug]: bad login hunter2-hunter2 \u{1b}[2J\n  hint: report it", &redactor());
    assert_eq!(text, "error[bug]: bad login *** \\u{1b}[2J\n  hint: report it");
}

#[test]
fn secrets_appear_in_no_form() {
    for text in [plain(80, Weight::Detail, samples::notes()), live(80, samples::notes()), json(samples::notes())] {
        assert!(text.contains("***"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(!live(80, samples::notes()).contains('\u{1b}'));
}
