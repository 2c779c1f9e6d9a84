//! Writes `run.jsonl`, a line at a time, and its index.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Line;
use crate::index::IndexFile;

/// Appends lines. Each is one write, so that a reader sees whole lines and a
/// crash tears at most the last.
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
