//! How posts reach timelines, and leave them.

use contract::{CallContext, Pending, Refusal, RefusalKind};
use feed_api::Position;
use follower_api::{CountsOf, Followed, FollowersOf, Unfollowed};
use photo_api::{PhotoDeleted, PhotoPosted};
use profile_api::{ProfileDeleted, UserId};
use storage::{GatheringSubscriber, Subscriber, Tx};

use crate::Feed;
use crate::store::{self, Post};
use crate::timeline::Entries;

/// Followers in one answer, the most there may be.
const FOLLOWERS: u32 = 5_000;

impl Feed {
    /// The followers of an author who has fewer than `below`, else `None`:
    /// the posts of such an author are merged on read.
    async fn readers_if_few(
        &self,
        cx: &CallContext,
        author: UserId,
        below: u64,
    ) -> Result<Option<Vec<UserId>>, Refusal> {
        let counts = self.counts.answer(cx, CountsOf { users: vec![author] }).await.map_err(not_now)?;
        let count = counts.iter().find(|counts| counts.user == author).map_or(0, |counts| counts.followers);
        if count >= below {
            return Ok(None);
        }
        let mut readers: Vec<UserId> = Vec::new();
        let mut more = count > 0;
        while more {
            let page = FollowersOf { user: author, after: readers.last().copied(), limit: FOLLOWERS };
            let page = self.followers.answer(cx, page).await.map_err(not_now)?;
            more = page.ids.len() == FOLLOWERS as usize;
            readers.extend(page.ids);
        }
        Ok(Some(readers))
    }

    /// Pushes whatever of an author was not pushed yet, to those of `readers`
    /// who are known to follow. The others will hear of it as they are heard of.
    async fn push(&self, tx: &mut Tx, author: UserId, readers: &[UserId]) -> Result<(), Refusal> {
        let posts = store::mark_pushed(tx.conn(), author).await?;
        if posts.is_empty() {
            return Ok(());
        }
        for some in readers.chunks(store::READERS) {
            let mut timelines = store::timelines_of(tx.conn(), some).await?;
            timelines.retain(|timeline| timeline.authors.contains(author));
            for timeline in &mut timelines {
                timeline.entries.add(posts.iter().copied(), self.depth);
            }
            store::save(tx.conn(), &timelines).await?;
        }
        Ok(())
    }
}

/// A neighbour that fails is no fault of the event: nothing was done yet, and
/// it is worth another try for as long as it takes.
fn not_now(refusal: Refusal) -> Refusal {
    if refusal.kind.is_failure() { Refusal { kind: RefusalKind::Unavailable, ..refusal } } else { refusal }
}

impl GatheringSubscriber<PhotoPosted> for Feed {
    type Gathered = Option<Vec<UserId>>;

    fn gather<'a>(&'a self, cx: &'a CallContext, event: &'a PhotoPosted) -> Pending<'a, Self::Gathered> {
        Box::pin(self.readers_if_few(cx, event.photo.author, self.push_below))
    }

    fn apply_gathered<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        PhotoPosted { photo }: &'a PhotoPosted,
        readers: Self::Gathered,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            let at = Position { posted_us: photo.posted_us, photo: photo.id };
            let stands = store::insert_post(tx.conn(), Post { at, author: photo.author }).await?;
            match readers {
                Some(readers) if stands => self.push(tx, photo.author, &readers).await,
                _ => Ok(()),
            }
        })
    }
}

impl Subscriber<PhotoDeleted> for Feed {
    fn apply<'a>(&'a self, _: &'a CallContext, tx: &'a mut Tx, event: &'a PhotoDeleted) -> Pending<'a, ()> {
        Box::pin(async move { Ok(store::mark_photo_deleted(tx.conn(), event.id).await?) })
    }
}

impl Subscriber<Followed> for Feed {
    /// Backfills all that was pushed before, so that it is nothing which came
    /// first, the follow or the post.
    fn apply<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        &Followed { follower, followee }: &'a Followed,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            if store::is_gone(tx.conn(), follower).await? {
                return Ok(());
            }
            let mut timeline = store::timeline_of(tx.conn(), follower).await?;
            timeline.authors.add(followee);
            if timeline.authors.contains(followee) {
                // One more than fits, to know whether something is cut off.
                let posts = store::pushed_by(tx.conn(), &[followee], self.depth + 1).await?;
                timeline.entries.add(posts, self.depth);
            }
            Ok(store::save(tx.conn(), &[timeline]).await?)
        })
    }
}

impl GatheringSubscriber<Unfollowed> for Feed {
    type Gathered = Option<Vec<UserId>>;

    /// An author who falls below the threshold is no longer merged on read, so
    /// what was not pushed must be now. Within one database the count still
    /// includes the follower who is just leaving, hence one more than usual.
    fn gather<'a>(&'a self, cx: &'a CallContext, event: &'a Unfollowed) -> Pending<'a, Self::Gathered> {
        Box::pin(async move {
            let mut read = self.db.read().await?;
            let waiting = store::has_unpushed(&mut read, event.followee).await?;
            drop(read);
            if waiting {
                self.readers_if_few(cx, event.followee, self.push_below + 1).await
            } else {
                Ok(None)
            }
        })
    }

    /// Rebuilds from the authors left, so that older entries come back up into
    /// a timeline that had been cut.
    fn apply_gathered<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        &Unfollowed { follower, followee }: &'a Unfollowed,
        readers: Self::Gathered,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            if !store::is_gone(tx.conn(), follower).await? {
                let mut timeline = store::timeline_of(tx.conn(), follower).await?;
                timeline.authors.remove(followee);
                if !timeline.authors.contains(followee) {
                    let authors: Vec<UserId> = timeline.authors.followed().collect();
                    let posts = store::pushed_by(tx.conn(), &authors, self.depth + 1).await?;
                    timeline.entries = Entries::default();
                    timeline.entries.add(posts, self.depth);
                }
                store::save(tx.conn(), &[timeline]).await?;
            }
            match readers {
                Some(readers) => self.push(tx, followee, &readers).await,
                None => Ok(()),
            }
        })
    }
}

impl Subscriber<ProfileDeleted> for Feed {
    fn apply<'a>(&'a self, _: &'a CallContext, tx: &'a mut Tx, event: &'a ProfileDeleted) -> Pending<'a, ()> {
        Box::pin(async move { Ok(store::mark_user_deleted(tx.conn(), event.id).await?) })
    }
}
