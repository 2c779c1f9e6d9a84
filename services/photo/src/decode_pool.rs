//! Decodes pictures off the async threads, a limited number at a time, at a lower priority than all
//! other work: many large uploads wait for each other, and no reader does.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::hash::fnv1a64;
use contract::{CallContext, Refusal};
use profile_api::UserId;
use runtime::cost::{self, Part};
use runtime::{BackgroundThreads, clock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::picture::{self, Format, Picture};
use crate::turns::Turns;

/// Concurrent uploads, from the first byte to the row.
const MAX_UPLOADS: usize = 32;
/// Bytes of originals that these hold together where they are long: one of the largest, 16 MiB, and a little more.
const MAX_LONG_UPLOAD_BYTES: usize = 18 << 20;
/// The same of short ones, which wait for no long one.
const MAX_SHORT_UPLOAD_BYTES: usize = 6 << 20;
/// An original of up to so many bytes is short: most phones' pictures for a feed are.
const SHORT_BYTES: u64 = 1 << 20;
/// Pictures decoded at once: one per core, but no more than this.
const MAX_DECODERS: usize = 4;
/// Memory in which all of these are decoded: one of the largest pictures, or many small ones.
const MAX_DECODING_BYTES: usize = picture::MAX_DECODED_BYTES as usize;
/// WebPs of which it is found out at once what they take. That of a lossless one is written in pictures of its own, of a
/// sixteenth of its pixels, whatever the length of the file: two million, of four bytes each.
const MAX_INSPECTIONS: usize = 2;
/// Memory is counted in steps of this many bytes: a semaphore counts to 2^29 at least.
const STEP_BYTES: usize = 1 << 10;
/// Largest original read on the async thread: at about 1 GB/s this takes 64 µs, less than a thread switch.
const MAX_INLINE_BYTES: usize = 64 << 10;

/// Limits the memory and the cores that uploads use.
pub struct DecodePool {
    uploads: Arc<Semaphore>,
    long_uploads: Arc<Semaphore>,
    short_uploads: Arc<Semaphore>,
    inspections: Arc<Semaphore>,
    decoders: Arc<Semaphore>,
    turns: Turns,
    threads: BackgroundThreads,
    decoding_memory: Arc<Semaphore>,
}

/// An upload that was let in, and the memory that its bytes hold.
#[derive(Debug)]
pub struct UploadPermit {
    _place: OwnedSemaphorePermit,
    _memory: OwnedSemaphorePermit,
}

fn steps(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(STEP_BYTES as u64)).unwrap_or(u32::MAX)
}

/// Reads an original from end to end: at once where it is short, and off the async threads else.
async fn read<T: Send + 'static>(bytes: Bytes, work: impl FnOnce(&[u8]) -> T + Send + 'static) -> T {
    let is_short = bytes.len() <= MAX_INLINE_BYTES;
    let work = move || work(&bytes);
    if is_short {
        cost::run(Part::Business, work)
    } else {
        cost::part(Part::Business, runtime::blocking(work)).await
    }
}

