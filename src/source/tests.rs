use std::path::Path;

use git2::{Repository, RepositoryInitOptions, Signature, build::CheckoutBuilder};

use super::{SourceError, ancestry, read};
use crate::model::{Ancestry, Explain as _, Facts, Origin, Variables};

fn repository(root: &Path, branch: &str) -> Repository {
    let mut options = RepositoryInitOptions::new();
    options.initial_head(branch).external_template(false);
    Repository::init_opts(root, &options).unwrap()
}

/// Writes the file, and commits it onto HEAD.
fn commit(repository: &Repository, file: &str, content: &str) -> String {
    std::fs::write(repository.workdir().unwrap().join(file), content).unwrap();
    let mut index = repository.index().unwrap();
    index.add_path(Path::new(file)).unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let someone = Signature::new("A. Writer", "writer@example.com", &git2::Time::new(1_700_000_000, 0)).unwrap();
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<_> = parent.iter().collect();
    let message = format!("Write {file}\n\nAt length.");
    repository.commit(Some("HEAD"), &someone, &someone, &message, &tree, &parents).unwrap().to_string()
}

fn facts(root: &Path) -> Facts {
    read(root, None, &Variables::default()).unwrap()
}

#[test]
fn a_commit_is_described_from_a_folder_below() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path(), "trunk");
    repository.remote("origin", "https://user:secret@git.example.com/team/demo.git").unwrap();
    let sha = commit(&repository, "a", "1");
    let below = folder.path().join("below");
    std::fs::create_dir(&below).unwrap();
    let facts = facts(&below);
    assert_eq!((facts.commit.sha.as_str(), facts.checkout.as_str()), (sha.as_str(), sha.as_str()));
    assert_eq!((facts.commit.subject.as_str(), facts.commit.author.as_str()), ("Write a", "A. Writer"));
    assert_eq!(facts.commit.time, 1_700_000_000);
    assert_eq!(facts.branch.as_deref(), Some("trunk"));
    assert_eq!(facts.remote_url.as_deref(), Some("https://git.example.com/team/demo.git"));
    assert_eq!((facts.dirty, facts.default_branch, facts.shallow), (None, None, false));
    assert_eq!(facts.root.canonicalize().unwrap(), folder.path().canonicalize().unwrap());
}

#[test]
fn the_default_branch_is_what_origin_says_before_what_exists() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path(), "master");
    commit(&repository, "a", "1");
    let told = |facts: Facts| facts.default_branch.map(|branch| (branch.value, branch.origin));
    let git = |text: &str| Origin::Git(text.to_owned());
    assert_eq!(told(facts(folder.path())), Some(("master".into(), git("branch master"))));
    let head = repository.head().unwrap().peel_to_commit().unwrap();
    repository.branch("main", &head, false).unwrap();
    assert_eq!(told(facts(folder.path())), None);
    repository.reference_symbolic("refs/remotes/origin/HEAD", "refs/remotes/origin/trunk", true, "").unwrap();
    assert_eq!(told(facts(folder.path())), Some(("trunk".into(), git("origin/HEAD"))));
}

#[test]
fn only_changed_tracked_files_make_a_tree_dirty() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path(), "main");
    let first = commit(&repository, "a", "1");
    commit(&repository, "b", "1");
    std::fs::write(folder.path().join("untracked"), "x").unwrap();
    assert_eq!(facts(folder.path()).dirty, None);
    std::fs::write(folder.path().join("a"), "changed").unwrap();
    let dirty = facts(folder.path()).dirty.unwrap();
    assert_eq!(dirty.len(), 8);
    assert_eq!(facts(folder.path()).dirty.as_ref(), Some(&dirty));
    std::fs::write(folder.path().join("a"), "changed more").unwrap();
    assert_ne!(facts(folder.path()).dirty.as_ref(), Some(&dirty));
    std::fs::remove_file(folder.path().join("a")).unwrap();
    assert!(facts(folder.path()).dirty.is_some());
    // another commit is not what stands in the working tree
    let asked = read(folder.path(), Some(&first[..10]), &Variables::default()).unwrap();
    assert_eq!((asked.commit.sha, asked.dirty), (first, None));
}

#[test]
fn a_detached_head_has_no_branch() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path(), "main");
    let sha = commit(&repository, "a", "1");
    repository.set_head_detached(sha.parse().unwrap()).unwrap();
    assert_eq!(facts(folder.path()).branch, None);
}

#[test]
fn what_cannot_be_read_says_what_to_type() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path, asked| read(path, asked, &Variables::default()).unwrap_err();
    assert!(matches!(error(folder.path(), None), SourceError::NotARepository(_)));
    let made = repository(folder.path(), "trunk");
    let unborn = error(folder.path(), None);
    assert_eq!(unborn.to_string(), "branch `trunk` has no commit yet");
    commit(&made, "a", "1");
    assert_eq!(error(folder.path(), Some("deadbeef")).to_string(), "commit `deadbeef` is not in this clone");
    let bare = tempfile::tempdir().unwrap();
    Repository::init_bare(bare.path()).unwrap();
    let bare = error(bare.path(), None);
    assert!(matches!(bare, SourceError::Bare(_)));
    assert!(bare.hints()[0].starts_with("`git clone /"), "{:?}", bare.hints());
}

#[test]
fn ancestry_is_only_told_where_it_is_proven() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path(), "main");
    let first = commit(&repository, "a", "1");
    let second = commit(&repository, "a", "2");
    let third = commit(&repository, "a", "3");
    repository.set_head_detached(first.parse().unwrap()).unwrap();
    repository.checkout_head(Some(CheckoutBuilder::new().force())).unwrap();
    let aside = commit(&repository, "b", "1");
    let of = |deployed: &str, ours: &str| ancestry(folder.path(), deployed, ours);
    assert_eq!(of(&first, &first), Ancestry::Same);
    assert_eq!(of(&first, &third), Ancestry::Follows(2));
    assert_eq!(of(&third, &second), Ancestry::Precedes);
    assert_eq!(of(&third, &aside), Ancestry::Diverged);
    assert_eq!(super::ancestors(folder.path(), &third), [&second[..16], &first[..16]]);
    assert_eq!(super::binary::ancestors(folder.path(), &third, 1), Some(vec![second.clone()]));
    assert_eq!(super::ancestors(folder.path(), &"0".repeat(40)), Vec::<String>::new());
    assert_eq!(of(&"0".repeat(40), &third), Ancestry::Unknown);
    // a clone of depth 1: what lies behind the cut is unknown
    std::fs::write(repository.path().join("shallow"), format!("{third}\n{aside}\n")).unwrap();
    assert_eq!(of(&third, &aside), Ancestry::Unknown);
    assert_eq!(of(&first, &third), Ancestry::Unknown);
}
