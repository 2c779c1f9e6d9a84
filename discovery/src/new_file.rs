//! The new file that is written beside an old one, and takes its place when it is whole.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// For its user alone.
const FILE_MODE: u32 = 0o600;

/// Creates a file in place of what an earlier process left there. A link is removed and not followed: another user of a shared
/// folder may have put it there (`O_EXCL`, open(2)).
///
/// # Errors
/// If what is there cannot be removed, or the file cannot be created.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().write(true).create_new(true).mode(FILE_MODE).open(path)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_a_link_leads_to_is_not_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (other, new) = (folder.path().join("other"), folder.path().join("registry.new"));
        fs::write(&other, "not ours").expect("a folder of ours");
        symlink(&other, &new).expect("a folder of ours");
        // A link, and then what the first turn left.
        for text in ["a longer text", "text"] {
            create(&new).expect("a folder of ours").write_all(text.as_bytes()).expect("a file of ours");
            assert_eq!(fs::read_to_string(&new).expect("a file of ours"), text);
        }
        let about = fs::symlink_metadata(&new).expect("a file of ours");
        assert!(about.is_file() && about.permissions().mode() & 0o777 == FILE_MODE);
        assert_eq!(fs::read_to_string(&other).expect("a file of ours"), "not ours");
        create(folder.path()).expect_err("a folder is no file");
    }
}
