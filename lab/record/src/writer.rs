//! Writes `run.jsonl`, a line at a time.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Line;

/// Appends lines. Each is one write, so that a reader sees whole lines and a
/// crash tears at most the last.
pub struct Writer {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
}

impl Writer {
    /// A new record at `path`.
    ///
    /// # Errors
    /// When the file exists already or cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().create_new(true).append(true).open(path)?;
        Ok(Self { file, path: path.to_owned(), buffer: Vec::new() })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn write(&mut self, line: &Line) -> io::Result<()> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, line)?;
        self.buffer.push(b'\n');
        self.file.write_all(&self.buffer)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
