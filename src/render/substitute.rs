//! `${shipway.env}` and the like in the texts of manifests: the only values that are put in as text, and only where the
//! configuration asks for it.

use serde_json::Value;

use super::{Manifests, RenderError, read::Entry};
use crate::model::{Exit, FieldPath, Object, Problem, nearest};

/// Names and values; one without a value is known, and not there.
type Values = [(&'static str, Option<String>)];

const OPEN: &str = "${shipway.";
const CLOSE: char = '}';

impl Manifests {
    /// Puts the values into every text of every object, never into a key. A text stays a text, whatever stands in it then.
    ///
    /// # Errors
    /// Names that are not known, and those that have no value here; all are told, and other faults with them.
    pub(crate) fn substitute(&mut self, values: &Values) -> Result<(), Vec<RenderError>> {
        let mut errors = Vec::new();
        for position in 0..self.entries.len() {
            if !self.entries[position].json.contains(OPEN) {
                continue;
            }
            let mut object = self.entries[position].object();
            let faults = fill(&mut object.body, &FieldPath::default(), values);
            errors.extend(faults.into_iter().map(|fault| self.told(fault, &object, values)));
            let text = |path: &str| object.body.pointer(path).and_then(Value::as_str).map(str::to_owned);
            object.id.name = text("/metadata/name").unwrap_or(object.id.name);
            object.id.namespace = object.id.namespace.and_then(|_| text("/metadata/namespace"));
            self.entries[position] = Entry::new(object);
        }
        if errors.is_empty() {
            return Ok(());
        }
        errors.append(&mut self.faults);
        Err(errors)
    }

    /// Warns of placeholders that nobody asked to fill: they would be deployed as they are.
    pub(crate) fn remark_placeholders(&mut self) {
        let Some(entry) = self.entries.iter().find(|entry| entry.json.contains(OPEN)) else { return };
        let object = entry.object();
        let Some(path) = first(&object.body, &FieldPath::default()) else { return };
        let text = format!("`{OPEN}..{CLOSE}` stays as it is");
        let warning = Problem::new("manifest", Exit::Input, text).about(object.id.clone());
        let warning = warning.hint("`substitute: true` in shipway.yaml puts values in");
        self.warnings.push(Problem { place: self.place(&object.from, &path), ..warning });
    }

    fn told(&self, (path, fault): (FieldPath, Fault), object: &Object, values: &Values) -> RenderError {
        let place = self.boxed_place(&object.from, &path);
        match fault {
            Fault::Open => RenderError::OpenPlaceholder { place },
            Fault::NoValue(name) => RenderError::NoValue { name: name.to_owned(), place },
            Fault::Unknown(name) => {
                let known = || values.iter().map(|(name, _)| *name);
                RenderError::UnknownValue {
                    nearest: nearest(&name, known()).map(str::to_owned),
                    known: known().collect::<Vec<_>>().join(", "),
                    name,
                    place,
                }
            }
        }
    }
}

enum Fault {
    Unknown(String),
    NoValue(&'static str),
    Open,
}

fn fill(value: &mut Value, path: &FieldPath, values: &Values) -> Vec<(FieldPath, Fault)> {
    match value {
        Value::String(text) if text.contains(OPEN) => match filled(text, values) {
            Ok(filled) => {
                *text = filled;
                Vec::new()
            }
            Err(fault) => vec![(path.clone(), fault)],
        },
        Value::Array(items) => {
            items.iter_mut().enumerate().flat_map(|(index, item)| fill(item, &path.index(index), values)).collect()
        }
        Value::Object(fields) => {
            fields.iter_mut().flat_map(|(key, value)| fill(value, &path.key(key), values)).collect()
        }
        _ => Vec::new(),
    }
}

/// What is put in is not looked through again.
fn filled(text: &str, values: &Values) -> Result<String, Fault> {
    let mut parts = text.split(OPEN);
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(CLOSE).filter(|(name, _)| is_name(name)).ok_or(Fault::Open)?;
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, Some(value))) => filled.push_str(value),
            Some((name, None)) => return Err(Fault::NoValue(name)),
            None => return Err(Fault::Unknown(name.to_owned())),
        }
        filled.push_str(rest);
    }
    Ok(filled)
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn first(value: &Value, path: &FieldPath) -> Option<FieldPath> {
    match value {
        Value::String(text) => text.contains(OPEN).then(|| path.clone()),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| first(item, &path.index(index))),
        Value::Object(fields) => fields.iter().find_map(|(key, value)| first(value, &path.key(key))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Explain, Layers, SourceText},
        render::read,
    };

    fn manifests(text: &str) -> Manifests {
        let text = SourceText { name: "k/a.yaml".into(), text: text.into() };
        read(&Layers { base: vec![text], overlay: Vec::new() }).unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    fn values() -> Vec<(&'static str, Option<String>)> {
        [("env", Some("qa")), ("namespace", Some("demo-qa")), ("branch_slug", None), ("tag", Some("12345e67"))]
            .map(|(name, value)| (name, value.map(str::to_owned)))
            .into()
    }

    const MAP: &str = "apiVersion: v1
kind: ConfigMap
metadata:
  name: web-${shipway.env}
  namespace: ${shipway.namespace}
  labels: {tag: '${shipway.tag}'}
data:
  url: https://${shipway.env}.example.com/${shipway.namespace}?x=${OTHER}
  ${shipway.env}: key
  command: echo ${shipway_env} $(shipway.env) ${shipway}
";

    #[test]
    fn values_are_put_into_texts_and_stay_texts() {
        let mut manifests = manifests(MAP);
        manifests.substitute(&values()).unwrap();
        let map = manifests.objects().next().unwrap();
        assert_eq!((map.id.name.as_str(), map.id.namespace.as_deref()), ("web-qa", Some("demo-qa")));
        assert_eq!(map.body["metadata"]["labels"]["tag"], "12345e67");
        assert_eq!(map.body["data"]["url"], "https://qa.example.com/demo-qa?x=${OTHER}");
        assert_eq!(map.body["data"]["${shipway.env}"], "key");
        assert_eq!(map.body["data"]["command"], "echo ${shipway_env} $(shipway.env) ${shipway}");
    }

    #[test]
    fn names_that_mean_nothing_are_told_with_the_nearest() {
        for (name, said, hint) in [
            ("${shipway.evn}", "`${shipway.evn}` is nothing", "did you mean `${shipway.env}`?"),
            ("${shipway.replicas}", "`${shipway.replicas}` is nothing", "known here: env, namespace"),
            ("${shipway.branch_slug}", "there is no branch_slug", "`--branch`"),
            ("${shipway.env", "`${shipway.` has no `}`", "`${shipway.env}`"),
        ] {
            let mut manifests = manifests(&MAP.replace("command: echo", &format!("command: echo {name}")));
            let errors = manifests.substitute(&values()).unwrap_err();
            let [error] = &errors[..] else { panic!("{errors:?}") };
            assert!(error.to_string().contains(said), "{error}");
            assert!(error.hints()[0].contains(hint), "{:?}", error.hints());
            assert_eq!(error.place().unwrap().to_string(), "k/a.yaml:10:3");
            assert_eq!(error.exit(), Exit::Input);
        }
    }

    #[test]
    fn what_nobody_asked_for_stays_and_is_told() {
        let mut manifests = manifests(MAP);
        manifests.remark_placeholders();
        assert_eq!(manifests.objects().next().unwrap().id.name, "web-${shipway.env}");
        let [warning] = &manifests.warnings[..] else { panic!("{:?}", manifests.warnings) };
        assert_eq!(warning.place.as_ref().unwrap().to_string(), "k/a.yaml:4:3");
        assert_eq!(warning.hints, ["`substitute: true` in shipway.yaml puts values in"]);
    }
}
