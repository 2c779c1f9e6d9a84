//! Events of five topics, interleaved at random, end in one state and one view of it.
//!
//! Each topic's own events stay in order. `follower` may be ahead of its
//! events, as it is while they travel: what it answers lies between what they
//! have shown and what they will have shown, and never goes back.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use component::Identity;
use component::service_context::{ServiceContext, Settings};
use contract::{CallContext, Carrier, ComponentName, Deadline, Event, Refusal, RefusalKind};
use feed_api::HomeFeed;
use follower_api::{CountsOf, Followed, FollowersOf, Unfollowed};
use futures_util::future::BoxFuture;
use photo_api::{PhotoDeleted, PhotoId, PhotoPosted};
use profile_api::{ProfileDeleted, UserId};
use runtime::Tasks;
use runtime::random::RandomStream;
use storage::{Blobs, Bus, Database, Effect, Synchronous};
use tempfile::TempDir;
use transport::CallRouter;
use transport::cluster::Clusters;

use crate::world::{self, MovingGraph};

const USERS: u64 = 8;
/// With eight users, three followers make a star, and authors cross the line often.
const PUSH_BELOW: u32 = 3;
/// So short that most timelines are cut, and so long that none is: then feeds
/// must be whole, whatever went.
const DEPTHS: [u32; 2] = [6, 60];

type Edges = BTreeSet<(UserId, UserId)>;

/// The events of all publishers.
struct Plot {
    follows: Vec<(UserId, UserId)>,
    photos: Vec<PhotoEvent>,
    leaver: UserId,
}

#[derive(Clone, Copy)]
enum PhotoEvent {
    Posted(PhotoId),
    Deleted(PhotoId),
}

impl Plot {
    fn new(chance: &mut RandomStream) -> Self {
        let mut below = |n: u64| chance.next_u64() % n;
        let mut plot =
            Self { follows: Vec::new(), photos: Vec::new(), leaver: UserId::new(1 + below(USERS)) };
        while plot.follows.len() < 60 {
            let edge = (UserId::new(1 + below(USERS)), UserId::new(1 + below(USERS)));
            if edge.0 != edge.1 {
                plot.follows.push(edge);
            }
        }
        // Of those who are left half go, so that stars fall.
        let leave: Vec<_> = plot.edges(60).into_iter().filter(|_| below(2) == 0).collect();
        plot.follows.extend(leave);
        let mut existing: Vec<PhotoId> = Vec::new();
        for n in 0..40 {
            let id = world::photo_id(UserId::new(1 + below(USERS)), n);
            plot.photos.push(PhotoEvent::Posted(id));
            existing.push(id);
            if below(8) == 0 {
                let victim = existing.swap_remove(below(existing.len() as u64) as usize);
                plot.photos.push(PhotoEvent::Deleted(victim));
            }
        }
        plot
    }

    /// The edges after the first turns: the first turn of a pair follows, the
    /// next unfollows.
    fn edges(&self, turns: usize) -> Edges {
        let mut edges = Edges::new();
        for edge in &self.follows[..turns] {
            if !edges.remove(edge) {
                edges.insert(*edge);
            }
        }
        edges
    }

    /// The turns that follow, and those that unfollow.
    fn turns(&self) -> (Vec<usize>, Vec<usize>) {
        (0..self.follows.len()).partition(|turn| self.edges(turn + 1).contains(&self.follows[*turn]))
    }

    fn final_edges(&self) -> Edges {
        let mut edges = self.edges(self.follows.len());
        edges.retain(|(follower, followee)| ![*follower, *followee].contains(&self.leaver));
        edges
    }

    fn deleted(&self) -> Vec<PhotoId> {
        self.photos
            .iter()
            .filter_map(|event| if let PhotoEvent::Deleted(id) = event { Some(*id) } else { None })
            .collect()
    }

