//! Packing a record that is over.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::Index;
use crate::file::packed_path;

/// A longer record stays as it is: a moment of a packed one is found by unpacking what comes before it, which takes a
/// quarter of a second for so much.
const MAX_PACKED_BYTES: u64 = 64 * 1024 * 1024;

/// Packs a record that is over, and its index with it. It is there as a whole at every moment: those who read the file
/// meanwhile read it to its end.
///
/// # Errors
/// When a file cannot be read or written; the record is left as it was.
pub fn pack(record: &Path) -> io::Result<()> {
    let length = std::fs::metadata(record)?.len();
    if length == 0 || length > MAX_PACKED_BYTES {
        return Ok(());
    }
    let mut index = Index::of(record)?;
    let mut part = packed_path(record).into_os_string();
    part.push(OsString::from(format!(".{}", std::process::id())));
    let part = PathBuf::from(part);
    let written = write_packed(record, &part).and_then(|()| std::fs::rename(&part, packed_path(record)));
    if let Err(error) = written {
        // A part of a record only takes room.
        let _ = std::fs::remove_file(&part);
        return Err(error);
    }
    index.keep_for(record, &std::fs::metadata(packed_path(record))?);
    std::fs::remove_file(record)
}

fn write_packed(record: &Path, to: &Path) -> io::Result<()> {
    let mut packed = GzEncoder::new(File::create(to)?, Compression::default());
    io::copy(&mut BufReader::new(File::open(record)?), &mut packed)?;
    let mut file = packed.finish()?;
    file.flush()?;
    file.sync_data()
}
