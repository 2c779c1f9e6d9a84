//! Draws the user of each arrival and the target it acts on.
//!
//! Each write gets a target that no other write of the run has: a new like, an
//! edge no other write changes, a profile edited once. The final state then does
//! not depend on the order of writes, and can be compared between arms. A write
//! without an unused target becomes a view of a profile.

use std::collections::HashSet;
use std::sync::Arc;

use crate::dataset::{Dataset, author_weights};
use crate::distributions::WeightedChoice;
use crate::journey::Journey;
use crate::load::Popularity;
use crate::random::Seed;

/// What an arrival acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JourneyTarget {
    /// Nothing beyond the user.
    Nothing,
    /// Index of a photo.
    Photo(u32),
    /// Index of another user.
    User(u32),
    /// Index of a user to be followed.
    Follow(u32),
    /// Index of a user to be unfollowed.
    Unfollow(u32),
}

/// Set where a follow journey ends an edge.
const UNFOLLOW: u64 = 1 << 32;

impl JourneyTarget {
    /// Encodes it as one number; [`JourneyTarget::of`] decodes it.
    pub(crate) const fn code(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Photo(index) | Self::User(index) | Self::Follow(index) => index as u64,
            Self::Unfollow(index) => index as u64 | UNFOLLOW,
        }
    }

    /// Decodes the number of a journey.
    pub(crate) const fn of(journey: Journey, code: u64) -> Self {
        let index = code as u32;
        match journey {
            Journey::ViewPhoto | Journey::Like | Journey::Search => Self::Photo(index),
            Journey::ViewProfile | Journey::UserFeed | Journey::CelebrityPost => Self::User(index),
            Journey::Follow if code & UNFOLLOW != 0 => Self::Unfollow(index),
            Journey::Follow => Self::Follow(index),
            Journey::HomeFeed
            | Journey::NextPage
            | Journey::Upload
            | Journey::EditProfile
            | Journey::SignUp
            | Journey::LogIn
            | Journey::PostThenRead => Self::Nothing,
        }
    }
}

/// The journey of an arrival, its user and its target.
pub(crate) type Action = (Journey, u32, JourneyTarget);

/// Users, photos and authors that may be drawn, by weight. Draws use the number of the
/// arrival, so that no draw shifts another.
pub(crate) struct TargetPicker {
    seed: Seed,
    data: Arc<Dataset>,
    readers: WeightedChoice,
    reader_of_rank: Vec<u32>,
    authors: WeightedChoice,
    photos: WeightedChoice,
    /// The most followed.
    celebrities: Vec<u32>,
}

/// Targets of writes so far.
#[derive(Clone, Default)]
pub(crate) struct UsedTargets {
    likes: HashSet<(u32, u32)>,
    edges: HashSet<(u32, u32)>,
    edited: HashSet<u32>,
    /// Users who ended every edge they had.
    alone: HashSet<u32>,
    /// Edges made and ended so far.
    changes: u64,
}

/// The most followed users who post as celebrities: a single one would be one row of every table.
const CELEBRITIES: usize = 5;

fn celebrities(data: &Dataset) -> Vec<u32> {
    let mut all: Vec<u32> = (0..data.users.len() as u32).collect();
    all.sort_by_key(|user| std::cmp::Reverse((data.followers.of(*user).len(), *user)));
    all.truncate(CELEBRITIES);
    all
}

impl TargetPicker {
    /// Draws with the seed of a round, among readers ranked by the seed of the run.
    pub(crate) fn new(run: Seed, seed: Seed, data: &Arc<Dataset>, popularity: &Popularity) -> Self {
        let users = data.users.len();
        // Ranks of readers are shuffled, so that activity does not follow the index.
        let mut reader_of_rank: Vec<u32> = (0..users as u32).collect();
        run.stream("user.rank").shuffle(&mut reader_of_rank);
        Self {
            seed,
            readers: WeightedChoice::zipf(users, popularity.reader),
            reader_of_rank,
            authors: WeightedChoice::new(&author_weights(&data.followers)),
            photos: WeightedChoice::zipf(data.photos.len(), popularity.photo),
            celebrities: celebrities(data),
            data: data.clone(),
        }
    }

