//! Reads `run.jsonl`, while it is being written as well, and `run.jsonl.gz` in its place once it is packed.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::bounded_line::{MAX_LINE_BYTES, is_too_long, read_on, too_long};
use crate::file::RecordFile;
use crate::index::PIECE_BYTES;
use crate::kind::Head;
use crate::{Kind, Line, OLDEST_VERSION, Place, SCHEMA_VERSION};

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file itself, or a line of it that is longer than [`MAX_LINE_BYTES`], after which nothing is read.
    #[error("{path} cannot be read")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A whole line that is no line of a record.
    #[error("{path}:{line}:{column}: invalid line of a run record: {reason}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// From 1: up to where it was read.
        column: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Written by another major version.
    #[error(
        "{path} has schema version {found}: expected {OLDEST_VERSION} to {SCHEMA_VERSION}, which this program reads"
    )]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// Nothing where the header should be.
    #[error("{path} does not begin with a header; is it a run record?")]
    NoHeader {
        /// Which file.
        path: PathBuf,
    },
}

/// What of a first line shows whether its record is read. All of it, as a tree, could take sixteen times as much as the line.
#[derive(Deserialize)]
struct FirstLine<'a> {
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(default)]
    schema_version: u64,
}

/// Reads lines as they come. At the end of the file it can be asked again, and after an invalid line for the next one.
pub struct Reader {
    lines: BufReader<RecordFile>,
    path: PathBuf,
    /// After the last whole line that was read.
    place: Place,
    /// The line being read; without its rest where it is torn.
    line: Vec<u8>,
    /// Kinds asked for; empty for all.
    wanted: Vec<Kind>,
}

impl Reader {
    /// Opens a record and checks that it begins with a header of a version that is read.
    ///
    /// # Errors
    /// When the file is missing, is no record, or has another major version.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let io_error = |source| ReadError::Io { path: path.to_owned(), source };
        let mut lines = BufReader::with_capacity(PIECE_BYTES, RecordFile::open(path).map_err(io_error)?);
        let mut first = String::new();
        Read::take(&mut lines, MAX_LINE_BYTES).read_line(&mut first).map_err(io_error)?;
        let FirstLine { kind, schema_version: found } =
            serde_json::from_str(&first).map_err(|_| ReadError::NoHeader { path: path.to_owned() })?;
        if kind != "header" {
            return Err(ReadError::NoHeader { path: path.to_owned() });
        }
        if !(u64::from(OLDEST_VERSION)..=u64::from(SCHEMA_VERSION)).contains(&found) {
            return Err(ReadError::Version { path: path.to_owned(), found });
        }
        lines.seek(SeekFrom::Start(0)).map_err(io_error)?;
        let path = path.to_owned();
        Ok(Self { lines, path, place: Place::default(), line: Vec::new(), wanted: Vec::new() })
    }

    /// Reads lines of these kinds only: the others cost a look at their first bytes.
    #[must_use]
    pub fn only(mut self, kinds: &[Kind]) -> Self {
        self.wanted = kinds.to_vec();
        self
    }

    /// Goes to a place that an [`crate::Index`] of this record knows.
    ///
    /// # Errors
    /// When the file cannot be read there.
    pub fn seek(&mut self, place: Place) -> Result<(), ReadError> {
        self.lines
            .seek(SeekFrom::Start(place.bytes))
            .map_err(|source| ReadError::Io { path: self.path.clone(), source })?;
        self.line.clear();
        self.place = place;
        Ok(())
    }

    /// After the last whole line that was read.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether the end was reached within a line: its writer was killed, or is writing it now.
    pub fn is_torn(&self) -> bool {
        !self.line.is_empty()
    }

    /// The next whole line of a kind we know and were asked for; `None` at the end of what is written so far. A torn
    /// last line waits for its rest.
    ///
    /// # Errors
    /// When a whole line is not a line of a record, and when one is too long to be read.
    pub fn next_line(&mut self) -> Result<Option<Line>, ReadError> {
        loop {
            let read = match read_on(&mut self.lines, MAX_LINE_BYTES, &mut self.line) {
                // Kept as it is: the next call gets the same error.
                Ok(_) if is_too_long(&self.line) => Err(too_long(self.place.lines + 1)),
                read => read,
            };
            let read = read.map_err(|source| ReadError::Io { path: self.path.clone(), source })?;
            if read == 0 || !self.line.ends_with(b"\n") {
                return Ok(None);
            }
            self.place.bytes += self.line.len() as u64;
            self.place.lines += 1;
            let line = self.line();
            self.line.clear();
            if let Some(line) = line? {
                return Ok(Some(line));
            }
        }
    }

    /// The line just read; `None` where it is of a kind that is unknown or not asked for.
    fn line(&self) -> Result<Option<Line>, ReadError> {
        let line = || {
            let head = Head::of(&self.line)?;
            let is_wanted =
                self.wanted.is_empty() || head.kind.is_some_and(|kind| self.wanted.contains(&kind));
            if is_wanted { head.line(&self.line) } else { Ok(None) }
        };
        line().map_err(|error| {
            let (column, text) = (error.column(), error.to_string());
            // The parser knows one line only.
            let reason = text.rsplit_once(" at line ").map_or(&*text, |(reason, _)| reason).to_owned();
            ReadError::Line { path: self.path.clone(), line: self.place.lines, column, reason }
        })
    }
}

