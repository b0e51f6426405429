//! The program: takes the surroundings once, and hands them over.

use std::process::ExitCode;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn main() -> ExitCode {
    shipway::cli::main(std::env::args_os(), std::env::vars_os())
}
