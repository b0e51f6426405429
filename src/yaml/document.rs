//! From trees to values: merges, keys as texts, duplicates.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    YamlError,
    node::{Content, Mark, Node, each_document},
};
use crate::model::{DocumentRef, Exit, Place, Problem, SourceText};

/// A document that is not empty.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    pub value: Value,
    pub at: DocumentRef,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Documents {
    pub documents: Vec<Document>,
    /// Keys that stand twice.
    pub warnings: Vec<Problem>,
}

const MOST_ALIASED: usize = 100_000;
const BYTES_A_VALUE: usize = 100;
const MOST_WARNINGS: usize = 50;

/// Reads all documents of a text as kubectl does. Empty documents are passed over, but counted in
/// [`DocumentRef::document`].
pub(crate) fn documents(text: &SourceText) -> Result<Documents, YamlError> {
    let mut documents = Vec::new();
    let warnings = for_each(text, |document| documents.push(document))?;
    Ok(Documents { documents, warnings })
}

/// The same one by one, for texts of thousands of documents; answers with the warnings.
pub(crate) fn for_each(text: &SourceText, mut take: impl FnMut(Document)) -> Result<Vec<Problem>, YamlError> {
    let mut number = 0;
    let mut reader = Reader { text, aliased: 0, duplicates: Vec::new() };
    each_document(text, |root| {
        let value = reader.value(&root, false)?;
        if !value.is_null() {
            let line = root.at.line as usize;
            take(Document { value, at: DocumentRef { file: text.name.clone(), document: number, line, item: None } });
        }
        number += 1;
        Ok(())
    })?;
    Ok(reader.duplicates.into_iter().map(|duplicate| duplicate.told(text)).collect())
}

struct Duplicate {
    key: String,
    first: Mark,
    last: Mark,
}

impl Duplicate {
    fn told(self, text: &SourceText) -> Problem {
        let Self { key, first, last } = self;
        let place: Place = last.place(text);
        Problem::new("duplicate-key", Exit::Input, format!("`{key}` stands twice: the last one wins"))
            .at(place)
            .hint(format!("remove the one on line {}", first.line))
    }
}

struct Reader<'t> {
    text: &'t SourceText,
    /// Values reached through aliases so far.
    aliased: usize,
    duplicates: Vec<Duplicate>,
}

impl Reader<'_> {
    fn value(&mut self, node: &Node, aliased: bool) -> Result<Value, YamlError> {
        if aliased {
            self.count(node)?;
        }
        Ok(match &node.content {
            Content::Scalar(value) => value.clone(),
            Content::Merge => "<<".into(),
            Content::Sequence(items) => {
                Value::Array(items.iter().map(|item| self.value(item, aliased)).collect::<Result<_, _>>()?)
            }
            Content::Mapping(entries) => {
                let mut map = Map::new();
                self.fill(&mut map, entries, aliased)?;
                Value::Object(map)
            }
            Content::Anchored(node) => self.value(node, aliased)?,
            Content::Alias(node) => self.value(node, true)?,
        })
    }

    /// A long text counts for several, so that memory is bounded with the count.
    fn count(&mut self, node: &Node) -> Result<(), YamlError> {
        self.aliased += match &node.content {
            Content::Scalar(Value::String(text)) => 1 + text.len() / BYTES_A_VALUE,
            _ => 1,
        };
        if self.aliased > MOST_ALIASED {
            return Err(YamlError::TooManyAliased { limit: MOST_ALIASED, place: node.at.place(self.text) });
        }
        Ok(())
    }

    /// Entries and merges in the order in which they stand: each overrides what came before it.
    fn fill(&mut self, map: &mut Map<String, Value>, entries: &[(Node, Node)], aliased: bool) -> Result<(), YamlError> {
        let mut seen: HashMap<String, Mark> = HashMap::new();
        for (key, node) in entries {
            if matches!(key.content, Content::Merge) {
                self.merge(map, node)?;
                continue;
            }
            let name = key_text(key).map_err(|found| YamlError::Key { found, place: key.at.place(self.text) })?;
            let value = self.value(node, aliased)?;
            if !aliased && let Some(first) = seen.insert(name.clone(), key.at) {
                self.note_duplicate(&name, first, key.at);
            }
            map.insert(name, value);
        }
        Ok(())
    }

    fn merge(&mut self, map: &mut Map<String, Value>, node: &Node) -> Result<(), YamlError> {
        self.count(node)?;
        match &node.target().content {
            Content::Mapping(entries) => self.fill(map, entries, true),
            // of a list the first wins
            Content::Sequence(items) => items.iter().rev().try_for_each(|item| match &item.target().content {
                Content::Mapping(entries) => self.fill(map, entries, true),
                _ => Err(YamlError::Merge { place: item.at.place(self.text) }),
            }),
            _ => Err(YamlError::Merge { place: node.at.place(self.text) }),
        }
    }

    fn note_duplicate(&mut self, key: &str, first: Mark, last: Mark) {
        if self.duplicates.len() < MOST_WARNINGS {
            self.duplicates.push(Duplicate { key: key.to_owned(), first, last });
        }
    }
}

