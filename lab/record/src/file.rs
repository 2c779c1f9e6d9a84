//! `run.jsonl`: written a line at a time, read while being written.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use crate::{Entry, Line, SCHEMA_VERSION};

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

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file itself.
    #[error("{path} cannot be read")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A whole line that is not JSON of ours.
    #[error("{path}:{line}: not a line of a run record")]
    Line {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Written by another major version.
    #[error("{path} has schema version {found}; this program reads version {SCHEMA_VERSION}")]
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

/// Reads lines as they come; at the end of the file it can be asked again.
pub struct Reader {
    lines: BufReader<File>,
    path: PathBuf,
    number: usize,
    torn: String,
}

impl Reader {
    /// Opens a record and checks that it begins with a header of our version.
    ///
    /// # Errors
    /// When the file is missing, is no record, or has another major version.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let io_error = |source| ReadError::Io { path: path.to_owned(), source };
        let mut first = String::new();
        BufReader::new(File::open(path).map_err(io_error)?).read_line(&mut first).map_err(io_error)?;
        let header: serde_json::Value =
            serde_json::from_str(&first).map_err(|_| ReadError::NoHeader { path: path.to_owned() })?;
        if header["kind"] != "header" {
            return Err(ReadError::NoHeader { path: path.to_owned() });
        }
        let found = header["schema_version"].as_u64().unwrap_or(0);
        if found != u64::from(SCHEMA_VERSION) {
            return Err(ReadError::Version { path: path.to_owned(), found });
        }
        let lines = BufReader::new(File::open(path).map_err(io_error)?);
        Ok(Self { lines, path: path.to_owned(), number: 0, torn: String::new() })
    }

    /// The next whole line of a kind we know; `None` at the end of what is
    /// written so far. A torn last line waits for its rest.
    ///
    /// # Errors
    /// When a whole line is not a line of a record.
    pub fn next_line(&mut self) -> Result<Option<Line>, ReadError> {
        loop {
            let read = self
                .lines
                .read_line(&mut self.torn)
                .map_err(|source| ReadError::Io { path: self.path.clone(), source })?;
            if read == 0 || !self.torn.ends_with('\n') {
                return Ok(None);
            }
            self.number += 1;
            let text = std::mem::take(&mut self.torn);
            match serde_json::from_str::<Line>(&text) {
                Ok(line) => return Ok(Some(line)),
                Err(source) if is_unknown_kind(&text) => drop(source),
                Err(source) => {
                    return Err(ReadError::Line { path: self.path.clone(), line: self.number, source });
                }
            }
        }
    }

    /// All lines there are.
    ///
    /// # Errors
    /// As [`Reader::next_line`].
    pub fn read_all(path: &Path) -> Result<Vec<Line>, ReadError> {
        let mut reader = Self::open(path)?;
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line()? {
            lines.push(line);
        }
        Ok(lines)
    }
}

/// Kinds a later minor version may add are skipped.
fn is_unknown_kind(text: &str) -> bool {
    const KNOWN: [&str; 14] = [
        "header", "phase", "window", "edge", "proc", "host", "event", "check", "score", "cost", "trace",
        "split", "audit", "end",
    ];
    serde_json::from_str::<serde_json::Value>(text)
        .ok()
        .and_then(|line| line["kind"].as_str().map(|kind| !KNOWN.contains(&kind)))
        .unwrap_or(false)
}

impl Entry {
    /// The kind's name, as in the file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Header(_) => "header",
            Self::Phase(_) => "phase",
            Self::Window(_) => "window",
            Self::Edge(_) => "edge",
            Self::Proc(_) => "proc",
            Self::Host(_) => "host",
            Self::Event(_) => "event",
            Self::Check(_) => "check",
            Self::Score(_) => "score",
            Self::Cost(_) => "cost",
            Self::Trace(_) => "trace",
            Self::Split(_) => "split",
            Self::Audit(_) => "audit",
            Self::End(_) => "end",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::{Header, Phase};

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
    }

    #[test]
    fn the_header_survives_the_file() {
        let Entry::Header(header) = header().entry else { unreachable!("it is a header") };
        let text = serde_json::to_string(&*header).expect("json");
        assert_eq!(serde_json::from_str::<Header>(&text).expect("reads"), *header);
    }
}
