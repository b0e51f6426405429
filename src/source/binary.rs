//! Reading with the `git` program, where libgit2 cannot.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::model::{Ancestry, Commit, Origin, Sourced};

use super::{Found, SourceError, Unreadable, content};

pub(super) fn read(directory: &Path, asked: Option<&str>, because: &Unreadable) -> Result<Found, SourceError> {
    let git = Git { directory };
    let root = root(&git, because)?;
    let git = Git { directory: &root };
    let shallow = git.line(&["rev-parse", "--is-shallow-repository"]).is_some_and(|line| line == "true");
    let branch = git.line(&["symbolic-ref", "-q", "--short", "HEAD"]);
    let Some(checked_out) = describe(&git, "HEAD") else {
        return Err(SourceError::Unborn { branch: branch.unwrap_or_else(|| "HEAD".into()) });
    };
    let commit = match asked {
        None => checked_out.clone(),
        Some(asked) => {
            describe(&git, asked).ok_or_else(|| SourceError::NoSuchCommit { asked: asked.to_owned(), shallow })?
        }
    };
    let dirty = if commit.sha == checked_out.sha { content::fingerprint(&root, changed(&git)?) } else { None };
    Ok(Found {
        commit,
        checkout: checked_out.sha,
        branch,
        remote_url: git.line(&["remote", "get-url", "origin"]),
        default_branch: default_branch(&git),
        dirty,
        shallow,
        root,
    })
}

pub(super) fn ancestry(root: &Path, deployed: &str, ours: &str) -> Option<Ancestry> {
    let git = Git { directory: root };
    for hash in [deployed, ours] {
        git.exists(hash)?;
    }
    let count = git.line(&["rev-list", "--left-right", "--count", &format!("{ours}...{deployed}")])?;
    let (ahead, behind) = count.split_once('\t')?;
    Some(match (ahead.parse().ok()?, behind.parse::<usize>().ok()?) {
        (ahead, 0) => Ancestry::Follows(ahead),
        (0, _) => Ancestry::Precedes,
        _ if git.line(&["rev-parse", "--is-shallow-repository"])? == "true" => Ancestry::Unknown,
        _ => Ancestry::Diverged,
    })
}

pub(super) fn ancestors(root: &Path, commit: &str, most: usize) -> Option<Vec<String>> {
    let git = Git { directory: root };
    let count = format!("--max-count={most}");
    let output =
        git.run(&["rev-list", "--skip=1", &count, "--end-of-options", commit]).ok().filter(|output| output.ok)?;
    Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

struct Git<'a> {
    directory: &'a Path,
}

struct Output {
    ok: bool,
    stdout: Vec<u8>,
    stderr: String,
}

impl Git<'_> {
    /// Nothing is asked at the terminal, nothing is written, and messages are in English.
    fn run(&self, arguments: &[&str]) -> std::io::Result<Output> {
        let output = Command::new("git")
            .arg("-C")
            .arg(self.directory)
            .args(arguments)
            .env("LC_ALL", "C")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .output()?;
        Ok(Output {
            ok: output.status.success(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// The answer's only line; none where git fails or answers nothing.
    fn line(&self, arguments: &[&str]) -> Option<String> {
        let output = self.run(arguments).ok().filter(|output| output.ok)?;
        let line = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        if line.is_empty() { None } else { Some(line) }
    }

    fn exists(&self, hash: &str) -> Option<String> {
        self.line(&["rev-parse", "--verify", "-q", "--end-of-options", &format!("{hash}^{{commit}}")])
    }
}

fn root(git: &Git<'_>, because: &Unreadable) -> Result<PathBuf, SourceError> {
    let output = match git.run(&["rev-parse", "--show-toplevel"]) {
        Ok(output) => output,
        Err(_) if because.owner => return Err(SourceError::Owner(owned_by_another(&because.why, git.directory))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(SourceError::GitMissing { why: because.why.clone() });
        }
        Err(error) => return Err(SourceError::Git { text: error.to_string() }),
    };
    if output.ok {
        return Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n')));
    }
    Err(if output.stderr.contains("dubious ownership") {
        SourceError::Owner(owned_by_another(&output.stderr, git.directory))
    } else if output.stderr.contains("must be run in a work tree") {
        SourceError::Bare(git.directory.to_path_buf())
    } else if output.stderr.contains("not a git repository") {
        SourceError::NotARepository(git.directory.to_path_buf())
    } else {
        let first = output.stderr.lines().next().unwrap_or_default();
        SourceError::Git { text: first.trim_start_matches("fatal: ").to_owned() }
    })
}

/// Both programs name the folder that has to be trusted, in quotes; it may lie above `directory`.
fn owned_by_another(message: &str, directory: &Path) -> PathBuf {
    let named = message.split('\'').nth(1).unwrap_or_default();
    if named.starts_with('/') { PathBuf::from(named.trim_end_matches('/')) } else { directory.to_path_buf() }
}

fn describe(git: &Git<'_>, revision: &str) -> Option<Commit> {
    let revision = git.exists(revision)?;
    let format = "--format=%H%x00%s%x00%an%x00%ct";
    let line = git.line(&["log", "-1", "--no-show-signature", "--no-color", format, &revision])?;
    let mut parts = line.split('\0');
    Some(Commit {
        sha: parts.next()?.to_owned(),
        subject: parts.next()?.to_owned(),
        author: parts.next()?.to_owned(),
        time: parts.next()?.parse().ok()?,
    })
}

fn default_branch(git: &Git<'_>) -> Option<Sourced<String>> {
    if let Some(head) = git.line(&["symbolic-ref", "-q", "refs/remotes/origin/HEAD"]) {
        let branch = head.strip_prefix("refs/remotes/origin/").unwrap_or(&head);
        return Some(Sourced::new(branch.to_owned(), Origin::Git("origin/HEAD".into())));
    }
    super::usual_default(|name| {
        ["refs/heads", "refs/remotes/origin"].iter().any(|place| git.exists(&format!("{place}/{name}")).is_some())
    })
}

fn changed(git: &Git<'_>) -> Result<Vec<String>, SourceError> {
    let arguments = ["status", "--porcelain=v2", "-z", "--untracked-files=no", "--no-renames"];
    let output = git.run(&arguments).map_err(|error| SourceError::Git { text: error.to_string() })?;
    if !output.ok {
        return Err(SourceError::Git { text: output.stderr });
    }
    Ok(changed_paths(&String::from_utf8_lossy(&output.stdout)))
}

/// `git help status`, porcelain format 2: the path is the ninth field of an ordinary entry, the eleventh of an unmerged one.
fn changed_paths(status: &str) -> Vec<String> {
    status
        .split('\0')
        .filter_map(|entry| match entry.split_once(' ')?.0 {
            "1" => entry.splitn(9, ' ').nth(8),
            "u" => entry.splitn(11, ' ').nth(10),
            _ => None,
        })
        .map(str::to_owned)
        .collect()
}
