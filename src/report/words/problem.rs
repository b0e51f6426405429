//! Findings: what, where, why, and what to type next.

use super::counts;
use crate::{
    model::{Place, Problem},
    report::{
        layout::{Cell, Row, solid},
        style::{Line, Meaning},
    },
};

/// Groups of rows that share columns.
const EVIDENCE: usize = 1;
const HINTS: usize = 2;
const SNIPPET: usize = 3;
const HEADLINE: usize = 4;

/// A problem with its evidence; `meaning` tells an error from a warning.
pub(crate) fn problem(problem: &Problem, meaning: Meaning) -> Vec<Row> {
    let (label, text) = headline(problem, meaning);
    let mut rows = vec![Row::new([Cell::keep(label).gap(1), Cell::wrap(text)]).group(HEADLINE)];
    let at_caret = problem.place.as_ref().and_then(|place| {
        place.snippet.as_ref()?;
        problem.hints.iter().position(|hint| hint.starts_with("did you mean"))
    });
    if let Some(place) = &problem.place {
        rows.extend(snippet(place, at_caret.map(|hint| problem.hints[hint].as_str()), meaning));
    }
    if !problem.evidence.is_empty() {
        rows.push(Row::blank());
        rows.extend(evidence(problem));
    }
    let hints: Vec<&String> = problem
        .hints
        .iter()
        .enumerate()
        .filter(|(number, _)| Some(*number) != at_caret)
        .map(|(_, hint)| hint)
        .collect();
    if !hints.is_empty() {
        rows.push(Row::blank());
        for (number, hint) in hints.into_iter().enumerate() {
            let label = if number == 0 { "hint:" } else { "" };
            rows.push(
                Row::new([Cell::keep(Line::new().strong(label)).gap(1), Cell::wrap(hint.as_str())])
                    .indent(2)
                    .group(HINTS),
            );
        }
    }
    rows
}

/// A warning on one line: `warning[code]: object: text`
pub(super) fn warning(problem: &Problem) -> Line {
    let (label, text) = headline(problem, Meaning::Attention);
    let line = label.plain(" ").join(text);
    problem.hints.iter().take(1).fold(line, |line, hint| line.dim(format!(" ({hint})")))
}

/// `error[crash-loop]:` and `deployment/web: container `web` exits with code 3`
fn headline(problem: &Problem, meaning: Meaning) -> (Line, Line) {
    let word = if meaning == Meaning::Failed { "error" } else { "warning" };
    let label = Line::new().with(meaning, format!("{word}[{}]", problem.code)).plain(":");
    let text = match problem.object.as_ref().map(ToString::to_string) {
        Some(name) if !problem.text.contains(&name) => Line::new().strong(name).plain(": "),
        _ => Line::new(),
    };
    let text = text.strong(&problem.text);
    let named_in_evidence = problem.evidence.iter().any(|evidence| evidence.label == POD);
    let text = if problem.count > 1 && !named_in_evidence { text.plain(counts::alike(problem.count)) } else { text };
    (label, text)
}

/// What is wrong, with what, and how many alike: where nothing stands beside it.
pub(crate) fn sentence(problem: &Problem) -> String {
    let name = problem.object.as_ref().map(ToString::to_string).filter(|name| !problem.text.contains(name));
    let alike = if problem.count > 1 { counts::alike(problem.count) } else { String::new() };
    name.map_or_else(|| format!("{}{alike}", problem.text), |name| format!("{name}: {}{alike}", problem.text))
}

const POD: &str = "pod";
/// Other objects of which the same is true.
const ALSO: &str = "also";
/// So many of them are named.
const NAMED: usize = 5;

/// `deployment/a, deployment/b and 12 more`
fn listed(names: &[String]) -> String {
    let named = names[..names.len().min(NAMED)].join(", ");
    if names.len() > NAMED { format!("{named} and {} more", names.len() - NAMED) } else { named }
}

fn evidence(problem: &Problem) -> Vec<Row> {
    let mut rows = Vec::new();
    for evidence in &problem.evidence {
        if evidence.label == ALSO {
            let label = Cell::keep(Line::new().dim(ALSO)).least(9);
            rows.push(Row::new([label, Cell::wrap(listed(&evidence.lines))]).indent(2).group(EVIDENCE));
            continue;
        }
        for (number, text) in evidence.lines.iter().enumerate() {
            let label = if number == 0 { evidence.label.as_str() } else { "" };
            let several = number == 0 && evidence.label == POD && problem.count > 1;
            let text =
                Line::new().plain(text).plain(if several { counts::alike(problem.count) } else { String::new() });
            let label = Cell::keep(Line::new().dim(label)).least(9);
            rows.push(Row::new([label, Cell::wrap(text)]).indent(2).group(EVIDENCE));
        }
    }
    rows
}

/// Characters of a file's line that are shown.
const WINDOW: usize = 50;
/// Of these, how many before the column, in a line that is longer.
const BEFORE: usize = 20;

/// As rustc shows it: the place, the line, and a mark under the column.
fn snippet(place: &Place, hint: Option<&str>, meaning: Meaning) -> Vec<Row> {
    let number = place.line.to_string();
    let gutter = |text: &str| Cell::keep(Line::new().dim(text)).least(number.len()).gap(1);
    let row = |cells: Vec<Cell>| Row::new(cells).group(SNIPPET);
    let mut rows =
        vec![row(vec![gutter(""), Cell::keep(Line::new().dim("-->")).gap(1), Cell::wrap(place.to_string())])];
    let Some(text) = &place.snippet else { return rows };
    let glyphs: Vec<char> = text.trim_end().chars().collect();
    let column = place.column.saturating_sub(1).min(glyphs.len());
    let from = if glyphs.len() > WINDOW { column.saturating_sub(BEFORE) } else { 0 };
    let shown: String = glyphs[from..].iter().take(WINDOW).collect();
    let marked = glyphs[column..].iter().take_while(|c| !matches!(c, ':' | ' ' | ',' | '\t')).count();
    let marks = "^".repeat(marked.clamp(1, WINDOW));
    let bar = || Cell::keep(Line::new().dim("|")).gap(1);
    let under = Line::new().plain(solid(&" ".repeat(column - from))).with(meaning, marks);
    let under = hint.iter().fold(under, |under, hint| under.with(meaning, format!(" {hint}")));
    rows.push(Row::new([gutter(""), bar()]));
    rows.push(Row::new([gutter(&number), bar(), Cell::wrap(solid(&shown.replace('\t', " ")))]));
    rows.push(Row::new([gutter(""), bar(), Cell::wrap(under)]));
    rows
}
