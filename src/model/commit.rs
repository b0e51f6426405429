//! What git and the CI system say about the checkout, as facts; deciding is not done here.

use serde::{Deserialize, Serialize};

use super::Sourced;

/// The commit being built and deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The full hash, 40 or 64 hex digits.
    pub sha: String,
    /// The first line of the message.
    pub subject: String,
    pub author: String,
    /// Committer time, seconds since the epoch.
    pub time: i64,
}

impl Commit {
    /// The first eight digits of the hash.
    pub fn short(&self) -> &str {
        self.sha.get(..8).unwrap_or(&self.sha)
    }
}

/// A pull or merge request as the CI system describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PullRequest {
    pub number: Option<String>,
    pub source_branch: Option<String>,
    /// The source's head commit, where it differs from what is checked out (GitHub's merge commit).
    pub head: Option<Sourced<String>>,
    /// Its page.
    pub url: Option<String>,
    pub from_fork: bool,
}

/// A pull request as plans and records name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequestRef {
    pub number: Option<String>,
    /// The head commit of its branch: not always what is checked out.
    pub head: Option<String>,
    pub url: Option<String>,
}

impl PullRequestRef {
    /// `#7`, where the number is known.
    pub fn short(&self) -> Option<String> {
        self.number.as_ref().map(|number| format!("#{number}"))
    }

    /// `pull request 7 at 1a2b3c4d · https://..`
    pub fn describe(&self) -> String {
        let number = self.number.as_ref().map(|number| format!(" {number}")).unwrap_or_default();
        let head = self.head.as_ref().map(|head| format!(" at {}", head.get(..8).unwrap_or(head))).unwrap_or_default();
        let url = self.url.as_ref().map(|url| format!(" · {url}")).unwrap_or_default();
        format!("pull request{number}{head}{url}")
    }
}

impl From<&PullRequest> for PullRequestRef {
    fn from(request: &PullRequest) -> Self {
        let head = request.head.as_ref().map(|head| head.value.clone());
        Self { number: request.number.clone(), head, url: request.url.clone() }
    }
}

/// What the CI system says. Everything is optional: systems differ in what they tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CiFacts {
    /// `github`, `gitlab`, ... as in docs
    pub system: &'static str,
    /// The variable that tells it.
    pub told_by: &'static str,
    pub branch: Option<Sourced<String>>,
    pub commit: Option<Sourced<String>>,
    pub git_tag: Option<Sourced<String>>,
    pub default_branch: Option<Sourced<String>>,
    pub pull_request: Option<PullRequest>,
    /// The URL of this run.
    pub run_url: Option<Sourced<String>>,
    /// Who pushed.
    pub user: Option<Sourced<String>>,
}

/// All that was read of the checkout.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The folder of the working tree.
    pub root: std::path::PathBuf,
    /// The commit checked out, or the one asked for.
    pub commit: Commit,
    /// The full hash of what is checked out: `commit` differs where another one was asked for.
    pub checkout: String,
    /// The branch checked out; none on a detached HEAD.
    pub branch: Option<String>,
    pub remote_url: Option<String>,
    /// `origin/HEAD`, else `main` or `master` where such a branch exists, with where it was found.
    pub default_branch: Option<Sourced<String>>,
    /// Eight hex digits of the content of the changed tracked files; none on a clean tree.
    pub dirty: Option<String>,
    pub shallow: bool,
    pub ci: Option<CiFacts>,
}

/// How one commit stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ancestry {
    Same,
    /// The new one follows the deployed one by so many commits.
    Follows(usize),
    /// The new one is a proven ancestor of the deployed one.
    Precedes,
    Diverged,
    /// A shallow history, or a commit that is not here.
    Unknown,
}