/// What comes of a decoder. One that panics has met bytes that it cannot read: a fault of the picture, which must not look
/// like one of this component.
fn within_its_bounds<T>(decoder: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(decoder)).unwrap_or_else(|_| Err(picture::broken("its decoder gave up")))
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
            long_uploads: Arc::new(Semaphore::new(MAX_LONG_UPLOAD_BYTES / STEP_BYTES)),
            short_uploads: Arc::new(Semaphore::new(MAX_SHORT_UPLOAD_BYTES / STEP_BYTES)),
            inspections: Arc::new(Semaphore::new(MAX_INSPECTIONS)),
            decoders: Arc::new(Semaphore::new(decoders)),
            turns: Turns::new(decoders.div_ceil(2)),
            threads: BackgroundThreads::start("decoder", decoders)?,
            decoding_memory: Arc::new(Semaphore::new(MAX_DECODING_BYTES / STEP_BYTES)),
        })
    }

    /// Admits one upload of up to so many bytes until the permit is dropped; those that find no room for theirs wait in
    /// their order, for half of the time that they have. Call it before reading the body: a late response costs as much as
    /// none. Bodies come from the gateway, which has them whole.
    ///
    /// # Errors
    /// 503 if as many are under way as may be, or there was no room in time.
    pub async fn admit(&self, cx: &CallContext, bytes: u64) -> Result<UploadPermit, Refusal> {
        let place = self.uploads.clone().try_acquire_owned().map_err(|_| busy())?;
        let room = if bytes <= SHORT_BYTES { &self.short_uploads } else { &self.long_uploads };
        let half = cx.deadline.remaining(clock::now()).unwrap_or_default() / 2;
        let memory = tokio::time::timeout(half, room.clone().acquire_many_owned(steps(bytes)));
        let memory = cost::part(Part::Queueing, memory).await.map_err(|_| busy())?;
        Ok(UploadPermit { _place: place, _memory: memory.expect("the semaphore is never closed") })
    }

    /// Fingerprint of an original, so that a key is not used for two.
    pub async fn fingerprint(&self, bytes: Bytes) -> u64 {
        read(bytes, fnv1a64).await
    }

    /// Decodes a picture of an author's as soon as a decoder and the memory for it are free. One author has half of the decoders at
    /// most: an author that uploads picture after picture leaves others a core.
    ///
    /// # Errors
    /// What [`picture::decode`] refuses; 503 if no decoder was free for half of the time that is left, or 504 where its client
    /// gave it less time than its route does.
    pub async fn decode(
        &self,
        cx: &CallContext,
        author: UserId,
        format: Format,
        bytes: Bytes,
    ) -> Result<Picture, Refusal> {
        let permits = async {
            let memory = steps(self.decoded_bytes(format, bytes.clone()).await?);
            let turn = self.turns.wait(author).await;
            let decoder = self.decoders.clone().acquire_owned().await;
            let memory = self.decoding_memory.clone().acquire_many_owned(memory).await;
            let permits =
                (turn, decoder.expect("the semaphore is never closed"), memory.expect("nor is this"));
            Ok::<_, Refusal>(permits)
        };
        let left = cx.deadline.remaining(clock::now()).unwrap_or_default();
        // A client that waits for less is too hasty; others hear while they listen that there are too many of them, which is
        // no failure of this component.
        let is_hasty = cx.deadline.is_chosen_by_client();
        let permits = tokio::time::timeout(if is_hasty { left } else { left / 2 }, permits);
        let permit = cost::part(Part::Queueing, permits)
            .await
            .map_err(|_| if is_hasty { Refusal::too_late() } else { busy() })??;
        // The permit moves along: decoding continues after the caller has left.
        let work = self.threads.run(move || {
            let _permit = permit;
            within_its_bounds(|| picture::decode(format, &bytes))
        });
        cost::part(Part::Business, work).await
    }

    /// Memory that a picture takes while it is decoded, bytes. Of a WebP a short file may take long, so that it has no part in
    /// the async threads.
    async fn decoded_bytes(&self, format: Format, bytes: Bytes) -> Result<u64, Refusal> {
        let promised = move |bytes: &[u8]| within_its_bounds(|| picture::decoded_bytes(format, bytes));
        if format != Format::WebP {
            return read(bytes, promised).await;
        }
        let turn = self.inspections.clone().acquire_owned().await.expect("the semaphore is never closed");
        // The turn moves along, as a permit does.
        let work = runtime::blocking(move || {
            let _turn = turn;
            promised(&bytes)
        });
        cost::part(Part::Business, work).await
    }
}

#[cfg(test)]
mod tests {
    use contract::{ComponentName, Deadline};
    use futures_util::FutureExt;

    use super::*;

    const MIB: u64 = 1 << 20;
    const AUTHOR: UserId = UserId::new(7);

    fn within(time: Duration) -> CallContext {
        CallContext::background(ComponentName::CLIENT, Deadline::after(clock::now(), time))
    }

