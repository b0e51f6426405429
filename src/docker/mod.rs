//! The Docker Engine: build through our own BuildKit session, push, tag.
//!
//! ```text
//! address   which engine, and who says so         tls       its certificates
//! engine       dial, one request, hijack; tag, inspect
//! build     attributes, one Solve, its outcome    control   Solve, Status and Session over HTTP/2
//! session   Health and Auth, answered to BuildKit filesync  the context, answered to BuildKit
//! walk      the context's entries, in order       follow    links and globs of what a COPY names
//! ignore    `.dockerignore`                       pattern   its patterns
//! progress  Status messages -> events             failure   engine's texts -> errors
//! push      one push, its progress and errors     messages  the wire's messages
//! ```

mod address;
mod build;
mod control;
mod engine;
mod error;
mod failure;
mod filesync;
mod follow;
mod ignore;
mod messages;
mod pattern;
mod progress;
mod push;
mod session;
mod tls;
mod walk;

pub(crate) use build::BuildRequest;
pub(crate) use engine::Engine;
pub(crate) use error::DockerError;
pub(crate) use ignore::context_files;
