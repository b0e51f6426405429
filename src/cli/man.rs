//! `shipway man`

use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory as _};

use super::arguments::Arguments;
use crate::model::Answer;

/// print the manual page (roff), of shipway or of a command
#[derive(Debug, Args)]
pub(super) struct Man {
    /// the command, without it the overview
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

impl Man {
    pub(super) fn answer(&self) -> Result<Answer> {
        let mut whole = Arguments::command();
        whole.build();
        let command = match &self.command {
            Some(name) => whole.find_subcommand(name).with_context(|| format!("there is no command `{name}`"))?.clone(),
            None => whole,
        };
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        Ok(Answer::Text(String::from_utf8_lossy(&page).into_owned()))
    }
}
