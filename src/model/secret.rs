//! Values that must not be shown, and the one place that removes them from what is said.

use std::{
    collections::BTreeSet,
    fmt,
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
    /// Longest first, so that a value that contains another is removed whole.
    values: BTreeSet<(std::cmp::Reverse<usize>, String)>,
}

/// Shorter values (`1`, `on`, `prod`) would make every text unreadable and are no secrets.
const SHORTEST_SECRET: usize = 6;

impl Redactor {
    /// Learns a value as it is read, also in the forms a server or a log may repeat it in.
    pub fn learn(&self, secret: &str) {
        let mut forms: Vec<String> = vec![secret.to_owned()];
        forms.extend(secret.lines().map(|line| line.trim().to_owned()));
        forms.push(base64::engine::general_purpose::STANDARD.encode(secret));
        forms.push(base64::engine::general_purpose::URL_SAFE.encode(secret));
        forms.push(secret.escape_default().to_string());
        let mut known = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for form in forms.into_iter().filter(|form| form.len() >= SHORTEST_SECRET) {
            known.values.insert((std::cmp::Reverse(form.len()), form));
        }
    }

    /// The text with every learnt value replaced by `***`.
    pub fn clean(&self, text: &str) -> String {
        let known = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.values.iter().fold(text.to_owned(), |text, (_, secret)| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), "***") } else { text }
        })
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}
