//! What a CI system's runner would read as a command in its log, made harmless.
//!
//! GitHub's runner takes `::name::` for a command also behind spaces, and `##[name]` wherever it stands in a line; Azure
//! Pipelines does so with `##vso[..]` and TeamCity with `##teamcity[..]`. A container's log must not set an output there.

/// The line with a backslash in what would be a command.
pub(super) fn harmless(line: &str) -> String {
    let behind = line.len() - line.trim_start().len();
    let (space, text) = line.split_at(behind);
    let mark = if text.starts_with("::") { "\\" } else { "" };
    format!("{space}{mark}{}", text.replace("##", "#\\#"))
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_runner_finds_no_command_in_a_line() {
        for (line, expected) in [
            ("12:01:04 apply     configmap/flags created", "12:01:04 apply     configmap/flags created"),
            ("::stop-commands::x", "\\::stop-commands::x"),
            ("  \u{3000}  ::set-output name=a::b", "  \u{3000}  \\::set-output name=a::b"),
            ("std::env and a::b", "std::env and a::b"),
            ("web | ##[add-mask]a", "web | #\\#[add-mask]a"),
            ("###[error]a", "#\\##[error]a"),
            ("####vso[task.setvariable variable=a]b", "#\\##\\#vso[task.setvariable variable=a]b"),
            ("##teamcity[buildStop]", "#\\#teamcity[buildStop]"),
        ] {
            assert_eq!(harmless(line), expected);
        }
    }
}
