//! Manifest texts become the objects of a release: overlay, images, namespace, labels, stage.

mod check;
mod color;
mod configuration;
mod elsewhere;
mod error;
mod hooks;
mod images;
mod jobs;
mod merge;
#[cfg(test)]
mod random;
mod read;
mod recorded;
mod release;
mod repeated;
mod scope;
mod substitute;
mod template;
mod versions;

pub(crate) use elsewhere::configuration_elsewhere;
pub(crate) use error::RenderError;
pub(crate) use images::{app_image, unused};
pub(crate) use read::{Manifests, read};
pub(crate) use recorded::{Again, again};
pub(crate) use release::{GIVEN, Prepared, Rendering, SOURCE_LABEL, print, release, sound};
pub(crate) use versions::configuration_of;