    /// The action of an arrival by its number; a trace may give the user.
    pub(crate) fn act(
        &self,
        used: &mut UsedTargets,
        journey: Journey,
        given_user: Option<u32>,
        seq: u64,
    ) -> Action {
        let users = self.data.users.len() as u32;
        let given_user = given_user.map(|user| user % users);
        let reader = given_user.unwrap_or_else(|| self.reader("user", seq));
        let written = match journey {
            Journey::HomeFeed | Journey::NextPage | Journey::LogIn | Journey::SignUp => {
                Some((reader, JourneyTarget::Nothing))
            }
            Journey::ViewPhoto | Journey::Search => Some((reader, JourneyTarget::Photo(self.photo(seq)))),
            Journey::ViewProfile => None,
            Journey::CelebrityPost => {
                let author = self.celebrities[seq as usize % self.celebrities.len()];
                let followers = self.data.followers.of(author);
                let at = self.seed.draw("target", seq) as usize % followers.len().max(1);
                let reader = followers.get(at).copied().unwrap_or(author);
                Some((author, JourneyTarget::User(reader)))
            }
            // An author: the user has posted something.
            Journey::UserFeed => {
                Some((reader, JourneyTarget::User(self.authors.index(self.seed.unit("target", seq)) as u32)))
            }
            Journey::Upload | Journey::PostThenRead => {
                let drawn = || self.authors.index(self.seed.unit("user", seq)) as u32;
                Some((given_user.unwrap_or_else(drawn), JourneyTarget::Nothing))
            }
            Journey::Like => self.fresh_like(used, reader, seq),
            Journey::EditProfile => self
                .users_from(reader)
                .find(|user| used.edited.insert(*user))
                .map(|user| (user, JourneyTarget::Nothing)),
            Journey::Follow => self.changed_edge(used, reader, seq),
        };
        match written {
            Some((user, target)) => (journey, user, target),
            None => (Journey::ViewProfile, reader, JourneyTarget::User(self.reader("target", seq))),
        }
    }

    fn reader(&self, label: &str, seq: u64) -> u32 {
        self.reader_of_rank[self.readers.index(self.seed.unit(label, seq))]
    }

    fn photo(&self, seq: u64) -> u32 {
        self.data.popular[self.photos.index(self.seed.unit("target", seq))]
    }

    /// All users, beginning with one.
    fn users_from(&self, first: u32) -> impl Iterator<Item = u32> + use<> {
        let users = self.data.users.len() as u32;
        (first..users).chain(0..first)
    }

    fn fresh_like(&self, used: &mut UsedTargets, reader: u32, seq: u64) -> Option<(u32, JourneyTarget)> {
        let (wanted, photos) = (self.photo(seq), self.data.photos.len() as u32);
        let photo = (wanted..photos).chain(0..wanted).find(|photo| used.likes.insert((reader, *photo)))?;
        Some((reader, JourneyTarget::Photo(photo)))
    }

    /// Follows and unfollows by turns, so that the number of edges stays.
    fn changed_edge(&self, used: &mut UsedTargets, reader: u32, seq: u64) -> Option<(u32, JourneyTarget)> {
        let bits = self.seed.draw("target", seq);
        let change = if used.changes % 2 == 1 {
            self.users_from(reader)
                .find_map(|user| Some((user, JourneyTarget::Unfollow(self.old_edge(used, user, bits)?))))
        } else {
            self.users_from(reader)
                .find_map(|user| Some((user, JourneyTarget::Follow(self.new_edge(used, user, bits)?))))
        };
        used.changes += u64::from(change.is_some());
        change
    }

    /// A user followed since before the run.
    fn old_edge(&self, used: &mut UsedTargets, user: u32, bits: u64) -> Option<u32> {
        if used.alone.contains(&user) {
            return None;
        }
        let edges = self.data.following.of(user);
        let from = (bits % edges.len().max(1) as u64) as usize;
        let mut others = edges[from..].iter().chain(&edges[..from]).copied();
        let other = others.find(|other| used.edges.insert((user, *other)));
        if other.is_none() {
            used.alone.insert(user);
        }
        other
    }

    /// A user never followed before.
    fn new_edge(&self, used: &mut UsedTargets, user: u32, bits: u64) -> Option<u32> {
        let wanted = (bits % self.data.users.len() as u64) as u32;
        let mut others =
            self.users_from(wanted).filter(|other| *other != user && !self.data.is_edge(user, *other));
        others.find(|other| used.edges.insert((user, *other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_from_its_number() {
        for (journey, target) in [
            (Journey::Search, JourneyTarget::Photo(u32::MAX)),
            (Journey::ViewProfile, JourneyTarget::User(7)),
            (Journey::Follow, JourneyTarget::Follow(7)),
            (Journey::Follow, JourneyTarget::Unfollow(7)),
            (Journey::Upload, JourneyTarget::Nothing),
        ] {
            assert_eq!(JourneyTarget::of(journey, target.code()), target);
        }
    }
}
