//! Files and folders of a run that concern its user alone: 0600 in 0700.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// For a folder: its user alone.
const FOLDER_MODE: u32 = 0o700;
/// For a file: its user alone.
const FILE_MODE: u32 = 0o600;

/// Makes a folder that no other user can look into; what it is in stays as it is, or is made as usual.
///
/// # Errors
/// When the system refuses.
pub fn create_folder(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {
            std::fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE))
        }
        made => made,
    }
}

/// Writes a file that no other user can read.
///
/// # Errors
/// When the system refuses.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    // One that was there keeps the mode that it had.
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn no_other_user_reads_it_whatever_was_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = folder.path().join("runs/one");
        create_folder(&run).expect("made");
        create_folder(&run).expect("it is there");
        assert_eq!(mode(&run), 0o700);
        let file = run.join("app#0.json");
        std::fs::write(&file, "something longer").expect("ours");
        write(&file, b"text").expect("written");
        assert_eq!((mode(&file), std::fs::read(&file).expect("ours")), (0o600, b"text".to_vec()));
        assert!(create_folder(&file).is_err(), "a file is no folder");
    }
}
