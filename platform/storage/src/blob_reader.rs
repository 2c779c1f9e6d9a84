//! The bytes of a blob, read from disk as they are sent: however slow a reader is, a blob is never held whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

/// Bytes read at once; a shorter blob is read in one go.
pub const CHUNK_BYTES: usize = 32 * 1024;

/// A blob that is being read. The file is open: the bytes stay readable when their name is removed.
#[derive(Debug)]
pub struct BlobReader {
    file: Arc<File>,
    length: u64,
    at: u64,
    /// What was read when it was opened.
    ahead: Option<Bytes>,
}

impl BlobReader {
    /// Opens a file and reads its first bytes.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = Arc::new(File::open(path)?);
        let length = file.metadata()?.len();
        let ahead = read(&file, 0, length)?;
        Ok(Self {
            file,
            length,
            at: ahead.len() as u64,
            ahead: Some(ahead).filter(|bytes| !bytes.is_empty()),
        })
    }

    /// All bytes of it.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// The system's, and an early end where the file has become shorter.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        if self.at >= self.length {
            return Ok(None);
        }
        let (file, at, length) = (self.file.clone(), self.at, self.length);
        let bytes = runtime::blocking(move || read(&file, at, length)).await?;
        self.at += bytes.len() as u64;
        Ok(Some(bytes))
    }
}

/// A chunk from `at` on; never past `length`.
fn read(file: &File, at: u64, length: u64) -> io::Result<Bytes> {
    let left = usize::try_from(length - at).unwrap_or(usize::MAX);
    let mut bytes = BytesMut::zeroed(left.min(CHUNK_BYTES));
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes.freeze())
}
