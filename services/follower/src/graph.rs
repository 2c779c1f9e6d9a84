//! What can be asked of the edges and done to them.

use std::collections::HashMap;
use std::sync::Arc;

use component::web::{Page, PageRequest};
use component::{IdempotentWrite, ServiceContext};
use contract::{Answer, CallContext, Event, Pending, Refusal, RefusalKind};
use follower_api::{Counts, CountsOf, Followed, Followers, FollowersOf, PopularFollowedBy, Unfollowed};
use profile_api::{Profile, ProfilesByIds, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use storage::{Bus, Database, Effect};

use crate::NAME;
use crate::store::{self, Change, Direction};

/// The component: edges between users, and their counts.
pub struct Graph {
    db: Database,
    bus: Bus,
    profiles: Arc<dyn Answer<ProfilesByIds>>,
}

/// What a follow or an unfollow comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Following {
    /// Whom.
    pub user: UserId,
    /// Whether the asker follows them now.
    pub following: bool,
    /// How many do.
    pub followers: u64,
}

/// A user in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// Their handle.
    pub handle: String,
    /// Their display name.
    pub name: String,
}

/// A page of followers or of those followed, with the counts at that user.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct People {
    /// By ascending id.
    #[serde(flatten)]
    pub page: Page<Person>,
    /// How many follow the user.
    pub followers: u64,
    /// How many the user follows.
    pub following: u64,
}

impl Graph {
    /// The component on its ground.
    pub fn open(context: &ServiceContext) -> Self {
        Self { db: context.db.clone(), bus: context.bus.clone(), profiles: context.client::<ProfilesByIds>() }
    }

    /// Adds the edge from `me` to `user`, if it is not there.
    ///
    /// # Errors
    /// 422 for oneself, 404 for an unknown user, 401 once `me` is gone.
    pub async fn follow(&self, cx: &CallContext, me: UserId, user: UserId) -> Result<Following, Refusal> {
        self.set(cx, me, user, Change::Add).await
    }

    /// Removes the edge from `me` to `user`, if it is there.
    ///
    /// # Errors
    /// As [`Graph::follow`].
    pub async fn unfollow(&self, cx: &CallContext, me: UserId, user: UserId) -> Result<Following, Refusal> {
        self.set(cx, me, user, Change::Remove).await
    }

    async fn set(
        &self,
        cx: &CallContext,
        me: UserId,
        user: UserId,
        change: Change,
    ) -> Result<Following, Refusal> {
        if me == user {
            let sentence = "users cannot follow themselves; give another user's id";
            return Err(Refusal::new(RefusalKind::Unprocessable, "follow_self", sentence));
        }
        let (follower, followee) = (me, user);
        match change {
            Change::Add => self.set_and_publish(cx, me, user, change, &Followed { follower, followee }).await,
            Change::Remove => {
                self.set_and_publish(cx, me, user, change, &Unfollowed { follower, followee }).await
            }
        }
    }

    async fn set_and_publish<E: Event>(
        &self,
        cx: &CallContext,
        me: UserId,
        user: UserId,
        change: Change,
        event: &E,
    ) -> Result<Following, Refusal> {
        let write = IdempotentWrite::new(NAME, cx, me, &(change, user));
        // Asked before the transaction, so that the one writer never waits for
        // a hop; heard after the repeat, which is owed its first reply.
        let both = self.both_exist(cx, me, user).await;
        let mut publication = self.bus.publication(cx, event);
        loop {
            publication.gather().await;
            let mut tx = self.db.write().await?;
            if let Some(first) = write.stored_reply(&mut tx).await? {
                return Ok(first);
            }
            both.clone()?;
            let conn = tx.conn();
            // Either may have been deleted since they were asked for.
            if store::is_gone(conn, me).await? {
                return Err(caller_deleted());
            }
            if store::is_gone(conn, user).await? {
                return Err(Refusal::not_found("user"));
            }
            if let Some(turn) = store::set(conn, me, user, change).await? {
                let id = format!("{}/{me}/{turn}", E::TOPIC);
                if publication.publish(&mut tx, id).await? == Effect::Outdated {
                    continue;
                }
            }
            let followers = store::counts(tx.conn(), user).await?.followers;
            let reply = Following { user, following: change == Change::Add, followers };
            write.store_reply(&mut tx, &reply).await?;
            tx.commit().await?;
            return Ok(reply);
        }
    }

