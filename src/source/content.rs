//! What a dirty tree is called by: a hash of what was changed.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::model::hex;

/// Eight hex digits over the names and content of the changed tracked files (paths below `root`, in any order). The same
/// changes give the same digits. None where nothing is changed.
pub(super) fn fingerprint(root: &Path, mut changed: Vec<String>) -> Option<String> {
    if changed.is_empty() {
        return None;
    }
    changed.sort_unstable();
    changed.dedup();
    let mut hash = Sha256::new();
    for path in &changed {
        hash.update(path.as_bytes());
        hash.update([0]);
        hash.update(state(&root.join(path)).as_bytes());
        hash.update([0]);
    }
    Some(hex(&hash.finalize()[..4]))
}

/// The content's own hash, with what kind of file it is; files are hashed as a stream, whatever their size.
fn state(path: &Path) -> String {
    let Ok(metadata) = std::fs::symlink_metadata(path) else {
        return "deleted".into();
    };
    if metadata.is_symlink() {
        return format!("link {}", std::fs::read_link(path).unwrap_or_default().to_string_lossy());
    }
    if metadata.is_dir() {
        return format!("submodule {}", submodule_commit(path).unwrap_or_default());
    }
    let content = git2::Oid::hash_file(git2::ObjectType::Blob, path);
    let content = content.map_or_else(|_| "unreadable".to_owned(), |id| id.to_string());
    format!("{} {content}", if is_executable(&metadata) { "executable" } else { "file" })
}

fn submodule_commit(path: &Path) -> Option<String> {
    let repository = git2::Repository::open(path).ok()?;
    Some(repository.head().ok()?.target()?.to_string())
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    false
}
