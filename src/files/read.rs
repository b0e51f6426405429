use std::{
    fs::OpenOptions,
    io::{self, Read},
    path::Path,
};

use super::FileError;
use crate::model::SourceText;

const LARGEST_MEGABYTES: u64 = 10;
const LARGEST: u64 = LARGEST_MEGABYTES * 1_000_000;

/// Reads a text of at most 10 MB. `name` is what messages call it.
pub(crate) fn read_text(path: &Path, name: &str) -> Result<SourceText, FileError> {
    bounded(open(path, name)?, name)
}

fn open(path: &Path, name: &str) -> Result<impl Read + use<>, FileError> {
    OpenOptions::new().read(true).open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => FileError::Missing { name: name.to_owned() },
        _ => FileError::Read { name: name.to_owned(), source },
    })
}

/// Reads the bytes of a file of at most `limit`, which need not be a text.
pub(crate) fn read_bytes(path: &Path, name: &str, limit: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    open(path, name)?
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| FileError::Read { name: name.to_owned(), source })?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooManyBytes { name: name.to_owned(), limit });
    }
    Ok(bytes)
}

/// A text as [`read_text`] has it; none where there is no such file.
pub(crate) fn read_if_there(path: &Path, name: &str) -> Result<Option<SourceText>, FileError> {
    match read_text(path, name) {
        Err(FileError::Missing { .. }) => Ok(None),
        found => found.map(Some),
    }
}

/// Reads standard input to its end, at most 10 MB; it is called `-`.
pub(crate) fn read_stdin() -> Result<SourceText, FileError> {
    bounded(io::stdin().lock(), "-")
}

fn bounded(reader: impl Read, name: &str) -> Result<SourceText, FileError> {
    let mut bytes = Vec::new();
    let read = reader.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|source| FileError::Read { name: name.to_owned(), source })?;
    if bytes.len() as u64 > LARGEST {
        return Err(FileError::TooLarge { name: name.to_owned(), limit: LARGEST_MEGABYTES });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceText { name: name.into(), text: text.into() }),
        Err(error) => {
            let utf16 = error.as_bytes().starts_with(&[0xff, 0xfe]) || error.as_bytes().starts_with(&[0xfe, 0xff]);
            Err(FileError::NotText { name: name.to_owned(), byte: error.utf8_error().valid_up_to(), utf16 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_bounded_and_says_why_not() {
        let read = |bytes: &[u8]| bounded(bytes, "x.yaml");
        assert_eq!(&*read(b"a: 1").unwrap().text, "a: 1");
        assert!(matches!(bounded(io::repeat(b' '), "-"), Err(FileError::TooLarge { .. })));
        assert!(matches!(read(b"\xff\xfea\0"), Err(FileError::NotText { utf16: true, byte: 0, .. })));
        assert!(matches!(read(b"a: \xe4"), Err(FileError::NotText { utf16: false, byte: 3, .. })));
        let missing = read_text(Path::new("/nowhere/x.yaml"), "x.yaml");
        assert!(matches!(missing, Err(FileError::Missing { .. })));
    }
}
