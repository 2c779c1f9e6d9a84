//! What others may ask `feed`: the home feed and a user's own photos, newest first.

use contract::{Call, Repeat};
use photo_api::{Photo, PhotoId};
use profile_api::UserId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a page of a feed begins: after this entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// When it was posted, microseconds since the Unix epoch.
    pub posted_us: i64,
    /// Which photo; breaks ties.
    pub photo: PhotoId,
}

/// A photo in a feed, with its author's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeedItem {
    /// The photo's metadata.
    pub photo: Photo,
    /// Display name of its author.
    pub author_name: String,
    /// Handle of its author.
    pub author_handle: String,
}

/// One page of a feed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedPage {
    /// Newest first.
    pub items: Vec<FeedItem>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Position>,
}

/// A page of what those a user follows have posted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HomeFeed {
    /// The reader.
    pub user: UserId,
    /// Entries older than this one; `None` for the newest.
    pub after: Option<Position>,
    /// 1 to 100.
    pub limit: u32,
}

impl Call for HomeFeed {
    const NAME: &'static str = "feed.home";
    const COMPONENT: &'static str = "feed";
    const REPEAT: Repeat = Repeat::Safe;
    type Reply = FeedPage;
}

/// A page of what one user has posted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PhotosOf {
    /// The author.
    pub user: UserId,
    /// Entries older than this one; `None` for the newest.
    pub after: Option<Position>,
    /// 1 to 100.
    pub limit: u32,
}

impl Call for PhotosOf {
    const NAME: &'static str = "feed.photos_of";
    const COMPONENT: &'static str = "feed";
    const REPEAT: Repeat = Repeat::Safe;
    type Reply = FeedPage;
}
