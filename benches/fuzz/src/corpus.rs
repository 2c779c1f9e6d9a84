//! The inputs that mutation begins with: `corpus/TARGET`, one file each, and those that a target makes by itself.
//!
//! A finding is kept there as `found-N`, and replayed by every later run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use contract::hash::fnv1a64;

use crate::finding::Finding;
use crate::targets::Target;

/// The folder of a target's inputs.
fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// All inputs of a target, in the order of their files' names.
///
/// # Panics
/// When the folder cannot be read: it is part of the sources.
pub fn of(target: &Target) -> Vec<Vec<u8>> {
    let folder = folder(target.name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let read = |path: &PathBuf| fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let mut inputs: Vec<Vec<u8>> = paths.iter().map(read).collect();
    inputs.extend((target.seeds)());
    inputs
}

/// Writes a finding to the corpus of its target. Returns where.
///
/// # Errors
/// When it cannot be written.
pub fn keep(finding: &Finding) -> io::Result<PathBuf> {
    let path = folder(finding.target).join(format!("found-{:016x}", fnv1a64(&finding.input)));
    fs::write(&path, &finding.input)?;
    Ok(path)
}
