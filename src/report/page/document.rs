//! The page's text: every word from outside is cleaned and escaped by one function.

use std::fmt::Write as _;

use super::Run;
use crate::model::{Exit, FieldChange, ObjectOutcome, Outcome, Problem, printable, short_duration};
use crate::report::words::sentence;

const STYLE: &str = include_str!("style.css");

/// Makes a text from outside fit to stand in the page.
pub(super) type Text<'t> = &'t dyn Fn(&str) -> String;

/// `clean` removes secrets, before anything is escaped.
pub(super) fn page(run: &Run, outcome: &Outcome, clean: &dyn Fn(&str) -> String) -> String {
    let text = |raw: &str| escape(&clean(raw));
    let text: Text<'_> = &text;
    let title = [&outcome.app, &outcome.environment].into_iter().flatten().cloned().collect::<Vec<_>>().join(" to ");
    let title = if title.is_empty() { "shipway".to_owned() } else { text(&title) };
    let (class, word) = ending(outcome.exit);
    let body = [
        header(run, outcome, text, (&title, class, word)),
        outcome.problems.iter().map(|found| problem(found, text)).collect(),
        run.timeline.html(text),
        objects(outcome, run, text),
        images(outcome, text),
        story(run, text),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<meta \
         http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>{title}: \
         {word}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
        body.concat()
    )
}

fn escape(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(printable).collect();
    let text = lines.join("\n");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn ending(exit: Exit) -> (&'static str, &'static str) {
    match exit {
        Exit::Done | Exit::Changes => ("ready", "✓ done"),
        Exit::TimedOut => ("failed", "✗ timed out"),
        Exit::Interrupted => ("failed", "✗ interrupted"),
        Exit::Superseded => ("waiting", "~ superseded"),
        _ => ("failed", "✗ failed"),
    }
}

fn header(run: &Run, outcome: &Outcome, text: Text<'_>, (title, class, word): (&str, &str, &str)) -> String {
    let mut html = format!("<header>\n<h1>{title} <span class=\"verdict {class}\">{word}</span></h1>\n");
    if let Some(truth) = &outcome.truth {
        let _ = writeln!(html, "<p class=\"truth\">{}</p>", text(truth));
    }
    let commit = run.commit.as_ref().map(|commit| {
        let by = if commit.author.is_empty() { String::new() } else { format!(", by {}", commit.author) };
        format!("{} {}{by}", commit.short(), commit.subject)
    });
    let facts = [
        ("tag", outcome.tag.clone()),
        ("commit", commit),
        ("namespace", outcome.namespace.clone()),
        ("server", run.connection.as_ref().map(|connection| connection.server.clone())),
        ("began", run.started.map(|started| started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())),
        ("took", Some(took(outcome.seconds))),
    ];
    html.push_str("<dl class=\"facts\">\n");
    for (name, value) in facts {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = writeln!(html, "<div><dt>{name}</dt><dd>{}</dd></div>", text(&value));
        }
    }
    html + "</dl>\n</header>\n"
}

fn took(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.1} s") } else { short_duration(seconds as u64) }
}

fn problem(problem: &Problem, text: Text<'_>) -> String {
    let said = text(&sentence(problem));
    let mut html = format!("<section class=\"problem\">\n<h2>{said} <code>{}</code></h2>\n", problem.code);
    if let Some(place) = &problem.place {
        let _ = writeln!(html, "<p class=\"place\">{}</p>", text(&place.to_string()));
        if let Some(snippet) = &place.snippet {
            let _ = writeln!(html, "<pre>{}</pre>", text(snippet));
        }
    }
    if !problem.evidence.is_empty() {
        html.push_str("<dl class=\"evidence\">\n");
        for evidence in &problem.evidence {
            let _ = writeln!(
                html,
                "<div><dt>{}</dt><dd><pre>{}</pre></dd></div>",
                text(&evidence.label),
                text(&evidence.lines.join("\n"))
            );
        }
        html.push_str("</dl>\n");
    }
    for hint in &problem.hints {
        let _ = writeln!(html, "<p class=\"hint\">{}</p>", text(hint));
    }
    html + "</section>\n"
}

fn objects(outcome: &Outcome, run: &Run, text: Text<'_>) -> String {
    if outcome.objects.is_empty() {
        return String::new();
    }
    let mut html = "<section>\n<h2>Objects</h2>\n<ul class=\"objects\">\n".to_owned();
    for object in &outcome.objects {
        let change = run.changes.iter().find(|change| change.object == object.id);
        let fields = change.map_or(&[][..], |change| &change.fields);
        html.push_str(&one_object(object, fields, text));
    }
    html + "</ul>\n</section>\n"
}

fn one_object(object: &ObjectOutcome, fields: &[FieldChange], text: Text<'_>) -> String {
    let (name, verdict) = (text(&object.id.to_string()), object.verdict);
    let change = object.change.word();
    let mut html =
        format!("<li><p><strong>{name}</strong> {change} <span class=\"verdict {verdict}\">{verdict}</span></p>\n");
    if !fields.is_empty() {
        html.push_str("<dl class=\"fields\">\n");
        for field in fields {
            let side = |value: &Option<String>| value.as_deref().map_or_else(|| "none".to_owned(), text);
            let remark = field.remark.as_deref().map(text).unwrap_or_default();
            let _ = writeln!(
                html,
                "<div><dt>{}</dt><dd><del>{}</del> <ins>{}</ins> {remark}</dd></div>",
                text(&field.path),
                side(&field.before),
                side(&field.after)
            );
        }
        html.push_str("</dl>\n");
    }
    html + "</li>\n"
}

fn images(outcome: &Outcome, text: Text<'_>) -> String {
    if outcome.images.is_empty() {
        return String::new();
    }
    let mut html = "<section>\n<h2>Images</h2>\n<ul class=\"images\">\n".to_owned();
    for image in &outcome.images {
        let digest = image.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        let name = text(&format!("{}:{}{digest}", image.name, image.tag));
        let _ = writeln!(html, "<li><code>{name}</code> proven on {} pods</li>", image.pods);
    }
    html + "</ul>\n</section>\n"
}

fn story(run: &Run, text: Text<'_>) -> String {
    if run.story.is_empty() {
        return String::new();
    }
    let line = |[time, step, told]: &[String; 3]| format!("{} {:<9} {}\n", text(time), text(step), text(told));
    let lines: String = run.story.iter().map(line).collect();
    format!("<details>\n<summary>The whole story</summary>\n<pre>{lines}</pre>\n</details>\n")
}
