//! Manifest texts become the objects of a release.