    async fn both_exist(&self, cx: &CallContext, me: UserId, user: UserId) -> Result<(), Refusal> {
        let known = self.profiles.answer(cx, ProfilesByIds { ids: vec![me, user] }).await?;
        let exists = |id| known.iter().any(|profile: &Profile| profile.id == id);
        match (exists(me), exists(user)) {
            (true, true) => Ok(()),
            (false, _) => Err(caller_deleted()),
            (true, false) => Err(Refusal::not_found("user")),
        }
    }

    /// A page of the edges at `user`, with names. A user deleted a moment ago
    /// may be missing from a page before the edge is.
    ///
    /// # Errors
    /// 404 for an unknown user, 400 for a foreign cursor.
    pub async fn people(
        &self,
        cx: &CallContext,
        user: UserId,
        direction: Direction,
        paging: &PageRequest,
    ) -> Result<People, Refusal> {
        let after = paging.after::<UserId>()?;
        let mut read = self.db.read().await?;
        let counts = store::counts(&mut read, user).await?;
        let ids = store::edges(&mut read, user, direction, after, paging.limit + 1).await?;
        drop(read);
        let page = Page::cut(ids, paging.limit, |id| *id);

        // A user with an edge exists; only the others have to be looked up.
        let has_no_edges = counts.followers == 0 && counts.following == 0;
        let ids = if has_no_edges { vec![user] } else { page.items.clone() };
        let known = match ids.as_slice() {
            [] => Vec::new(),
            _ => self.profiles.answer(cx, ProfilesByIds { ids }).await?,
        };
        if has_no_edges && known.is_empty() {
            return Err(Refusal::not_found("user"));
        }
        let mut known: HashMap<UserId, Profile> = known.into_iter().map(|p| (p.id, p)).collect();
        let items = page.items.iter().filter_map(|id| known.remove(id)).map(Person::from).collect();
        let page = Page { items, next: page.next };
        Ok(People { page, followers: counts.followers, following: counts.following })
    }
}

impl From<Profile> for Person {
    fn from(profile: Profile) -> Self {
        Self { id: profile.id, handle: profile.handle, name: profile.name }
    }
}

fn caller_deleted() -> Refusal {
    Refusal::new(
        RefusalKind::Unauthenticated,
        "account_gone",
        "the account was deleted; POST /v1/users opens another",
    )
}

/// Most ids in one [`FollowersOf`].
const FOLLOWERS_MAX: u32 = 5_000;
/// Most users in one [`CountsOf`] and [`PopularFollowedBy`].
const USERS_MAX: u32 = 100;

fn within(what: u64, max: u32) -> Result<(), Refusal> {
    if what <= u64::from(max) {
        return Ok(());
    }
    Err(Refusal::bad_request("too_many_ids", format!("ask for {max} users at most")))
}

impl Answer<FollowersOf> for Graph {
    fn answer<'a>(&'a self, _: &'a CallContext, call: FollowersOf) -> Pending<'a, Followers> {
        Box::pin(async move {
            within(call.limit.into(), FOLLOWERS_MAX)?;
            let mut read = self.db.read().await?;
            let total = store::counts(&mut read, call.user).await?.followers;
            let ids = store::edges(&mut read, call.user, Direction::In, call.after, call.limit).await?;
            Ok(Followers { ids, total })
        })
    }
}

impl Answer<CountsOf> for Graph {
    fn answer<'a>(&'a self, _: &'a CallContext, call: CountsOf) -> Pending<'a, Vec<Counts>> {
        Box::pin(async move {
            within(call.users.len() as u64, USERS_MAX)?;
            let mut read = self.db.read().await?;
            Ok(store::counts_of(&mut read, &call.users).await?)
        })
    }
}

impl Answer<PopularFollowedBy> for Graph {
    fn answer<'a>(&'a self, _: &'a CallContext, call: PopularFollowedBy) -> Pending<'a, Vec<UserId>> {
        Box::pin(async move {
            within(call.limit.into(), USERS_MAX)?;
            let mut read = self.db.read().await?;
            Ok(store::popular(&mut read, call.user, call.at_least, call.limit).await?)
        })
    }
}
