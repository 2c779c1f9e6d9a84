//! Where the seconds of a record begin: `run.idx` beside `run.jsonl`, so that a moment of a long run is read without
//! what came before it.
//!
//! The record is the truth and the index a cache of it: one that is missing, torn or made of another file is made anew,
//! and one of a record that has grown since goes on where it ended.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::kind::Head;

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;
/// Version of the index's own form: another one is made anew.
const VERSION: u32 = 1;
/// Longest run that is indexed: a month, whose seconds take 40 MiB.
const MAX_SECONDS: usize = 30 * 24 * 3_600;
/// A record is read in pieces of this size: a seek's price is small beside it.
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    version: u32,
    file: Identity,
    /// After the last whole line that is indexed.
    end: Place,
    /// By second of the run, before the first line written in or after it.
    seconds: Vec<Place>,
}

/// What tells one file from another, and a file from what it was before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified_s: i64,
    modified_ns: i64,
}

impl Identity {
    fn of(file: &Metadata) -> Self {
        let (device, inode, size) = (file.dev(), file.ino(), file.size());
        Self { device, inode, size, modified_s: file.mtime(), modified_ns: file.mtime_nsec() }
    }

    /// Whether the file may only have grown.
    fn may_continue(&self, now: &Self) -> bool {
        (self.device, self.inode) == (now.device, now.inode) && self.size <= now.size
    }
}

impl Index {
    /// The index of a record: the one beside it where that is of this very file, else made now and left there. A folder
    /// that cannot be written costs the next reader the same again, and no more.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn of(record: &Path) -> io::Result<Self> {
        let index_path = path_of(record);
        let kept =
            std::fs::read(&index_path).ok().and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        let mut index = kept.filter(|kept| kept.version == VERSION).unwrap_or_default();
        if index.refresh(record)? {
            index.keep(&index_path);
        }
        Ok(index)
    }

    /// Takes in what was written since; whether there was anything.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn refresh(&mut self, record: &Path) -> io::Result<bool> {
        let file = File::open(record)?;
        let now = Identity::of(&file.metadata()?);
        if self.version == VERSION && self.file == now {
            return Ok(false);
        }
        if !(self.version == VERSION && self.file.may_continue(&now)) {
            *self = Self { version: VERSION, ..Self::default() };
        }
        self.file = now;
        self.scan(file)?;
        Ok(true)
    }

    fn scan(&mut self, mut file: File) -> io::Result<()> {
        file.seek(SeekFrom::Start(self.end.bytes))?;
        let mut lines = BufReader::with_capacity(PIECE_BYTES, file);
        let mut line = Vec::new();
        loop {
            line.clear();
            lines.read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") {
                return Ok(());
            }
            // A line that is none of ours belongs to the second it stands in.
            if let Ok(head) = Head::of(&line) {
                let second = usize::try_from(head.t / SECOND).unwrap_or(usize::MAX);
                // A time of centuries is no run's, and its seconds would not fit into memory.
                if second < MAX_SECONDS {
                    while self.seconds.len() <= second {
                        self.seconds.push(self.end);
                    }
                }
            }
            self.end.bytes += line.len() as u64;
            self.end.lines += 1;
        }
    }

    /// Leaves the index beside its record, whole or not at all.
    fn keep(&self, index_path: &Path) {
        let Ok(text) = serde_json::to_vec(self) else { return };
        let part = index_path.with_extension(format!("idx.{}", std::process::id()));
        let kept = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, index_path));
        if kept.is_err() {
            // Nothing was left but perhaps a part; a folder that takes none has none.
            let _ = std::fs::remove_file(&part);
        }
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

/// Where the index of a record is kept.
fn path_of(record: &Path) -> PathBuf {
    record.with_extension("idx")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::{Kind, Reader};

    fn record(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("run.jsonl");
        File::options()
            .create(true)
            .append(true)
            .open(&path)
            .expect("opens")
            .write_all(text.as_bytes())
            .expect("writes");
        path
    }

    fn host(t_ms: u64) -> String {
        let host = crate::Entry::Host(crate::Host::default());
        serde_json::to_string(&crate::Line { t: t_ms * 1_000_000, entry: host }).expect("json") + "\n"
    }

    #[test]
    fn a_second_is_found_without_what_came_before_it() {
        let folder = tempfile::tempdir().expect("a folder");
        // Nothing in second 1, a late line of second 2 in second 3, a torn line at the end.
        let lines = [host(100), host(900), host(2_500), host(3_100), host(2_900), host(3_200)];
        let path = record(folder.path(), &(lines.concat() + "{\"t\":4"));
        let index = Index::of(&path).expect("reads");
        let before = |n: usize| Place { bytes: lines[..n].concat().len() as u64, lines: n as u64 };
        let places = [0, 1, 2, 3, 9].map(|second| index.place(second * SECOND));
        assert_eq!(places, [before(0), before(2), before(2), before(3), before(6)]);
        assert_eq!(index.end(), before(6), "a torn line has not been written yet");
    }

    #[test]
    fn a_kept_index_is_used_until_the_record_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = record(folder.path(), &host(100));
        let first = Index::of(&path).expect("reads");
        let index_path = path_of(&path);
        assert_eq!(
            serde_json::from_slice::<Index>(&std::fs::read(&index_path).expect("kept")).expect("whole"),
            first
        );

        record(folder.path(), &host(1_100));
        let grown = Index::of(&path).expect("reads");
        assert_eq!((grown.place(SECOND), grown.end().lines), (first.end(), 2), "it goes on where it ended");

        std::fs::write(&index_path, "{\"version\":1,\"fi").expect("writes");
        assert_eq!(Index::of(&path).expect("reads"), grown, "a torn one is made anew");
        std::fs::remove_file(&path).expect("removes");
        record(folder.path(), &host(100));
        assert_eq!(Index::of(&path).expect("reads").end(), first.end(), "and so is another file's");
        let left = std::fs::read_dir(folder.path()).expect("lists").count();
        assert_eq!(left, 2, "nothing but the record and its index is left");
    }

    #[test]
    fn a_reader_begins_at_a_place_and_skips_what_is_not_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let phase = r#"{"t":1200000000,"kind":"phase","index":0,"name":"steady","round":1,"arms":""}"#;
        let header = r#"{"t":0,"kind":"header","schema_version":1}"#;
        let path =
            record(folder.path(), &format!("{header}\n{}{}{phase}\nnot a line\n", host(100), host(1_100)));
        let index = Index::of(&path).expect("reads");
        let mut reader = Reader::open(&path).expect("opens").only(&[Kind::Phase]);
        reader.seek(index.place(SECOND)).expect("seeks");
        let line = reader.next_line().expect("reads").expect("there is one");
        assert_eq!((line.entry.kind(), reader.place().lines), ("phase", 4));
        let error = reader.next_line().expect_err("no line of a record");
        let text = error.to_string();
        assert!(text.ends_with("run.jsonl:5:2: invalid line of a run record: expected ident"), "{text}");
    }
}
