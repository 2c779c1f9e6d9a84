//! Decodes pictures off the async threads, a limited number at a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::hash::fnv1a64;
use contract::{CallContext, Refusal};
use runtime::cost::{self, Part};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::picture::{self, Format, Picture};

/// Concurrent uploads, from the first byte to the row: 32 of at most 16 MiB are half a gigabyte.
const MAX_UPLOADS: usize = 32;
/// Pictures decoded at once: one per core, but no more than this, since each may take 192 MiB.
const MAX_DECODERS: usize = 4;
/// Largest body hashed on the async thread: at about 1 GB/s this takes 64 µs, less than a thread switch.
const MAX_INLINE_HASH_BYTES: usize = 64 << 10;

/// Limits the memory and the cores that uploads use.
pub struct DecodePool {
    uploads: Arc<Semaphore>,
    decoders: Arc<Semaphore>,
}

impl Default for DecodePool {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            uploads: Arc::new(Semaphore::new(MAX_UPLOADS)),
            decoders: Arc::new(Semaphore::new(cores.min(MAX_DECODERS))),
        }
    }
}

impl DecodePool {
    /// Admits one upload until the permit is dropped. Call it before reading the body: a late response
    /// costs as much as none.
    ///
    /// # Errors
    /// 503 if all permits are taken.
    pub fn admit(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.uploads.clone().try_acquire_owned().map_err(|_| {
            let sentence = "too many uploads at once; try again in a second";
            let mut refusal = Refusal::unavailable("uploads_busy", sentence);
            refusal.retry_after = Some(Duration::from_secs(1));
            refusal
        })
    }

    /// Fingerprint of an original, so that a key is not used for two.
    pub async fn fingerprint(&self, bytes: Bytes) -> u64 {
        let quick = bytes.len() <= MAX_INLINE_HASH_BYTES;
        let hash = move || fnv1a64(&bytes);
        if quick {
            cost::run(Part::Business, hash)
        } else {
            cost::part(Part::Business, runtime::blocking(hash)).await
        }
    }

    /// Decodes a picture as soon as a decoder is free.
    ///
    /// # Errors
    /// What [`picture::decode`] refuses; 504 if no decoder was free in time.
    pub async fn decode(&self, cx: &CallContext, format: Format, bytes: Bytes) -> Result<Picture, Refusal> {
        let permit =
            tokio::time::timeout_at(cx.deadline.instant().into(), self.decoders.clone().acquire_owned());
        let permit = cost::part(Part::Queueing, permit)
            .await
            .map_err(|_| Refusal::too_late())?
            .expect("the semaphore is never closed");
        // The permit moves along: decoding continues after the caller has left.
        let work = runtime::blocking(move || {
            let _permit = permit;
            picture::decode(format, &bytes)
        });
        cost::part(Part::Business, work).await
    }
}
