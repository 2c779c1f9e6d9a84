//! Bytes too large for rows: an object store on the local disk, keyed by content.
//!
//! Bytes are written first, the row second: a crash leaves an orphan file,
//! never a row without its bytes.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use contract::{Refusal, RefusalKind};
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use sha2::{Digest, Sha256};

use crate::StorageError;

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
}

impl Blobs {
    /// A store in a folder, made if need be. What it has taken survives power
    /// loss: the file and its folder are synced before the write is acknowledged.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self, StorageError> {
        let wrong = |source: std::io::Error| StorageError::File { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(wrong)?;
        let store =
            LocalFileSystem::new_with_prefix(folder).map_err(|why| wrong(std::io::Error::other(why)))?;
        Ok(Self { store: Arc::new(store.with_fsync(true)) })
    }

    /// The key of some bytes: their SHA-256, in hex.
    pub fn key(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut key, byte| {
            // Writing to a string does not fail.
            let _ = write!(key, "{byte:02x}");
            key
        })
    }

    /// Keeps some bytes and answers their key. The same bytes are kept once.
    ///
    /// # Errors
    /// 503 when the disk refuses.
    pub async fn put(&self, bytes: Bytes) -> Result<String, Refusal> {
        let key = Self::key(&bytes);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&location(&key), bytes.into(), options).await {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(key),
            Err(error) => {
                tracing::warn!(%error, "bytes could not be kept");
                Err(Refusal::unavailable("store_refused", "the bytes could not be kept; try again"))
            }
        }
    }

    /// The bytes of a key.
    ///
    /// # Errors
    /// 404 when there are none, 503 when the disk refuses.
    pub async fn get(&self, key: &str) -> Result<Bytes, Refusal> {
        let refused = |error: object_store::Error| match error {
            object_store::Error::NotFound { .. } => {
                Refusal::new(RefusalKind::NotFound, "bytes_not_found", "there are no such bytes")
            }
            error => {
                tracing::warn!(%error, key, "bytes could not be read");
                Refusal::unavailable("store_refused", "the bytes could not be read; try again")
            }
        };
        self.store.get(&location(key)).await.map_err(refused)?.bytes().await.map_err(refused)
    }
}

/// Two levels of folders, so that none holds all.
fn location(key: &str) -> object_store::path::Path {
    let (first, rest) = key.split_at(key.len().min(2));
    object_store::path::Path::from(format!("{first}/{rest}"))
}
