//! The file an index is kept in: a line that names the record, then a line for each second.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Identity, Index, MAX_SECONDS, Place, second_of};
use crate::bounded_line::read_on;

/// Version of the file's form: one of another version is made anew.
const VERSION: u32 = 2;

/// Longest line that is read, bytes: each holds a few numbers.
const MAX_LINE_BYTES: u64 = 256;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    #[serde(flatten)]
    record: Identity,
}

/// Where the index of a record is kept.
pub(super) fn path_of(record: &Path) -> PathBuf {
    record.with_extension("idx")
}

/// The index that is kept of a record, up to where its last second begins; `None` where there is none of this very file.
pub(super) fn read(record: &Path, identity: Identity) -> Option<Index> {
    let (mut lines, mut line) = (BufReader::new(File::open(path_of(record)).ok()?), Vec::new());
    let head: Head = next_value(&mut lines, &mut line)?;
    if head.version != VERSION || head.record != identity {
        return None;
    }
    // Its writer may have been killed within a line.
    let places = std::iter::from_fn(|| next_value::<Place>(&mut lines, &mut line));
    let seconds: Vec<Place> = places.take(MAX_SECONDS).collect();
    let is_rising = seconds.is_sorted_by_key(|place| (place.bytes, place.lines));
    let end = seconds.last().copied().unwrap_or_default();
    is_rising.then_some(Index { file: identity, end, seconds })
}

/// What the next line holds; `None` at the end, and where it is something else.
fn next_value<T: DeserializeOwned>(lines: &mut impl BufRead, line: &mut Vec<u8>) -> Option<T> {
    line.clear();
    read_on(lines, MAX_LINE_BYTES, line).ok()?;
    serde_json::from_slice(line).ok()
}

/// Leaves an index next to its record, whole or not at all.
pub(super) fn replace(record: &Path, index: &Index) {
    let path = path_of(record);
    let part = path.with_extension(format!("idx.{}", std::process::id()));
    let write = || {
        let mut file = IndexFile::at(&part, index.file)?;
        append(&mut file.file, &index.seconds)?;
        std::fs::rename(&part, &path)
    };
    if write().is_err() {
        // Nothing was left but perhaps a part; a folder that takes none has none.
        let _ = std::fs::remove_file(&part);
    }
}

/// An index that is written while its record is.
pub(crate) struct IndexFile {
    file: File,
    /// After the last line.
    end: Place,
    /// How many are written.
    seconds: usize,
}

impl IndexFile {
    /// Of a record that has just been made.
    pub(crate) fn create(path: &Path, record: &File) -> io::Result<Self> {
        Self::at(&path_of(path), Identity::of(&record.metadata()?))
    }

    fn at(path: &Path, record: Identity) -> io::Result<Self> {
        let mut file = File::create(path)?;
        file.write_all(&line(&Head { version: VERSION, record })?)?;
        Ok(Self { file, end: Place::default(), seconds: 0 })
    }

    /// Adds a line of the record, with the moment it was written, ns since the run's start.
    pub(crate) fn add(&mut self, t: u64, bytes: usize) -> io::Result<()> {
        let seconds = second_of(t).map_or(self.seconds, |second| self.seconds.max(second + 1));
        let begun = vec![self.end; seconds - self.seconds];
        self.seconds = seconds;
        self.end.bytes += bytes as u64;
        self.end.lines += 1;
        append(&mut self.file, &begun)
    }
}

fn append(file: &mut File, seconds: &[Place]) -> io::Result<()> {
    let mut text = Vec::new();
    for place in seconds {
        text.extend(line(place)?);
    }
    if text.is_empty() { Ok(()) } else { file.write_all(&text) }
}

fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}
