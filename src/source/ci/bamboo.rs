//! Bamboo (confluence.atlassian.com, "Bamboo variables"); its dots are underscores in the environment.

use crate::model::{CiFacts, PullRequest, Variables};

use super::{ReadFile, branch, commit, first, named, text};

/// Whether a pull request comes from a fork is not told, so each may.
pub(super) fn facts(variables: &Variables, _: ReadFile<'_>) -> Option<CiFacts> {
    first(variables, &["bamboo_planKey", "bamboo_buildKey", "bamboo_buildNumber"])?;
    let source = first(variables, &["bamboo_repository_pr_sourceBranch"]).map(branch);
    let pull_request = text(variables, "bamboo_repository_pr_key").map(|number| PullRequest {
        number: Some(number),
        source_branch: source.as_ref().map(|source| source.value.clone()),
        head: None,
        url: None,
        from_fork: true,
    });
    let of_plan = [
        "bamboo_planRepository_branchName",
        "bamboo_planRepository_branch",
        "bamboo_planRepository_1_branch",
        "bamboo_repository_branch_name",
        "bamboo_repository_git_branch",
    ];
    let revision =
        ["bamboo_planRepository_revision", "bamboo_planRepository_1_revision", "bamboo_repository_revision_number"];
    let named_by_plan = first(variables, &of_plan);
    let git_tag = if pull_request.is_some() { None } else { named(named_by_plan.clone(), "refs/tags/") };
    Some(CiFacts {
        system: "bamboo",
        branch: match (&pull_request, &git_tag) {
            (Some(_), _) => source,
            (None, Some(_)) => None,
            (None, None) => named_by_plan.map(branch),
        },
        commit: commit(variables, &revision),
        git_tag,
        default_branch: None,
        pull_request,
        run_url: first(variables, &["bamboo_buildResultsUrl", "bamboo_resultsUrl"]),
        user: first(variables, &["bamboo_ManualBuildTriggerReason_userName"]),
        ..CiFacts::default()
    })
}
