//! Events of five topics, interleaved at random, end in one state and one view of it.
//!
//! Each topic's own events stay in order. `follower` may be ahead of its
//! events, as it is while they travel: what it answers is drawn between what
//! has been told and what will have been, and never goes back.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use component::Identity;
use component::site::{Knobs, Site};
use contract::{CallContext, Carrier, ComponentName, Deadline};
use feed_api::HomeFeed;
use follower_api::{Followed, Unfollowed};
use photo_api::{PhotoDeleted, PhotoId, PhotoPosted};
use profile_api::{ProfileDeleted, UserId};
use runtime::Tasks;
use runtime::chance::Stream;
use storage::{Blobs, Bus, Database};
use tempfile::TempDir;
use transport::Switchboard;
use transport::cluster::Clusters;

use crate::world::{self, MovingGraph};

const USERS: u64 = 8;
/// With eight users, three followers make a star, and authors cross the line often.
const PUSH_BELOW: u32 = 3;
/// Short, so that most timelines are cut.
const DEPTH: u32 = 6;

type Edges = BTreeSet<(UserId, UserId)>;

/// What the publishers will have told.
struct Plot {
    follows: Vec<(UserId, UserId)>,
    photos: Vec<Told>,
    leaver: UserId,
}

#[derive(Clone, Copy)]
enum Told {
    Posted(PhotoId),
    Deleted(PhotoId),
}

impl Plot {
    fn new(chance: &mut Stream) -> Self {
        let mut below = |n: u64| chance.next_u64() % n;
        let mut follows = Vec::new();
        while follows.len() < 60 {
            let edge = (UserId::new(1 + below(USERS)), UserId::new(1 + below(USERS)));
            if edge.0 != edge.1 {
                follows.push(edge);
            }
        }
        let mut photos = Vec::new();
        let mut standing: Vec<PhotoId> = Vec::new();
        for n in 0..40 {
            let id = world::photo_id(UserId::new(1 + below(USERS)), n);
            photos.push(Told::Posted(id));
            standing.push(id);
            if below(8) == 0 {
                let victim = standing.swap_remove(below(standing.len() as u64) as usize);
                photos.push(Told::Deleted(victim));
            }
        }
        Self { follows, photos, leaver: UserId::new(1 + below(USERS)) }
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
            .filter_map(|told| if let Told::Deleted(id) = told { Some(*id) } else { None })
            .collect()
    }

    /// What a reader should see, newest first.
    fn feed(&self, reader: UserId) -> Vec<PhotoId> {
        let (edges, deleted) = (self.final_edges(), self.deleted());
        let posted =
            self.photos.iter().filter_map(|told| if let Told::Posted(id) = told { Some(*id) } else { None });
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
    calls: Switchboard,
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

impl Stage {
    async fn open() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let db =
            Database::open(&folder.path().join("feed.db"), storage::Options::default()).await.expect("opens");
        db.migrate(feed::NAME, feed::SERVICE.migrations).await.expect("migrates");
        let bus = Bus::new(db.clone(), BTreeSet::new());
        let hosts = feed::SERVICE.asks.iter().map(|name| ComponentName::of(name)).chain([feed::NAME]);
        let calls = Switchboard::new(transport::SwitchboardOptions {
            carrier: Carrier::Local,
            clusters: Clusters::new(),
            policies: Vec::new(),
            faults: Arc::new(fault::Table::default()),
            token: "of this test".into(),
            hosts: hosts.collect(),
            seed: 1,
        });
        let graph = Arc::new(MovingGraph::default());
        graph.answers(&calls);
        let tasks = Tasks::new();
        let site = Site {
            name: feed::NAME,
            db: db.clone(),
            bus: bus.clone(),
            blobs: Blobs::open(folder.path()).expect("opens"),
            tasks: tasks.clone(),
            identity: Arc::new(Identity::new(b"of this test")),
            knobs: Knobs { push_below: PUSH_BELOW, feed_depth: DEPTH, ..Knobs::default() },
            calls: calls.clone(),
        };
        let _routes = (feed::SERVICE.open)(&site).await.expect("opens");
        Self { db, bus, calls, graph, _tasks: tasks, _folder: folder }
    }

    async fn publish<E: contract::Event>(&self, id: String, event: E) {
        let mut tx = self.db.write().await.expect("the writer is free");
        self.bus.publish(&context(), &mut tx, id, &event).await.expect("feed accepts it");
        tx.commit().await.expect("commits");
    }

    /// Tells the plot, drawing at every step which topic speaks next and how
    /// far `follower` is ahead.
    async fn tell(&self, plot: &Plot, chance: &mut Stream) {
        let mut below = |n: usize| (chance.next_u64() % n as u64) as usize;
        let (follow, unfollow) = plot.turns();
        let (deletes, posts): (Vec<usize>, Vec<usize>) =
            (0..plot.photos.len()).partition(|told| matches!(plot.photos[*told], Told::Deleted(_)));
        let mut topics =
            [follow, unfollow, posts, deletes, vec![0]].map(|topic| topic.into_iter().peekable());
        let mut ahead = 0;
        let mut gone_there = false;
        loop {
            let weights = topics.each_ref().map(|topic| topic.len());
            let mut draw = match weights.iter().sum() {
                0 => break,
                all => below(all),
            };
            let topic = weights
                .iter()
                .position(|weight| {
                    draw < *weight || {
                        draw -= weight;
                        false
                    }
                })
                .expect("the draw is below the sum");
            let at = topics[topic].next().expect("it has weight");
            if topic < 2 {
                ahead = ahead.max(at + 1);
            }
            if below(2) == 0 {
                ahead += below(plot.follows.len() - ahead + 1);
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
                (2, Some(Told::Posted(photo))) => {
                    self.publish(id, PhotoPosted { photo: world::photo(*photo) }).await;
                }
                (3, Some(Told::Deleted(photo))) => {
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
    for seed in 0..12 {
        let plot = Plot::new(&mut Stream::new(seed, "plot"));
        let mut digests = HashMap::new();
        for telling in 0..3 {
            let stage = Stage::open().await;
            stage.tell(&plot, &mut Stream::new(seed * 10 + telling, "telling")).await;
            let digest = (feed::SERVICE.digest)(&stage.db).await.expect("reads");
            digests.insert(digest, telling);
            for reader in (1..=USERS).map(UserId::new).filter(|reader| *reader != plot.leaver) {
                let (seen, expected) = (stage.feed(reader).await, plot.feed(reader));
                let same = seen.len().min(expected.len()).min(DEPTH as usize);
                assert_eq!(seen[..same], expected[..same], "seed {seed}, telling {telling}, reader {reader}");
                // Deleted photos keep their place in a full timeline until it is rebuilt;
                // all else is there, down to the depth.
                let due = expected.len().min((DEPTH as usize).saturating_sub(plot.deleted().len()));
                assert!(
                    seen.len() >= due,
                    "seed {seed}, telling {telling}, reader {reader}: {seen:?} of {expected:?}"
                );
            }
        }
        assert_eq!(digests.len(), 1, "seed {seed}: tellings by digest: {digests:?}");
    }
}
