//! Where the seconds of a record begin: `run.idx` next to `run.jsonl`, so that a moment of a long run is read without
//! what came before it.
//!
//! The writer of a record writes its index as well, a line a second. The record is the truth and the index a cache of it:
//! one that is missing, damaged or of another file is made anew, and of a record that goes on only the end is read.

mod file;

use std::fs::Metadata;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub(crate) use self::file::IndexFile;
use crate::bounded_line::{MAX_LINE_BYTES, is_too_long, read_on, too_long};
use crate::file::RecordFile;
use crate::kind::Head;

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;
/// Longest run that is indexed: a month, whose seconds take 40 MiB.
const MAX_SECONDS: usize = 30 * 24 * 3_600;
/// Seconds that a reader may find missing in an index and leave so: a living writer adds them itself.
const MAX_MISSING_SECONDS: usize = 60;
/// A record is read in pieces of this size: a seek's price is small in comparison.
pub(crate) const PIECE_BYTES: usize = 256 * 1024;

/// A place between two lines of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Bytes before it.
    pub bytes: u64,
    /// Lines before it.
    pub lines: u64,
}

/// Where a record's seconds begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    file: Identity,
    /// After the last whole line that is indexed.
    end: Place,
    /// By second of the run, before the first line written in or after it.
    seconds: Vec<Place>,
}

/// What distinguishes one file from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(crate) fn of(file: &Metadata) -> Self {
        Self { device: file.dev(), inode: file.ino() }
    }
}

impl Index {
    /// The index of a record: the one next to it where that is of this very file, else made now and left there. A folder
    /// that cannot be written costs the next reader the same again, and no more.
    ///
    /// # Errors
    /// When the record cannot be read, or has a line that is too long.
    pub fn of(record: &Path) -> io::Result<Self> {
        let mut file = RecordFile::open(record)?;
        let identity = Identity::of(&file.metadata()?);
        let kept = file::read(record, identity).filter(|kept| kept.fits(&mut file));
        let known = kept.as_ref().map(|kept| kept.seconds.len());
        let mut index = kept.unwrap_or(Self { file: identity, ..Self::default() });
        index.scan(file)?;
        if known.is_none_or(|known| index.seconds.len() - known > MAX_MISSING_SECONDS) {
            file::replace(record, &index);
        }
        Ok(index)
    }

    /// Takes in what was written since.
    ///
    /// # Errors
    /// When the record cannot be read, or has a line that is too long.
    pub fn refresh(&mut self, record: &Path) -> io::Result<()> {
        let file = RecordFile::open(record)?;
        let now = file.metadata()?;
        let is_same = self.file == Identity::of(&now);
        if is_same && file.is_packed() {
            return Ok(());
        }
        if !is_same || now.len() < self.end.bytes {
            *self = Self { file: Identity::of(&now), ..Self::default() };
        }
        self.scan(file)
    }

    /// Leaves it next to its record as the index of the file that holds the same lines now.
    pub(crate) fn keep_for(&mut self, record: &Path, file: &Metadata) {
        self.file = Identity::of(file);
        file::replace(record, self);
    }

    /// Whether the last second of a kept index begins where it claims to.
    fn fits(&self, record: &mut RecordFile) -> bool {
        let Some(last) = self.seconds.last() else { return true };
        let mut first_line = || -> io::Result<Vec<u8>> {
            let mut lines = BufReader::new(&mut *record);
            // The byte before it ends a line, but there is none before the first.
            let before = last.bytes.saturating_sub(1);
            lines.seek(SeekFrom::Start(before))?;
            let mut line = Vec::new();
            if last.bytes > 0 {
                read_on(&mut lines, MAX_LINE_BYTES, &mut line)?;
                if line != b"\n" {
                    return Ok(Vec::new());
                }
                line.clear();
            }
            read_on(&mut lines, MAX_LINE_BYTES, &mut line)?;
            Ok(line)
        };
        let head = first_line().ok().and_then(|line| Head::of(&line).ok());
        head.is_some_and(|head| second_of(head.t) == Some(self.seconds.len() - 1))
    }

    /// Reads the record from the end of what is indexed.
    fn scan(&mut self, mut file: RecordFile) -> io::Result<()> {
        file.seek(SeekFrom::Start(self.end.bytes))?;
        let mut lines = BufReader::with_capacity(PIECE_BYTES, file);
        let mut line = Vec::new();
        loop {
            line.clear();
            read_on(&mut lines, MAX_LINE_BYTES, &mut line)?;
            if is_too_long(&line) {
                return Err(too_long(self.end.lines + 1));
            }
            if !line.ends_with(b"\n") {
                return Ok(());
            }
            // A line that is none of ours belongs to the second it stands in.
            self.add(Head::of(&line).ok().map(|head| head.t), line.len());
        }
    }

    /// Adds a line, with the moment it was written, ns since the run's start.
    fn add(&mut self, t: Option<u64>, bytes: usize) {
        // A time of centuries is no run's, and its seconds would not fit into memory.
        if let Some(second) = t.and_then(second_of) {
            while self.seconds.len() <= second {
                self.seconds.push(self.end);
            }
        }
        self.end.bytes += bytes as u64;
        self.end.lines += 1;
    }

    /// Before the first line written at or after `t`, ns since the run's start, by whole seconds; the end of what is
    /// indexed where there is none yet.
    pub fn place(&self, t: u64) -> Place {
        let second = usize::try_from(t / SECOND).unwrap_or(usize::MAX);
        self.seconds.get(second).copied().unwrap_or(self.end)
    }

    /// After the last whole line.
    pub fn end(&self) -> Place {
        self.end
    }
}

fn second_of(t: u64) -> Option<usize> {
    usize::try_from(t / SECOND).ok().filter(|second| *second < MAX_SECONDS)
}
