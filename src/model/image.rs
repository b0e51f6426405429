//! Image references as the distribution project parses and normalises them
//! (github.com/distribution/reference: `ParseNormalizedNamed`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DEFAULT_REGISTRY: &str = "docker.io";
const OFFICIAL: &str = "library/";
const LONGEST_TAG: usize = 128;
const LONGEST_PATH: usize = 255;

/// `sha256:` and 64 hex digits (or another registered algorithm with its length).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight hex digits.
    pub fn short(&self) -> &str {
        let hex = self.0.split_once(':').map_or("", |(_, hex)| hex);
        hex.get(..8).unwrap_or(hex)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Digest {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let wrong = || ReferenceError::Digest(text.to_owned());
        let (algorithm, hex) = text.split_once(':').ok_or_else(wrong)?;
        let length = match algorithm {
            "sha256" => 64,
            "sha384" => 96,
            "sha512" => 128,
            _ => return Err(wrong()),
        };
        let valid = hex.len() == length && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if valid { Ok(Self(text.to_owned())) } else { Err(wrong()) }
    }
}

/// A registry and a path in it, normalised: `x` is `docker.io/library/x`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    /// `docker.io`, `localhost:5000`
    pub registry: String,
    /// `library/busybox`, `team/demo`
    pub path: String,
}

impl Repository {
    /// Without the registry, for narrow lines: `team/demo`.
    pub fn short(&self) -> &str {
        self.path.strip_prefix(OFFICIAL).unwrap_or(&self.path)
    }
}

/// The familiar form: Docker Hub's defaults are left out.
impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.registry == DEFAULT_REGISTRY {
            f.write_str(self.short())
        } else {
            write!(f, "{}/{}", self.registry, self.path)
        }
    }
}

/// `repository[:tag][@digest]`
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    pub repository: Repository,
    pub tag: Option<String>,
    pub digest: Option<Digest>,
}

impl Reference {
    #[must_use]
    pub fn with_tag(&self, tag: &str) -> Self {
        Self { repository: self.repository.clone(), tag: Some(tag.to_owned()), digest: None }
    }

    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// True where neither tag nor digest, or only `latest`, is given.
    pub fn is_floating(&self) -> bool {
        self.digest.is_none() && self.tag.as_deref().is_none_or(|tag| tag == "latest")
    }

    /// For narrow lines: `team/demo@05ee9b3c`, or `team/demo:tag` without a digest.
    pub fn short(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{}@{}", self.repository.short(), digest.short()),
            (None, Some(tag)) => format!("{}:{tag}", self.repository.short()),
            (None, None) => self.repository.short().to_owned(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Why a text is no image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error("the image reference is empty")]
    Empty,
    #[error("`{0}` has upper case letters: repositories are lower case")]
    UpperCase(String),
    #[error("`{0}` is not an image repository")]
    Repository(String),
    #[error("`{0}` is not a tag (letters, digits, `_`, `.`, `-`; at most 128)")]
    Tag(String),
    #[error("`{0}` is not a digest")]
    Digest(String),
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        let (name, tag) = split_tag(rest);
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(ReferenceError::Tag(tag.to_owned()));
        }
        Ok(Self { repository: name.parse()?, tag: tag.map(str::to_owned), digest })
    }
}

/// The last colon starts a tag unless a slash follows it (then it starts a port).
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

fn is_tag(tag: &str) -> bool {
    tag.len() <= LONGEST_TAG
        && tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let wrong = || ReferenceError::Repository(text.to_owned());
        let (registry, path) = match text.split_once('/') {
            Some((first, rest)) if is_registry(first) => (first, rest),
            _ => (DEFAULT_REGISTRY, text),
        };
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ReferenceError::UpperCase(text.to_owned()));
        }
        if !is_host(registry) || path.len() > LONGEST_PATH || !path.split('/').all(is_path_component) {
            return Err(wrong());
        }
        let official = registry == DEFAULT_REGISTRY && !path.contains('/');
        let path = if official { format!("{OFFICIAL}{path}") } else { path.to_owned() };
        Ok(Self { registry: registry.to_owned(), path })
    }
}

/// The rule of the Docker client: the first part is a registry if it looks like a host.
fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_host(host: &str) -> bool {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => bare,
        Some(_) if !host.ends_with(']') => return false,
        _ => host,
    };
    if let Some(address) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    }
    bare.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

/// Lower-case letters and digits, joined by one `.`, one or two `_`, or any number of `-`.
fn is_path_component(component: &str) -> bool {
    let inner = component.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    let ends = component.starts_with(|c: char| c.is_ascii_alphanumeric())
        && component.ends_with(|c: char| c.is_ascii_alphanumeric());
    let separators = component
        .split(|c: char| c.is_ascii_alphanumeric())
        .all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|b| b == b'-'));
    inner && ends && separators
}