    #[test]
    fn a_picture_on_which_a_decoder_panics_is_broken() {
        let refused = within_its_bounds(|| -> Result<(), Refusal> { panic!("as a decoder may") });
        assert_eq!(refused.expect_err("no picture").code, "image_broken");
        assert_eq!(within_its_bounds(|| Ok(7)).ok(), Some(7));
    }

    #[tokio::test]
    async fn uploads_are_bounded_by_number() {
        let (pool, cx) = (DecodePool::start().expect("threads"), within(Duration::from_secs(60)));
        let mut all = Vec::new();
        for _ in 0..MAX_UPLOADS {
            all.push(pool.admit(&cx, 1).await.expect("a place"));
        }
        let refused = pool.admit(&cx, 1).await.expect_err("no place");
        assert!(refused.code == "uploads_busy" && refused.is_shed);
        all.pop();
        pool.admit(&cx, 1).await.expect("a place again");
    }

    #[tokio::test]
    async fn large_uploads_wait_for_each_other_and_small_ones_for_none_of_them() {
        let (pool, cx) = (DecodePool::start().expect("threads"), within(Duration::from_secs(60)));
        let first = pool.admit(&cx, 13 * MIB).await.expect("there is room for one of these");
        let mut second = Box::pin(pool.admit(&cx, 13 * MIB));
        assert!(second.as_mut().now_or_never().is_none(), "it waits, and is not refused");
        let mut third = Box::pin(pool.admit(&cx, 2 * MIB));
        assert!(third.as_mut().now_or_never().is_none(), "in their order");
        drop(pool.admit(&cx, MIB).await.expect("a small one"));
        drop(first);
        drop(second.await.expect("its turn"));
        drop(third.await.expect("its turn"));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_in_vain_is_refused_while_its_client_still_listens() {
        let pool = DecodePool::start().expect("threads");
        let _first = pool.admit(&within(Duration::from_secs(60)), 16 * MIB).await.expect("the largest");
        let refused = pool.admit(&within(Duration::from_secs(10)), 16 * MIB).await.expect_err("no room");
        assert!(refused.code == "uploads_busy" && refused.is_shed);
    }

    fn encoded(format: image::ImageFormat) -> Bytes {
        let mut bytes = io::Cursor::new(Vec::new());
        image::DynamicImage::new_rgb8(4, 4).write_to(&mut bytes, format).expect("encodes");
        bytes.into_inner().into()
    }

    #[tokio::test]
    async fn what_a_webp_takes_is_found_out_by_a_few_at_once() {
        let (pool, cx) = (DecodePool::start().expect("threads"), within(Duration::from_secs(60)));
        let turns = u32::try_from(MAX_INSPECTIONS).expect("a few");
        let all = pool.inspections.clone().acquire_many_owned(turns).await.expect("never closed");
        let mut waiting = Box::pin(pool.decode(&cx, AUTHOR, Format::WebP, encoded(image::ImageFormat::WebP)));
        assert!(waiting.as_mut().now_or_never().is_none(), "it waits for its turn");
        let others = pool.decode(&cx, AUTHOR, Format::Png, encoded(image::ImageFormat::Png)).await;
        assert_eq!(others.expect("the others have none").width, 4);
        drop(all);
        assert_eq!(waiting.await.expect("its turn").width, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_finds_no_decoder_is_refused_in_time_as_well() {
        let pool = DecodePool::start().expect("threads");
        let decoders = u32::try_from(pool.decoders.available_permits()).expect("a few");
        let _all = pool.decoders.acquire_many(decoders).await.expect("never closed");
        let png = encoded(image::ImageFormat::Png);
        let cx = within(Duration::from_secs(10));
        let refused = pool.decode(&cx, AUTHOR, Format::Png, png.clone()).await.expect_err("no decoder");
        assert!(refused.code == "uploads_busy" && refused.is_shed);
        let hasty = CallContext { deadline: cx.deadline.chosen_by_client(), ..cx };
        let refused = pool.decode(&hasty, AUTHOR, Format::Png, png).await.expect_err("no decoder");
        assert_eq!(refused, Refusal::too_late());
    }
}