    /// How many photos go, by themselves or with their author.
    fn gone(&self) -> usize {
        let leavers = |event: &&PhotoEvent| matches!(event, PhotoEvent::Posted(id) if world::photo(*id).author == self.leaver);
        self.deleted().len() + self.photos.iter().filter(leavers).count()
    }

    /// What a reader should see, newest first.
    fn feed(&self, reader: UserId) -> Vec<PhotoId> {
        let (edges, deleted) = (self.final_edges(), self.deleted());
        let posted = self
            .photos
            .iter()
            .filter_map(|event| if let PhotoEvent::Posted(id) = event { Some(*id) } else { None });
        let mut feed: Vec<PhotoId> = posted
            .filter(|id| !deleted.contains(id) && edges.contains(&(reader, world::photo(*id).author)))
            .collect();
        feed.sort_by_key(|id| std::cmp::Reverse(world::photo(*id).posted_us));
        feed
    }
}

/// The component alone, its neighbours moved by hand.
struct Stage {
    db: Database,
    bus: Bus,
    calls: CallRouter,
    graph: Arc<MovingGraph>,
    _tasks: Tasks,
    _folder: TempDir,
}

fn context() -> CallContext {
    CallContext::background(
        ComponentName::CLIENT,
        Deadline::after(runtime::clock::now(), Duration::from_secs(60)),
    )
}

/// Publishes as a service does.
async fn publish<E: Event>(db: &Database, bus: &Bus, id: String, event: E) -> Result<(), Refusal> {
    let cx = context();
    let mut publication = bus.publication(&cx, &event);
    loop {
        publication.gather().await;
        let mut tx = db.write().await?;
        if publication.publish(&mut tx, id.clone()).await? == Effect::Applied {
            return Ok(tx.commit().await?);
        }
    }
}

