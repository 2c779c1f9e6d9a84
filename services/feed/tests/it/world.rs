//! The components that feed asks, as they might be: a still picture for stories, and one that moves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use contract::{Answer, Call, CallContext, Pending, Refusal};
use follower_api::{Counts, CountsOf, Followers, FollowersOf, PopularFollowedBy};
use futures_util::future::BoxFuture;
use photo_api::{Photo, PhotoId, PhotosByIds};
use profile_api::{ProfilesByIds, UserId};
use testkit::fakes::Roster;
use transport::CallRouter;

/// Has 5,000 followers.
pub const STAR: UserId = UserId::new(500);

/// The `n`th photo of an author, `n` below 1,000.
pub fn photo_id(author: UserId, n: u64) -> PhotoId {
    PhotoId::new(author.raw() * 1_000 + n)
}

/// The photo of an id: its author and its moment follow from the number.
pub fn photo(id: PhotoId) -> Photo {
    let (author, n) = (id.raw() / 1_000, id.raw() % 1_000);
    Photo {
        id,
        author: UserId::new(author),
        caption: format!("number {n}"),
        tags: Vec::new(),
        width: 640,
        height: 480,
        bytes: 1,
        likes: 0,
        posted_us: n as i64,
    }
}

fn ready<'a, R: Send + 'a>(reply: R) -> Pending<'a, R> {
    Box::pin(std::future::ready(Ok(reply)))
}

/// A `photo` that knows every photo but those with the number 404.
pub struct Album;

impl Answer<PhotosByIds> for Album {
    fn answer<'a>(&'a self, _: &'a CallContext, call: PhotosByIds) -> Pending<'a, Vec<Photo>> {
        ready(call.ids.into_iter().filter(|id| id.raw() % 1_000 != 404).map(photo).collect())
    }
}

/// A `follower` in which users 1 to 9 follow all others, the star has
/// 5,000 more, and only user 1 is listed as following her.
struct StillGraph;

impl Answer<CountsOf> for StillGraph {
    fn answer<'a>(&'a self, _: &'a CallContext, call: CountsOf) -> Pending<'a, Vec<Counts>> {
        let followers = |user| if user == STAR { 5_000 } else { 9 };
        ready(
            call.users
                .into_iter()
                .map(|user| Counts { user, followers: followers(user), following: 1 })
                .collect(),
        )
    }
}

impl Answer<FollowersOf> for StillGraph {
    fn answer<'a>(&'a self, _: &'a CallContext, call: FollowersOf) -> Pending<'a, Followers> {
        let after = call.after.map_or(0, UserId::raw);
        let ids = (1..=9).filter(|id| *id > after).map(UserId::new).take(call.limit as usize).collect();
        ready(Followers { ids, total: 9 })
    }
}

impl Answer<PopularFollowedBy> for StillGraph {
    fn answer<'a>(&'a self, _: &'a CallContext, call: PopularFollowedBy) -> Pending<'a, Vec<UserId>> {
        ready(if call.user == UserId::new(1) { vec![STAR] } else { Vec::new() })
    }
}

/// The still picture.
pub fn still(calls: &CallRouter) {
    answer_with(calls, Arc::new(StillGraph));
}

fn answer_with<G>(calls: &CallRouter, graph: Arc<G>)
where
    G: Answer<CountsOf> + Answer<FollowersOf> + Answer<PopularFollowedBy>,
{
    calls.answer::<CountsOf>(graph.clone());
    calls.answer::<FollowersOf>(graph.clone());
    calls.answer::<PopularFollowedBy>(graph);
    calls.answer::<PhotosByIds>(Arc::new(Album));
    calls.answer::<ProfilesByIds>(Arc::new(Roster));
}

/// What happens after a reply was made and before the caller has it.
type Interruption = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// A `follower` whose edges the test moves.
#[derive(Default)]
pub struct MovingGraph {
    edges: Mutex<BTreeSet<(UserId, UserId)>>,
    broken: AtomicBool,
    /// By the name of the call, each once.
    interruptions: Mutex<BTreeMap<&'static str, Interruption>>,
}

impl MovingGraph {
    /// Lets it answer.
    pub fn answers(self: &Arc<Self>, calls: &CallRouter) {
        answer_with(calls, self.clone());
    }

    /// The edges as they are from now on, as (follower, followee).
    pub fn becomes(&self, edges: BTreeSet<(UserId, UserId)>) {
        *self.edges.lock().unwrap_or_else(PoisonError::into_inner) = edges;
    }

    /// Whether it fails to count from now on.
    pub fn breaks(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// Lets something happen between the next reply to `C` and its use.
    pub fn interrupt<C: Call>(&self, with: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static) {
        let mut interruptions = self.interruptions.lock().unwrap_or_else(PoisonError::into_inner);
        interruptions.insert(C::NAME, Box::new(with));
    }

    /// A reply, and what is to happen before it is used.
    fn reply<'a, C: Call>(&self, reply: C::Reply) -> Pending<'a, C::Reply>
    where
        C::Reply: Send + 'a,
    {
        let interruption = self.interruptions.lock().unwrap_or_else(PoisonError::into_inner).remove(C::NAME);
        Box::pin(async move {
            if let Some(interruption) = interruption {
                interruption().await;
            }
            Ok(reply)
        })
    }

    fn edges(&self) -> BTreeSet<(UserId, UserId)> {
        self.edges.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn followers(&self, user: UserId) -> Vec<UserId> {
        self.edges()
            .into_iter()
            .filter(|(_, followee)| *followee == user)
            .map(|(follower, _)| follower)
            .collect()
    }
}

impl Answer<CountsOf> for MovingGraph {
    fn answer<'a>(&'a self, _: &'a CallContext, call: CountsOf) -> Pending<'a, Vec<Counts>> {
        if self.broken.load(Ordering::SeqCst) {
            return Box::pin(std::future::ready(Err(Refusal::internal("broken for this test"))));
        }
        let counts = |user| Counts { user, followers: self.followers(user).len() as u64, following: 0 };
        self.reply::<CountsOf>(call.users.into_iter().map(counts).collect())
    }
}

impl Answer<FollowersOf> for MovingGraph {
    fn answer<'a>(&'a self, _: &'a CallContext, call: FollowersOf) -> Pending<'a, Followers> {
        let all = self.followers(call.user);
        let total = all.len() as u64;
        let ids = all.into_iter().filter(|id| Some(*id) > call.after).take(call.limit as usize).collect();
        self.reply::<FollowersOf>(Followers { ids, total })
    }
}

impl Answer<PopularFollowedBy> for MovingGraph {
    fn answer<'a>(&'a self, _: &'a CallContext, call: PopularFollowedBy) -> Pending<'a, Vec<UserId>> {
        let followees = self.edges().into_iter().filter(|(follower, _)| *follower == call.user);
        let popular = followees
            .map(|(_, followee)| followee)
            .filter(|followee| self.followers(*followee).len() as u64 >= call.at_least);
        ready(popular.collect())
    }
}
