//! shipway.yaml as a document in which things have their place.

use serde_json::Value;

use crate::{
    model::{FieldPath, Origin, Place, SourceText, Sourced},
    yaml,
};

use super::{
    ConfigError, EnvironmentSettings,
    resolve::PRODUCTION,
    schema::{self, Fault, FaultKind},
};

/// The file's one document, checked against the schema.
pub(super) struct Document<'f> {
    text: Option<&'f SourceText>,
    number: usize,
    pub value: Value,
}

impl<'f> Document<'f> {
    pub(super) fn read(text: Option<&'f SourceText>) -> Result<Self, ConfigError> {
        let empty = || Value::Object(serde_json::Map::new());
        let Some(source) = text else {
            return Ok(Self { text, number: 0, value: empty() });
        };
        let read = yaml::documents(source)?;
        if let Some(duplicate) = read.warnings.into_iter().next() {
            return Err(ConfigError::Duplicate(Box::new(duplicate)));
        }
        let mut documents = read.documents.into_iter();
        let first = documents.next();
        if let Some(second) = documents.next() {
            let place = yaml::nearest(source, second.at.document, &FieldPath::default()).map(Box::new);
            return Err(ConfigError::SeveralDocuments { place });
        }
        let document = match first {
            Some(first) => Self { text, number: first.at.document, value: first.value },
            None => Self { text, number: 0, value: empty() },
        };
        schema::check(&document.value).map_err(|fault| document.told(fault))?;
        Ok(document)
    }

    pub(super) fn place(&self, path: &FieldPath) -> Option<Place> {
        yaml::nearest(self.text?, self.number, path)
    }

    pub(super) fn origin(&self, path: &FieldPath) -> Origin {
        self.place(path).map_or(Origin::Default, Origin::File)
    }

    pub(super) fn sourced<T>(&self, path: &str, value: Option<T>) -> Option<Sourced<T>> {
        value.map(|value| Sourced::new(value, self.origin(&FieldPath::parse(path))))
    }

    pub(super) fn wrong(&self, path: &FieldPath, wrong: impl Into<String>, hint: Option<String>) -> ConfigError {
        ConfigError::Value { path: path.to_string(), wrong: wrong.into(), hint, place: self.place(path).map(Box::new) }
    }

    fn told(&self, fault: Fault) -> ConfigError {
        let Fault { path, kind } = fault;
        let place = self.place(&path).map(Box::new);
        let shown = path.to_string();
        match kind {
            FaultKind::UnknownKey { nearest, known } => ConfigError::UnknownKey { path: shown, nearest, known, place },
            FaultKind::MissingKey(key) => self.wrong(&path, format!("needs `{key}`"), None),
            FaultKind::Count(count) => self.wrong(&path, format!("must have {count} entries"), None),
            FaultKind::Choice(known) => {
                let known: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
                self.wrong(&path, format!("must be {}", known.join(" or ")), None)
            }
            FaultKind::Type { wanted, .. } if shown.is_empty() => {
                let file = self.text.map_or("shipway.yaml", |text| &text.name);
                ConfigError::Value { path: file.to_owned(), wrong: wanted, hint: None, place }
            }
            FaultKind::Type { wanted, found } => {
                let scalar = matches!(found, Value::Number(_) | Value::Bool(_));
                let hint = (wanted.contains("a text") && scalar).then(|| "quote it".to_owned());
                self.wrong(&path, wanted, hint)
            }
        }
    }

    /// `latest` names environments: a slip there would be silent.
    pub(super) fn known_environments(
        &self,
        named: &[String],
        known: &[EnvironmentSettings],
    ) -> Result<(), ConfigError> {
        let mut names: Vec<&str> = known.iter().map(|environment| environment.name.value.as_str()).collect();
        if names.is_empty() {
            names = vec![PRODUCTION, "qa"];
        }
        match named.iter().enumerate().find(|(_, name)| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some((index, name)) => Err(self.wrong(
                &FieldPath::default().key("latest").index(index),
                format!("names no environment: `{name}`"),
                Some(format!("there are {}", names.join(", "))),
            )),
        }
    }
}
