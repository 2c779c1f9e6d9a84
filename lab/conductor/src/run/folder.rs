//! The folder of a run, and the record in it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::observe::record_writer::RecordWriter;
use crate::process::private;
use crate::run::options::RunError;

/// Makes a folder that only its user can look into. Its path is absolute: children, whose configurations name it, may
/// have another working folder.
///
/// # Errors
/// When it cannot be written, or a configuration cannot hold its path; nothing of it is left then.
pub(super) fn create(path: &Path) -> Result<PathBuf, RunError> {
    private::create_folder(path).map_err(not_written(path))?;
    let folder = path.canonicalize().map_err(not_written(path))?;
    if folder.to_str().is_none() {
        // It holds nothing yet.
        let _ = std::fs::remove_dir(&folder);
        return Err(RunError::FolderName { path: folder });
    }
    Ok(folder)
}

/// Makes the record of a run that began at `began`, in its folder.
///
/// # Errors
/// When it cannot be written.
pub(super) fn create_record(folder: &Path, began: Instant) -> Result<RecordWriter, RunError> {
    let path = folder.join("run.jsonl");
    let writer = record::Writer::create(&path).map_err(not_written(&path))?;
    Ok(RecordWriter::new(began, writer))
}

/// The error of a path that the system refuses.
pub(super) fn not_written(path: &Path) -> impl FnOnce(io::Error) -> RunError + use<> {
    let path = path.to_owned();
    move |source| RunError::Folder { path, source }
}
