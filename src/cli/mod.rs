//! Flags as typed, wiring, exit.
//!
//! `arguments` has what may be typed, a file each command what it does with it; `run` makes the surroundings of a run and
//! tells how it ended; `signals` and `crash` are for runs that do not end by themselves.

mod arguments;
mod build;
mod completions;
mod config;
mod crash;
mod deploy;
mod destroy;
mod envs;
mod history;
mod man;
mod plan;
mod push;
mod release;
mod render;
mod rollback;
mod run;
mod schema;
mod signals;
mod status;
mod switch;
#[cfg(test)]
mod tests;
mod unlock;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser as _;

use crate::model::Variables;
use arguments::Arguments;

/// Runs shipway with the process's arguments and environment. The exit code is one of those in README.md.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(usage) => {
            // a closed stream has nobody to tell; `--help` comes this way too
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    let texts =
        variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let exit = run::run(arguments, texts.collect::<Variables>());
    ExitCode::from(exit.code())
}
