//! What is typed becomes what is meant.

use clap::{CommandFactory as _, Parser as _};

use super::arguments::Arguments;
use crate::report::{Output, Verbosity};

fn parse(line: &str) -> Arguments {
    Arguments::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn the_definition_holds_together() {
    Arguments::command().debug_assert();
}

#[test]
fn global_flags_stand_before_and_after_the_command() {
    for line in ["shipway --env qa deploy --tag t1 --output json", "shipway deploy --env qa --tag t1 --output json"] {
        let arguments = parse(line);
        let flags = arguments.global.flags();
        assert_eq!((flags.env.as_deref(), flags.tag.as_deref()), (Some("qa"), Some("t1")), "{line}");
        assert_eq!(arguments.global.output(), Output::Json, "{line}");
    }
}

#[test]
fn verbosity_is_one_of_three() {
    for (line, expected) in [
        ("shipway status", Verbosity::Normal),
        ("shipway status -v", Verbosity::Verbose),
        ("shipway -vv status", Verbosity::Verbose),
        ("shipway status -q", Verbosity::Quiet),
    ] {
        assert_eq!(parse(line).global.verbosity(), expected, "{line}");
    }
}

#[test]
fn wrong_usage_exits_2() {
    for line in [
        "shipway",
        "shipway dploy", // typos: ignore
        "shipway deploy --insecure",
        "shipway status -q -v",
        "shipway switch green --back",
        "shipway plan --output xml",
        "shipway completions",
    ] {
        let error = Arguments::try_parse_from(line.split(' ')).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn no_flag_carries_a_secret_or_weakens_tls() {
    let mut command = Arguments::command();
    command.build();
    let all = command.get_subcommands().chain([&command]).flat_map(clap::Command::get_arguments);
    for name in all.filter_map(clap::Arg::get_long) {
        for forbidden in ["password", "token", "secret", "login", "insecure", "skip", "no-verify"] {
            assert!(!name.contains(forbidden), "--{name}");
        }
    }
}

#[test]
fn help_fits_80_columns_and_speaks_in_one_voice() {
    let mut command = Arguments::command().term_width(80);
    command.build();
    let mut pages = vec![command.clone()];
    pages.extend(command.get_subcommands().cloned());
    for mut page in pages {
        for argument in page.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.ends_with('.') && !help.is_empty(), "{}: `{help}`", argument.get_id());
            assert!(!help.starts_with(|c: char| c.is_uppercase() && !help.starts_with("URL")), "{help}");
        }
        let text = page.render_help().to_string();
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
