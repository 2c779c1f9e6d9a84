//! Bytes without a photo are removed: those of uploads that failed and of photos that were deleted.
//!
//! Contents are shared by hash, and bytes come before their row. So nothing is swept that was put
//! within the last [`GRACE`], longer than any upload takes, and what is swept is decided inside a write
//! transaction: an upload looks in its own whether its bytes are still there.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use component::ServiceContext;
use contract::Refusal;
use runtime::ShutdownPolicy;

use crate::{Album, store};

/// How often it is swept, from a minute after the start on.
const INTERVAL: Duration = Duration::from_secs(60);
/// Bytes younger than this may belong to an upload that is under way: 30 s at most, and twice that for a machine that stands still.
const GRACE: Duration = Duration::from_secs(60);
/// Most that is removed at once: the one writer waits meanwhile.
const MAX_REMOVED: usize = 1_000;
/// How soon it is swept again after as much was removed: others have the writer in between.
const PAUSE: Duration = Duration::from_secs(1);

/// Sweeps for as long as the process lives, and forgets what deleted accounts have left.
pub(crate) fn start(context: &ServiceContext, album: &Arc<Album>) {
    let forgetting = album.clone();
    context.tasks.spawn("photo.forget", ShutdownPolicy::Cancel, async move {
        loop {
            let news = tokio::time::timeout(INTERVAL, forgetting.has_left_over.notified()).await;
            if let Err(error) = forgetting.forget_rest(news.is_ok()).await {
                tracing::warn!(%error, "what a deleted account had could not be forgotten");
            }
        }
    });
    let album = album.clone();
    context.tasks.spawn("photo.sweep", ShutdownPolicy::Cancel, async move {
        let mut wait = INTERVAL;
        loop {
            tokio::time::sleep(wait).await;
            let swept = album.sweep(GRACE).await;
            match &swept {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "bytes without a photo were removed"),
                Err(error) => tracing::warn!(%error, "bytes without a photo could not be removed"),
            }
            wait = next_sweep(swept.unwrap_or(0));
        }
    });
}

/// How long it is until the next sweep, after one that removed so many.
const fn next_sweep(removed: usize) -> Duration {
    // All that one sweep may remove: there is more, or a client makes more than one a minute removes.
    if removed < MAX_REMOVED { INTERVAL } else { PAUSE }
}

impl Album {
    /// Removes bytes that no photo names and that were not put within `grace`. Answers how many.
    ///
    /// # Errors
    /// When the database or the folder cannot be read.
    pub async fn sweep(&self, grace: Duration) -> Result<usize, Refusal> {
        let mut unused = self.blobs.unused_for(grace).await?;
        if !unused.is_empty() {
            store::retain_unnamed(&mut *self.db.read().await?, &mut unused).await?;
        }
        if unused.is_empty() {
            return Ok(0);
        }
        let mut orphans: HashSet<String> = unused.into_iter().take(MAX_REMOVED).collect();
        let mut tx = self.db.write().await?;
        store::retain_unnamed(tx.conn(), &mut orphans).await?;
        let blobs = self.blobs.clone();
        let removing = move || orphans.iter().filter(|key| blobs.remove(key, grace)).count();
        let removed = runtime::blocking(removing).await;
        // Nothing was written: it was held so that no row could be.
        drop(tx);
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_that_did_not_get_through_is_followed_by_another() {
        assert_eq!((next_sweep(0), next_sweep(MAX_REMOVED - 1)), (INTERVAL, INTERVAL));
        assert_eq!(next_sweep(MAX_REMOVED), PAUSE);
    }
}
