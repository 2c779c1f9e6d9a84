//! How posts reach timelines, and leave them.
//!
//! Whom to push to is asked of `follower` before the effect's turn to write begins. The turn then checks, by a
//! count of follows begun and ended that is kept for each author, that none came in between.

use contract::{CallContext, Pending, Refusal, RefusalKind};
use feed_api::Position;
use follower_api::{CountsOf, Followed, FollowersOf, Unfollowed};
use photo_api::{Photo, PhotoDeleted, PhotoPosted};
use profile_api::{ProfileDeleted, UserId};
use storage::{Effect, GatheringSubscriber, Subscriber, Tx};

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

    /// The same as far as the timelines show, which is what a push needs: those who follow without its
    /// being heard of here get all posts when it is. Reads all timelines, and asks no one.
    async fn known_readers_if_few(
        &self,
        tx: &mut Tx,
        author: UserId,
    ) -> Result<Option<Vec<UserId>>, Refusal> {
        let readers = store::readers_of(tx.conn(), author).await?;
        let is_few = (readers.len() as u64) < self.push_below;
        Ok(is_few.then_some(readers))
    }

    /// Adds a post, and pushes it to `readers`; without them it is merged on read.
    async fn add_post(
        &self,
        tx: &mut Tx,
        photo: &Photo,
        readers: Option<Vec<UserId>>,
    ) -> Result<(), Refusal> {
        let at = Position { posted_us: photo.posted_us, photo: photo.id };
        let stands = store::insert_post(tx.conn(), Post { at, author: photo.author }).await?;
        match readers {
            Some(readers) if stands => self.push(tx, photo.author, &readers).await,
            _ => Ok(()),
        }
    }

    /// Takes an author out of a reader's timeline, rebuilt from the authors left, so that older entries
    /// come back up into a timeline that had been cut.
    async fn end_follow(
        &self,
        tx: &mut Tx,
        &Unfollowed { follower, followee }: &Unfollowed,
    ) -> Result<(), Refusal> {
        if store::is_gone(tx.conn(), follower).await? {
            return Ok(());
        }
        store::count_follow_change(tx.conn(), followee).await?;
        let mut timeline = store::timeline_of(tx.conn(), follower).await?;
        timeline.authors.remove(followee);
        if !timeline.authors.contains(followee) {
            let authors: Vec<UserId> = timeline.authors.followed().collect();
            let posts = store::pushed_by(tx.conn(), &authors, self.depth + 1).await?;
            timeline.entries = Entries::default();
            timeline.entries.add(posts, self.depth);
        }
        Ok(store::save(tx.conn(), &[timeline]).await?)
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

/// Who reads an author, as `follower` answered before the write turn of the effect.
pub enum AuthorReaders {
    /// Not asked: the author had nothing that might have to be pushed.
    NotNeeded,
    /// What it answered.
    Asked {
        /// [`store::follow_changes`] of the author, read first: once it has moved, a reader may be missing.
        changes: i64,
        /// The followers; `None` where they are too many to push to.
        readers: Option<Vec<UserId>>,
    },
}

impl AuthorReaders {
    /// Whether an effect that came in between may have changed the answer.
    async fn is_outdated(&self, tx: &mut Tx, author: UserId) -> Result<bool, Refusal> {
        Ok(match self {
            Self::NotNeeded => store::has_unpushed(tx.conn(), author).await?,
            Self::Asked { changes, .. } => store::follow_changes(tx.conn(), author).await? != *changes,
        })
    }

    /// The readers to push to.
    fn into_few(self) -> Option<Vec<UserId>> {
        match self {
            Self::NotNeeded => None,
            Self::Asked { readers, .. } => readers,
        }
    }
}

/// A neighbour that fails is no fault of the event: nothing was done yet, and
/// it is worth another try for as long as it takes.
fn not_now(refusal: Refusal) -> Refusal {
    if refusal.kind.is_failure() { Refusal { kind: RefusalKind::Unavailable, ..refusal } } else { refusal }
}

impl GatheringSubscriber<PhotoPosted> for Feed {
    type Gathered = AuthorReaders;

    fn gather<'a>(&'a self, cx: &'a CallContext, event: &'a PhotoPosted) -> Pending<'a, AuthorReaders> {
        Box::pin(async move {
            let author = event.photo.author;
            let mut read = self.db.read().await?;
            let changes = store::follow_changes(&mut read, author).await?;
            drop(read);
            let readers = self.readers_if_few(cx, author, self.push_below).await?;
            Ok(AuthorReaders::Asked { changes, readers })
        })
    }

    fn apply_gathered<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        PhotoPosted { photo }: &'a PhotoPosted,
        gathered: AuthorReaders,
    ) -> Pending<'a, Effect> {
        Box::pin(async move {
            if gathered.is_outdated(tx, photo.author).await? {
                return Ok(Effect::Outdated);
            }
            let readers = gathered.into_few();
            self.add_post(tx, photo, readers).await.map(|()| Effect::Applied)
        })
    }

    fn apply_alone<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        PhotoPosted { photo }: &'a PhotoPosted,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            let readers = self.known_readers_if_few(tx, photo.author).await?;
            self.add_post(tx, photo, readers).await
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
            store::count_follow_change(tx.conn(), followee).await?;
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
    type Gathered = AuthorReaders;

    /// An author who falls below the threshold is no longer merged on read, so
    /// what was not pushed must be now. Within one database the count still
    /// includes the follower who is just leaving, hence one more than usual.
    fn gather<'a>(&'a self, cx: &'a CallContext, event: &'a Unfollowed) -> Pending<'a, AuthorReaders> {
        Box::pin(async move {
            let author = event.followee;
            let mut read = self.db.read().await?;
            if !store::has_unpushed(&mut read, author).await? {
                return Ok(AuthorReaders::NotNeeded);
            }
            let changes = store::follow_changes(&mut read, author).await?;
            drop(read);
            let readers = self.readers_if_few(cx, author, self.push_below + 1).await?;
            Ok(AuthorReaders::Asked { changes, readers })
        })
    }

    fn apply_gathered<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a Unfollowed,
        gathered: AuthorReaders,
    ) -> Pending<'a, Effect> {
        Box::pin(async move {
            if gathered.is_outdated(tx, event.followee).await? {
                return Ok(Effect::Outdated);
            }
            self.end_follow(tx, event).await?;
            if let Some(readers) = gathered.into_few() {
                self.push(tx, event.followee, &readers).await?;
            }
            Ok(Effect::Applied)
        })
    }

    fn apply_alone<'a>(
        &'a self,
        _: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a Unfollowed,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            self.end_follow(tx, event).await?;
            if store::has_unpushed(tx.conn(), event.followee).await?
                && let Some(readers) = self.known_readers_if_few(tx, event.followee).await?
            {
                self.push(tx, event.followee, &readers).await?;
            }
            Ok(())
        })
    }
}

impl Subscriber<ProfileDeleted> for Feed {
    fn apply<'a>(&'a self, _: &'a CallContext, tx: &'a mut Tx, event: &'a ProfileDeleted) -> Pending<'a, ()> {
        Box::pin(async move { Ok(store::mark_user_deleted(tx.conn(), event.id).await?) })
    }
}
