//! Writes what every reader of YAML 1.1 and 1.2 reads back as the same values.

use serde_json::{Map, Number, Value};

/// The documents as one stream, keys in the order they have.
pub(crate) fn print(documents: &[Value]) -> String {
    let mut text = String::new();
    for (number, document) in documents.iter().enumerate() {
        if number > 0 {
            text.push_str("---\n");
        }
        match document {
            Value::Object(map) if !map.is_empty() => mapping(&mut text, map, 0),
            Value::Array(items) if !items.is_empty() => sequence(&mut text, items, 0),
            leaf => {
                text.push_str(&inline(leaf));
                text.push('\n');
            }
        }
    }
    text
}

const STEP: usize = 2;
/// Readers give up on a longer key unless `?` announces it.
const LONGEST_SIMPLE_KEY: usize = 500;

fn mapping(text: &mut String, map: &Map<String, Value>, indent: usize) {
    for (position, (key, value)) in map.iter().enumerate() {
        if position > 0 || text.ends_with('\n') || text.is_empty() {
            pad(text, indent);
        }
        if key.len() > LONGEST_SIMPLE_KEY {
            text.push_str("? ");
            text.push_str(&quoted(key));
            text.push('\n');
            pad(text, indent);
        } else {
            text.push_str(&single_line(key));
        }
        text.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                text.push('\n');
                mapping(text, inner, indent + STEP);
            }
            Value::Array(items) if !items.is_empty() => {
                text.push('\n');
                sequence(text, items, indent);
            }
            leaf => scalar(text, leaf, indent + STEP),
        }
    }
}

fn sequence(text: &mut String, items: &[Value], indent: usize) {
    for (position, item) in items.iter().enumerate() {
        if position > 0 || text.ends_with('\n') || text.is_empty() {
            pad(text, indent);
        }
        text.push('-');
        match item {
            Value::Object(inner) if !inner.is_empty() => {
                text.push(' ');
                mapping(text, inner, indent + STEP);
            }
            Value::Array(inner) if !inner.is_empty() => {
                text.push(' ');
                sequence(text, inner, indent + STEP);
            }
            leaf => scalar(text, leaf, indent + STEP),
        }
    }
}

fn pad(text: &mut String, indent: usize) {
    text.extend(std::iter::repeat_n(' ', indent));
}

/// A leaf after `key:` or `-`, with the line's end.
fn scalar(text: &mut String, leaf: &Value, indent: usize) {
    text.push(' ');
    match leaf {
        Value::String(content) if fits_block(content) => block(text, content, indent),
        leaf => {
            text.push_str(&inline(leaf));
            text.push('\n');
        }
    }
}

fn inline(leaf: &Value) -> String {
    match leaf {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => number(value),
        Value::String(content) => single_line(content),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
    }
}

/// YAML 1.1 knows a float by its point and the exponent's sign: `1e20` is a text there.
fn number(value: &Number) -> String {
    let text = value.to_string();
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') || exponent.starts_with('+') { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

fn single_line(content: &str) -> String {
    if is_plain(content) { content.to_owned() } else { quoted(content) }
}

/// True where no reader sees anything but this very text. Quotes too many rather than one too few.
fn is_plain(content: &str) -> bool {
    let Some(first) = content.chars().next() else {
        return false;
    };
    let begins = first.is_ascii_alphabetic() || first == '/' || first == '_' || is_unlike_a_number(content);
    let holds = content.chars().all(|c| c.is_ascii_alphanumeric() || " _-./:@+=,;()$~%^<>#".contains(c));
    let breaks = content.ends_with([' ', ':']) || content.contains(": ") || content.contains(" #");
    begins && holds && !breaks && !is_a_word_of_yaml(content)
}

/// Begins with a digit, and has a letter that is in no form of number, date or time: `100m`, `128Mi`, `5s`.
fn is_unlike_a_number(content: &str) -> bool {
    content.starts_with(|c: char| c.is_ascii_digit())
        && content.chars().any(|c| matches!(c.to_ascii_lowercase(), 'g'..='z') && !"otxzOTXZ".contains(c))
}

fn is_a_word_of_yaml(content: &str) -> bool {
    const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(content))
}

/// The literal form keeps every line as it is, but not what YAML 1.1 takes for a line's end.
fn fits_block(content: &str) -> bool {
    content.contains('\n')
        && !content.starts_with([' ', '\n', '\t'])
        && content.chars().all(|c| c == '\n' || c == '\t' || is_printable(c))
}

fn block(text: &mut String, content: &str, indent: usize) {
    let body = content.trim_end_matches('\n');
    let newlines = content.len() - body.len();
    text.push_str(match newlines {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    text.push('\n');
    for line in body.split('\n') {
        if !line.is_empty() {
            pad(text, indent);
            text.push_str(line);
        }
        text.push('\n');
    }
    text.extend(std::iter::repeat_n('\n', newlines.saturating_sub(1)));
}

fn quoted(content: &str) -> String {
    let mut text = String::with_capacity(content.len() + 2);
    text.push('"');
    for c in content.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if is_printable(c) => text.push(c),
            c if u32::from(c) > 0xffff => text.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => text.push_str(&format!("\\u{:04X}", u32::from(c))),
        }
    }
    text.push('"');
    text
}

