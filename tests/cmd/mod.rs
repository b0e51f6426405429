//! The real binary without a cluster, an engine or a registry.

mod facts;
mod streams;
mod surroundings;
