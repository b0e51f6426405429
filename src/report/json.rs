//! One event a line on stdout, the outcome last: for programs.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Reporter,
    closing::{self, Streams},
};
use crate::model::{Answer, Change, Exit, ObjectId, ObjectOutcome, Outcome, PodsOnImage, Problem, Stamped, misleads};

pub(crate) struct Json {
    pub(super) streams: Streams,
    /// The moment of the last event or tick.
    pub(super) now: Timestamp,
}

/// The last line. Names are users' contract: new ones are added, none is renamed.
#[derive(Serialize)]
struct OutcomeLine<'o> {
    v: u8,
    at: Timestamp,
    event: &'static str,
    ok: bool,
    code: Exit,
    app: &'o Option<String>,
    env: &'o Option<String>,
    namespace: &'o Option<String>,
    commit: &'o Option<String>,
    tag: &'o Option<String>,
    images: &'o [PodsOnImage],
    objects: Vec<ObjectLine<'o>>,
    seconds: f64,
    /// What is true now, in one sentence.
    truth: &'o Option<String>,
    /// Only where it is true.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    superseded: bool,
    problems: &'o [Problem],
    #[serde(skip_serializing_if = "Value::is_null")]
    answer: Value,
}

#[derive(Serialize)]
struct ObjectLine<'o> {
    #[serde(flatten)]
    id: &'o ObjectId,
    change: Change,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Why<'o>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'o str>,
}

#[derive(Serialize)]
struct Why<'o> {
    code: &'static str,
    text: &'o str,
    hint: String,
}

impl Json {
    fn line(&mut self, value: impl Serialize) {
        // the model has no maps with keys that are no strings, so this cannot fail
        let mut value = serde_json::to_value(value).unwrap_or_default();
        clean(&mut value, &|text| self.streams.data.redactor.clean(text));
        self.streams.data.write(&format!("{}\n", escaped(&value.to_string())));
    }
}

/// JSON leaves DEL and the C1 controls as they are, which terminals act on, and what runners take for a command in the
/// middle of a line: they become `\u` escapes.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '#' if text.ends_with('#') => text.push_str("\\u0023"),
            c if misleads(c) => {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")))
            }
            c => text.push(c),
        }
    }
    text
}

/// Removes secrets from every text of the value, before it is escaped.
fn clean(value: &mut Value, redact: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = redact(text),
        Value::Array(items) => items.iter_mut().for_each(|item| clean(item, redact)),
        Value::Object(fields) => fields.values_mut().for_each(|field| clean(field, redact)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn object(outcome: &ObjectOutcome) -> ObjectLine<'_> {
    let why = outcome.why.as_ref();
    let why = why.map(|why| Why { code: why.code, text: &why.text, hint: why.hints.join("; ") });
    ObjectLine {
        id: &outcome.id,
        change: outcome.change,
        verdict: outcome.verdict,
        why,
        context: outcome.context.as_deref(),
    }
}

fn answer(answer: &Answer) -> Value {
    match answer {
        Answer::Nothing | Answer::Data { .. } => Value::Null,
        Answer::Text(text) => json!({ "text": text }),
        Answer::Pushed(images) => json!({ "pushed": images }),
        Answer::Built(references) => json!({ "built": references }),
        Answer::Plan(plan) => json!({ "plan": plan }),
        Answer::Plans(plans) => json!({ "plans": plans }),
        Answer::Status(status) => json!({ "status": status }),
        Answer::Environments(found) => json!({ "environments": found.environments }),
        Answer::History(history) => json!({ "history": history }),
        Answer::Histories(histories) => json!({ "histories": histories }),
    }
}

impl Reporter for Json {
    fn on(&mut self, stamped: &Stamped) {
        self.now = stamped.at;
        self.line(stamped);
    }

    fn tick(&mut self, now: Timestamp) {
        self.now = now;
    }

    fn ask(&mut self, question: &str) {
        closing::ask(&mut self.streams, question);
    }

    fn is_heard(&self) -> bool {
        self.streams.data.is_open()
    }

    fn finish(&mut self, outcome: &Outcome) {
        // `config --output json` is one object and nothing else
        if let (Answer::Data { json, .. }, Exit::Done) = (&outcome.answer, outcome.exit) {
            self.line(json);
            return;
        }
        let line = OutcomeLine {
            v: 1,
            at: self.now,
            event: "outcome",
            ok: outcome.exit == Exit::Done,
            code: outcome.exit,
            app: &outcome.app,
            env: &outcome.environment,
            namespace: &outcome.namespace,
            commit: &outcome.commit,
            tag: &outcome.tag,
            images: &outcome.images,
            objects: outcome.objects.iter().map(object).collect(),
            seconds: outcome.seconds,
            truth: &outcome.truth,
            superseded: outcome.superseded,
            problems: &outcome.problems,
            answer: answer(&outcome.answer),
        };
        self.line(line);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::escaped;

    #[test]
    fn no_control_character_is_written_and_none_is_lost() {
        let value = json!({"log": "a\u{1b}[2J\u{7f}\u{9b}31m\u{7}z"});
        let line = escaped(&value.to_string());
        assert!(!line.contains(char::is_control), "{line:?}");
        assert_eq!(serde_json::from_str::<Value>(&line).ok(), Some(value));
    }
}
