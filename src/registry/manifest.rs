//! Manifests and indexes, as far as platforms and configurations go (OCI image specification; Docker's media types).

use serde::Deserialize;

use crate::model::{Digest, Image, Platform, Reference};

use super::RegistryError;

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub(super) const ACCEPTED: &[&str] = &[DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX];

pub(super) enum Manifest {
    Single { config: Digest },
    Index { children: Vec<Child> },
}

pub(super) struct Child {
    pub platform: Platform,
    pub manifest: Digest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: Option<String>,
    config: Option<Descriptor>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
    platform: Option<WirePlatform>,
}

#[derive(Deserialize)]
struct WirePlatform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl WirePlatform {
    fn name(self) -> Platform {
        let Self { os, architecture, variant } = self;
        match variant.filter(|variant| !variant.is_empty()) {
            Some(variant) => Platform(format!("{os}/{architecture}/{variant}")),
            None => Platform(format!("{os}/{architecture}")),
        }
    }
}

impl Manifest {
    pub(super) fn read(body: &[u8], of: &Reference) -> Result<Self, RegistryError> {
        let wire = wire(body, of)?;
        if let Some(config) = wire.config {
            return Ok(Self::Single { config: config.digest });
        }
        let children = wire.manifests.ok_or_else(|| RegistryError::odd(of, "it is neither an image nor an index"))?;
        // attestations are entries of an unknown platform
        let children = children.into_iter().filter_map(|child| {
            let platform = child.platform.filter(|platform| platform.os != "unknown")?;
            Some(Child { platform: platform.name(), manifest: child.digest })
        });
        Ok(Self::Index { children: children.collect() })
    }

    /// The type to write it back with; the OCI types where the body names none, as they may.
    pub(super) fn media_type(body: &[u8], of: &Reference) -> Result<String, RegistryError> {
        let wire = wire(body, of)?;
        let usual = if wire.manifests.is_some() { OCI_INDEX } else { OCI_MANIFEST };
        Ok(wire.media_type.unwrap_or_else(|| usual.to_owned()))
    }
}

fn wire(body: &[u8], of: &Reference) -> Result<Wire, RegistryError> {
    serde_json::from_slice(body)
        .map_err(|error| RegistryError::odd(of, format!("its manifest cannot be read: {error}")))
}

/// The platform that a configuration says it is for.
pub(super) fn platform(config: &[u8], of: &Reference) -> Result<Platform, RegistryError> {
    let read: Result<WirePlatform, _> = serde_json::from_slice(config);
    read.map(WirePlatform::name)
        .map_err(|error| RegistryError::odd(of, format!("its configuration cannot be read: {error}")))
}

/// That an image can run on a platform. A variant that one of both leaves out is no difference.
///
/// # Errors
/// [`RegistryError::WrongPlatform`], with the platforms there are.
pub(crate) fn check_platform(image: &Image, wanted: &Platform) -> Result<(), RegistryError> {
    let fits = |found: &Platform| {
        let (mut found, mut wanted) = (found.0.split('/'), wanted.0.split('/'));
        (0..3).all(|part| match (found.next(), wanted.next()) {
            (Some(found), Some(wanted)) => found == wanted,
            _ => part == 2,
        })
    };
    if image.platforms.iter().any(|platform| fits(&platform.platform)) {
        return Ok(());
    }
    Err(RegistryError::WrongPlatform {
        reference: image.reference.to_string(),
        wanted: wanted.to_string(),
        found: image.platforms.iter().map(|platform| platform.platform.to_string()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ImagePlatform;

    fn digest(digit: &str) -> String {
        format!("sha256:{}", digit.repeat(64))
    }

    #[test]
    fn an_index_names_its_platforms_and_attestations_are_none() {
        let body = format!(
            r#"{{"schemaVersion": 2, "manifests": [
                {{"digest": "{}", "platform": {{"os": "linux", "architecture": "arm", "variant": "v7"}}}},
                {{"digest": "{}", "platform": {{"os": "unknown", "architecture": "unknown"}}}}]}}"#,
            digest("a"),
            digest("b"),
        );
        let of: Reference = "localhost:5000/x:1".parse().unwrap();
        let Ok(Manifest::Index { children }) = Manifest::read(body.as_bytes(), &of) else { panic!("an index") };
        let platforms: Vec<String> = children.iter().map(|child| child.platform.to_string()).collect();
        assert_eq!(platforms, ["linux/arm/v7"]);
        assert_eq!(Manifest::media_type(body.as_bytes(), &of).unwrap(), OCI_INDEX);
        let single = format!(r#"{{"mediaType": "{DOCKER_MANIFEST}", "config": {{"digest": "{}"}}}}"#, digest("c"));
        assert!(matches!(Manifest::read(single.as_bytes(), &of), Ok(Manifest::Single { .. })));
        assert_eq!(Manifest::media_type(single.as_bytes(), &of).unwrap(), DOCKER_MANIFEST);
        assert!(Manifest::read(b"{}", &of).is_err());
        assert!(Manifest::read(b"<html>", &of).is_err());
    }

    #[test]
    fn platforms_are_compared_as_far_as_both_say() {
        let image = |platforms: &[&str]| Image {
            reference: "x:1".parse().unwrap(),
            platforms: platforms
                .iter()
                .map(|name| ImagePlatform {
                    platform: Platform((*name).to_owned()),
                    manifest: digest("a").parse().unwrap(),
                    config: digest("b").parse().unwrap(),
                })
                .collect(),
        };
        for (found, wanted, fits) in [
            (&["linux/amd64"][..], "linux/amd64", true),
            (&["linux/arm64", "linux/amd64"], "linux/amd64", true),
            (&["linux/arm64/v8"], "linux/arm64", true),
            (&["linux/arm/v6"], "linux/arm/v7", false),
            (&["linux/arm64"], "linux/amd64", false),
            (&["windows/amd64"], "linux/amd64", false),
            (&[], "linux/amd64", false),
        ] {
            let wanted = Platform(wanted.to_owned());
            assert_eq!(check_platform(&image(found), &wanted).is_ok(), fits, "{found:?} {wanted}");
        }
    }
}
