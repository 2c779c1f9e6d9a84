//! Feeds: what those a user follows have posted, and what one user has, newest first.
//!
//! - [`timeline`]: a reader's home feed as one value: start here.
//! - [`events`]: how posts reach timelines, and leave them.
//! - [`home`]: how a page is read: merged, filled with metadata and names.
//! - [`store`]: tables and queries. [`bulk`]: loading them, and a digest of their state.
//! - [`routes`]: the REST face.
//!
//! A post by an author with fewer than `push_below` followers is *pushed*: it
//! is written into the timeline of every follower. Any other post waits in the
//! author's own list, and readers merge it in when they ask. Which it was
//! is stored with the post, so that an author who crosses the threshold loses
//! nothing: upwards, what was pushed stays pushed and the merge drops
//! duplicates; downwards, what was not is pushed then.
//!
//! Events of different topics meet here in any order, and must end in one
//! state. Therefore a timeline row also holds the authors the reader follows,
//! as far as heard of: a post is pushed only to readers who are known to
//! follow, a reader who follows gets all that was pushed before, and a late
//! event of a deleted photo or account falls on its tombstone.

use std::sync::Arc;

use axum::Router;
use component::{OpenError, Service, ServiceContext};
use contract::{Answer, ComponentName, Topic};
use feed_api::{HomeFeed, PhotosOf};
use follower_api::{CountsOf, Followed, FollowersOf, PopularFollowedBy, Unfollowed};
use futures_util::FutureExt;
use history::History;
use photo_api::{PhotoDeleted, PhotoPosted, PhotosByIds};
use profile_api::{ProfileDeleted, ProfilesByIds};
use storage::Database;

pub mod bulk;
pub mod events;
pub mod home;
pub mod routes;
pub mod store;
pub mod timeline;

/// The component's name.
pub const NAME: ComponentName = ComponentName::of("feed");

/// Its line in the catalogue.
pub static SERVICE: Service<History> = Service {
    name: NAME,
    routes: routes::ROUTES,
    publishes: &[],
    consumes: &[
        Topic::of::<PhotoPosted>(),
        Topic::of::<PhotoDeleted>(),
        Topic::of::<Followed>(),
        Topic::of::<Unfollowed>(),
        Topic::of::<ProfileDeleted>(),
    ],
    calls: &["follower", "photo", "profile"],
    migrations: store::MIGRATIONS,
    open: |context| open(context).boxed(),
    load: |tx, history| bulk::load(tx, history).boxed(),
    digest: |db| bulk::digest(db).boxed(),
};

/// The component: timelines, and whom it asks to fill them.
pub struct Feed {
    db: Database,
    /// Authors with fewer followers are pushed.
    push_below: u64,
    /// Authors with this many are merged on read. Three quarters of the
    /// threshold: followers whose accounts go leave without an event here, and
    /// what was not pushed to the others must not vanish with them. Between
    /// the two a post may come both ways, and is shown once.
    merge_from: u64,
    /// Most entries in a timeline.
    depth: usize,
    counts: Arc<dyn Answer<CountsOf>>,
    followers: Arc<dyn Answer<FollowersOf>>,
    popular: Arc<dyn Answer<PopularFollowedBy>>,
    photos: Arc<dyn Answer<PhotosByIds>>,
    profiles: Arc<dyn Answer<ProfilesByIds>>,
}

impl Feed {
    /// The component on its ground.
    pub fn open(context: &ServiceContext) -> Self {
        Self {
            db: context.db.clone(),
            push_below: context.settings.push_below.into(),
            merge_from: u64::from(context.settings.push_below) * 3 / 4,
            depth: context.settings.feed_depth as usize,
            counts: context.client(),
            followers: context.client(),
            popular: context.client(),
            photos: context.client(),
            profiles: context.client(),
        }
    }
}

async fn open(context: &ServiceContext) -> Result<Router, OpenError> {
    let feed = Arc::new(Feed::open(context));
    context.answer::<HomeFeed, _>(&feed);
    context.answer::<PhotosOf, _>(&feed);
    context.subscribe::<PhotoPosted, _>(&feed);
    context.subscribe::<PhotoDeleted, _>(&feed);
    context.subscribe::<Followed, _>(&feed);
    context.subscribe::<Unfollowed, _>(&feed);
    context.subscribe::<ProfileDeleted, _>(&feed);
    Ok(routes::router(feed))
}
