//! What a COPY names may be a link or a glob: the engine needs every link on the way and what it leads to.
//! The rules are fsutil's `FollowLinks`; targets stay inside the context, as in a container's root.

use std::{collections::BTreeSet, path::Path};

use super::pattern::{PatternError, Patterns, clean};

/// The patterns that cover the paths and all that their links lead to; empty where that is the whole context.
///
/// # Errors
/// A glob that is not valid.
pub(super) fn follow(root: &Path, paths: &[String]) -> Result<Vec<String>, PatternError> {
    let mut follower = Follower { root, found: BTreeSet::new() };
    for path in paths {
        follower.add(path)?;
    }
    if follower.found.contains("") {
        return Ok(Vec::new());
    }
    Ok(follower.found.into_iter().collect())
}

struct Follower<'a> {
    root: &'a Path,
    found: BTreeSet<String>,
}

impl Follower<'_> {
    fn add(&mut self, path: &str) -> Result<(), PatternError> {
        let rooted = clean(&format!("/{path}"));
        let mut parts = rooted.split('/').filter(|part| !part.is_empty()).peekable();
        let mut current = String::new();
        while let Some(part) = parts.next() {
            let place = if current.is_empty() { part.to_owned() } else { format!("{current}/{part}") };
            let targets = self.targets(&current, part)?;
            current = place;
            if targets.is_empty() {
                continue;
            }
            if self.found.insert(current) {
                let rest: Vec<&str> = parts.collect();
                for target in targets {
                    self.add(&format!("{target}/{}", rest.join("/")))?;
                }
            }
            return Ok(());
        }
        self.found.insert(current);
        Ok(())
    }

    /// Where the links lead that this part of a path names in this folder.
    fn targets(&self, folder: &str, part: &str) -> Result<Vec<String>, PatternError> {
        if !part.contains(['*', '?', '[']) {
            return Ok(self.target(folder, part).into_iter().collect());
        }
        let pattern = Patterns::new([part])?;
        let Ok(entries) = std::fs::read_dir(self.root.join(folder)) else { return Ok(Vec::new()) };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let matching = names.filter(|name| pattern.matches(name, None).0);
        Ok(matching.filter_map(|name| self.target(folder, &name)).collect())
    }

    fn target(&self, folder: &str, name: &str) -> Option<String> {
        let link = std::fs::read_link(self.root.join(folder).join(name)).ok()?.into_os_string().into_string().ok()?;
        Some(if link.starts_with('/') { link } else { clean(&format!("/{folder}/{link}")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_inside_the_context() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("real/deep")).unwrap();
        std::fs::write(root.join("real/deep/file"), "").unwrap();
        for (link, target) in [
            ("to-folder", "real"),
            ("to-absolute", "/real/deep"),
            ("real/up", "../../../../real/deep/file"),
            ("loop", "loop2"),
            ("loop2", "loop"),
            ("to-root", "."),
            ("a1", "real/deep/file"),
            ("a2", "real/deep"),
        ] {
            std::os::unix::fs::symlink(target, root.join(link)).unwrap();
        }
        for (path, expected) in [
            ("real/deep", &["real/deep"][..]),
            ("/missing/x", &["missing/x"]),
            ("to-folder/deep/file", &["real/deep/file", "to-folder"]),
            ("to-absolute/file", &["real/deep/file", "to-absolute"]),
            ("real/up", &["real/deep/file", "real/up"]),
            ("to-folder/up", &["real/deep/file", "real/up", "to-folder"]),
            ("loop/x", &["loop", "loop2"]),
            ("a*", &["a*", "real/deep", "real/deep/file"]),
            ("../../real", &["real"]),
            ("to-root", &[]),
            (".", &[]),
        ] {
            assert_eq!(follow(root, &[path.to_owned()]).unwrap(), expected, "{path}");
        }
    }
}
