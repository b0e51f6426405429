//! The JSON Schema of shipway.yaml, and files checked against it.

use serde_json::{Map, Value};

use crate::model::{FieldPath, nearest};

/// The JSON Schema (draft 2020-12) of shipway.yaml.
pub(crate) fn schema() -> &'static str {
    include_str!("../../docs/shipway.schema.json")
}

/// The first thing in a file that its schema does not allow.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    pub path: FieldPath,
    pub kind: FaultKind,
}

#[derive(Debug, PartialEq)]
pub(super) enum FaultKind {
    UnknownKey {
        nearest: Option<String>,
        known: Vec<String>,
    },
    MissingKey(String),
    /// `must be a text`, and what was found.
    Type {
        wanted: String,
        found: Value,
    },
    Count(u64),
    /// One of these texts is meant.
    Choice(Vec<String>),
}

/// Checks a document from top to bottom.
pub(super) fn check(document: &Value) -> Result<(), Fault> {
    // the schema is part of the binary, and a test reads it
    let schema: Value = serde_json::from_str(schema()).unwrap_or_default();
    Checker { root: &schema }.check(document, &schema, &FieldPath::default())
}

struct Checker<'s> {
    root: &'s Value,
}

impl<'s> Checker<'s> {
    fn check(&self, value: &Value, schema: &'s Value, path: &FieldPath) -> Result<(), Fault> {
        let schema = self.resolve(schema);
        if let Some(alternatives) = schema.get("anyOf").and_then(Value::as_array) {
            return self.any(value, alternatives, path);
        }
        let types = types(schema);
        if !types.is_empty() && !types.iter().any(|name| is_a(value, name)) {
            return Err(wrong_type(path, &types, value));
        }
        if let Some(known) = schema.get("enum").and_then(Value::as_array)
            && !known.contains(value)
        {
            let known = known.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            return Err(Fault { path: path.clone(), kind: FaultKind::Choice(known) });
        }
        match value {
            Value::Object(entries) => self.object(entries, schema, path),
            Value::Array(items) => self.array(items, schema, path),
            _ => Ok(()),
        }
    }

    fn resolve(&self, schema: &'s Value) -> &'s Value {
        let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
        pointer.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }

    /// Of several forms the one that fits by its type is the one that is checked, so that its fault is told.
    fn any(&self, value: &Value, alternatives: &'s [Value], path: &FieldPath) -> Result<(), Fault> {
        let fitting = alternatives.iter().find(|schema| self.all_types(schema).iter().any(|name| is_a(value, name)));
        match fitting {
            Some(schema) => self.check(value, schema, path),
            None => {
                let types: Vec<&str> = alternatives.iter().flat_map(|schema| self.all_types(schema)).collect();
                Err(wrong_type(path, &types, value))
            }
        }
    }

    fn all_types(&self, schema: &'s Value) -> Vec<&'s str> {
        let schema = self.resolve(schema);
        match schema.get("anyOf").and_then(Value::as_array) {
            Some(alternatives) => alternatives.iter().flat_map(|schema| self.all_types(schema)).collect(),
            None => types(schema),
        }
    }

    fn object(&self, entries: &Map<String, Value>, schema: &'s Value, path: &FieldPath) -> Result<(), Fault> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        for (key, value) in entries {
            let path = path.key(key);
            match (properties.and_then(|known| known.get(key)), others) {
                (Some(schema), _) => self.check(value, schema, &path)?,
                (None, Some(Value::Bool(false))) => return Err(unknown(path, key, properties)),
                (None, Some(schema)) => self.check(value, schema, &path)?,
                (None, None) => {}
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        match required.filter_map(Value::as_str).find(|key| !entries.contains_key(*key)) {
            Some(key) => Err(Fault { path: path.clone(), kind: FaultKind::MissingKey(key.to_owned()) }),
            None => Ok(()),
        }
    }

    fn array(&self, items: &[Value], schema: &'s Value, path: &FieldPath) -> Result<(), Fault> {
        if let Some(count) = schema.get("minItems").and_then(Value::as_u64)
            && items.len() as u64 != count
        {
            return Err(Fault { path: path.clone(), kind: FaultKind::Count(count) });
        }
        let Some(of_item) = schema.get("items") else {
            return Ok(());
        };
        items.iter().enumerate().try_for_each(|(index, item)| self.check(item, of_item, &path.index(index)))
    }
}

fn unknown(path: FieldPath, key: &str, properties: Option<&Map<String, Value>>) -> Fault {
    let known = || properties.into_iter().flat_map(Map::keys).map(String::as_str);
    let kind = FaultKind::UnknownKey {
        nearest: nearest(key, known()).map(str::to_owned),
        known: known().map(str::to_owned).collect(),
    };
    Fault { path, kind }
}

fn wrong_type(path: &FieldPath, types: &[&str], found: &Value) -> Fault {
    let mut words: Vec<&str> = types.iter().filter(|name| **name != "null").map(|name| in_words(name)).collect();
    words.dedup();
    Fault {
        path: path.clone(),
        kind: FaultKind::Type { wanted: format!("must be {}", words.join(" or ")), found: found.clone() },
    }
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_u64().is_some_and(|number| number <= u64::from(u32::MAX)),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn in_words(name: &str) -> &'static str {
    match name {
        "string" => "a text",
        "boolean" => "true or false",
        "integer" => "a whole number, 0 or more",
        "number" => "a number",
        "array" => "a list",
        _ => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::File;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "UPDATE_SCHEMA=1 writes the schema anew")]
    fn the_schema_is_that_of_the_types() {
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(File)).unwrap() + "\n";
        if std::env::var("UPDATE_SCHEMA").is_ok() {
            std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shipway.schema.json"), &schema).unwrap();
        }
        assert!(schema == super::schema(), "the types have changed: run UPDATE_SCHEMA=1 cargo test --lib schema");
    }
}
