//! What a scalar means to kubectl: the rules of go-yaml v2's `resolve`, then those of encoding/json.

use base64::Engine as _;
use granit_parser::Tag;
use serde_json::{Number, Value};

use super::YamlError;
use crate::model::Place;

/// Why a scalar has no meaning; the caller knows where it stands.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    Tag { text: String, wanted: &'static str },
    NotFinite { text: String },
}

impl Fault {
    pub(super) fn at(self, place: Place) -> YamlError {
        match self {
            Self::Tag { text, wanted } => YamlError::Tag { text, wanted, place },
            Self::NotFinite { text } => YamlError::NotFinite { text, place },
        }
    }
}

pub(super) fn resolve(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Value, Fault> {
    let Some(tag) = tag else {
        return if plain { untagged(text) } else { Ok(text.into()) };
    };
    let wrong = |wanted| Fault::Tag { text: text.to_owned(), wanted };
    let Some(kind) = tag.suffix_in_namespace("tag:yaml.org,2002:") else {
        return Ok(text.into());
    };
    let value = match &*kind {
        "int" | "float" | "bool" | "null" => untagged(text)?,
        "binary" => {
            let joined: String = text.split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(joined).map_err(|_| wrong("base64"))?;
            return Ok(String::from_utf8_lossy(&bytes).into());
        }
        _ => return Ok(text.into()),
    };
    match (&*kind, &value) {
        ("int" | "float", Value::Number(_)) | ("bool", Value::Bool(_)) | ("null", Value::Null) => Ok(value),
        ("int" | "float", _) => Err(wrong("a number")),
        ("bool", _) => Err(wrong("a boolean")),
        _ => Err(wrong("null")),
    }
}

fn untagged(text: &str) -> Result<Value, Fault> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => return Err(Fault::NotFinite { text: text.to_owned() }),
        _ => number(text).map_or_else(|| text.into(), Value::Number),
    })
}

fn number(text: &str) -> Option<Number> {
    match text.as_bytes().first()? {
        b'.' => float(text),
        b'0'..=b'9' | b'+' | b'-' => {
            let digits = text.replace('_', "");
            integer(&digits).or_else(|| float(&digits))
        }
        _ => None,
    }
}

/// Go's `strconv.ParseInt` with base 0: a leading zero is octal. What does not fit 64 bits becomes a float, as in the
/// API server.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    let signed = i128::from(magnitude) * if negative { -1 } else { 1 };
    match i64::try_from(signed) {
        Ok(whole) => Some(whole.into()),
        Err(_) if negative => None,
        // beyond 64 bits the server rounds, too
        Err(_) => Number::from_f64(magnitude as f64),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let formed = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    if !formed || exponent.is_some_and(|exponent| exponent.is_empty() || !digits(exponent)) {
        return None;
    }
    from_float(text.parse().ok().filter(|value: &f64| value.is_finite())?)
}

/// encoding/json writes a whole float without a fraction, and the server reads an integer.
pub(super) fn from_float(value: f64) -> Option<Number> {
    if value.fract() == 0.0 && value.abs() < 9.2e18 {
        return Some((value as i64).into());
    }
    Number::from_f64(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Each was given to kubectl 1.32.
    #[test]
    fn scalars_are_read_as_kubectl_reads_them() {
        for (text, value) in [
            ("0644", json!(420)),
            ("0o644", json!(420)),
            ("-010", json!(-8)),
            ("0b101", json!(5)),
            ("-0b101", json!(-5)),
            ("0x1F", json!(31)),
            ("0X1f", json!(31)),
            ("0_7", json!(7)),
            ("1_000", json!(1000)),
            ("+1", json!(1)),
            ("0808", json!(808)),
            ("08", json!(8)),
            ("1e3", json!(1000)),
            ("1.0", json!(1)),
            ("5.", json!(5)),
            ("-0.0", json!(0)),
            (".5", json!(0.5)),
            ("1.5e-7", json!(1.5e-7)),
            ("1e20", json!(1e20)),
            ("1e18", json!(1_000_000_000_000_000_000_i64)),
            ("9223372036854775807", json!(i64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("9223372036854775808", json!(9_223_372_036_854_775_808_f64)),
            ("1e400", json!("1e400")),
            ("10:20", json!("10:20")),
            ("2001-01-01", json!("2001-01-01")),
            ("0x", json!("0x")),
            ("-", json!("-")),
            ("1.2.3", json!("1.2.3")),
            ("12345e67", json!(1.2345e71)),
            ("y", json!(true)),
            ("On", json!(true)),
            ("OFF", json!(false)),
            ("yES", json!("yES")),
            ("~", Value::Null),
            ("", Value::Null),
            ("nULL", json!("nULL")),
            ("<<x", json!("<<x")),
        ] {
            assert_eq!(resolve(text, true, None), Ok(value), "{text}");
            assert_eq!(resolve(text, false, None), Ok(json!(text)), "quoted {text}");
        }
    }

    #[test]
    fn tags_are_obeyed() {
        let core = |kind: &'static str| Tag::new("tag:yaml.org,2002:", kind);
        for (kind, text, value) in [
            ("str", "12", json!("12")),
            ("int", "3", json!(3)),
            ("float", "3", json!(3)),
            ("binary", "aG\n k=", json!("hi")),
            ("timestamp", "2001-01-01", json!("2001-01-01")),
        ] {
            assert_eq!(resolve(text, true, Some(&core(kind))), Ok(value), "!!{kind} {text}");
        }
        assert_eq!(resolve("12", true, Some(&Tag::new("!", "local"))), Ok(json!("12")));
        for (kind, text) in [("int", "x"), ("bool", "1"), ("null", "0"), ("binary", "*")] {
            assert!(matches!(resolve(text, true, Some(&core(kind))), Err(Fault::Tag { .. })), "!!{kind} {text}");
        }
        assert!(matches!(resolve(".inf", true, None), Err(Fault::NotFinite { .. })));
    }
}