macro_rules! as_text {
    ($($kind:ty),*) => {$(
        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(Digest, Repository, Reference);

/// `linux/amd64`, `linux/arm/v7`
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Platform(pub String);

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One platform's manifest of an image, and the configuration it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagePlatform {
    pub platform: Platform,
    pub manifest: Digest,
    pub config: Digest,
}

/// An image as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// With tag and, unless the registry was not asked, digest.
    pub reference: Reference,
    pub platforms: Vec<ImagePlatform>,
}

impl Image {
    /// True where a running container's image id proves that it runs this image: the digest of the index, of a
    /// platform's manifest, or of a configuration, whatever prefix or repository stands before it.
    pub fn is_proven_by(&self, image_id: &str) -> bool {
        let digest = digest_in(image_id);
        self.reference.digest.as_ref().is_some_and(|ours| ours.as_str() == digest)
            || self.platforms.iter().any(|p| p.manifest.as_str() == digest || p.config.as_str() == digest)
    }

    /// The manifest that a running container's image id names, in this image's repository.
    pub fn named_by(&self, image_id: &str) -> Option<Reference> {
        Some(self.reference.with_digest(digest_in(image_id).parse().ok()?))
    }

    /// True where one configuration, and so the same layers, stands in both.
    pub fn shares_content(&self, other: &Self) -> bool {
        let configs = || other.platforms.iter().map(|platform| &platform.config);
        self.platforms.iter().any(|platform| configs().any(|config| *config == platform.config))
    }
}

/// What follows repository and scheme: `docker-pullable://team/demo@sha256:05ee..`
fn digest_in(image_id: &str) -> &str {
    let digest = image_id.rsplit_once('@').map_or(image_id, |(_, digest)| digest);
    digest.rsplit_once("://").map_or(digest, |(_, digest)| digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_normalised() {
        for (text, registry, path, tag) in [
            ("busybox", "docker.io", "library/busybox", None),
            ("busybox:1", "docker.io", "library/busybox", Some("1")),
            ("team/demo:latest", "docker.io", "team/demo", Some("latest")),
            ("localhost/demo", "localhost", "demo", None),
            ("localhost:5000/team/demo:v1", "localhost:5000", "team/demo", Some("v1")),
            ("index.docker.io/library/busybox", "docker.io", "library/busybox", None),
            ("Registry.example.com/a__b/c--d.e", "Registry.example.com", "a__b/c--d.e", None),
            ("[::1]:5000/x", "[::1]:5000", "x", None),
        ] {
            let reference: Reference = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(reference.repository.registry, registry, "{text}");
            assert_eq!(reference.repository.path, path, "{text}");
            assert_eq!(reference.tag.as_deref(), tag, "{text}");
        }
    }

    #[test]
    fn what_is_no_reference_is_told() {
        for text in ["", "a/B", "demo:{TAG}", "demo:$IMAGE", "a//b", "a/.b", "demo@sha256:12", "demo:", "-x", "a_-b"] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn proof_accepts_index_manifest_and_configuration() {
        let digest = |c: char| format!("sha256:{}", c.to_string().repeat(64)).parse::<Digest>().unwrap();
        let reference = "localhost:5000/x:1".parse::<Reference>().unwrap().with_digest(digest('a'));
        let platform =
            ImagePlatform { platform: Platform("linux/amd64".into()), manifest: digest('b'), config: digest('c') };
        let image = Image { reference, platforms: vec![platform] };
        for (id, proven) in [
            (format!("localhost:5000/x@{}", digest('a')), true),
            (format!("docker-pullable://other/y@{}", digest('b')), true),
            (digest('c').to_string(), true),
            (format!("docker://{}", digest('c')), true),
            (format!("docker.io/library/x@{}", digest('a')), true),
            (format!("docker-pullable://localhost:5000/x@{}", digest('d')), false),
            ("docker.io/library/x:1".to_owned(), false),
            (format!("localhost:5000/x@{}", digest('d')), false),
            (String::new(), false),
        ] {
            assert_eq!(image.is_proven_by(&id), proven, "{id}");
        }
    }

    #[test]
    fn another_manifest_of_the_same_configuration_is_the_same_content() {
        let digest = |c: char| format!("sha256:{}", c.to_string().repeat(64)).parse::<Digest>().unwrap();
        let image = |manifest: char, config: char| Image {
            reference: "localhost:5000/x:1".parse::<Reference>().unwrap().with_digest(digest(manifest)),
            platforms: vec![ImagePlatform {
                platform: Platform("linux/amd64".into()),
                manifest: digest(manifest),
                config: digest(config),
            }],
        };
        let ours = image('a', 'c');
        let named = ours.named_by(&format!("docker-pullable://x@{}", digest('b'))).unwrap();
        assert_eq!(named.to_string(), format!("localhost:5000/x:1@{}", digest('b')));
        assert!(ours.named_by("x:1").is_none());
        assert!(ours.shares_content(&image('b', 'c')));
        assert!(!ours.shares_content(&image('b', 'd')));
    }
}
