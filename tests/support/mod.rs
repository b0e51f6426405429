//! What the tests of the real binary share: a sealed run, a repository of its own, the bench.

mod audit;
mod bench;
pub mod cases;
pub mod demo;
mod figures;
pub mod kubelet;
pub mod own;
mod project;
pub mod proxy;
pub mod registry;
mod run;
mod second;
pub mod small;
pub mod terminal;
mod turns;
pub mod webhook;
pub mod wire;
pub mod workloads;

pub use audit::{Audit, Request};
pub use bench::{Bench, image_labels};
pub use figures::Figures;
pub use project::{Project, git, manifests};
pub use run::{Run, Running, at_once, shipway, shipway_with_input};
pub use second::SecondCluster;