/// A key as the text that JSON needs; what stands there where it cannot be one.
pub(super) fn key_text(key: &Node) -> Result<String, &'static str> {
    match &key.target().content {
        Content::Scalar(Value::String(text)) => Ok(text.clone()),
        Content::Scalar(Value::Number(number)) => Ok(number.to_string()),
        Content::Scalar(Value::Bool(value)) => Ok(value.to_string()),
        Content::Scalar(_) => Err("null"),
        Content::Merge => Ok("<<".to_owned()),
        Content::Sequence(_) => Err("a list"),
        Content::Mapping(_) => Err("a mapping"),
        Content::Anchored(_) | Content::Alias(_) => Err("an alias"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(content: &str) -> SourceText {
        SourceText { name: "a.yaml".into(), text: content.into() }
    }

    fn values(content: &str) -> Vec<Value> {
        let read = documents(&text(content)).unwrap_or_else(|error| panic!("{error}: {content}"));
        assert_eq!(read.warnings, [], "{content}");
        read.documents.into_iter().map(|document| document.value).collect()
    }

    fn error(content: &str) -> YamlError {
        documents(&text(content)).map(|read| panic!("{content}: {read:?}")).unwrap_err()
    }

    #[test]
    fn streams_are_read_whole() {
        let (a, b) = (json!({"a": 1}), json!({"b": 2}));
        for content in [
            "a: 1\n---\nb: 2\n",
            "---\na: 1\n---\n# nothing\n---\n\n---\nb: 2\n...\n",
            "a: 1\n...\nb: 2\n",
            "a: 1\n...\n---\nb: 2\n",
            "\u{feff}a: 1\r\n---\r\nb: 2\r\n",
            "%YAML 1.2\n---\na: 1\n--- {b: 2}\n",
            "--- {a: 1}\n--- # comment\nb: 2",
            "{a: 1}\n---\nb: 2\n",
            "{\"a\": 1}\n---\nb: 2\n",
            "{\"a\": 1} {\"b\": 2}",
            "\u{feff}{\"a\": 1e0}\r\n\r\n{\"b\":\t2.0}\n",
            "a:\t1\n---\n{b:\t2}\n",
        ] {
            assert_eq!(values(content), [a.clone(), b.clone()], "{content}");
        }
        for content in ["", "\n\n", "# only\n", "---\n", "---\n---\n# x\n", "null\n", "~"] {
            assert_eq!(values(content), Vec::<Value>::new(), "{content:?}");
        }
    }

    #[test]
    fn documents_know_where_they_stand() {
        let read = documents(&text("# c\n---\n---\n# d\nkind: A\n---\nkind: B\n")).unwrap();
        let places: Vec<_> = read.documents.iter().map(|d| (d.at.document, d.at.line)).collect();
        assert_eq!(places, [(1, 5), (2, 7)]);
    }

    /// The values are kubectl's.
    #[test]
    fn merges_and_keys_are_as_kubectl_has_them() {
        for (content, value) in [
            ("b: &b {a: one, b: two}\nm: {a: x, <<: *b}", json!({"a": "one", "b": "two"})),
            ("b: &b {a: one, b: two}\nm: {<<: *b, a: x}", json!({"a": "x", "b": "two"})),
            ("b: &b {a: one}\nm: {<<: [*b, {a: other, c: x}]}", json!({"a": "one", "c": "x"})),
            ("m: {\"<<\": {a: 1}}", json!({"<<": {"a": 1}})),
            ("m: {y: 1, on: 2}", json!({"true": 2})),
            ("m: {0644: a, 1: b, 1.5: c, 1.0: d}", json!({"420": "a", "1": "d", "1.5": "c"})),
            ("a: &x [1]\nm: [*x, *x]", json!([[1], [1]])),
            ("m: |\n  a\n  ---\n  b\n", json!("a\n---\nb\n")),
            ("m: >-\n  a\n  b\n", json!("a b")),
            ("m: !custom {a: !x 1}", json!({"a": "1"})),
            ("m: \"\\ud83d\\ude00 \\/\"", json!("😀 /")),
            ("{\"m\": \"\\ud83d\\ude00 \\/ \\u0041\"}", json!("😀 / A")),
        ] {
            let read = documents(&text(content)).unwrap_or_else(|error| panic!("{error}: {content}"));
            assert_eq!(read.documents[0].value["m"], value, "{content}");
        }
    }

    #[test]
    fn the_last_of_two_keys_wins_and_is_told() {
        for content in ["a: 1\nb: 2\na: 3\n", "{\"a\": 1,\n\n \"a\": 3}"] {
            let read = documents(&text(content)).unwrap();
            assert_eq!(read.documents[0].value["a"], 3);
            let [warning] = &read.warnings[..] else { panic!("{:?}", read.warnings) };
            assert_eq!(warning.place.as_ref().unwrap().line, 3);
            assert_eq!(warning.hints, ["remove the one on line 1"]);
        }
        assert_eq!(values("b: &b {a: 1}\nm: {a: 2, <<: *b}").len(), 1);
    }

    #[test]
    fn faults_have_a_place() {
        for (content, line, column) in [
            ("a: 1\nb: [1, 2\nc: 3\n", 3, 2),
            ("a: 1\n b: 2\n", 2, 3),
            ("a: *nothing\n", 1, 4),
            ("a: &a [*a]\n", 1, 8),
            ("a: 1\n<<: 3\n", 2, 5),
            ("a:\n  ? [1]\n  : 2\n", 2, 5),
            ("a: .inf\n", 1, 4),
            ("a: !!int x\n", 1, 10),
            ("{\"a\": 1,\n \"b\" 2}\n", 2, 6),
            ("{\"a\": [1, 2}\n", 1, 12),
        ] {
            let place = error(content).at().clone();
            assert_eq!((place.line, place.column), (line, column), "{content:?}");
            assert_eq!(place.snippet.as_deref(), content.lines().nth(line - 1), "{content:?}");
        }
    }

    #[test]
    fn what_must_be_quoted_is_hinted_at() {
        use crate::model::Explain as _;
        for (content, hint) in [
            ("a: {b: c-${shipway.env}}\n", "quote what holds `${..}`"),
            ("a: {{ .Values.a }}\nb: [\n", ""),
            ("a:\n\tb: 1\n", "spaces, not tabs"),
        ] {
            assert!(error(content).hints().join("").contains(hint), "{content:?}");
        }
    }

    #[test]
    fn bombs_are_refused_soon() {
        let mut laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
        let mut merges = "a0: &a0 {}\n".to_owned();
        let mut chain = "- &a0 x\n".to_owned();
        for n in 1..10 {
            let aliases = vec![format!("*a{}", n - 1); 9].join(", ");
            laughs += &format!("a{n}: &a{n} [{aliases}]\n");
            merges += &format!("a{n}: &a{n} {{<<: [{aliases}]}}\n");
        }
        for n in 1..100_000 {
            chain += &format!("- &a{n} [*a{}]\n", n - 1);
        }
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1_000_000), vec!["*a"; 1000].join(", "));
        let wide = format!("[{}]", "[],".repeat(1_500_000));
        for (name, content) in [("laughs", &laughs), ("merges", &merges), ("long", &long)] {
            assert!(matches!(error(content), YamlError::TooManyAliased { .. }), "{name}");
        }
        assert!(matches!(error(&chain), YamlError::TooDeep { .. }));
        assert!(matches!(error(&wide), YamlError::TooMany { .. }));
        assert!(matches!(error(&"a: b\n".repeat(2_500_000)), YamlError::TooLarge { .. }));
        for deep in ["[".repeat(100_000), "{\"a\":".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(100_000)] {
            assert!(matches!(error(&deep), YamlError::TooDeep { .. } | YamlError::Syntax { .. }), "{}", &deep[..4]);
        }
    }

    #[test]
    fn deep_documents_survive_serde_json() {
        let deep = format!("{}1{}", "[".repeat(119), "]".repeat(119));
        let value = &values(&deep)[0];
        assert_eq!(&serde_json::from_str::<Value>(&value.to_string()).unwrap(), value);
    }
}
