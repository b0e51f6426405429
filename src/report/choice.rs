//! Which form, which colours and which signs: decided from the variables, once.

use super::sink::Terminals;
use crate::model::Variables;

/// What `--output` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Output {
    /// `live` on a terminal outside of CI, else `plain`.
    #[default]
    Auto,
    Live,
    Plain,
    Json,
}

impl Output {
    /// What is meant. There is no live view without a terminal to draw on.
    pub(super) fn settle(self, variables: &Variables, terminals: Terminals) -> Self {
        let can_draw = terminals.error && !is_dumb(variables);
        match self {
            Self::Auto if can_draw && !is_ci(variables) => Self::Live,
            Self::Live if can_draw => Self::Live,
            Self::Auto | Self::Live | Self::Plain => Self::Plain,
            Self::Json => Self::Json,
        }
    }
}

fn is_dumb(variables: &Variables) -> bool {
    variables.get("TERM").is_none_or(|term| term == "dumb")
}

/// True where lines that become too long for a terminal are broken; xterm, GNU screen and the console of Linux cut them.
pub(super) fn breaks_lines(variables: &Variables) -> bool {
    let cuts = ["XTERM_VERSION", "STY"].iter().any(|name| variables.get(name).is_some());
    !cuts && variables.get("TERM") != Some("linux")
}

/// Variables by which CI systems are known; most set `CI` too.
const CI: [&str; 7] =
    ["CI", "GITHUB_ACTIONS", "JENKINS_URL", "TEAMCITY_VERSION", "TF_BUILD", "CODEBUILD_BUILD_ID", "bamboo_buildKey"];

/// True where a CI system runs it, and reads along.
pub(super) fn is_ci(variables: &Variables) -> bool {
    CI.iter().any(|name| variables.get(name).is_some_and(|value| value != "false"))
}

/// True for a runner that reads workflow commands: GitHub's, and those that follow it (Forgejo, Gitea).
pub(super) fn is_github(variables: &Variables) -> bool {
    variables.get("GITHUB_ACTIONS") == Some("true")
}

/// no-color.org and bixense.com/clicolors: `NO_COLOR` goes first.
pub(super) fn has_colour(variables: &Variables, terminal: bool) -> bool {
    if variables.get("NO_COLOR").is_some() {
        return false;
    }
    if variables.get("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    terminal && !is_dumb(variables) && variables.get("CLICOLOR") != Some("0")
}

/// True where the locale can show more than ASCII (POSIX: the first of these that is set counts).
pub(super) fn has_unicode(variables: &Variables) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variables.get(name));
    match locale {
        Some(locale) => {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        }
        // containers and CI runners have no locale, and logs that are UTF-8
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().copied().collect()
    }

    const TERMINAL: Terminals = Terminals { input: true, out: true, error: true };
    const PIPE: Terminals = Terminals { input: false, out: false, error: false };

    #[test]
    fn live_is_for_a_terminal_outside_of_ci() {
        for (asked, pairs, terminals, expected) in [
            (Output::Auto, &[("TERM", "xterm")][..], TERMINAL, Output::Live),
            (Output::Auto, &[("TERM", "xterm")], PIPE, Output::Plain),
            (Output::Auto, &[("TERM", "dumb")], TERMINAL, Output::Plain),
            (Output::Auto, &[("TERM", "xterm"), ("CI", "true")], TERMINAL, Output::Plain),
            (Output::Auto, &[("TERM", "xterm"), ("CI", "false")], TERMINAL, Output::Live),
            (Output::Live, &[("TERM", "xterm"), ("CI", "true")], TERMINAL, Output::Live),
            (Output::Live, &[("TERM", "xterm")], PIPE, Output::Plain),
            (Output::Json, &[("TERM", "xterm")], TERMINAL, Output::Json),
        ] {
            assert_eq!(asked.settle(&variables(pairs), terminals), expected, "{asked:?} {pairs:?} {terminals:?}");
        }
    }

    #[test]
    fn most_terminals_break_lines() {
        for (pairs, expected) in [
            (&[("TERM", "xterm-256color")][..], true),
            (&[("TERM", "xterm-256color"), ("XTERM_VERSION", "XTerm(390)")], false),
            (&[("TERM", "screen"), ("STY", "1234.pts-0")], false),
            (&[("TERM", "tmux-256color"), ("TMUX", "/tmp/tmux-0/default,1,0")], true),
            (&[("TERM", "linux")], false),
        ] {
            assert_eq!(breaks_lines(&variables(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn colour_follows_the_conventions() {
        for (pairs, terminal, expected) in [
            (&[("TERM", "xterm")][..], true, true),
            (&[("TERM", "xterm")], false, false),
            (&[("TERM", "xterm"), ("NO_COLOR", "1")], true, false),
            (&[("TERM", "xterm"), ("NO_COLOR", "")], true, true),
            (&[("CLICOLOR_FORCE", "1")], false, true),
            (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true, false),
            (&[("TERM", "xterm"), ("CLICOLOR", "0")], true, false),
            (&[("TERM", "dumb")], true, false),
        ] {
            assert_eq!(has_colour(&variables(pairs), terminal), expected, "{pairs:?} {terminal}");
        }
    }

    #[test]
    fn only_a_locale_that_is_not_utf8_gets_ascii() {
        for (pairs, expected) in [
            (&[][..], true),
            (&[("LANG", "en_US.UTF-8")], true),
            (&[("LANG", "C")], false),
            (&[("LANG", "C"), ("LC_ALL", "C.utf8")], true),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "POSIX")], false),
        ] {
            assert_eq!(has_unicode(&variables(pairs)), expected, "{pairs:?}");
        }
    }
}
