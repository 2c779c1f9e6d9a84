//! Seeded data, copied before every run, so that each arm starts from the same bytes.

use std::io;
use std::path::Path;

use crate::folder;

/// Copies a folder of closed databases and blobs. Blobs never change once
/// written, so they are linked; databases do, so they are copied.
///
/// # Errors
/// When a file cannot be read or written.
pub fn restore(from: &Path, to: &Path) -> io::Result<()> {
    folder::create_private(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            restore(&entry.path(), &target)?;
        } else if entry.path().extension().is_some_and(|ending| ending == "db") {
            std::fs::copy(entry.path(), &target)?;
        } else if std::fs::hard_link(entry.path(), &target).is_err() {
            // Another file system: a copy does as well.
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
