//! Every test outside the library, in one binary: it links once.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the fences are the program's: a test reads its surroundings, locks the bench and measures time"
)]

mod architecture;
mod cmd;
mod codes;
mod listed;
mod stories;
mod support;
