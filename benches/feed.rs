//! One post to a hundred followers, and a page of the home feed.

use std::sync::Arc;

use benches::runtime;
use contract::{Answer, CallContext, Pending};
use criterion::Criterion;
use feed_api::HomeFeed;
use follower_api::{Counts, CountsOf, Followed, Followers, FollowersOf, PopularFollowedBy};
use history::History;
use photo_api::{Photo, PhotoId, PhotoPosted, PhotosByIds};
use profile_api::{ProfilesByIds, UserId};
use testkit::fakes::Roster;
use testkit::{Client, InProcess, Subject};
use transport::CallRouter;

/// Followers of each user: users 1 to 100.
const FOLLOWERS: u64 = 100;
const AUTHOR: UserId = UserId::new(500);

static SUBJECT: Subject =
    Subject { service: &::feed::SERVICE, fakes: surroundings, history: History::default, program: "" };

/// A `follower` and a `photo` that answer at once: what is measured is feed and its database.
struct Surroundings;

fn ready<'a, R: Send + 'a>(reply: R) -> Pending<'a, R> {
    Box::pin(std::future::ready(Ok(reply)))
}

impl Answer<CountsOf> for Surroundings {
    fn answer<'a>(&'a self, _: &'a CallContext, call: CountsOf) -> Pending<'a, Vec<Counts>> {
        let counts = |user| Counts { user, followers: FOLLOWERS, following: 1 };
        ready(call.users.into_iter().map(counts).collect())
    }
}

impl Answer<FollowersOf> for Surroundings {
    fn answer<'a>(&'a self, _: &'a CallContext, call: FollowersOf) -> Pending<'a, Followers> {
        let after = call.after.map_or(0, UserId::raw);
        let ids = (after + 1..=FOLLOWERS).map(UserId::new).take(call.limit as usize).collect();
        ready(Followers { ids, total: FOLLOWERS })
    }
}

impl Answer<PopularFollowedBy> for Surroundings {
    fn answer<'a>(&'a self, _: &'a CallContext, _: PopularFollowedBy) -> Pending<'a, Vec<UserId>> {
        ready(Vec::new())
    }
}

impl Answer<PhotosByIds> for Surroundings {
    fn answer<'a>(&'a self, _: &'a CallContext, call: PhotosByIds) -> Pending<'a, Vec<Photo>> {
        ready(call.ids.into_iter().map(photo).collect())
    }
}

fn surroundings(calls: &CallRouter) {
    let all = Arc::new(Surroundings);
    calls.answer::<CountsOf>(all.clone());
    calls.answer::<FollowersOf>(all.clone());
    calls.answer::<PopularFollowedBy>(all.clone());
    calls.answer::<PhotosByIds>(all);
    calls.answer::<ProfilesByIds>(Arc::new(Roster));
}

fn photo(id: PhotoId) -> Photo {
    Photo {
        id,
        author: AUTHOR,
        caption: "a heron at dawn".into(),
        tags: vec!["heron".into()],
        width: 640,
        height: 480,
        bytes: 40_000,
        likes: 3,
        posted_us: id.raw() as i64,
    }
}

pub fn feed(criterion: &mut Criterion) {
    let runtime = runtime();
    let here = runtime.block_on(InProcess::local(&SUBJECT));
    for follower in (1..=FOLLOWERS).map(UserId::new) {
        let edge = Followed { follower, followee: AUTHOR };
        runtime.block_on(here.publish(&format!("edge-{}", follower.raw()), edge));
    }
    let mut number = 0;
    let mut post = || {
        number += 1;
        let event = PhotoPosted { photo: photo(PhotoId::new(number)) };
        runtime.block_on(here.publish(&format!("post-{number}"), event));
    };
    let mut group = criterion.benchmark_group("feed");
    group.sample_size(20);
    group.bench_function("fan-out to 100", |bencher| bencher.iter(&mut post));
    (0..50).for_each(|_| post());
    group.bench_function("home feed of 20", |bencher| {
        bencher.iter(|| {
            let page = here.ask(HomeFeed { user: UserId::new(7), after: None, limit: 20 });
            assert_eq!(runtime.block_on(page).expect("it answers").items.len(), 20);
        });
    });
    group.finish();
}
