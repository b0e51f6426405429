//! The Docker Engine: build through our own BuildKit session, push.
