//! `shipway completions`

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::arguments::Arguments;
use crate::model::Answer;

/// print completions for a shell
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// the shell to complete in
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(super) fn answer(&self) -> Answer {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "shipway", &mut script);
        Answer::Text(String::from_utf8_lossy(&script).into_owned())
    }
}
