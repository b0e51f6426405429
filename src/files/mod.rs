//! Bounded reads, standard input.

mod error;
mod manifests;
mod read;

pub(crate) use error::FileError;
pub(crate) use manifests::manifests;
pub(crate) use read::{read_bytes, read_if_there, read_stdin, read_text};
