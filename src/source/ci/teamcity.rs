//! TeamCity (jetbrains.com/help/teamcity, "Predefined Build Parameters").

use std::collections::BTreeMap;

use crate::model::{CiFacts, Origin, PullRequest, Sourced, Variables};

use super::{ReadFile, branch, commit, first, is_hash, named};

const PROPERTIES: &str = "TEAMCITY_BUILD_PROPERTIES_FILE";

/// No variable holds the branch: it stands in the properties file, or in the second file which that one names. On the
/// default branch it is `<default>`, and the VCS root has the name. Whether a pull request comes from a fork is not told,
/// so each may.
pub(super) fn facts(variables: &Variables, read: ReadFile<'_>) -> Option<CiFacts> {
    variables.get("TEAMCITY_VERSION")?;
    let properties = all_properties(variables, read);
    let get = |name: &str| {
        let value = properties.get(name).filter(|value| !value.is_empty())?;
        Some(Sourced::new(value.clone(), Origin::Variable(format!("{PROPERTIES} ({name})"))))
    };
    let root = get("vcsroot.branch").map(branch);
    let logical = get("teamcity.build.branch");
    let full = properties
        .keys()
        .find(|name| name.starts_with("teamcity.build.vcs.branch."))
        .and_then(|name| get(name))
        .or_else(|| logical.clone());
    let on_default = logical.as_ref().is_some_and(|found| found.value == "<default>")
        || properties.get("teamcity.build.branch.is_default").is_some_and(|value| value == "true");
    let pull_request = get("teamcity.pullRequest.number").map(|number| PullRequest {
        number: Some(number.value),
        source_branch: get("teamcity.pullRequest.source.branch").map(|found| branch(found).value),
        head: None,
        url: None,
        from_fork: true,
    });
    let git_tag = named(full.clone(), "refs/tags/");
    let of_build = match &pull_request {
        Some(_) => get("teamcity.pullRequest.source.branch").map(branch),
        None if git_tag.is_some() => None,
        None if on_default => root.clone(),
        None => full.map(branch),
    };
    Some(CiFacts {
        system: "teamcity",
        branch: of_build,
        commit: commit(variables, &["BUILD_VCS_NUMBER"])
            .or_else(|| get("build.vcs.number").filter(|found| is_hash(&found.value))),
        git_tag,
        default_branch: if on_default { root } else { None },
        pull_request,
        run_url: first(variables, &["BUILD_URL"]),
        user: get("teamcity.build.triggeredBy.username"),
        ..CiFacts::default()
    })
}

fn all_properties(variables: &Variables, read: ReadFile<'_>) -> BTreeMap<String, String> {
    let mut found = variables.get(PROPERTIES).and_then(read).map(|text| parse(&text)).unwrap_or_default();
    if let Some(more) = found.get("teamcity.configuration.properties.file").and_then(|path| read(path)) {
        found.extend(parse(&more));
    }
    found
}

/// The form of java.util.Properties, as far as TeamCity writes it: one pair a line, `\` before what would end a key.
fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty() && !line.starts_with(['#', '!']))
        .filter_map(pair)
        .collect()
}

fn pair(line: &str) -> Option<(String, String)> {
    let mut escaped = false;
    let end = line.char_indices().find(|(_, c)| {
        let ends = !escaped && matches!(c, '=' | ':');
        escaped = !escaped && *c == '\\';
        ends
    })?;
    Some((unescape(line[..end.0].trim_end()), unescape(line[end.0 + 1..].trim_start())))
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some('u') => {
                    let code: String = characters.by_ref().take(4).collect();
                    out.extend(u32::from_str_radix(&code, 16).ok().and_then(char::from_u32));
                }
                Some(c) => out.push(c),
                None => {}
            },
            c => out.push(c),
        }
    }
    out
}
