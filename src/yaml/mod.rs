//! Reads YAML and JSON as kubectl does, finds places in it, prints it.

mod document;
mod error;
mod json;
mod locate;
mod node;
mod print;
mod scalar;

pub(crate) use document::{documents, for_each};
pub(crate) use error::YamlError;
pub(crate) use locate::{locate, nearest};
pub(crate) use print::print;
