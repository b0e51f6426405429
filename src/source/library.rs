//! Reading with libgit2.

use std::path::{Path, PathBuf};

use git2::{BranchType, ErrorClass, ErrorCode, ObjectType, Oid, Repository, Status, StatusOptions};

use crate::model::{Ancestry, Commit, Origin, Sourced};

use super::{Found, SourceError, Unreadable, content};

/// Facts; or why the `git` program has to be asked; or what no program can mend.
pub(super) fn read(directory: &Path, asked: Option<&str>) -> Result<Result<Found, Unreadable>, SourceError> {
    let repository = match Repository::discover(directory) {
        Ok(repository) => repository,
        Err(error) if error.code() == ErrorCode::NotFound && error.class() == ErrorClass::Repository => {
            return Err(SourceError::NotARepository(directory.to_path_buf()));
        }
        Err(error) => return Ok(Err(unreadable(&error))),
    };
    if is_sparse(&repository) {
        return Ok(Err(Unreadable { why: "a sparse checkout".into(), owner: false }));
    }
    match found(&repository, asked) {
        Ok(found) => Ok(Ok(found)),
        Err(Failure::Ours(error)) => Err(error),
        Err(Failure::Library(why)) => Ok(Err(why)),
    }
}

/// None where libgit2 cannot open the repository.
pub(super) fn ancestry(root: &Path, deployed: &str, ours: &str) -> Option<Ancestry> {
    let repository = Repository::open(root).ok()?;
    let commit = |hash: &str| Oid::from_str(hash).ok().filter(|id| repository.find_commit(*id).is_ok());
    let (Some(deployed), Some(ours)) = (commit(deployed), commit(ours)) else {
        return Some(Ancestry::Unknown);
    };
    Some(match repository.graph_ahead_behind(ours, deployed).ok()? {
        (ahead, 0) => Ancestry::Follows(ahead),
        (0, _) => Ancestry::Precedes,
        // where the history is cut, a common past may lie behind the cut
        _ if repository.is_shallow() => Ancestry::Unknown,
        _ => Ancestry::Diverged,
    })
}

/// None where libgit2 cannot read the history.
pub(super) fn ancestors(root: &Path, commit: &str, most: usize) -> Option<Vec<String>> {
    let repository = Repository::open(root).ok()?;
    let mut walk = repository.revwalk().ok()?;
    walk.push(Oid::from_str(commit).ok()?).ok()?;
    let found: Result<Vec<Oid>, _> = walk.skip(1).take(most).collect();
    Some(found.ok()?.iter().map(Oid::to_string).collect())
}

enum Failure {
    Ours(SourceError),
    Library(Unreadable),
}

impl From<git2::Error> for Failure {
    fn from(error: git2::Error) -> Self {
        Self::Library(unreadable(&error))
    }
}

fn unreadable(error: &git2::Error) -> Unreadable {
    Unreadable { why: error.message().to_owned(), owner: error.code() == ErrorCode::Owner }
}

/// libgit2 takes the files that a sparse checkout leaves out for deleted ones.
fn is_sparse(repository: &Repository) -> bool {
    repository.config().and_then(|config| config.get_bool("core.sparseCheckout")).unwrap_or(false)
}

fn found(repository: &Repository, asked: Option<&str>) -> Result<Found, Failure> {
    let Some(root) = repository.workdir().map(Path::to_path_buf) else {
        return Err(Failure::Ours(SourceError::Bare(repository.path().to_path_buf())));
    };
    let head = match repository.head() {
        Ok(head) => head,
        Err(error) if error.code() == ErrorCode::UnbornBranch => {
            return Err(Failure::Ours(SourceError::Unborn { branch: unborn_branch(repository) }));
        }
        Err(error) => return Err(error.into()),
    };
    let checked_out = head.peel_to_commit()?;
    let branch = if head.is_branch() { head.shorthand().ok().map(str::to_owned) } else { None };
    let commit = match asked {
        None => checked_out.clone(),
        Some(asked) => asked_commit(repository, asked)?,
    };
    let dirty = if commit.id() == checked_out.id() { dirty(repository, &root)? } else { None };
    Ok(Found {
        commit: describe(&commit),
        checkout: checked_out.id().to_string(),
        branch,
        remote_url: repository.find_remote("origin").ok().and_then(|remote| remote.url().ok().map(str::to_owned)),
        default_branch: default_branch(repository),
        dirty,
        shallow: repository.is_shallow(),
        root,
    })
}

/// Of a merge that is checked out the commit that was merged; it is known even where its content is not fetched.
pub(super) fn second_parent(directory: &Path) -> Option<String> {
    let repository = Repository::discover(directory).ok()?;
    let head = repository.head().ok()?.peel_to_commit().ok()?;
    head.parent_id(1).ok().map(|parent| parent.to_string())
}

fn unborn_branch(repository: &Repository) -> String {
    let head = repository.find_reference("HEAD").ok();
    let target = head.as_ref().and_then(|head| head.symbolic_target().ok().flatten()).unwrap_or("HEAD");
    target.strip_prefix("refs/heads/").unwrap_or(target).to_owned()
}

fn asked_commit<'r>(repository: &'r Repository, asked: &str) -> Result<git2::Commit<'r>, Failure> {
    let object = repository.revparse_single(asked).and_then(|object| object.peel(ObjectType::Commit));
    let commit = object.ok().and_then(|object| object.into_commit().ok());
    commit.ok_or_else(|| {
        Failure::Ours(SourceError::NoSuchCommit { asked: asked.to_owned(), shallow: repository.is_shallow() })
    })
}

fn describe(commit: &git2::Commit<'_>) -> Commit {
    Commit {
        sha: commit.id().to_string(),
        subject: commit.summary_bytes().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default(),
        author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
        time: commit.time().seconds(),
    }
}

fn default_branch(repository: &Repository) -> Option<Sourced<String>> {
    let origin_head = repository.find_reference("refs/remotes/origin/HEAD").ok();
    let target = origin_head.as_ref().and_then(|head| head.symbolic_target().ok().flatten());
    if let Some(branch) = target.and_then(|target| target.strip_prefix("refs/remotes/origin/")) {
        return Some(Sourced::new(branch.to_owned(), Origin::Git("origin/HEAD".into())));
    }
    let exists = |name: &str| {
        repository.find_branch(name, BranchType::Local).is_ok()
            || repository.find_branch(&format!("origin/{name}"), BranchType::Remote).is_ok()
    };
    super::usual_default(exists)
}

/// A file with a filter (large file storage, encryption) is compared as it is after the filter, which libgit2 does not run.
fn dirty(repository: &Repository, root: &Path) -> Result<Option<String>, Failure> {
    let mut options = StatusOptions::new();
    options.include_untracked(false).include_ignored(false).exclude_submodules(false);
    let statuses = repository.statuses(Some(&mut options))?;
    let mut changed = Vec::new();
    for entry in statuses.iter() {
        if entry.status().intersects(Status::WT_NEW | Status::IGNORED) || entry.status().is_empty() {
            continue;
        }
        let path = String::from_utf8_lossy(entry.path_bytes()).into_owned();
        if is_filtered(repository, &path) {
            return Err(Failure::Library(Unreadable { why: format!("`{path}` has a content filter"), owner: false }));
        }
        changed.push(path);
    }
    Ok(content::fingerprint(root, changed))
}

fn is_filtered(repository: &Repository, path: &str) -> bool {
    let filter = repository.get_attr(&PathBuf::from(path), "filter", git2::AttrCheckFlags::default());
    filter.ok().flatten().is_some()
}