impl Stage {
    async fn open(feed_depth: u32) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        // Nothing here outlives the test, least of all a power cut.
        let quick = storage::Options { synchronous: Synchronous::Off, ..storage::Options::default() };
        let db = Database::open(&folder.path().join("feed.db"), quick).await.expect("opens");
        db.migrate(feed::NAME, feed::SERVICE.migrations).await.expect("migrates");
        let bus = Bus::new(db.clone(), storage::OutboundTopics::default());
        let hosts = feed::SERVICE.calls.iter().map(|name| ComponentName::of(name)).chain([feed::NAME]);
        let calls = CallRouter::new(transport::CallRouterOptions {
            carrier: Carrier::Local,
            clusters: Clusters::new(),
            services: Default::default(),
            copy: "test#0".into(),
            schema: 1,
            policies: Vec::new(),
            faults: Arc::new(fault::LeaseTable::default()),
            token: "of this test".into(),
            hosts: hosts.collect(),
            seed: 1,
        });
        let graph = Arc::new(MovingGraph::default());
        graph.answers(&calls);
        let tasks = Tasks::new();
        let context = ServiceContext {
            name: feed::NAME,
            db: db.clone(),
            bus: bus.clone(),
            blobs: Blobs::open(folder.path()).expect("opens"),
            tasks: tasks.clone(),
            identity: Arc::new(Identity::new(b"of this test").expect("a secret")),
            settings: Settings { push_below: PUSH_BELOW, feed_depth, ..Settings::default() },
            calls: calls.clone(),
        };
        let _routes = (feed::SERVICE.open)(&context).await.expect("opens");
        Self { db, bus, calls, graph, _tasks: tasks, _folder: folder }
    }

    async fn publish<E: Event>(&self, id: String, event: E) {
        self.try_publish(id, event).await.expect("feed accepts it");
    }

    async fn try_publish<E: Event>(&self, id: String, event: E) -> Result<(), Refusal> {
        publish(&self.db, &self.bus, id, event).await
    }

    /// What lets the graph become `edges`, and feed hear of it by `events`, at some later moment.
    fn later<E: Event>(
        &self,
        edges: Edges,
        events: Vec<E>,
    ) -> impl FnOnce() -> BoxFuture<'static, ()> + use<E> {
        let (graph, db, bus) = (self.graph.clone(), self.db.clone(), self.bus.clone());
        move || {
            Box::pin(async move {
                graph.becomes(edges);
                for (n, event) in events.into_iter().enumerate() {
                    publish(&db, &bus, format!("{}/later/{n}", E::TOPIC), event)
                        .await
                        .expect("feed accepts it");
                }
            })
        }
    }

    /// Publishes the plot, drawing at every step which topic is next and how
    /// far `follower` is ahead.
    async fn publish_all(&self, plot: &Plot, chance: &mut RandomStream) {
        let mut below = |n: usize| (chance.next_u64() % n as u64) as usize;
        let (follow, unfollow) = plot.turns();
        let (deletes, posts): (Vec<usize>, Vec<usize>) =
            (0..plot.photos.len()).partition(|event| matches!(plot.photos[*event], PhotoEvent::Deleted(_)));
        let mut topics =
            [follow, unfollow, posts, deletes, vec![0]].map(|topic| topic.into_iter().peekable());
        // Some topics are quick and some are slow, so that whole stretches change places.
        let speed: Vec<usize> = topics.iter().map(|_| 1 + below(9)).collect();
        let mut ahead = 0;
        let mut gone_there = false;
        loop {
            let weights: Vec<usize> =
                topics.iter().zip(&speed).map(|(topic, speed)| topic.len() * speed).collect();
            let mut draw = match weights.iter().sum() {
                0 => break,
                all => below(all),
            };
            let mut topic = 0;
            while draw >= weights[topic] {
                draw -= weights[topic];
                topic += 1;
            }
            let at = topics[topic].next().expect("it has weight");
            if topic < 2 {
                ahead = ahead.max(at + 1);
            }
            if below(4) == 0 {
                ahead = plot.follows.len().min(ahead + below(6));
            }
            gone_there |= below(40) == 0;
            let mut edges = plot.edges(ahead);
            edges.retain(|(a, b)| !(gone_there && [*a, *b].contains(&plot.leaver)));
            self.graph.becomes(edges);

            let id = format!("{topic}/{at}");
            match (topic, plot.photos.get(at)) {
                (0, _) => {
                    let (follower, followee) = plot.follows[at];
                    self.publish(id, Followed { follower, followee }).await;
                }
                (1, _) => {
                    let (follower, followee) = plot.follows[at];
                    self.publish(id, Unfollowed { follower, followee }).await;
                }
                (2, Some(PhotoEvent::Posted(photo))) => {
                    self.publish(id, PhotoPosted { photo: world::photo(*photo) }).await;
                }
                (3, Some(PhotoEvent::Deleted(photo))) => {
                    let author = world::photo(*photo).author;
                    self.publish(id, PhotoDeleted { id: *photo, author }).await;
                }
                _ => self.publish(id, ProfileDeleted { id: plot.leaver }).await,
            }
        }
        self.graph.becomes(plot.final_edges());
    }

    /// A reader's whole home feed, three at a time.
    async fn feed(&self, reader: UserId) -> Vec<PhotoId> {
        let home = self.calls.ask::<HomeFeed>(ComponentName::CLIENT);
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page =
                home.answer(&context(), HomeFeed { user: reader, after, limit: 3 }).await.expect("answers");
            seen.extend(page.items.iter().map(|item| item.photo.id));
            after = page.next;
            if after.is_none() {
                return seen;
            }
        }
    }
}

