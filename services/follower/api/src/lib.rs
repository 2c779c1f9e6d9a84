//! Calls and events of `follower`: the follower graph.
//!
//! Start with [`FollowersOf`], the call a fan-out begins with.

use contract::{Call, Event, Repeat};
use profile_api::UserId;
use serde::{Deserialize, Serialize};

/// The followers of a user, by ascending id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FollowersOf {
    /// Whose followers.
    pub user: UserId,
    /// Ids greater than this one; `None` from the start.
    pub after: Option<UserId>,
    /// At most 5,000.
    pub limit: u32,
}

/// A stretch of followers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Followers {
    /// By ascending id.
    pub ids: Vec<UserId>,
    /// How many there are in all.
    pub total: u64,
}

impl Call for FollowersOf {
    const NAME: &'static str = "follower.followers_of";
    const COMPONENT: &'static str = "follower";
    const REPEAT: Repeat = Repeat::Safe;
    type Reply = Followers;
}

/// How many follow each of these users; the fan-out's first question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CountsOf {
    /// At most 100.
    pub users: Vec<UserId>,
}

/// Edges at one user.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Whose.
    pub user: UserId,
    /// Edges in.
    pub followers: u64,
    /// Edges out.
    pub following: u64,
}

impl Call for CountsOf {
    const NAME: &'static str = "follower.counts_of";
    const COMPONENT: &'static str = "follower";
    const REPEAT: Repeat = Repeat::Safe;
    type Reply = Vec<Counts>;
}

/// Those a user follows who have at least `at_least` followers: the authors
/// whose posts are merged on read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PopularFollowedBy {
    /// The reader.
    pub user: UserId,
    /// Follower threshold.
    pub at_least: u64,
    /// At most 100 come back, the most followed first.
    pub limit: u32,
}

impl Call for PopularFollowedBy {
    const NAME: &'static str = "follower.popular_followed_by";
    const COMPONENT: &'static str = "follower";
    const REPEAT: Repeat = Repeat::Safe;
    type Reply = Vec<UserId>;

    /// A feed without its most followed authors is better than none.
    fn fallback(&self) -> Option<Vec<UserId>> {
        Some(Vec::new())
    }
}

/// An edge was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Followed {
    /// Who follows.
    pub follower: UserId,
    /// Whom.
    pub followee: UserId,
}

/// An edge was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unfollowed {
    /// Who followed.
    pub follower: UserId,
    /// Whom.
    pub followee: UserId,
}

impl Event for Followed {
    const TOPIC: &'static str = "Followed";
    const COMPONENT: &'static str = "follower";
    fn key(&self) -> u64 {
        self.follower.raw()
    }
}

impl Event for Unfollowed {
    const TOPIC: &'static str = "Unfollowed";
    const COMPONENT: &'static str = "follower";
    fn key(&self) -> u64 {
        self.follower.raw()
    }
}
