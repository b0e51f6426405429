//! The context's entries in the order that BuildKit demands: by path component, bytewise, folders before what they hold.

use std::{
    fs::{FileType, Metadata},
    io::ErrorKind,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{
    DockerError,
    messages::Stat,
    pattern::{Matched, Patterns},
};

/// Which entries are wanted: all that match `include` (all, where it is empty) and do not match `exclude`.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub include: Patterns,
    pub exclude: Patterns,
}

/// An entry as it is told to the engine.
#[derive(Debug)]
pub(super) struct Entry {
    pub stat: Stat,
    pub file: PathBuf,
}

/// The type bits of Go's `os.FileMode`.
mod go_mode {
    pub(super) const FOLDER: u32 = 1 << 31;
    pub(super) const LINK: u32 = 1 << 27;
    pub(super) const DEVICE: u32 = 1 << 26;
    pub(super) const PIPE: u32 = 1 << 25;
    pub(super) const SET_USER: u32 = 1 << 23;
    pub(super) const SET_GROUP: u32 = 1 << 22;
    pub(super) const CHARACTER_DEVICE: u32 = 1 << 21;
    pub(super) const STICKY: u32 = 1 << 20;
    pub(super) const TYPE: u32 = FOLDER | LINK | DEVICE | PIPE | (1 << 24) | CHARACTER_DEVICE | (1 << 19);
}

impl Entry {
    pub(super) fn is_folder(&self) -> bool {
        self.stat.mode & go_mode::FOLDER != 0
    }

    /// True where the engine may ask for its bytes.
    pub(super) fn is_regular(&self) -> bool {
        self.stat.mode & go_mode::TYPE == 0
    }

    fn new(path: String, file: PathBuf, metadata: &Metadata) -> Result<Self, DockerError> {
        let is_link = metadata.file_type().is_symlink();
        let link = if is_link {
            let target = std::fs::read_link(&file).map_err(|source| unreadable(&file, source))?;
            target.into_os_string().into_string().map_err(|_| DockerError::NotUtf8(file.clone()))?
        } else {
            String::new()
        };
        let modified = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        let size = if metadata.is_dir() { 0 } else { i64::try_from(metadata.len()).unwrap_or(i64::MAX) };
        Ok(Self { stat: Stat { path, mode: mode(metadata), size, modified, link }, file })
    }
}

fn mode(metadata: &Metadata) -> u32 {
    let unix = metadata.mode();
    let special = [(0o4000, go_mode::SET_USER), (0o2000, go_mode::SET_GROUP), (0o1000, go_mode::STICKY)];
    let special = special.iter().filter(|(bit, _)| unix & bit != 0).fold(0, |bits, (_, go)| bits | go);
    (unix & 0o777) | special | type_bits(metadata.file_type())
}

fn type_bits(kind: FileType) -> u32 {
    if kind.is_dir() {
        go_mode::FOLDER
    } else if kind.is_symlink() {
        go_mode::LINK
    } else if kind.is_fifo() {
        go_mode::PIPE
    } else if kind.is_char_device() {
        go_mode::DEVICE | go_mode::CHARACTER_DEVICE
    } else if kind.is_block_device() {
        go_mode::DEVICE
    } else {
        0
    }
}

/// Visits the wanted entries below `root` until `visit` answers false. A folder that is not wanted itself is visited
/// once something in it is.
///
/// # Errors
/// A wanted folder that cannot be read, a wanted name that is not UTF-8.
pub(super) fn walk(root: &Path, filter: &Filter, visit: &mut dyn FnMut(Entry) -> bool) -> Result<(), DockerError> {
    let mut walker = Walker { filter, visit, held: Vec::new(), stopped: false };
    walker.enter(root, "", &Above::default())
}

struct Walker<'a> {
    filter: &'a Filter,
    visit: &'a mut dyn FnMut(Entry) -> bool,
    /// Folders on the way down that nothing asked for yet.
    held: Vec<Entry>,
    stopped: bool,
}

/// What a folder matched.
#[derive(Default)]
struct Above {
    include: Option<Matched>,
    exclude: Option<Matched>,
}

/// How an entry stands to the filter.
struct Decision {
    wanted: bool,
    /// Whether something below it can be wanted.
    enter: bool,
    above: Above,
}

