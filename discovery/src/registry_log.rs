//! The registry's log on disk, from which a registry that is started again knows at once what was registered.
//!
//! A file of lines: FNV-1a (64 bits, hexadecimal) of the rest of the line, a space, and JSON. The first line names the format
//! and the registry's epoch, every other one a change, with instances as they registered:
//!
//! ```text
//! 6a2c8d90b1f3e457 {"header":{"format":1,"registry":1700000000000000}}
//! 0f6be2a7719c3d84 {"change":{"rev":7,"put":[{"service":"feed","id":"feed#0",..}],"del":[]}}
//! ```
//!
//! Renewals change nothing and are not written; a restart grants new leases. A file that has grown too long is replaced by a
//! snapshot: a header, and a change for each instance.
//!
//! # What is durable
//!
//! A registration is acknowledged before it is written. The registry follows its own changes as a watcher does and writes
//! them a moment later, so that no request waits for the disk, and does not ask the disk to keep them (fsync). What is
//! written survives the process, however it ends. What it had not written yet when it was killed is lost, and so is what the
//! kernel had not when a machine lost power. Both are made good without the log: a registry has another epoch after every
//! start, and an instance that sees one in the answer to a renewal registers again, as it is now. The lease of one that had
//! left, and whose departure was lost, ends with the grace. A snapshot, in contrast, is on the disk before it replaces
//! the file: there is no moment at which a file without its beginning could remain.
//!
//! # What is read
//!
//! A last line without its end is what a killed process leaves, and is cut off. Any other line that is damaged is skipped,
//! counted, and reported: it costs what a change costs that was never written. A file without any valid line is some other
//! file, and refused, as are another format, a file of more than 64 MiB, and an epoch after which none comes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use contract::hash::fnv1a64;
use runtime::bounded_file;
use serde::{Deserialize, Serialize};

use crate::instance::{Delta, Instance, Key, RegistryEpoch, Snapshot};
use crate::new_file;

/// Format of the file.
const FORMAT: u32 = 1;
/// Longest file that is not replaced, 1 MiB: some 5,000 changes of one instance. It is read within milliseconds.
const COMPACT_BYTES: u64 = 1 << 20;
/// Longest file that is read, 64 MiB: some 300,000 changes of one instance. A longer one is damaged, or has no end.
const MAX_LOG_BYTES: u64 = 64 << 20;
/// The checksum in hexadecimal, and a space.
const PREFIX_BYTES: usize = 17;

/// Options of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Its file. The folder is made if it is not there.
    pub path: PathBuf,
    /// A longer file is replaced by a snapshot, unless the snapshot would be more than half as long as the file.
    pub compact_bytes: u64,
}

impl LogOptions {
    /// A log in a file, of up to 1 MiB or twice what a snapshot takes.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), compact_bytes: COMPACT_BYTES }
    }
}

/// Why a registry cannot use its log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It is there and cannot be read.
    #[error("the registry's log {} cannot be read", path.display())]
    Read {
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be written.
    #[error("the registry's log {} cannot be written", path.display())]
    Write {
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It has no valid line.
    #[error("{} is not a registry's log: no line of it has a valid checksum; give another file, or remove this one", path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
    },
    /// Another version wrote it.
    #[error("the registry's log {} has format {format}, and this program reads {FORMAT}; remove it, and the registry starts empty", path.display())]
    Format {
        /// Its file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// It is longer than any registry's.
    #[error("the registry's log {} is longer than {} MiB; give another file, or remove it, and the registry starts empty", path.display(), MAX_LOG_BYTES >> 20)]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// No epoch comes after that of its header.
    #[error("the registry's log {} has the epoch {}, and none is later; remove it, and the registry starts empty", path.display(), u64::MAX)]
    LastEpoch {
        /// Its file.
        path: PathBuf,
    },
}

/// What a log held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Epoch of the registry that wrote it last; `None` where there was no log.
    pub registry: Option<RegistryEpoch>,
    /// Its instances as they were registered, in order of service and id.
    pub instances: Vec<Instance>,
    /// Damaged lines, which were skipped.
    pub skipped: usize,
    /// Bytes of a last line without its end, which were cut off.
    pub torn_bytes: usize,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Entry {
    Header { format: u32, registry: RegistryEpoch },
    Change(Delta),
}

/// Reads a log; one that is not there is empty.
///
/// # Errors
/// If the file cannot be read, is longer than 64 MiB, is not a log of this format, or has the last epoch that there is.
pub fn read(path: &Path) -> Result<Recovered, LogError> {
    match bounded_file::read(path, MAX_LOG_BYTES) {
        Ok(bytes) => recover(path, &bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Recovered::default()),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Err(LogError::TooLong { path: path.to_owned() })
        }
        Err(source) => Err(LogError::Read { path: path.to_owned(), source }),
    }
}