#[tokio::test]
async fn any_order_of_events_ends_in_one_state() {
    for seed in 0..32 {
        let plot = Plot::new(&mut RandomStream::new(seed, "plot"));
        let depth = DEPTHS[seed as usize % 2];
        let mut digests = HashMap::new();
        for ordering in 0..3 {
            let stage = Stage::open(depth).await;
            stage.publish_all(&plot, &mut RandomStream::new(seed * 10 + ordering, "order")).await;
            let digest = (feed::SERVICE.digest)(&stage.db).await.expect("reads");
            digests.insert(digest, ordering);
            for reader in (1..=USERS).map(UserId::new).filter(|reader| *reader != plot.leaver) {
                let (seen, expected) = (stage.feed(reader).await, plot.feed(reader));
                let same = seen.len().min(expected.len()).min(depth as usize);
                assert_eq!(seen[..same], expected[..same], "seed {seed}, order {ordering}, reader {reader}");
                // What is gone keeps its place in a full timeline until that is rebuilt;
                // all else is there, down to the depth.
                let due = expected.len().min((depth as usize).saturating_sub(plot.gone()));
                assert!(
                    seen.len() >= due,
                    "seed {seed}, order {ordering}, reader {reader}: {seen:?} of {expected:?}"
                );
            }
        }
        assert_eq!(digests.len(), 1, "seed {seed}: orderings by digest: {digests:?}");
    }
}

#[tokio::test]
async fn an_author_who_crosses_the_line_loses_no_post() {
    let stage = Stage::open(DEPTHS[1]).await;
    let [author, first, second, third] = [1, 2, 3, 4].map(UserId::new);
    let edges = |readers: &[UserId]| readers.iter().map(|reader| (*reader, author)).collect::<Edges>();
    let [x, y] = [1, 2].map(|n| world::photo_id(author, n));

    // Two followers: pushed.
    stage.graph.becomes(edges(&[first, second]));
    stage.publish("f1".into(), Followed { follower: first, followee: author }).await;
    stage.publish("f2".into(), Followed { follower: second, followee: author }).await;
    stage.publish("p1".into(), PhotoPosted { photo: world::photo(x) }).await;
    // Three: merged on read, and the first post is not shown twice.
    stage.graph.becomes(edges(&[first, second, third]));
    stage.publish("f3".into(), Followed { follower: third, followee: author }).await;
    stage.publish("p2".into(), PhotoPosted { photo: world::photo(y) }).await;
    for reader in [first, second, third] {
        assert_eq!(stage.feed(reader).await, [y, x], "{reader} on the way up");
    }
    // An account that goes takes its edge along without an event here.
    stage.graph.becomes(edges(&[first, second]));
    stage.publish("gone".into(), ProfileDeleted { id: third }).await;
    for reader in [first, second] {
        assert_eq!(stage.feed(reader).await, [y, x], "{reader} on the way down");
    }
    // Far below: by now everything must have been pushed.
    stage.graph.becomes(edges(&[first]));
    stage.publish("u2".into(), Unfollowed { follower: second, followee: author }).await;
    assert_eq!(stage.feed(first).await, [y, x]);
    assert!(stage.feed(second).await.is_empty());
}

#[tokio::test]
async fn a_follow_between_the_question_and_the_turn_is_not_lost() {
    let stage = Stage::open(DEPTHS[1]).await;
    let [author, early, late] = [1, 2, 3].map(UserId::new);
    let x = world::photo_id(author, 1);
    stage.graph.becomes(Edges::from([(early, author)]));
    stage.publish("f".into(), Followed { follower: early, followee: author }).await;
    // The followers are listed, and only then there is one more.
    let both = Edges::from([(early, author), (late, author)]);
    let follow = vec![Followed { follower: late, followee: author }];
    stage.graph.interrupt::<FollowersOf>(stage.later(both, follow));
    stage.publish("p".into(), PhotoPosted { photo: world::photo(x) }).await;
    for reader in [early, late] {
        assert_eq!(stage.feed(reader).await, [x], "{reader}");
    }
}

