//! shipway takes a git commit to running pods.
//!
//! ```text
//! cli -> operations -> source, config, plan      what, where, why
//!                      docker, registry          images
//!                      yaml, render, kinds       objects
//!                      cluster, rollout          apply, watch, judge
//!     -> report                                  the only writer
//! ```
//!
//! Every folder is a room with one job; `docs/house.md` has the table of who may import whom and
//! `tests/architecture.rs` keeps it.

pub mod cli;
mod cluster;
mod config;
mod docker;
mod files;
mod kinds;
mod model;
mod operations;
mod plan;
mod registry;
mod render;
mod report;
mod rollout;
mod source;
mod yaml;
