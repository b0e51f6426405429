//! The key `status`: how custom resources tell their state.

use std::collections::BTreeMap;

use super::{
    ConfigError,
    document::Document,
    file::{File, ScalarFile, StatusFile, WantedFile},
};
use crate::model::{FieldPath, GroupKind, JsonPath, SourceText, Sourced, StatusCondition, StatusReading, StatusRule};

/// The rules of shipway.yaml alone, for what needs no repository.
///
/// # Errors
/// As [`resolve`](super::resolve), for the file.
pub(crate) fn status_rules(file: Option<&SourceText>) -> Result<Vec<StatusRule>, ConfigError> {
    let document = Document::read(file)?;
    let content: File = serde_json::from_value(document.value.clone())
        .map_err(|error| document.wrong(&FieldPath::default(), format!("cannot be read: {error}"), None))?;
    rules(&document, content.status.unwrap_or_default())
}

pub(super) fn rules(document: &Document<'_>, written: Vec<StatusFile>) -> Result<Vec<StatusRule>, ConfigError> {
    let mut rules: Vec<StatusRule> = Vec::with_capacity(written.len());
    for (index, entry) in written.into_iter().enumerate() {
        let path = FieldPath::default().key("status").index(index);
        let at = path.key("kind");
        let example = || Some("write it as in `Database.example.com`".to_owned());
        let kind = GroupKind::parse(&entry.kind).ok_or_else(|| document.wrong(&at, "is no kind", example()))?;
        if rules.iter().any(|rule| rule.kind.value == kind) {
            return Err(document.wrong(&at, "stands twice", None));
        }
        let kind = Sourced::new(kind, document.origin(&at));
        rules.push(StatusRule { kind, reading: reading(document, &path, entry)? });
    }
    Ok(rules)
}

fn reading(document: &Document<'_>, rule: &FieldPath, entry: StatusFile) -> Result<StatusReading, ConfigError> {
    let says_nothing = entry.ready.is_none() && entry.failed.is_none();
    match entry.ignore {
        Some(true) if says_nothing && entry.reason.is_none() => return Ok(StatusReading::Ignored),
        Some(true) => {
            return Err(document.wrong(&rule.key("ignore"), "leaves nothing to `ready`, `failed` and `reason`", None));
        }
        _ if says_nothing => return Err(document.wrong(rule, "needs `ready`, `failed` or `ignore: true`", None)),
        _ => {}
    }
    let reason = entry.reason.as_deref().map(|text| json_path(document, &rule.key("reason"), text)).transpose()?;
    Ok(StatusReading::Conditions {
        ready: conditions(document, &rule.key("ready"), entry.ready)?,
        failed: conditions(document, &rule.key("failed"), entry.failed)?,
        reason,
    })
}

fn conditions(
    document: &Document<'_>,
    path: &FieldPath,
    written: Option<BTreeMap<String, WantedFile>>,
) -> Result<Vec<StatusCondition>, ConfigError> {
    let Some(written) = written else { return Ok(Vec::new()) };
    if written.is_empty() {
        return Err(document.wrong(path, "is empty", Some("write it as in `{.status.phase: Running}`".into())));
    }
    let read = |(key, wanted): (String, WantedFile)| {
        let wanted: Vec<String> = match wanted {
            WantedFile::One(scalar) => vec![text(scalar)],
            WantedFile::OneOf(scalars) => scalars.into_iter().map(text).collect(),
        };
        if wanted.is_empty() {
            return Err(document.wrong(&path.key(key), "names no value", None));
        }
        Ok(StatusCondition { path: json_path(document, &path.key(key.as_str()), &key)?, wanted })
    };
    written.into_iter().map(read).collect()
}

fn text(scalar: ScalarFile) -> String {
    match scalar {
        ScalarFile::Text(text) => text,
        ScalarFile::Flag(flag) => flag.to_string(),
        ScalarFile::Number(number) => number.to_string(),
    }
}

/// A path is a key of the file, or a value in it: either way the message names it once.
fn json_path(document: &Document<'_>, at: &FieldPath, text: &str) -> Result<JsonPath, ConfigError> {
    JsonPath::parse(text).ok_or_else(|| {
        let example =
            r#"write it as in `.status.phase`, `.status.conditions[?(@.type=="Ready")].status` or `['a.b/c']`"#;
        let (path, place) = (text.to_owned(), document.place(at).map(Box::new));
        ConfigError::Value { path, wrong: "is no JSONPath".into(), hint: Some(example.into()), place }
    })
}