impl Iterator for Reader {
    type Item = Result<Line, ReadError>;

    /// The next line, up to the end of what is written so far.
    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;
    use crate::{Entry, Header, Phase, Writer};

    fn header() -> Line {
        let json = serde_json::json!({
            "t": 0, "kind": "header", "schema_version": SCHEMA_VERSION, "run_id": "r", "scenario": "s", "title": "",
            "why": "", "scenario_text": "", "seed": 1, "version": "0", "command": [], "wall_us": 0, "way": "side-by-side",
            "rounds": 1, "machine": { "cpu": "", "cores": 2, "memory_mib": 0, "kernel": "", "load_average": 0.0, "profile": "" },
            "arms": [], "phases": [], "journeys": [], "steps": [], "expectations": [], "schedule_digest": "", "planned": 0,
            "good_within_us": 0, "load_start_ns": 0, "ready_ms": 0, "telemetry": "metrics"
        });
        serde_json::from_value(json).expect("a header")
    }

    fn phase(t: u64) -> Line {
        Line {
            t,
            entry: Entry::Phase(Phase { index: 0, name: "steady".into(), round: 1, arms: String::new() }),
        }
    }

    #[test]
    fn lines_read_back_and_a_torn_one_waits_for_its_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.jsonl");
        let mut writer = Writer::create(&path).expect("creates");
        writer.write(&header()).expect("writes");
        writer.write(&phase(5)).expect("writes");
        let mut reader = Reader::open(&path).expect("opens");
        assert!(matches!(reader.next_line().expect("reads").expect("there").entry, Entry::Header(_)));
        assert_eq!(reader.next_line().expect("reads"), Some(phase(5)));

        let text = serde_json::to_string(&phase(6)).expect("json");
        let (head, tail) = text.split_at(text.len() / 2);
        let mut file = File::options().append(true).open(&path).expect("opens");
        file.write_all(head.as_bytes()).expect("writes");
        assert_eq!(reader.next_line().expect("reads"), None, "torn lines wait");
        file.write_all(tail.as_bytes()).expect("writes");
        file.write_all(b"\n{\"t\":7,\"kind\":\"hologram\"}\n").expect("writes");
        assert_eq!(reader.next_line().expect("reads"), Some(phase(6)));
        assert_eq!(reader.next_line().expect("unknown kinds are skipped"), None);
    }

    #[test]
    fn another_major_version_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.jsonl");
        std::fs::write(&path, "{\"t\":0,\"kind\":\"header\",\"schema_version\":99}\n").expect("writes");
        assert!(matches!(Reader::open(&path), Err(ReadError::Version { found: 99, .. })));
        std::fs::write(&path, "hello\n").expect("writes");
        assert!(matches!(Reader::open(&path), Err(ReadError::NoHeader { .. })));
        let endless = Reader::open(Path::new("/dev/zero"));
        assert!(matches!(endless, Err(ReadError::NoHeader { .. })), "it has no end");
    }

    #[test]
    fn a_line_without_end_is_refused_by_its_number_and_not_held() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.jsonl");
        let mut writer = Writer::create(&path).expect("creates");
        writer.write(&header()).expect("writes");
        writer.write(&phase(5)).expect("writes");
        drop(writer);
        let file = File::options().append(true).open(&path).expect("opens");
        // A hole: no byte of it is on the disk.
        file.set_len(1 << 32).expect("a file of its own");
        let mut reader = Reader::open(&path).expect("opens");
        assert!(matches!(reader.next_line().expect("reads").expect("there").entry, Entry::Header(_)));
        assert_eq!(reader.next_line().expect("reads"), Some(phase(5)));
        for _ in 0..2 {
            let Err(ReadError::Io { source, .. }) = reader.next_line() else { panic!("it has no end") };
            assert_eq!(source.to_string(), "line 3 is longer than 64 MiB; is it a run record?");
        }
        assert!(reader.line.len() as u64 == MAX_LINE_BYTES + 1, "no more than that is held");
        let error = crate::Index::of(&path).expect_err("nor is it indexed");
        assert_eq!(error.to_string(), "line 3 is longer than 64 MiB; is it a run record?");
    }

    #[test]
    fn the_header_survives_the_file() {
        let Entry::Header(header) = header().entry else { unreachable!("it is a header") };
        let text = serde_json::to_string(&*header).expect("json");
        assert_eq!(serde_json::from_str::<Header>(&text).expect("reads"), *header);
    }
}