/// What both versions of YAML print, without what either takes for a line's end or a byte order mark.
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{model::SourceText, yaml::documents};

    fn read_back(text: &str) -> Vec<Value> {
        let text = SourceText { name: "printed".into(), text: text.into() };
        let read = documents(&text).unwrap_or_else(|error| panic!("{error}\n{}", text.text));
        assert_eq!(read.warnings, [], "{}", text.text);
        read.documents.into_iter().map(|document| document.value).collect()
    }

    #[test]
    fn manifests_look_as_people_write_them() {
        let manifest = json!({
            "apiVersion": "v1",
            "data": {"on": "yes", "script": "#!/bin/sh\necho hi\n\n  exit 0\n", "empty": "", "port": "8080"},
            "list": [{"name": "web", "args": ["-v", "--x=1"], "env": []}, [1, [2, 3]], null],
            "limits": {"cpu": "100m", "memory": "128Mi", "at": "10:20"},
        });
        let expected = r##"apiVersion: v1
data:
  "on": "yes"
  script: |
    #!/bin/sh
    echo hi

      exit 0
  empty: ""
  port: "8080"
list:
- name: web
  args:
  - "-v"
  - "--x=1"
  env: []
- - 1
  - - 2
    - 3
- null
limits:
  cpu: 100m
  memory: 128Mi
  at: "10:20"
"##;
        assert_eq!(print(std::slice::from_ref(&manifest)), expected);
        assert_eq!(read_back(expected), [manifest]);
    }

    const LOOKALIKES: &[&str] = &[
        "yes",
        "No",
        "ON",
        "off",
        "y",
        "N",
        "true",
        "FALSE",
        "null",
        "Null",
        "~",
        "",
        " ",
        "a ",
        " a",
        "0644",
        "0o17",
        "1e3",
        "12345e67",
        "1_000",
        "10:20",
        "2001-01-01",
        "2001-12-14t21:59:43.10-05:00",
        ".5",
        ".inf",
        "-.INF",
        ".nan",
        "+1",
        "-1",
        "-",
        "--",
        "---",
        "...",
        "? a",
        ": a",
        "a: b",
        "a #b",
        "#a",
        "a:",
        "<<",
        "=",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "'a'",
        "\"a\"",
        "%a",
        "@a",
        "`a`",
        "[a]",
        "{a}",
        "{a: b}",
        "a,b",
        "0x1F",
        "0b11",
        "1z",
        "12t",
        "0xg",
        "- a",
        "a\tb",
        "\ta",
        "\u{85}",
        "\u{feff}a",
        "a\u{2028}b",
        "\u{7f}",
        "é",
        "日本",
        "😀",
        "C:\\x",
        "http://a/b?c=d&e=f",
        "key=value",
        "a'b",
        "\u{fffe}",
    ];

    #[test]
    fn texts_that_look_like_something_else_are_quoted() {
        for text in LOOKALIKES.iter().copied() {
            let value = json!({"k": text, (text): 1, "l": [text]});
            assert_eq!(read_back(&print(std::slice::from_ref(&value))), [value], "{text:?}");
        }
    }

    #[test]
    fn lines_are_kept() {
        for text in [
            "a\nb",
            "a\nb\n",
            "a\n\n\n",
            "a\n",
            "\n",
            "\n\n",
            "\na",
            " a\nb",
            "a\n b\n",
            "a  \nb  \n",
            "a\r\nb\r\n",
            "a\n\tb\n",
            "a\n---\nb\n",
            "a\n# b\n",
            "key: |\n  x\n",
            "a\n...\n",
            "a\n \n",
            "a\n\u{85}b",
            "tail \n",
        ] {
            let value = json!({"k": text, "l": [text, {"m": text}], "z": 1});
            assert_eq!(read_back(&print(&[value.clone(), value.clone()])), [value.clone(), value], "{text:?}");
        }
    }

    #[test]
    fn numbers_keep_their_kind() {
        let value = json!([0, -1, i64::MAX, i64::MIN, 1.5, -0.25, 1e20, 1.5e-7, 1e300, true, null, {}, [], {"a": {}}]);
        let printed = print(std::slice::from_ref(&value));
        assert!(printed.contains("1.0e+20"));
        assert_eq!(read_back(&printed), [value]);
    }

    #[test]
    fn long_keys_are_announced() {
        let value = json!({"a": {("k".repeat(3000)): "v", "b": 1}});
        assert_eq!(read_back(&print(std::slice::from_ref(&value))), [value]);
    }
}
