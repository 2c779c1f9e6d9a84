//! Files that are written whole or not at all: another program that reads one at this moment, and a disk that is full, find it
//! as it was or as it will be.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Writes a file in place of the one that is there. What is no file, `/dev/stdout` for one, is written to as it is, and so is a
/// file in a folder that takes no other. One that is read-only stays.
///
/// # Errors
/// When the system refuses; a file that can be replaced is as it was then.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link stays one.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let before = std::fs::metadata(&path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file() || before.permissions().readonly()) {
        return std::fs::write(&path, bytes);
    }
    let mut part = path.clone().into_os_string();
    part.push(format!(".{}", std::process::id()));
    let part = PathBuf::from(part);
    let mut new = match File::create(&part) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied && before.is_some() => {
            return std::fs::write(&path, bytes);
        }
        created => created?,
    };
    let mut write = || {
        new.write_all(bytes)?;
        if let Some(before) = &before {
            std::fs::set_permissions(&part, before.permissions())?;
        }
        std::fs::rename(&part, &path)
    };
    write().inspect_err(|_| {
        // A part of a file only takes room.
        let _ = std::fs::remove_file(&part);
    })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_a_link_and_a_device_stay() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let (file, link) = (folder.path().join("kept.json"), folder.path().join("link.json"));
        write(&file, b"first").expect("a folder of ours");
        std::fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("ours");
        std::os::unix::fs::symlink(&file, &link).expect("a folder of ours");
        let mut reader = File::open(&file).expect("there");
        write(&link, b"second").expect("a folder of ours");
        assert_eq!(io::read_to_string(&mut reader).expect("readable"), "first", "a reader has it to its end");
        assert_eq!(std::fs::read(&file).expect("there"), b"second");
        assert!(link.is_symlink());
        assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 2, "nothing else is left");
        write(Path::new("/dev/null"), b"third").expect("it takes everything");
        assert!(!Path::new("/dev/null").is_file());
        write(folder.path(), b"").expect_err("a folder is no file");
    }
}
