//! What happens when an account goes: its photos and likes go too.
//!
//! Some of them in the turn that brings the news; where there are more, the rest in turns of their own, so that no other writer
//! waits for all of them, and the deletion of an account takes no longer than its route may.

use std::time::Duration;

use contract::{CallContext, Deadline, Pending, Refusal};
use photo_api::PhotoDeleted;
use profile_api::{ProfileDeleted, UserId};
use runtime::clock;
use storage::{Subscriber, Tx};

use crate::{Album, NAME, store};

/// Photos, and likes, that are forgotten in one turn: each photo is an event, which in a monolith takes its effects along.
const FORGOTTEN_AT_ONCE: usize = 200;
/// How long a turn may wait for what its events ask for.
const TURN: Duration = Duration::from_secs(10);

impl Subscriber<ProfileDeleted> for Album {
    fn apply<'a>(
        &'a self,
        cx: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a ProfileDeleted,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            store::mark_gone(tx.conn(), event.id).await?;
            self.forget_some(cx, tx, event.id).await
        })
    }
}

impl Album {
    async fn forget_some(&self, cx: &CallContext, tx: &mut Tx, user: UserId) -> Result<(), Refusal> {
        let (photos, is_all) = store::forget_some(tx.conn(), user, FORGOTTEN_AT_ONCE).await?;
        for id in photos {
            self.publish_deleted(cx, tx, PhotoDeleted { id, author: user }).await?;
        }
        if !is_all {
            self.has_left_over.notify_one();
        }
        Ok(())
    }

    /// Forgets all that is left of accounts that are gone, in turns. Without `news` it is looked for first: another process may
    /// have left something, or this one before it was started again.
    pub(crate) async fn forget_rest(&self, news: bool) -> Result<(), Refusal> {
        // The news come before their transaction ends; the turn to write comes after it.
        if !news && store::leaving(&mut *self.db.read().await?).await?.is_none() {
            return Ok(());
        }
        while self.forget_more().await? {}
        Ok(())
    }

    /// Forgets more of an account that is gone. Whether there was one of which something was left.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn forget_more(&self) -> Result<bool, Refusal> {
        let cx = CallContext::background(NAME, Deadline::after(clock::now(), TURN));
        let mut tx = self.db.write().await?;
        let Some(user) = store::leaving(tx.conn()).await? else { return Ok(false) };
        self.forget_some(&cx, &mut tx, user).await?;
        tx.commit().await?;
        Ok(true)
    }
}
