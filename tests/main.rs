//! Every test outside the library, in one binary: it links once.

mod architecture;
mod cmd;
mod listed;
mod stories;
mod support;