fn recover(path: &Path, bytes: &[u8]) -> Result<Recovered, LogError> {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (whole, torn) = bytes.split_at(end);
    let mut recovered = Recovered { torn_bytes: torn.len(), ..Recovered::default() };
    let mut instances: BTreeMap<Key, Instance> = BTreeMap::new();
    let mut valid = 0;
    for line in whole.split_inclusive(|byte| *byte == b'\n') {
        match decode(line) {
            Some(Entry::Header { format, .. }) if format != FORMAT => {
                return Err(LogError::Format { path: path.to_owned(), format });
            }
            Some(Entry::Header { registry: RegistryEpoch(u64::MAX), .. }) => {
                return Err(LogError::LastEpoch { path: path.to_owned() });
            }
            Some(Entry::Header { registry, .. }) => recovered.registry = Some(registry),
            Some(Entry::Change(delta)) => {
                for key in &delta.del {
                    instances.remove(key);
                }
                instances.extend(delta.put.into_iter().map(|instance| (instance.key(), instance)));
            }
            None => {
                recovered.skipped += 1;
                continue;
            }
        }
        valid += 1;
    }
    if valid == 0 && !bytes.is_empty() {
        return Err(LogError::NotALog { path: path.to_owned() });
    }
    recovered.instances = instances.into_values().collect();
    Ok(recovered)
}

/// Appends a line to `text`.
fn encode(entry: &Entry, text: &mut Vec<u8>) {
    let json = serde_json::to_vec(entry).expect("the model is plain data");
    text.extend_from_slice(format!("{:016x} ", fnv1a64(&json)).as_bytes());
    text.extend_from_slice(&json);
    text.push(b'\n');
}

/// The entry of a line with its end; `None` if it is damaged.
fn decode(line: &[u8]) -> Option<Entry> {
    let (prefix, json) = line.strip_suffix(b"\n")?.split_at_checked(PREFIX_BYTES)?;
    let checksum = std::str::from_utf8(prefix.strip_suffix(b" ")?).ok()?;
    let is_valid = u64::from_str_radix(checksum, 16).ok()? == fnv1a64(json);
    if is_valid { serde_json::from_slice(json).ok() } else { None }
}

/// A log that is being written. After an error it needs a snapshot: the file may end with half a line.
pub(crate) struct RegistryLog {
    options: LogOptions,
    /// Open at its end; `None` where it needs a snapshot.
    file: Option<File>,
    bytes: u64,
    /// Bytes of the snapshot that it began with.
    snapshot_bytes: u64,
}

impl RegistryLog {
    /// Begins a log with a snapshot, in the place of the one that was there.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(options: LogOptions, snapshot: Snapshot) -> Result<Self, LogError> {
        let mut log = Self { options, file: None, bytes: 0, snapshot_bytes: 0 };
        match log.replace(snapshot) {
            Ok(()) => Ok(log),
            Err(source) => Err(LogError::Write { path: log.options.path, source }),
        }
    }

    /// Whether it has to be replaced by a snapshot: it has grown too long, or could not be written.
    pub fn needs_snapshot(&self) -> bool {
        self.file.is_none() || self.bytes > self.options.compact_bytes.max(2 * self.snapshot_bytes)
    }

    /// Replaces the file by a snapshot, atomically: a reader finds the old one or the new one.
    pub fn replace(&mut self, snapshot: Snapshot) -> io::Result<()> {
        let Snapshot { registry, rev, instances, .. } = snapshot;
        let is_empty = instances.is_empty();
        let mut text = Vec::new();
        encode(&Entry::Header { format: FORMAT, registry }, &mut text);
        for instance in instances {
            encode(&Entry::Change(Delta { rev, put: vec![instance], del: Vec::new() }), &mut text);
        }
        self.file = None;
        let path = &self.options.path;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = path.with_extension("new");
        let mut file = new_file::create(&new)?;
        file.write_all(&text)?;
        // Of an empty registry nothing could be lost.
        if !is_empty {
            file.sync_data()?;
        }
        fs::rename(&new, path)?;
        self.file = Some(file);
        self.bytes = text.len() as u64;
        self.snapshot_bytes = self.bytes;
        Ok(())
    }

    /// Appends changes, in one write.
    pub fn append(&mut self, deltas: Vec<Delta>) -> io::Result<()> {
        let mut file = self.file.take().ok_or_else(|| io::Error::other("the log needs a snapshot"))?;
        let mut text = Vec::new();
        for delta in deltas {
            encode(&Entry::Change(delta), &mut text);
        }
        file.write_all(&text)?;
        self.bytes += text.len() as u64;
        self.file = Some(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
