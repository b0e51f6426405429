//! What the configuration says about the status of a kind that shipway does not know.

use std::fmt;

use jsonpath_rust::{
    parser::{model::JpQuery, parse_json_path},
    query::js_path_process,
};
use serde_json::Value;

use super::{GroupKind, Sourced, cut_middle};

/// A JSONPath (RFC 9535), also in kubectl's forms `.status.phase` and `{.status.phase}`.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    text: String,
    query: JpQuery,
}

impl JsonPath {
    /// None for what is no path.
    pub fn parse(written: &str) -> Option<Self> {
        let text = written.trim();
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text).trim();
        let rooted = match inner.chars().next()? {
            '$' => inner.to_owned(),
            '.' | '[' => format!("${inner}"),
            _ => format!("$.{inner}"),
        };
        if has_bare_space(&rooted) {
            return None;
        }
        let query = parse_json_path(&rooted).ok()?;
        Some(Self { text: rooted.trim_start_matches('$').to_owned(), query })
    }

    /// The values that it leads to.
    pub fn find<'v>(&self, body: &'v Value) -> Vec<&'v Value> {
        let found = js_path_process(&self.query, body).unwrap_or_default();
        found.into_iter().map(|found| found.val).collect()
    }

    /// What stands there, for people; empty where nothing does.
    pub fn text_in(&self, body: &Value) -> String {
        let found = self.find(body);
        let texts =
            found.into_iter().filter(|value| !value.is_null()).map(|value| cut_middle(&text_of(value), LONGEST));
        texts.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The library takes a space for a part of a name: a slip that would never lead anywhere.
fn has_bare_space(path: &str) -> bool {
    let mut quote = None;
    let mut depth = 0;
    path.chars().any(|c| {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => depth -= 1,
            _ => {}
        }
        depth == 0 && quote.is_none() && c.is_whitespace()
    })
}

/// What is told of a value at the most.
const LONGEST: usize = 300;

/// A value as it is written in YAML.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// A field and the values that are meant: one of these texts, `*` for any.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusCondition {
    pub path: JsonPath,
    pub wanted: Vec<String>,
}

impl StatusCondition {
    /// True where the path leads to something, and all of it is as meant.
    pub fn holds(&self, body: &Value) -> bool {
        let found = self.path.find(body);
        !found.is_empty() && found.iter().all(|value| self.means(value))
    }

    /// True where something of what the path leads to is as meant.
    pub fn holds_somewhere(&self, body: &Value) -> bool {
        self.path.find(body).iter().any(|value| self.means(value))
    }

    fn means(&self, found: &Value) -> bool {
        let text = text_of(found);
        self.wanted.iter().any(|wanted| match wanted.as_str() {
            "*" => !found.is_null(),
            // conditions have these as texts, other fields as true and false
            word if ["true", "false"].iter().any(|known| word.eq_ignore_ascii_case(known)) => {
                word.eq_ignore_ascii_case(&text)
            }
            wanted => wanted == text,
        })
    }

    /// `Running or Idle`
    pub fn in_words(&self) -> String {
        match self.wanted.as_slice() {
            [any] if any == "*" => "set".to_owned(),
            wanted => wanted.join(" or "),
        }
    }
}

/// How the objects of a kind tell their state.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusRule {
    /// Its origin is where the rule stands.
    pub kind: Sourced<GroupKind>,
    pub reading: StatusReading,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StatusReading {
    /// Applied is good enough.
    Ignored,
    Conditions {
        /// Ready when all hold; without any, by convention.
        ready: Vec<StatusCondition>,
        /// Failed when one holds.
        failed: Vec<StatusCondition>,
        /// What is told with it.
        reason: Option<JsonPath>,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body() -> Value {
        json!({"status": {"phase": "Running", "ready": true, "nodes": 3, "none": null, "conditions": [
            {"type": "Synced", "status": "True"}, {"type": "Healthy", "status": "False", "message": "no disk"}]},
            "metadata": {"annotations": {"example.com/state": "done"}}})
    }

    #[test]
    fn paths_lead_to_values_in_all_forms() {
        for (path, expected) in [
            (".status.phase", "Running"),
            ("{.status.phase}", "Running"),
            ("$.status.phase", "Running"),
            ("status.phase", "Running"),
            ("['status']['phase']", "Running"),
            (".status.conditions[?(@.type==\"Synced\")].status", "True"),
            ("{.status.conditions[?(@.type=='Healthy')].message}", "no disk"),
            (".status.conditions[1].status", "False"),
            (".status.conditions[*].status", "True, False"),
            (".metadata.annotations['example.com/state']", "done"),
            (".status.conditions[?(@.type == 'Synced')].status", "True"),
            (".status['no such ] field']", ""),
            (".status.nothing", ""),
            (".status.none", ""),
            (".status.phase.deeper", ""),
        ] {
            let path = JsonPath::parse(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(path.text_in(&body()), expected, "{path}");
        }
        for wrong in ["", "{}", ".", ".status.", ".status..", ".status[", ".a[?(@.b=)]", "{.a} {.b}", ".a\\.b", "a b"] {
            assert_eq!(JsonPath::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn conditions_hold_by_the_texts_of_values() {
        for (path, wanted, all, any) in [
            (".status.phase", &["Running"][..], true, true),
            (".status.phase", &["Idle", "Running"], true, true),
            (".status.phase", &["running"], false, false),
            (".status.phase", &["*"], true, true),
            (".status.none", &["*"], false, false),
            (".status.nothing", &["*"], false, false),
            (".status.ready", &["true"], true, true),
            (".status.ready", &["True"], true, true),
            (".status.nodes", &["3"], true, true),
            (".status.conditions[0].status", &["true"], true, true),
            (".status.conditions[*].status", &["True"], false, true),
            (".status.conditions[*].status", &["True", "False"], true, true),
        ] {
            let wanted = wanted.iter().map(|text| (*text).to_owned()).collect();
            let condition = StatusCondition { path: JsonPath::parse(path).unwrap(), wanted };
            assert_eq!((condition.holds(&body()), condition.holds_somewhere(&body())), (all, any), "{condition:?}");
        }
    }
}
