use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{FileError, read_stdin, read_text};
use crate::model::{Layers, SourceText};

const MOST_FILES: usize = 10_000;

/// Reads the manifests of one environment. Each of `paths` (relative to `root`) is a file, a folder, or `-` for
/// standard input. Of a folder its own `*.yaml`, `*.yml` and `*.json` are read in the order of their names; its
/// sub-folder named after the environment is the overlay, unless `paths` names it; no other sub-folder is read.
pub(crate) fn manifests(root: &Path, paths: &[PathBuf], environment: &str) -> Result<Layers, FileError> {
    let mut layers = Layers::default();
    for path in paths {
        if path.as_os_str() == "-" {
            layers.base.push(read_stdin()?);
            continue;
        }
        let full = root.join(path);
        if !full.is_dir() {
            layers.base.push(read_text(&full, &shown(root, &full)).map_err(of_manifests)?);
            continue;
        }
        folder(root, &full, &mut layers.base)?;
        let overlay = full.join(environment);
        let named = paths.iter().any(|path| root.join(path) == overlay);
        if is_folder_name(environment) && overlay.is_dir() && !named {
            folder(root, &overlay, &mut layers.overlay)?;
        }
    }
    if layers.base.is_empty() && layers.overlay.is_empty() {
        let names = paths.iter().map(|path| shown(root, &root.join(path))).collect();
        return Err(FileError::NoManifests { names });
    }
    Ok(layers)
}

fn of_manifests(error: FileError) -> FileError {
    match error {
        FileError::Missing { name } => FileError::ManifestsMissing { name },
        error => error,
    }
}

/// An environment's name must not lead out of the folder.
fn is_folder_name(environment: &str) -> bool {
    !environment.is_empty() && environment != "." && environment != ".." && !environment.contains(['/', '\\'])
}

fn folder(root: &Path, folder: &Path, into: &mut Vec<SourceText>) -> Result<(), FileError> {
    let failed = |source: io::Error| FileError::Read { name: shown(root, folder), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if is_manifest(&path) && !path.is_dir() {
            files.push(path);
        }
        if files.len() > MOST_FILES {
            return Err(FileError::TooMany { name: shown(root, folder), limit: MOST_FILES });
        }
    }
    files.sort();
    for file in files {
        into.push(read_text(&file, &shown(root, &file))?);
    }
    Ok(())
}

/// Editors leave hidden files with the same endings.
fn is_manifest(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let ending = path.extension().and_then(|ending| ending.to_str());
    !hidden && matches!(ending, Some("yaml" | "yml" | "json"))
}

/// The path as messages have it: relative to the root where it is below it.
fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).components().collect::<PathBuf>().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("# {file}\n")).unwrap();
        }
        root
    }

    fn names(texts: &[SourceText]) -> Vec<&str> {
        texts.iter().map(|text| &*text.name).collect()
    }

    #[test]
    fn folders_are_read_by_the_rules() {
        let root = tree(&[
            "kubernetes/web.yaml",
            "kubernetes/b.json",
            "kubernetes/a.yml",
            "kubernetes/README.md",
            "kubernetes/.web.yaml",
            "kubernetes/qa/web.yaml",
            "kubernetes/production/web.yaml",
            "kubernetes/bg-deployment/blue.yaml",
            "kubernetes/folder.yaml/x.yaml",
            "other/x.yaml",
        ]);
        let base = ["kubernetes/a.yml", "kubernetes/b.json", "kubernetes/web.yaml"];
        let read = |paths: &[&str], environment: &str| {
            let paths: Vec<_> = paths.iter().map(PathBuf::from).collect();
            manifests(root.path(), &paths, environment).unwrap()
        };
        let layers = read(&["kubernetes"], "qa");
        assert_eq!(names(&layers.base), base);
        assert_eq!(names(&layers.overlay), ["kubernetes/qa/web.yaml"]);
        assert_eq!(names(&read(&["kubernetes"], "staging").overlay), [""; 0]);
        assert_eq!(names(&read(&["kubernetes"], "../other").overlay), [""; 0]);

        let layers = read(&["./kubernetes/", "kubernetes/bg-deployment", "other/x.yaml"], "production");
        let expected = [&base[..], &["kubernetes/bg-deployment/blue.yaml", "other/x.yaml"]].concat();
        assert_eq!(names(&layers.base), expected);
        assert_eq!(names(&layers.overlay), ["kubernetes/production/web.yaml"]);

        let named = read(&["kubernetes", "kubernetes/qa"], "qa");
        assert_eq!(named.base.len(), 4);
        assert_eq!(names(&named.overlay), [""; 0]);
    }

    #[test]
    fn nothing_to_read_is_an_error() {
        let root = tree(&["empty/README.md"]);
        for (path, code) in [("empty", "no manifests in empty"), ("gone", "gone is not there")] {
            let error = manifests(root.path(), &[path.into()], "qa").unwrap_err();
            assert_eq!(error.to_string(), code);
        }
    }
}
