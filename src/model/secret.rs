//! Values that must not be shown, and the one place that removes them from what is said.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    ops::{Bound, Range},
    sync::{Arc, RwLock},
};

use base64::Engine as _;
use zeroize::Zeroizing;

/// A value that cannot be printed, logged or serialised by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Masked(Zeroizing<String>);

impl Masked {
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself, for the wire only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The same for what need not be a text.
#[derive(Clone, PartialEq, Eq)]
pub struct MaskedBytes(Zeroizing<Vec<u8>>);

impl MaskedBytes {
    pub fn new(value: Vec<u8>) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself, for the wire only.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for MaskedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a build may read by `RUN --mount=type=secret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSecret {
    /// As the Dockerfile names it.
    pub id: String,
    pub value: MaskedBytes,
}

/// A login for one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// As in the Docker configuration: `localhost:5000`, `index.docker.io`.
    pub registry: String,
    pub user: String,
    pub password: Masked,
    /// True where `password` is an identity token (user `<token>`).
    pub identity_token: bool,
    /// For messages: `~/.docker/config.json`, `DOCKER_AUTH_CONFIG`, `DOCKER_USERNAME`.
    pub origin: String,
}

/// Removes what it has learnt from any text. Clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    /// By the bytes that they begin with, so that a text is gone through once however many there are.
    values: HashMap<[u8; SHORTEST_SECRET], BTreeSet<Vec<u8>>>,
}

/// Shorter values (`1`, `on`, `prod`) would make every text unreadable and are no secrets.
const SHORTEST_SECRET: usize = 6;

impl Known {
    /// Where learnt values stand in the text; those that overlap are one.
    fn places(&self, text: &str) -> Vec<Range<usize>> {
        let mut places: Vec<Range<usize>> = Vec::new();
        for start in 0..text.len() {
            let rest = &text.as_bytes()[start..];
            let values = rest.first_chunk().and_then(|beginning| self.values.get(beginning));
            let Some(length) = values.and_then(|values| longest(values, rest)) else { continue };
            match places.last_mut().filter(|last| start < last.end) {
                Some(last) => last.end = last.end.max(start + length),
                None => places.push(start..start + length),
            }
        }
        places
    }
}

/// The length of the longest value that a text begins with.
fn longest(values: &BTreeSet<Vec<u8>>, mut text: &[u8]) -> Option<usize> {
    loop {
        // what begins the text stands before it, and nothing longer that does stands in between
        let value = values.range::<[u8], _>((Bound::Unbounded, Bound::Included(text))).next_back()?;
        if text.starts_with(value) {
            return Some(value.len());
        }
        let common = value.iter().zip(text).take_while(|(one, other)| one == other).count();
        text = &text[..common];
    }
}

impl Redactor {
    /// Learns a value as it is read, also in the forms a server or a log may repeat it in.
    pub fn learn(&self, secret: &str) {
        let mut forms: Vec<String> = vec![secret.to_owned()];
        forms.extend(secret.lines().map(|line| line.trim().to_owned()));
        forms.push(base64::engine::general_purpose::STANDARD.encode(secret));
        forms.push(base64::engine::general_purpose::URL_SAFE.encode(secret));
        forms.push(secret.escape_default().to_string());
        let mut known = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for form in forms {
            if let Some(beginning) = form.as_bytes().first_chunk() {
                known.values.entry(*beginning).or_default().insert(form.into_bytes());
            }
        }
    }

    /// The text with every learnt value replaced by `***`.
    pub fn clean(&self, text: &str) -> String {
        let known = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (mut cleaned, mut done) = (String::with_capacity(text.len()), 0);
        for place in known.places(text) {
            // a learnt value is a text of its own, so it begins and ends between characters
            cleaned.push_str(&text[done..place.start]);
            cleaned.push_str("***");
            done = place.end;
        }
        cleaned.push_str(&text[done..]);
        cleaned
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(learnt: &[&str], text: &str) -> String {
        let redactor = Redactor::default();
        learnt.iter().for_each(|secret| redactor.learn(secret));
        redactor.clean(text)
    }

    #[test]
    fn values_are_removed_whole_wherever_they_stand() {
        let rows: [(&[&str], &str, &str); 8] = [
            (&[], "nothing is known", "nothing is known"),
            (&["hunter22"], "hunter22", "***"),
            (&["hunter22"], "hunter2 hunter22, hunter22hunter22", "hunter2 ***, ******"),
            (&["hunter", "hunter22", "hunter29", "hunter22222"], "hunter22 hunter2 hunter29", "*** ***2 ***"),
            (&["abcdef", "defghijk"], "xabcdefghijkx", "x***x"),
            (&["first line\nsecond line"], "a second line", "a ***"),
            (&["p\u{e4}ssw\u{f6}rt"], "\u{fc}p\u{e4}ssw\u{f6}rt\u{fc}", "\u{fc}***\u{fc}"),
            (&["short"], "short", "short"),
        ];
        for (learnt, text, expected) in rows {
            assert_eq!(cleaned(learnt, text), expected, "{learnt:?}");
        }
    }

    #[test]
    fn a_value_is_known_in_base64_too() {
        assert_eq!(cleaned(&["hunter22"], "aHVudGVyMjI="), "***");
    }
}
