//! JSON with places: what begins with `{`, several documents in a row.

use serde_json::{Number, Value};

use super::{
    YamlError,
    node::{DEEPEST, Mark, Node},
    scalar,
};
use crate::model::SourceText;

pub(super) fn read(text: &SourceText) -> Result<Vec<Node>, YamlError> {
    let source = text.text.trim_start_matches('\u{feff}');
    let mut reader = Reader { text, source, position: 0, line: 1, line_start: 0, depth: 0 };
    let mut nodes = Vec::new();
    loop {
        reader.skip_space();
        if reader.peek().is_none() {
            return Ok(nodes);
        }
        nodes.push(reader.value()?);
    }
}

struct Reader<'t> {
    text: &'t SourceText,
    source: &'t str,
    position: usize,
    line: u32,
    line_start: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<u8> {
        self.source.as_bytes().get(self.position).copied()
    }

    fn skip_space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = self.peek() {
            self.position += 1;
            if byte == b'\n' {
                self.line += 1;
                self.line_start = self.position;
            }
        }
    }

    fn mark(&self) -> Mark {
        let column = self.source[self.line_start..self.position].chars().count() + 1;
        Mark { line: self.line, column: u32::try_from(column).unwrap_or(u32::MAX) }
    }

    fn fault<T>(&self, reason: impl Into<String>) -> Result<T, YamlError> {
        Err(YamlError::Syntax { format: "JSON", reason: reason.into(), place: self.mark().place(self.text) })
    }

    fn expect(&mut self, wanted: u8) -> Result<(), YamlError> {
        self.skip_space();
        if self.peek() != Some(wanted) {
            return self.fault(format!("expected `{}`", char::from(wanted)));
        }
        self.position += 1;
        Ok(())
    }

    fn value(&mut self) -> Result<Node, YamlError> {
        self.skip_space();
        let at = self.mark();
        match self.peek() {
            Some(b'{') => self.nested(|reader| Ok(Node::mapping(at, reader.entries()?))),
            Some(b'[') => self.nested(|reader| Ok(Node::sequence(at, reader.items()?))),
            Some(b'"') => Ok(Node::scalar(at, self.string()?.into())),
            Some(_) => self.word().map(|value| Node::scalar(at, value)),
            None => self.fault("the text ends within a value"),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<Node, YamlError>) -> Result<Node, YamlError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(YamlError::TooDeep { limit: DEEPEST, place: self.mark().place(self.text) });
        }
        let node = read(self);
        self.depth -= 1;
        node
    }

    fn entries(&mut self) -> Result<Vec<(Node, Node)>, YamlError> {
        let mut entries = Vec::new();
        self.position += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.position += 1;
            return Ok(entries);
        }
        loop {
            self.skip_space();
            let at = self.mark();
            if self.peek() != Some(b'"') {
                return self.fault("expected a key in double quotes");
            }
            let key = Node::scalar(at, self.string()?.into());
            self.expect(b':')?;
            entries.push((key, self.value()?));
            if self.ends_with(b'}')? {
                return Ok(entries);
            }
        }
    }

    fn items(&mut self) -> Result<Vec<Node>, YamlError> {
        let mut items = Vec::new();
        self.position += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.position += 1;
            return Ok(items);
        }
        loop {
            items.push(self.value()?);
            if self.ends_with(b']')? {
                return Ok(items);
            }
        }
    }

    /// Takes a comma or the end of a collection.
    fn ends_with(&mut self, end: u8) -> Result<bool, YamlError> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.position += 1;
                Ok(false)
            }
            Some(byte) if byte == end => {
                self.position += 1;
                Ok(true)
            }
            _ => self.fault(format!("expected `,` or `{}`", char::from(end))),
        }
    }

    fn string(&mut self) -> Result<String, YamlError> {
        let rest = &self.source.as_bytes()[self.position..];
        let mut end = 1;
        while let Some(byte) = rest.get(end) {
            match byte {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        let Some(quoted) = self.source.get(self.position..=self.position + end) else {
            return self.fault("the text ends within a string");
        };
        match serde_json::from_str(quoted) {
            Ok(string) => {
                self.position += quoted.len();
                Ok(string)
            }
            Err(_) => self.fault("a string has an invalid escape or a control character"),
        }
    }

    fn word(&mut self) -> Result<Value, YamlError> {
        let rest = &self.source[self.position..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-._".contains(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        let value = match word {
            "null" => Value::Null,
            "true" => true.into(),
            "false" => false.into(),
            _ => match serde_json::from_str::<Number>(word) {
                Ok(number) => whole(&number),
                Err(_) => return self.fault("expected a value"),
            },
        };
        self.position += end;
        Ok(value)
    }
}

/// As kubectl sends numbers: 64 bits with a sign, else a float; `1e3` and `1.0` are whole.
fn whole(number: &Number) -> Value {
    match number.as_i64() {
        Some(number) => number.into(),
        None => number.as_f64().and_then(scalar::from_float).map_or(Value::Null, Value::Number),
    }
}
