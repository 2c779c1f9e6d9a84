//! Decodes pictures off the async threads, a limited number at a time, at a lower priority than all
//! other work: many large uploads wait for each other, and no reader does.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::hash::fnv1a64;
use contract::{CallContext, Refusal};
use runtime::BackgroundThreads;
use runtime::cost::{self, Part};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::picture::{self, Format, Picture};

/// Concurrent uploads, from the first byte to the row.
const MAX_UPLOADS: usize = 32;
/// Bytes of originals that these hold together: one of the largest, and as much as half of it beside.
const MAX_UPLOAD_BYTES: usize = 24 << 20;
/// Pictures decoded at once: one per core, but no more than this.
const MAX_DECODERS: usize = 4;
/// Memory in which all of these are decoded: one of the largest pictures, or many small ones.
const MAX_DECODING_BYTES: usize = picture::MAX_DECODED_BYTES as usize;
/// Memory is counted in steps of this many bytes: a semaphore counts to 2^29 at least.
const STEP_BYTES: usize = 1 << 10;
/// Largest body hashed on the async thread: at about 1 GB/s this takes 64 µs, less than a thread switch.
const MAX_INLINE_HASH_BYTES: usize = 64 << 10;

/// Limits the memory and the cores that uploads use.
pub struct DecodePool {
    uploads: Arc<Semaphore>,
    upload_memory: Arc<Semaphore>,
    decoders: Arc<Semaphore>,
    threads: BackgroundThreads,
    decoding_memory: Arc<Semaphore>,
}

/// An upload that was let in, and the memory that its bytes hold.
#[derive(Debug)]
pub struct UploadPermit {
    _place: OwnedSemaphorePermit,
    memory: OwnedSemaphorePermit,
}

impl UploadPermit {
    /// Lets the upload hold so many bytes in all.
    ///
    /// # Errors
    /// 503 if the uploads under way hold as much as they may.
    pub fn hold(&mut self, bytes: u64) -> Result<(), Refusal> {
        let more = steps(bytes).saturating_sub(self.memory.num_permits() as u32);
        let memory = self.memory.semaphore().clone().try_acquire_many_owned(more).map_err(|_| busy())?;
        self.memory.merge(memory);
        Ok(())
    }
}

fn steps(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(STEP_BYTES as u64)).unwrap_or(u32::MAX)
}

fn busy() -> Refusal {
    let sentence = "too many uploads at once; try again in a second";
    Refusal::shed("uploads_busy", sentence, Some(Duration::from_secs(1)))
}

impl DecodePool {
    /// A pool that nothing uses, and its threads.
    ///
    /// # Errors
    /// When the kernel gives no thread.
    pub fn start() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let decoders = cores.min(MAX_DECODERS);
        Ok(Self {
            uploads: Arc::new(Semaphore::new(MAX_UPLOADS)),
            upload_memory: Arc::new(Semaphore::new(MAX_UPLOAD_BYTES / STEP_BYTES)),
            decoders: Arc::new(Semaphore::new(decoders)),
            threads: BackgroundThreads::start("decoder", decoders)?,
            decoding_memory: Arc::new(Semaphore::new(MAX_DECODING_BYTES / STEP_BYTES)),
        })
    }

    /// Admits one upload until the permit is dropped. Call it before reading the body: a late response
    /// costs as much as none. Bodies come from the gateway, which has them whole.
    ///
    /// # Errors
    /// 503 if all permits are taken.
    pub fn admit(&self) -> Result<UploadPermit, Refusal> {
        let place = self.uploads.clone().try_acquire_owned().map_err(|_| busy())?;
        let memory = self.upload_memory.clone().try_acquire_many_owned(0).map_err(|_| busy())?;
        Ok(UploadPermit { _place: place, memory })
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

    /// Decodes a picture as soon as a decoder and the memory for it are free.
    ///
    /// # Errors
    /// What [`picture::decode`] refuses; 504 if no decoder was free in time.
    pub async fn decode(&self, cx: &CallContext, format: Format, bytes: Bytes) -> Result<Picture, Refusal> {
        let memory = steps(picture::decoded_bytes(format, &bytes)?);
        let permits = async {
            let decoder = self.decoders.clone().acquire_owned().await;
            let memory = self.decoding_memory.clone().acquire_many_owned(memory).await;
            (decoder.expect("the semaphore is never closed"), memory.expect("nor is this"))
        };
        let permits = tokio::time::timeout_at(cx.deadline.instant().into(), permits);
        let permit = cost::part(Part::Queueing, permits).await.map_err(|_| Refusal::too_late())?;
        // The permit moves along: decoding continues after the caller has left.
        let work = self.threads.run(move || {
            let _permit = permit;
            picture::decode(format, &bytes)
        });
        cost::part(Part::Business, work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_bounded_by_number_and_by_bytes() {
        let pool = DecodePool::start().expect("threads");
        let mut all: Vec<_> = (0..MAX_UPLOADS).map(|_| pool.admit().expect("a place")).collect();
        assert!(pool.admit().is_err_and(|refusal| refusal.code == "uploads_busy" && refusal.is_shed));
        let half = (MAX_UPLOAD_BYTES / 2) as u64;
        all[0].hold(half).expect("half of it");
        all[0].hold(half).expect("the same half");
        all[1].hold(half).expect("the other");
        assert!(all[2].hold(1).is_err());
        all.swap_remove(0);
        all[2].hold(half).expect("it is free again");
    }
}
