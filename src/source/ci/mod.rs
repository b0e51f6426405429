//! What the CI system says, a file for each system. Pure: variables in, facts out.

mod azure;
mod bamboo;
mod bitbucket;
mod buildkite;
mod circleci;
mod cloud_build;
mod codebuild;
mod drone;
mod github;
mod gitlab;
mod jenkins;
mod teamcity;
#[cfg(test)]
mod tests;
mod travis;
mod woodpecker;

use crate::model::{CiFacts, Sourced, Variables};

/// Reads a file that a variable names: GitHub's event, TeamCity's properties. None where it cannot be read.
pub(super) type ReadFile<'a> = &'a dyn Fn(&str) -> Option<String>;

type System = fn(&Variables, ReadFile<'_>) -> Option<CiFacts>;

/// Each with the variables that tell it: those with one of their own first; Cloud Build, which has none, last.
const SYSTEMS: [(System, &[&str]); 14] = [
    (github::facts, &["GITHUB_ACTIONS"]),
    (gitlab::facts, &["GITLAB_CI"]),
    (circleci::facts, &["CIRCLECI"]),
    (travis::facts, &["TRAVIS"]),
    (buildkite::facts, &["BUILDKITE"]),
    (bitbucket::facts, &["BITBUCKET_BUILD_NUMBER"]),
    (drone::facts, &["DRONE"]),
    (woodpecker::facts, &["CI"]),
    (azure::facts, &["TF_BUILD"]),
    (codebuild::facts, &["CODEBUILD_BUILD_ID"]),
    (teamcity::facts, &["TEAMCITY_VERSION"]),
    (bamboo::facts, &["bamboo_planKey", "bamboo_buildKey", "bamboo_buildNumber"]),
    (jenkins::facts, &["JENKINS_URL", "JENKINS_HOME"]),
    (cloud_build::facts, &["BUILDER_OUTPUT", "BUILD_ID"]),
];

/// The facts of the first system that recognises itself; none outside CI.
pub(super) fn facts(variables: &Variables, read: ReadFile<'_>) -> Option<CiFacts> {
    SYSTEMS.iter().find_map(|(system, markers)| {
        let told_by = markers.iter().find(|name| variables.get(name).is_some()).copied().unwrap_or_default();
        Some(CiFacts { told_by, ..system(variables, read)? })
    })
}

fn is(variables: &Variables, name: &str, wanted: &str) -> bool {
    variables.get(name).is_some_and(|value| value.eq_ignore_ascii_case(wanted))
}

/// The first of the variables that is set.
fn first(variables: &Variables, names: &[&str]) -> Option<Sourced<String>> {
    names.iter().find_map(|name| variables.sourced(name))
}

fn text(variables: &Variables, name: &str) -> Option<String> {
    variables.get(name).map(str::to_owned)
}

/// A number or key; `false` is how some systems say that there is no pull request.
fn pull_request_number(variables: &Variables, name: &str) -> Option<String> {
    text(variables, name).filter(|value| value != "false")
}

/// Only what may be a hash: Buildkite writes the word `HEAD`, others a branch.
fn commit(variables: &Variables, names: &[&str]) -> Option<Sourced<String>> {
    first(variables, names).filter(|found| is_hash(&found.value))
}

fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn without_prefix(found: Sourced<String>, prefix: &str) -> Sourced<String> {
    found.map(|value| value.strip_prefix(prefix).map(str::to_owned).unwrap_or(value))
}

/// A branch that may be written in full.
fn branch(found: Sourced<String>) -> Sourced<String> {
    without_prefix(found, "refs/heads/")
}

/// A git tag that may be written in full.
fn tag(found: Sourced<String>) -> Sourced<String> {
    without_prefix(found, "refs/tags/")
}

/// Only where the full name says that it is a branch (or a tag).
fn named(found: Option<Sourced<String>>, prefix: &str) -> Option<Sourced<String>> {
    found.filter(|found| found.value.starts_with(prefix)).map(|found| without_prefix(found, prefix))
}

/// Two repositories, of which one may be unknown: only two that are known and equal are no fork.
fn differ(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one != other,
        _ => true,
    }
}
