//! What happened before the run began: the facts from which every component's tables are loaded in bulk.
//!
//! A history is the events that would have been published, had the application run
//! it. Each service loads its own tables from it, in key order.

use follower_api::Followed;
use photo_api::Photo;
use profile_api::{Profile, UserId};

/// Everything that happened, each list in the order it happened.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Accounts opened.
    pub profiles: Vec<Profile>,
    /// Their one password: a seeded user logs in with it.
    pub password: String,
    /// Edges added.
    pub follows: Vec<Followed>,
    /// Photos posted, oldest first.
    pub photos: Vec<PastPhoto>,
    /// Authors with fewer followers than this were fanned out on write.
    pub push_below: u32,
    /// Timelines are trimmed to this many entries.
    pub feed_depth: u32,
}

/// A photo posted before the run began.
#[derive(Clone, Debug)]
pub struct PastPhoto {
    /// Its metadata.
    pub photo: Photo,
    /// Object-store key of the original.
    pub original: String,
    /// Object-store key of the thumbnail.
    pub thumbnail: String,
    /// Media type of the original, `image/jpeg` and the like.
    pub media_type: String,
}

impl History {
    /// The followers of every user, each list by ascending id.
    pub fn followers(&self) -> std::collections::BTreeMap<UserId, Vec<UserId>> {
        let mut followers: std::collections::BTreeMap<UserId, Vec<UserId>> =
            std::collections::BTreeMap::new();
        for edge in &self.follows {
            followers.entry(edge.followee).or_default().push(edge.follower);
        }
        for list in followers.values_mut() {
            list.sort_unstable();
        }
        followers
    }
}
