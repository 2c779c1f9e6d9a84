//! Folders of databases and blobs: what is in them is for the user of the process alone.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Its user alone: password hashes are in some of them.
const MODE: u32 = 0o700;

/// Makes a folder that no other user can look into, if it is not there. One that is there stays as it is, and what it is in is
/// made as usual.
///
/// # Errors
/// When the system refuses.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(MODE).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_made_is_private_and_what_is_there_stays_as_it_is() {
        let root = tempfile::tempdir().expect("a folder");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let (outer, inner) = (root.path().join("outer"), root.path().join("outer/inner"));
        create_private(&inner).expect("made");
        assert_eq!(mode(&inner), 0o700);
        assert_ne!(mode(&outer), 0o700, "made as usual");
        let before = mode(&outer);
        create_private(&outer).expect("it is there");
        assert_eq!(mode(&outer), before);
        create_private(Path::new("")).expect("the folder of the process");
        std::fs::write(root.path().join("file"), "").expect("written");
        assert!(create_private(&root.path().join("file")).is_err());
    }
}