impl Walker<'_> {
    fn enter(&mut self, folder: &Path, prefix: &str, above: &Above) -> Result<(), DockerError> {
        let mut entries = match std::fs::read_dir(folder).and_then(|list| list.collect::<Result<Vec<_>, _>>()) {
            Ok(entries) => entries,
            Err(error) if !self.held.is_empty() && error.kind() == ErrorKind::PermissionDenied => return Ok(()),
            Err(source) => return Err(unreadable(folder, source)),
        };
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            if self.stopped {
                break;
            }
            let name = entry.file_name();
            let path = format!("{prefix}{}", name.to_string_lossy());
            let decision = self.decide(&path, above);
            if decision.wanted && name.to_str().is_none() {
                return Err(DockerError::NotUtf8(entry.path()));
            }
            if decision.wanted || decision.enter {
                self.entry(path, entry.path(), decision)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: String, file: PathBuf, decision: Decision) -> Result<(), DockerError> {
        let metadata = match std::fs::symlink_metadata(&file) {
            Ok(metadata) => metadata,
            // gone since the folder was listed
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(unreadable(&file, source)),
        };
        let is_folder = metadata.is_dir();
        if metadata.file_type().is_socket() || (!is_folder && !decision.wanted) {
            return Ok(());
        }
        let depth = self.held.len();
        let entry = Entry::new(path.clone(), file.clone(), &metadata)?;
        if decision.wanted {
            for held in self.held.drain(..) {
                self.stopped |= !(self.visit)(held);
            }
            self.stopped |= !(self.visit)(entry);
        } else {
            self.held.push(entry);
        }
        if is_folder && decision.enter && !self.stopped {
            self.enter(&file, &format!("{path}/"), &decision.above)?;
        }
        self.held.truncate(depth);
        Ok(())
    }

    fn decide(&self, path: &str, above: &Above) -> Decision {
        let Filter { include, exclude } = self.filter;
        let (included, include_matched) = match include.is_empty() {
            true => (true, None),
            false => some(include.matches(path, above.include.as_ref())),
        };
        let (excluded, exclude_matched) = match exclude.is_empty() {
            true => (false, None),
            false => some(exclude.matches(path, above.exclude.as_ref())),
        };
        let enter = (included || include.may_match_inside(path)) && (!excluded || exclude.may_except_inside(path));
        let above = Above { include: include_matched, exclude: exclude_matched };
        Decision { wanted: included && !excluded, enter, above }
    }
}

fn some((matched, info): (bool, Matched)) -> (bool, Option<Matched>) {
    (matched, Some(info))
}

pub(super) fn unreadable(path: &Path, source: std::io::Error) -> DockerError {
    DockerError::Context { path: path.to_owned(), source }
}

/// Opens a file of the context; a link that took the place of a file since it was listed is not followed.
///
/// # Errors
/// Of opening it.
pub(super) fn open(file: &Path) -> std::io::Result<impl std::io::Read + use<>> {
    std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(file)
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    use super::*;

    fn context(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "12345").unwrap();
        }
        folder
    }

    fn visited(root: &Path, include: &[&str], exclude: &[&str]) -> Vec<Stat> {
        let filter = Filter { include: Patterns::new(include).unwrap(), exclude: Patterns::new(exclude).unwrap() };
        let mut stats = Vec::new();
        walk(root, &filter, &mut |entry| {
            stats.push(entry.stat);
            true
        })
        .unwrap();
        stats
    }

    fn paths(root: &Path, include: &[&str], exclude: &[&str]) -> Vec<String> {
        visited(root, include, exclude).into_iter().map(|stat| stat.path).collect()
    }

    #[test]
    fn entries_come_by_component() {
        let folder = context(&["a/b", "a-b", "a.c", "B", "a/b-", "ä"]);
        assert_eq!(
            paths(folder.path(), &[], &[]),
            ["B", "a", "a/b", "a/b-", "a-b", "a.c", "ä"].map(str::to_owned).to_vec()
        );
    }

    #[test]
    fn a_folder_comes_with_what_is_wanted_of_it() {
        let folder = context(&["docs/api/x", "docs/y", "src/a/b", "src/c", "top"]);
        for (include, exclude, expected) in [
            (
                &[][..],
                &["docs", "!docs/api"][..],
                &["docs", "docs/api", "docs/api/x", "src", "src/a", "src/a/b", "src/c", "top"][..],
            ),
            (&[], &["*"], &[]),
            (&["src/a"], &[], &["src", "src/a", "src/a/b"]),
            (&["src"], &["**/a"], &["src", "src/c"]),
            (&["**/x", "top"], &[], &["docs", "docs/api", "docs/api/x", "top"]),
            (&["nowhere"], &[], &[]),
        ] {
            assert_eq!(paths(folder.path(), include, exclude), expected, "{include:?} {exclude:?}");
        }
    }

    #[test]
    fn kinds_and_modes_are_gos() {
        let folder = context(&["f"]);
        let file = folder.path().join("f");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o4750)).unwrap();
        std::os::unix::fs::symlink("../out/f", folder.path().join("l")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
        let stats = visited(folder.path(), &[], &[]);
        let told: Vec<_> =
            stats.iter().map(|stat| (stat.path.as_str(), stat.mode, stat.size, stat.link.as_str())).collect();
        assert_eq!(told, [("f", 0o750 | 1 << 23, 5, ""), ("l", 0o777 | 1 << 27, 8, "../out/f")]);
        assert!(stats[0].modified > 1_000_000_000_000_000_000, "nanoseconds");
    }

    #[test]
    fn a_name_that_is_not_utf8_is_an_error_unless_it_is_ignored() {
        let folder = context(&["ok"]);
        let name = OsStr::from_bytes(b"x\xff");
        std::fs::write(folder.path().join(name), "").unwrap();
        assert_eq!(paths(folder.path(), &[], &["x*"]), ["ok"]);
        let error = walk(folder.path(), &Filter::default(), &mut |_| true).unwrap_err();
        assert!(matches!(error, DockerError::NotUtf8(_)), "{error}");
    }

    #[test]
    fn a_link_is_not_opened() {
        let folder = context(&["f"]);
        std::os::unix::fs::symlink("f", folder.path().join("l")).unwrap();
        assert!(open(&folder.path().join("f")).is_ok());
        assert!(open(&folder.path().join("l")).is_err());
    }
}
