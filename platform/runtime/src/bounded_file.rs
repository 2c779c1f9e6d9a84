//! Files that are read whole, within a limit: a damaged one may be of any length, and a device has no end.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// A limit for what a program keeps between its runs, and for what it is given: 64 MiB, far more than any of these has.
pub const MAX_BYTES: u64 = 64 << 20;

/// The bytes of a file of at most `limit` bytes, a number of whole MiB; no more than these are held.
///
/// # Errors
/// When it cannot be read, and of kind [`ErrorKind::FileTooLarge`] when it is longer.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let text = format!("it is longer than {} MiB", limit >> 20);
        return Err(io::Error::new(ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// The text of a file of at most `limit` bytes, a number of whole MiB.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?)
        .map_err(|error| io::Error::new(ErrorKind::InvalidData, error.utf8_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_refused_beyond() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        let text = "x".repeat(1 << 20);
        std::fs::write(&file, &text).expect("a folder of ours");
        assert!(read_text(&file, 1 << 20).expect("as long as it may be") == text);
        std::fs::write(&file, text + "x").expect("a folder of ours");
        for path in [file.as_path(), Path::new("/dev/zero")] {
            let error = read(path, 1 << 20).expect_err("it is longer");
            assert_eq!(error.kind(), ErrorKind::FileTooLarge, "{error}");
            assert_eq!(error.to_string(), "it is longer than 1 MiB");
        }
        std::fs::write(&file, b"\xff").expect("a folder of ours");
        assert_eq!(read(&file, 1 << 20).expect("bytes"), b"\xff");
        assert_eq!(read_text(&file, 1 << 20).expect_err("no text").kind(), ErrorKind::InvalidData);
        assert_eq!(read(Path::new("no/such/file"), 1 << 20).expect_err("none").kind(), ErrorKind::NotFound);
    }
}
