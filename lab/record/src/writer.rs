//! Writes `run.jsonl`, a line at a time, and its index.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::index::IndexFile;
use crate::{Line, LockedFile};

/// Appends lines. Each is one write, so that a reader sees whole lines and a
/// crash tears at most the last. The file is locked until the writer is dropped or its program has ended.
pub struct Writer {
    file: LockedFile,
    path: PathBuf,
    last: LastLine,
    /// `None` where it could not be written: a reader makes it anew.
    index: Option<IndexFile>,
}

/// The line that was written last, as far as it was.
#[derive(Default)]
struct LastLine {
    /// When it was written, ns since the run's start.
    t: u64,
    bytes: Vec<u8>,
    /// How many of its bytes the disk took: a full one may take some.
    written: usize,
}

impl LastLine {
    /// Whether a part of it is in the file, and its rest is not.
    fn is_torn(&self) -> bool {
        (1..self.bytes.len()).contains(&self.written)
    }

    /// Writes what is left of it.
    fn finish(&mut self, to: &mut impl Write) -> io::Result<()> {
        while self.written < self.bytes.len() {
            match to.write(&self.bytes[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
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
        Ok(Self { file: file.into(), path: path.to_owned(), last: LastLine::default(), index })
    }

    /// Appends a line. Where the disk took a part of the one before, its rest comes first: only the last line of a record
    /// may be torn, and no reader takes two for one.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn write(&mut self, line: &Line) -> io::Result<()> {
        if self.last.is_torn() {
            self.finish()?;
        }
        let mut bytes = std::mem::take(&mut self.last.bytes);
        bytes.clear();
        // Of a line that was not to be written nothing is.
        self.last = LastLine { t: line.t, bytes: Vec::new(), written: 0 };
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
        self.last.bytes = bytes;
        self.finish()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.last.finish(&mut *self.file)?;
        // After the line: an index knows no second that the record does not have.
        let (t, length) = (self.last.t, self.last.bytes.len());
        self.index.take_if(|index| index.add(t, length).is_err());
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

    /// A disk with room for so many bytes.
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.room - self.bytes.len());
            self.bytes.extend_from_slice(&bytes[..taken]);
            if taken == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_tears_a_line_whose_rest_comes_before_the_next() {
        let mut disk = Disk { bytes: Vec::new(), room: 4 };
        let mut line = LastLine { t: 0, bytes: b"first\n".to_vec(), written: 0 };
        line.finish(&mut disk).expect_err("there is room for four bytes");
        assert!(line.is_torn());
        line.finish(&mut disk).expect_err("and for no more");
        assert!(line.is_torn());
        disk.room = 64;
        line.finish(&mut disk).expect("there is room again");
        assert!(!line.is_torn());
        assert_eq!(disk.bytes, b"first\n");
        let mut none = LastLine { t: 0, bytes: b"second\n".to_vec(), written: 0 };
        none.finish(&mut Disk { bytes: Vec::new(), room: 0 }).expect_err("no room at all");
        assert!(!none.is_torn(), "nothing of it is in the file");
    }

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
