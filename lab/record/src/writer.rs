//! Writes `run.jsonl`, a line at a time, and its index.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Line;
use crate::index::IndexFile;

/// Appends lines. Each is one write, so that a reader sees whole lines and a
/// crash tears at most the last. The file is locked until the writer is dropped or its program has ended.
pub struct Writer {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
    /// `None` where it could not be written: a reader makes it anew.
    index: Option<IndexFile>,
}

impl Writer {
    /// A new record at `path`.
    ///
    /// # Errors
    /// When the file exists already or cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().create_new(true).append(true).open(path)?;
        // A file system without locks leaves it unknown whether the writer lives: see `is_being_written`.
        let _ = file.lock();
        let index = IndexFile::create(path, &file).ok();
        Ok(Self { file, path: path.to_owned(), buffer: Vec::new(), index })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn write(&mut self, line: &Line) -> io::Result<()> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, line)?;
        self.buffer.push(b'\n');
        self.file.write_all(&self.buffer)?;
        // After the line: an index knows no second that the record does not have.
        let length = self.buffer.len();
        self.index.take_if(|index| index.add(line.t, length).is_err());
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether the program that writes a record lives: the kernel takes its lock on the file back however it ends. True
/// where the file system has no locks, and false where there is no record.
pub fn is_being_written(record: &Path) -> bool {
    let Ok(file) = File::open(record) else { return false };
    // A shared lock: two readers that look at once do not take each other for the writer.
    file.try_lock_shared().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_being_written_until_its_writer_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.jsonl");
        assert!(!is_being_written(&path), "there is none");
        let writer = Writer::create(&path).expect("a new file");
        assert!(is_being_written(&path) && is_being_written(&path), "however often it is asked");
        drop(writer);
        assert!(!is_being_written(&path));
    }
}
