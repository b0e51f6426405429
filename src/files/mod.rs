//! Bounded reads, standard input, whole writes.

mod error;
mod manifests;
mod read;
mod write;

pub(crate) use error::FileError;
pub(crate) use manifests::manifests;
pub(crate) use read::{read_bytes, read_if_there, read_stdin, read_text};
pub(crate) use write::write_private;
