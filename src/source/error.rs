use std::path::PathBuf;

use crate::model::{Exit, Explain};

/// Why the checkout cannot be read. All are exit 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("there is no folder `{}`", .0.display())]
    NoFolder(PathBuf),
    #[error("`{}` is not in a git repository", .0.display())]
    NotARepository(PathBuf),
    #[error("branch `{branch}` has no commit yet")]
    Unborn { branch: String },
    #[error("`{}` belongs to another user, and git is not told to trust it", .0.display())]
    Owner(PathBuf),
    #[error("`{}` is a bare repository: it has no files to build from", .0.display())]
    Bare(PathBuf),
    #[error("commit `{asked}` is not in this clone")]
    NoSuchCommit { asked: String, shallow: bool },
    #[error("this repository can only be read by the `git` program ({why}), and there is none in PATH")]
    GitMissing { why: String },
    #[error("git cannot read this repository: {text}")]
    Git { text: String },
}

impl Explain for SourceError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotARepository(_) | Self::NoFolder(_) => "not-a-repository",
            Self::Unborn { .. } => "no-commit",
            Self::Owner(_) => "repository-owner",
            Self::Bare(_) => "bare-repository",
            Self::NoSuchCommit { .. } => "commit-not-found",
            Self::GitMissing { .. } => "git-missing",
            Self::Git { .. } => "git",
        }
    }

    fn exit(&self) -> Exit {
        Exit::Input
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoFolder(_) => vec!["name a checkout with `--directory PATH`".into()],
            Self::NotARepository(_) => vec![
                "name a checkout with `--directory PATH`".into(),
                "make this folder a repository: `git init && git add -A && git commit -m \"first commit\"`".into(),
            ],
            Self::Unborn { .. } => vec!["`git add -A && git commit -m \"first commit\"`".into()],
            Self::Owner(path) => {
                vec![format!("`git config --global --add safe.directory {}`", quoted(&path.to_string_lossy()))]
            }
            Self::Bare(path) => {
                let path = quoted(&path.to_string_lossy());
                vec![format!("`git clone {path} checkout`, then `shipway --directory checkout ..`")]
            }
            Self::NoSuchCommit { shallow: true, .. } => {
                vec!["the clone is shallow: `git fetch --unshallow` brings the rest".into()]
            }
            Self::NoSuchCommit { asked, .. } => {
                vec![format!("`git fetch origin {}`, or `git log` for what is here", quoted(asked))]
            }
            Self::GitMissing { .. } => vec!["install git".into()],
            Self::Git { .. } => vec!["`git status` in this folder shows the same".into()],
        }
    }
}

/// Fit to be pasted into a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
