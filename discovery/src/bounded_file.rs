//! Files that are read whole, within a limit: a damaged one may be of any length, and a device has no end.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The bytes of a file of at most `limit` bytes; no more than these are held.
///
/// # Errors
/// When it cannot be read, and of kind [`ErrorKind::FileTooLarge`] when it is longer.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_refused_beyond() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, b"four").expect("a folder of ours");
        assert_eq!(read(&file, 4).expect("as long as it may be"), b"four");
        for (path, limit) in [(file.as_path(), 3), (Path::new("/dev/zero"), 1_000)] {
            let error = read(path, limit).expect_err("it is longer");
            assert_eq!(error.kind(), ErrorKind::FileTooLarge, "{error}");
            assert_eq!(error.to_string(), format!("it is longer than {limit} bytes"));
        }
        assert_eq!(read(Path::new("no/such/file"), 4).expect_err("none").kind(), ErrorKind::NotFound);
    }
}
