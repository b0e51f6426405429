//! What git and the CI system say, as data. Deciding is done in `plan`.

mod binary;
mod ci;
mod content;
mod error;
mod library;
mod remote;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::model::{Ancestry, CiFacts, Facts, Origin, PullRequest, Sourced, Variables};

pub(crate) use error::SourceError;

/// An event file of GitHub may hold a whole diff's worth of text; beyond this it is not read.
const LARGEST_CI_FILE: u64 = 16 << 20;

/// As many commits as a branch may be ahead for a run that started before them to be known as older.
const ANCESTORS: usize = 200;

/// What one way of reading a repository finds; both ways find the same.
struct Found {
    root: std::path::PathBuf,
    commit: crate::model::Commit,
    checkout: String,
    branch: Option<String>,
    remote_url: Option<String>,
    default_branch: Option<Sourced<String>>,
    dirty: Option<String>,
    shallow: bool,
}

/// Why libgit2 does not do, and the `git` program may.
struct Unreadable {
    why: String,
    /// Set where libgit2 refused a folder of another user: git may have been told to trust it in ways that libgit2 does
    /// not read.
    owner: bool,
}

/// Reads the repository that `directory` is in.
///
/// `asked_commit` is anything that git resolves to a commit; none is what is checked out. libgit2 reads; where it cannot
/// (another user's folder, a sparse checkout, reftable, content filters) the `git` program is asked.
///
/// # Errors
/// No repository, no commit, a bare one, one that git does not trust, an unknown commit: all are exit 2 with the remedy.
pub(crate) fn read(directory: &Path, asked_commit: Option<&str>, variables: &Variables) -> Result<Facts, SourceError> {
    if !directory.is_dir() {
        return Err(SourceError::NoFolder(directory.to_owned()));
    }
    let found = match library::read(directory, asked_commit)? {
        Ok(found) => found,
        Err(unreadable) => binary::read(directory, asked_commit, &unreadable)?,
    };
    Ok(Facts {
        root: found.root,
        commit: found.commit,
        checkout: found.checkout,
        branch: found.branch,
        remote_url: found.remote_url.as_deref().map(remote::without_credentials),
        default_branch: found.default_branch,
        dirty: found.dirty,
        shallow: found.shallow,
        ci: ci::facts(variables, &read_ci_file).map(|ci| with_head(ci, directory)),
    })
}

/// GitHub builds a pull request's merge. Its head is in the event file; where that is not at hand it is the second parent.
fn with_head(mut ci: CiFacts, directory: &Path) -> CiFacts {
    if let (GITHUB, Some(request @ PullRequest { head: None, .. })) = (ci.system, &mut ci.pull_request) {
        let parent = library::second_parent(directory);
        request.head = parent.map(|sha| Sourced::new(sha, Origin::Git("HEAD^2".to_owned())));
    }
    ci
}

const GITHUB: &str = "github";

/// How `ours` stands to the `deployed` commit, both full hashes. What cannot be proven is [`Ancestry::Unknown`].
pub(crate) fn ancestry(root: &Path, deployed: &str, ours: &str) -> Ancestry {
    if deployed == ours {
        return Ancestry::Same;
    }
    library::ancestry(root, deployed, ours)
        .or_else(|| binary::ancestry(root, deployed, ours))
        .unwrap_or(Ancestry::Unknown)
}

/// The commits before this one, the newest first, each by its first 16 digits; at most 200, and none where git cannot
/// tell.
pub(crate) fn ancestors(root: &Path, commit: &str) -> Vec<String> {
    let found = library::ancestors(root, commit, ANCESTORS).or_else(|| binary::ancestors(root, commit, ANCESTORS));
    let shortened = found.into_iter().flatten().filter_map(|hash| hash.get(..16).map(str::to_owned));
    shortened.collect()
}

/// `main` or `master`; with both nobody can tell which is meant.
fn usual_default(exists: impl Fn(&str) -> bool) -> Option<Sourced<String>> {
    let name = match (exists("main"), exists("master")) {
        (true, false) => "main",
        (false, true) => "master",
        _ => return None,
    };
    Some(Sourced::new(name.to_owned(), Origin::Git(format!("branch {name}"))))
}

fn read_ci_file(path: &str) -> Option<String> {
    let length = std::fs::metadata(path).ok()?.len();
    if length > LARGEST_CI_FILE {
        return None;
    }
    std::fs::read_to_string(path).ok()
}
