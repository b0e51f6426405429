//! The real binary without a cluster, an engine or a registry.

mod codes;
mod facts;
mod streams;
mod surroundings;
