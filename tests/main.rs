//! Every test outside the library, in one binary: it links once.

mod architecture;
mod listed;
