//! A few pictures developed at a time, off the async threads.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::id::fnv1a64;
use contract::{CallContext, Refusal};
use runtime::cost::{self, Part};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::picture::{self, Format, Picture};

/// Uploads inside at once, from their first byte to their row: 32 of at most
/// 16 MiB are half a gigabyte, the most this service will hold.
const MAX_INSIDE: usize = 32;
/// Pictures developed at once: one per core, but no more than this, since each
/// may take 192 MiB.
const MAX_HANDS: usize = 4;
/// Bytes hashed on the async thread: at about 1 GB/s this takes 64 µs, less
/// than handing them over and back.
const HASHED_HERE: usize = 64 << 10;

/// Keeps uploads from taking all memory and all cores.
pub struct Darkroom {
    room: Arc<Semaphore>,
    hands: Arc<Semaphore>,
}

impl Default for Darkroom {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            room: Arc::new(Semaphore::new(MAX_INSIDE)),
            hands: Arc::new(Semaphore::new(cores.min(MAX_HANDS))),
        }
    }
}

impl Darkroom {
    /// A place for one upload, held until dropped. Asked for before the body
    /// is read: a late answer costs as much as none.
    ///
    /// # Errors
    /// 503 when all places are taken.
    pub fn enter(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.room.clone().try_acquire_owned().map_err(|_| {
            let sentence = "too many uploads at once; try again in a second";
            let mut refusal = Refusal::unavailable("uploads_busy", sentence);
            refusal.retry_after = Some(Duration::from_secs(1));
            refusal
        })
    }

    /// Tells one original from another, so that a key is not used for two.
    pub async fn fingerprint(&self, bytes: Bytes) -> u64 {
        let quick = bytes.len() <= HASHED_HERE;
        let hash = move || fnv1a64(&bytes, 0xcbf2_9ce4_8422_2325);
        if quick {
            cost::run(Part::Business, hash)
        } else {
            cost::part(Part::Business, runtime::blocking(hash)).await
        }
    }

    /// Develops a picture as soon as a hand is free.
    ///
    /// # Errors
    /// What [`picture::develop`] refuses; 504 when no hand was free in time.
    pub async fn develop(&self, cx: &CallContext, format: Format, bytes: Bytes) -> Result<Picture, Refusal> {
        let hand = tokio::time::timeout_at(cx.deadline.instant().into(), self.hands.clone().acquire_owned());
        let hand = cost::part(Part::Queueing, hand)
            .await
            .map_err(|_| Refusal::too_late())?
            .expect("the semaphore is never closed");
        // The hand goes along: a picture whose sender has left is still being developed.
        let work = runtime::blocking(move || {
            let _hand = hand;
            picture::develop(format, &bytes)
        });
        cost::part(Part::Business, work).await
    }
}