#[tokio::test]
async fn unfollows_between_the_question_and_the_turn_do_not_hide_the_post() {
    let stage = Stage::open(DEPTHS[1]).await;
    let [author, first, second, third] = [1, 2, 3, 4].map(UserId::new);
    let x = world::photo_id(author, 1);
    stage.graph.becomes([first, second, third].map(|reader| (reader, author)).into());
    for reader in [first, second, third] {
        stage.publish(format!("f{reader}"), Followed { follower: reader, followee: author }).await;
    }
    // Three followers were counted, too many to push to, and only then two leave: the author is not merged on read
    // any more.
    let leave = [second, third].map(|follower| Unfollowed { follower, followee: author });
    stage.graph.interrupt::<CountsOf>(stage.later(Edges::from([(first, author)]), leave.into()));
    stage.publish("p".into(), PhotoPosted { photo: world::photo(x) }).await;
    assert_eq!(stage.feed(first).await, [x]);
    assert!(stage.feed(second).await.is_empty());
}

#[tokio::test]
async fn an_unfollow_between_the_question_and_the_turn_of_another_hides_no_post() {
    let stage = Stage::open(DEPTHS[1]).await;
    let [author, first, second, third] = [1, 2, 3, 4].map(UserId::new);
    let [x, y] = [1, 2].map(|n| world::photo_id(author, n));
    stage.graph.becomes([first, second, third].map(|reader| (reader, author)).into());
    for reader in [first, second, third] {
        stage.publish(format!("f{reader}"), Followed { follower: reader, followee: author }).await;
    }
    stage.publish("p1".into(), PhotoPosted { photo: world::photo(x) }).await;
    // While the readers left are counted for the second unfollow, another leaves.
    stage.graph.becomes(Edges::from([(first, author), (second, author)]));
    let leave = vec![Unfollowed { follower: third, followee: author }];
    stage.graph.interrupt::<CountsOf>(stage.later(Edges::from([(first, author)]), leave));
    stage.publish("u".into(), Unfollowed { follower: second, followee: author }).await;
    stage.publish("p2".into(), PhotoPosted { photo: world::photo(y) }).await;
    assert_eq!(stage.feed(first).await, [y, x]);
}

#[tokio::test]
async fn a_post_that_no_question_was_asked_for_reaches_the_readers_known_here() {
    let stage = Stage::open(DEPTHS[1]).await;
    let [author, reader] = [1, 2].map(UserId::new);
    let x = world::photo_id(author, 1);
    stage.graph.becomes(Edges::from([(reader, author)]));
    stage.publish("f".into(), Followed { follower: reader, followee: author }).await;
    stage.graph.breaks(true);
    let mut tx = stage.db.write().await.expect("the turn");
    let event = PhotoPosted { photo: world::photo(x) };
    stage.bus.publish(&context(), &mut tx, "p".into(), &event).await.expect("no component is called");
    tx.commit().await.expect("commits");
    stage.graph.breaks(false);
    // One follower is too few to be merged on read: it was pushed.
    assert_eq!(stage.feed(reader).await, [x]);
}

#[tokio::test]
async fn a_neighbour_that_fails_is_no_fault_of_the_event() {
    let stage = Stage::open(DEPTHS[1]).await;
    let [author, reader] = [1, 2].map(UserId::new);
    let x = world::photo_id(author, 1);
    stage.graph.becomes(Edges::from([(reader, author)]));
    stage.publish("f".into(), Followed { follower: reader, followee: author }).await;
    stage.graph.breaks(true);
    // Unavailable is tried again for ever; anything else would end as a dead letter.
    let refusal =
        stage.try_publish("p".into(), PhotoPosted { photo: world::photo(x) }).await.expect_err("fails");
    assert_eq!(refusal.kind, RefusalKind::Unavailable);
    assert!(stage.feed(reader).await.is_empty());
    stage.graph.breaks(false);
    stage.publish("p".into(), PhotoPosted { photo: world::photo(x) }).await;
    assert_eq!(stage.feed(reader).await, [x]);
}
