//! Bytes too large for rows: an object store on the local disk, keyed by content.
//!
//! Bytes are written first, the row second: a crash leaves an orphan file,
//! never a row without its bytes. Orphans are swept: [`Blobs::unused_for`] lists what may be
//! one, its owner says what is, and [`Blobs::remove`] takes it away. An owner decides while it
//! holds its write transaction, and [`Blobs::has`] is asked in that of the row.

use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use contract::{Refusal, RefusalKind};
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, PutMode, PutOptions};
use sha2::{Digest, Sha256};

use crate::blob_reader::BlobReader;
use crate::{StorageError, folder};

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    folder: Arc<Path>,
}

impl Blobs {
    /// A store in a folder, made if need be. What it has taken survives power
    /// loss: the file and its folder are synced before the write is acknowledged.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self, StorageError> {
        let wrong = |source: std::io::Error| StorageError::File { path: folder.to_owned(), source };
        folder::create_private(folder).map_err(wrong)?;
        let store =
            LocalFileSystem::new_with_prefix(folder).map_err(|why| wrong(std::io::Error::other(why)))?;
        Ok(Self { store: Arc::new(store.with_fsync(true)), folder: folder.into() })
    }

    /// The key of some bytes: their SHA-256, in hex.
    pub fn key(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut key, byte| {
            // Writing to a string does not fail.
            let _ = write!(key, "{byte:02x}");
            key
        })
    }

    /// Keeps some bytes and answers their key. The same bytes are kept once, and count as used again.
    ///
    /// # Errors
    /// 503 when the disk refuses.
    pub async fn put(&self, bytes: Bytes) -> Result<String, Refusal> {
        let key = Self::key(&bytes);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&location(&key), bytes.into(), options).await {
            Ok(_) => Ok(key),
            Err(object_store::Error::AlreadyExists { .. }) => {
                let path = self.path(&key);
                // One that is being swept is missed when its row is written.
                let _gone = runtime::blocking(move || use_again(&path)).await;
                Ok(key)
            }
            Err(error) => {
                tracing::warn!(%error, "bytes could not be kept");
                Err(Refusal::unavailable("store_refused", "the bytes could not be kept; try again"))
            }
        }
    }

    /// The bytes of a key, read as they are sent.
    ///
    /// # Errors
    /// 404 when there are none, 503 when the disk refuses.
    pub async fn read(&self, key: &str) -> Result<BlobReader, Refusal> {
        let path = self.path(key);
        let opened = runtime::blocking(move || BlobReader::open(&path)).await;
        opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Refusal::new(RefusalKind::NotFound, "bytes_not_found", "there are no such bytes")
            }
            _ => {
                tracing::warn!(%error, key, "bytes could not be read");
                Refusal::unavailable("store_refused", "the bytes could not be read; try again")
            }
        })
    }

    /// Whether the bytes of a key are here.
    pub fn has(&self, key: &str) -> bool {
        self.path(key).exists()
    }

    /// Keys of bytes that were last written so long ago, and were not put again since. What a
    /// crash left in the middle of being written is older than that as well, and removed.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn unused_for(&self, age: Duration) -> Result<HashSet<String>, StorageError> {
        let folder = self.folder.clone();
        let walked = runtime::blocking(move || unused(&folder, age)).await;
        walked.map_err(|source| StorageError::File { path: self.folder.to_path_buf(), source })
    }

    /// Removes the bytes of a key, unless they were put again within `age`. Whether they were there.
    pub fn remove(&self, key: &str, age: Duration) -> bool {
        let path = self.path(key);
        fs::metadata(&path).is_ok_and(|file| is_older(&file, age)) && fs::remove_file(&path).is_ok()
    }

    fn path(&self, key: &str) -> PathBuf {
        let (first, rest) = key.split_at(key.len().min(2));
        self.folder.join(first).join(rest)
    }
}

/// What marks a file that is still being written, followed by a number (object_store's own).
const STAGING_MARK: char = '#';
/// A file that has been written for so long is not being written any more.
const STAGING_AGE: Duration = Duration::from_secs(60);

fn use_again(path: &Path) -> io::Result<()> {
    let now = UNIX_EPOCH + Duration::from_micros(runtime::clock::wall_us().unsigned_abs());
    fs::File::open(path)?.set_modified(now)
}

fn is_older(file: &fs::Metadata, age: Duration) -> bool {
    let now = UNIX_EPOCH + Duration::from_micros(runtime::clock::wall_us().unsigned_abs());
    let written: io::Result<SystemTime> = file.modified();
    written.is_ok_and(|written| now.duration_since(written).is_ok_and(|since| since >= age))
}

fn unused(folder: &Path, age: Duration) -> io::Result<HashSet<String>> {
    let mut keys = HashSet::new();
    for group in fs::read_dir(folder)? {
        let group = group?;
        if !group.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(group.path())? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            let is_staging = name.contains(STAGING_MARK);
            let age = if is_staging { age.max(STAGING_AGE) } else { age };
            // One that has gone meanwhile is not ours to count.
            if !file.metadata().is_ok_and(|file| is_older(&file, age)) {
                continue;
            }
            if is_staging {
                let _gone = fs::remove_file(file.path());
            } else {
                keys.insert(format!("{}{name}", group.file_name().to_string_lossy()));
            }
        }
    }
    Ok(keys)
}

/// Two levels of folders, so that none holds all.
fn location(key: &str) -> object_store::path::Path {
    let (first, rest) = key.split_at(key.len().min(2));
    object_store::path::Path::from(format!("{first}/{rest}"))
}
