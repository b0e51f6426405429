//! `.dockerignore`, and the files of a context that it leaves.

use std::path::{Path, PathBuf};

use super::{
    BuildRequest, DockerError,
    pattern::{Patterns, clean},
    walk::{Filter, walk},
};

/// A file that a build may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContextFile {
    /// Relative to the context, with slashes.
    pub path: String,
    /// Bytes.
    pub size: u64,
}

/// The files that the context holds for a build, by path: what the ignore file leaves, and always the Dockerfile and
/// the ignore file. The engine asks for those that the Dockerfile names and that changed since the last build.
///
/// # Errors
/// A missing Dockerfile or context, an ignore file or a folder that cannot be read, a name that is not UTF-8.
pub(crate) fn context_files(request: &BuildRequest) -> Result<Vec<ContextFile>, DockerError> {
    request.check()?;
    let ignore = ignore_file(&request.context, &request.dockerfile);
    let patterns = ignore.as_deref().map_or(Ok(Vec::new()), read_patterns)?;
    let exclude = Patterns::new(patterns)
        .map_err(|error| DockerError::Ignore { file: ignore.clone().unwrap_or_default(), why: error.to_string() })?;
    let filter = Filter { include: Patterns::default(), exclude };
    let mut files = Vec::new();
    walk(&request.context, &filter, &mut |entry| {
        if !entry.is_folder() {
            files.push(ContextFile { path: entry.stat.path, size: entry.stat.size.unsigned_abs() });
        }
        true
    })?;
    let always = [Some(request.dockerfile.clone()), ignore];
    for file in always.into_iter().flatten() {
        let Some(path) = file.strip_prefix(&request.context).ok().and_then(Path::to_str) else { continue };
        if let Err(place) = files.binary_search_by(|known| by_component(&known.path, path)) {
            let size = std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
            files.insert(place, ContextFile { path: path.to_owned(), size });
        }
    }
    Ok(files)
}

/// The order of the walk: a folder's entries stand before its longer-named siblings.
fn by_component(left: &str, right: &str) -> std::cmp::Ordering {
    left.split('/').map(str::as_bytes).cmp(right.split('/').map(str::as_bytes))
}

/// `<Dockerfile>.dockerignore` beside the Dockerfile, else `.dockerignore` in the context.
fn ignore_file(context: &Path, dockerfile: &Path) -> Option<PathBuf> {
    let mut beside = dockerfile.as_os_str().to_owned();
    beside.push(".dockerignore");
    [PathBuf::from(beside), context.join(".dockerignore")].into_iter().find(|file| file.is_file())
}

fn read_patterns(file: &Path) -> Result<Vec<String>, DockerError> {
    let bytes = std::fs::read(file).map_err(|source| DockerError::Context { path: file.to_owned(), source })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| DockerError::Ignore { file: file.to_owned(), why: "it is not UTF-8".to_owned() })?;
    Ok(parse(&text))
}

/// The lines as BuildKit reads them (moby/patternmatcher `ignorefile`).
fn parse(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::trim).filter(|line| !line.is_empty()).map(normalised).collect()
}

fn normalised(line: &str) -> String {
    let (mark, pattern) = match line.strip_prefix('!') {
        Some(pattern) => ("!", pattern.trim()),
        None => ("", line),
    };
    if pattern.is_empty() {
        return mark.to_owned();
    }
    let cleaned = clean(pattern);
    let rootless = if cleaned.len() > 1 { cleaned.trim_start_matches('/') } else { &cleaned };
    format!("{mark}{rootless}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn lines_are_read_as_buildkit_reads_them() {
        let text = "\u{feff}test1\n/test2\n/a/file/here\n\nlastfile\r\n# this is a comment\n! /inverted/abs/path\n!\n! \n ./x/../y/ \n #z\n";
        let expected =
            ["test1", "test2", "a/file/here", "lastfile", "!inverted/abs/path", "!", "!", "y", "#z"].map(str::to_owned);
        assert_eq!(parse(text), expected);
    }

    fn listed(files: &[(&str, &str)], dockerfile: &str) -> Result<Vec<String>, DockerError> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let request = BuildRequest {
            reference: "demo:1".parse().unwrap(),
            context: folder.path().to_owned(),
            dockerfile: folder.path().join(dockerfile),
            target: None,
            args: BTreeMap::new(),
            labels: BTreeMap::new(),
            secrets: Vec::new(),
            platform: None,
            shared_key: String::new(),
        };
        Ok(context_files(&request)?.into_iter().map(|file| file.path).collect())
    }

    #[test]
    fn dockerfile_and_ignore_file_are_always_listed() {
        let files = [("Dockerfile", ""), (".dockerignore", "*\n!src"), ("src/a", ""), ("src-b", ""), ("z", "")];
        assert_eq!(listed(&files, "Dockerfile").unwrap(), [".dockerignore", "Dockerfile", "src/a"]);
    }

    #[test]
    fn the_dockerfiles_own_ignore_file_goes_first() {
        let files =
            [("b/Web", ""), ("b/Web.dockerignore", "c\nb"), (".dockerignore", "d"), ("c", ""), ("d", ""), ("b-x", "")];
        let expected = [".dockerignore", "b/Web", "b/Web.dockerignore", "b-x", "d"];
        assert_eq!(listed(&files, "b/Web").unwrap(), expected);
    }

    #[test]
    fn a_pattern_that_is_none_is_told() {
        let error = listed(&[("Dockerfile", ""), (".dockerignore", "[")], "Dockerfile").unwrap_err();
        assert!(error.to_string().contains("`[` is not a valid pattern"), "{error}");
    }
}
