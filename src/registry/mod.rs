//! The registry: credentials, manifests, platforms, tags.
