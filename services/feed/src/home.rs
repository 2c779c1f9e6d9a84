//! How a page is read: what was pushed and what is merged, filled with metadata and names.

use std::cmp::Reverse;
use std::collections::HashMap;

use contract::{Answer, CallContext, Pending, Refusal, RefusalKind};
use feed_api::{FeedItem, FeedPage, HomeFeed, PhotosOf, Position};
use follower_api::PopularFollowedBy;
use futures_util::try_join;
use photo_api::PhotosByIds;
use profile_api::{ProfilesByIds, UserId};
use storage::{Connection, StorageError};

use crate::Feed;
use crate::store::{self, Post};
use crate::timeline::Timeline;

/// Most items on a page: what [`PhotosByIds`] and [`ProfilesByIds`] take.
const LIMIT_MAX: u32 = 100;
/// Popular authors merged into one feed, the most there may be.
const POPULAR: u32 = 100;

impl Answer<HomeFeed> for Feed {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: HomeFeed) -> Pending<'a, FeedPage> {
        Box::pin(async move {
            let limit = page_limit(call.limit)?;
            let popular = PopularFollowedBy { user: call.user, at_least: self.merge_from, limit: POPULAR };
            let (popular, timeline) = try_join!(self.popular.answer(cx, popular), self.timeline(call.user))?;

            let mut read = self.db.read().await?;
            let mut posts = existing(&mut read, timeline.entries.older_than(call.after), limit + 1).await?;
            let mut merged = store::posts_by(&mut read, &popular, call.after, limit + 1).await?;
            drop(read);
            // Where the timeline was cut the feed ends: below, pushed entries are missing.
            if let Some(floor) = timeline.entries.floor() {
                merged.retain(|post| post.at >= floor);
            }
            posts.extend(merged);
            // A token outlives its account by hours, and what was its feed is empty: looked for there alone.
            if posts.is_empty() && store::is_gone(&mut *self.db.read().await?, call.user).await? {
                let sentence = "the account was deleted; POST /v1/users opens another";
                return Err(Refusal::new(RefusalKind::Unauthenticated, "account_gone", sentence));
            }
            posts.sort_by_key(|post| Reverse(post.at));
            posts.dedup();
            self.page(cx, posts, limit).await
        })
    }
}

impl Answer<PhotosOf> for Feed {
    fn answer<'a>(&'a self, cx: &'a CallContext, call: PhotosOf) -> Pending<'a, FeedPage> {
        Box::pin(async move {
            let limit = page_limit(call.limit)?;
            let mut read = self.db.read().await?;
            let posts = store::posts_by(&mut read, &[call.user], call.after, limit + 1).await?;
            drop(read);
            // No posts, or no such user?
            if posts.is_empty() {
                let profiles = self.profiles.answer(cx, ProfilesByIds { ids: vec![call.user] }).await?;
                if profiles.is_empty() {
                    return Err(Refusal::not_found("user"));
                }
            }
            self.page(cx, posts, limit).await
        })
    }
}

impl Feed {
    async fn timeline(&self, reader: UserId) -> Result<Timeline, Refusal> {
        let mut read = self.db.read().await?;
        Ok(store::timeline_of(&mut read, reader).await?)
    }

    /// A page out of `posts`, newest first and one more than `limit` where more
    /// follow. A photo or author that went a moment ago leaves a gap, never a
    /// shift: the next page begins where this one was to end.
    async fn page(&self, cx: &CallContext, mut posts: Vec<Post>, limit: usize) -> Result<FeedPage, Refusal> {
        let more = posts.len() > limit;
        posts.truncate(limit);
        let Some(oldest) = posts.last() else { return Ok(FeedPage { items: Vec::new(), next: None }) };
        let next = more.then_some(oldest.at);

        let ids = posts.iter().map(|post| post.at.photo).collect();
        let mut authors: Vec<UserId> = posts.iter().map(|post| post.author).collect();
        authors.sort_unstable();
        authors.dedup();
        let (photos, profiles) = try_join!(
            self.photos.answer(cx, PhotosByIds { ids }),
            self.profiles.answer(cx, ProfilesByIds { ids: authors }),
        )?;
        let mut photos: HashMap<_, _> = photos.into_iter().map(|photo| (photo.id, photo)).collect();
        let profiles: HashMap<_, _> = profiles.into_iter().map(|profile| (profile.id, profile)).collect();
        let item = |post: Post| {
            let author = profiles.get(&post.author)?;
            let photo = photos.remove(&post.at.photo)?;
            Some(FeedItem { photo, author_name: author.name.clone(), author_handle: author.handle.clone() })
        };
        Ok(FeedPage { items: posts.into_iter().filter_map(item).collect(), next })
    }
}

fn page_limit(limit: u32) -> Result<usize, Refusal> {
    if (1..=LIMIT_MAX).contains(&limit) {
        Ok(limit as usize)
    } else {
        Err(Refusal::bad_request("limit_invalid", format!("`limit` is 1 to {LIMIT_MAX}")))
    }
}

/// The first `enough` posts that still stand among `entries`, and maybe some
/// more. Nearly always all do, so the first look suffices; each further one
/// looks twice as far.
async fn existing(
    conn: &mut Connection,
    mut entries: &[Position],
    enough: usize,
) -> Result<Vec<Post>, StorageError> {
    let mut found = Vec::new();
    let mut step = enough;
    while found.len() < enough && !entries.is_empty() {
        let (some, later) = entries.split_at(step.min(entries.len()));
        found.extend(store::existing(conn, some).await?);
        entries = later;
        step *= 2;
    }
    Ok(found)
}
