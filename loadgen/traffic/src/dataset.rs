//! Who is there, who follows whom, which photos there are: a pure function of the seed.

use std::collections::HashSet;

use contract::Id;
use contract::id::{PrincipalKind, fnv1a64, mix};
use serde::{Deserialize, Serialize};

use crate::images::SHARED;
use crate::sample::{BoundedPareto, Weighted, lognormal};
use crate::seed::{Rng, Seed};
use crate::words;

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// For tests: it has no tail.
    Tiny,
    /// For a first look.
    Small,
    /// For figures that are quoted.
    #[default]
    Standard,
    /// For long runs.
    Large,
}

impl Size {
    /// How many users.
    pub const fn users(self) -> usize {
        match self {
            Self::Tiny => 500,
            Self::Small => 2_000,
            Self::Standard => 10_000,
            Self::Large => 100_000,
        }
    }

    /// How many photos: four a user.
    pub const fn photos(self) -> usize {
        4 * self.users()
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Standard => "standard",
            Self::Large => "large",
        }
    }
}

/// Shape of the follower graph.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Graph {
    /// Tail exponent of the number of followers.
    pub alpha: f64,
    /// Mean number of followers.
    pub mean: f64,
    /// Most followers anybody has, as a share of all users.
    pub cap: f64,
    /// Spread of the number followed.
    pub following_sigma: f64,
}

impl Default for Graph {
    fn default() -> Self {
        Self { alpha: 1.35, mean: 40.0, cap: 0.20, following_sigma: 1.0 }
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Follows from the handle.
    pub id: u64,
    /// Unique.
    pub handle: String,
    /// Display name.
    pub name: String,
    /// A few words.
    pub bio: String,
}

/// A photo.
#[derive(Clone, Debug, PartialEq)]
pub struct Photo {
    /// Follows from seed and number.
    pub id: u64,
    /// Index of its author.
    pub author: u32,
    /// A few words.
    pub caption: String,
    /// One to three words.
    pub tags: Vec<String>,
    /// Which of the shared images it shows.
    pub image: u8,
    /// When it was posted, microseconds since the Unix epoch.
    pub posted_us: i64,
}

/// Photos were posted in the 90 days before this: 1 January 2026, UTC.
pub const EPOCH_US: i64 = 1_767_225_600_000_000;
const NINETY_DAYS_US: i64 = 90 * 86_400 * 1_000_000;
/// Version of everything here: data sets of different versions differ.
const VERSION: u64 = 1;

/// Lists of users by user, one after the other in one vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lists {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    /// The list of one user, ascending.
    pub fn of(&self, user: u32) -> &[u32] {
        &self.items[self.starts[user as usize] as usize..self.starts[user as usize + 1] as usize]
    }

    /// All lists together.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Nobody has anybody.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn new(lists: impl Iterator<Item = Vec<u32>>) -> Self {
        let (mut starts, mut items) = (vec![0], Vec::new());
        for mut list in lists {
            list.sort_unstable();
            items.extend(list);
            starts.push(items.len() as u32);
        }
        Self { starts, items }
    }
}

/// Everything that is there when a run begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The users.
    pub users: Vec<User>,
    /// The photos, oldest first.
    pub photos: Vec<Photo>,
    /// Who follows a user.
    pub followers: Lists,
    /// Whom a user follows.
    pub following: Lists,
    /// Photos by falling popularity.
    pub popular: Vec<u32>,
    photos_by_author: Vec<Vec<u32>>,
    key: u64,
}

impl Dataset {
    /// The data set of a seed.
    pub fn generate(seed: Seed, size: Size, graph: &Graph) -> Self {
        let n = size.users();
        let followers = followers(seed, n, graph);
        let mut following: Vec<Vec<u32>> = vec![Vec::new(); n];
        for author in 0..n as u32 {
            for &follower in followers.of(author) {
                following[follower as usize].push(author);
            }
        }
        let following = Lists::new(following.into_iter());
        let users: Vec<User> = (0..n).map(|index| user(seed, index)).collect();
        let photos = photos(seed, size.photos(), &followers, n);
        let mut photos_by_author = vec![Vec::new(); n];
        for (index, photo) in photos.iter().enumerate() {
            photos_by_author[photo.author as usize].push(index as u32);
        }
        let popular = popular(seed, &photos, &followers);
        let key = key(seed, size, graph);
        Self { users, photos, followers, following, popular, photos_by_author, key }
    }

    /// Whether `follower` follows `followee`.
    pub fn is_edge(&self, follower: u32, followee: u32) -> bool {
        self.following.of(follower).binary_search(&followee).is_ok()
    }

    /// A user's photos, oldest first.
    pub fn photos_of(&self, author: u32) -> &[u32] {
        &self.photos_by_author[author as usize]
    }

    /// Names the data set: equal keys have equal data.
    pub fn key(&self) -> String {
        format!("{:016x}", self.key)
    }

    /// Over everything in it, for tests that it repeats.
    pub fn digest(&self) -> u64 {
        let mut hash = self.key;
        let mut take = |bytes: &[u8]| hash = mix(fnv1a64(bytes, hash));
        for user in &self.users {
            take(&user.id.to_le_bytes());
            take(user.name.as_bytes());
            take(user.bio.as_bytes());
        }
        for photo in &self.photos {
            take(&photo.id.to_le_bytes());
            take(&photo.author.to_le_bytes());
            take(&photo.posted_us.to_le_bytes());
            take(photo.caption.as_bytes());
            take(photo.tags.join(",").as_bytes());
        }
        for item in self.followers.items.iter().chain(&self.popular) {
            take(&item.to_le_bytes());
        }
        hash
    }
}

/// Names a data set before it is made.
pub fn key(seed: Seed, size: Size, graph: &Graph) -> u64 {
    let parts = [graph.alpha, graph.mean, graph.cap, graph.following_sigma].map(f64::to_bits);
    let bytes: Vec<u8> = [VERSION, seed.0, size.users() as u64].iter().chain(&parts).flat_map(|p| p.to_le_bytes()).collect();
    mix(fnv1a64(&bytes, 0xcbf2_9ce4_8422_2325))
}

/// The handle of a seeded user.
pub fn handle(seed: Seed, index: usize) -> String {
    format!("{}{index:05}", words::word(seed.draw("profile.handle", index as u64) as usize % words::VOCABULARY))
}

/// The id that follows from a handle, for seeded and for new users.
pub fn user_id(handle: &str) -> Id<PrincipalKind> {
    Id::derived("user", &[handle.as_bytes()])
}

fn user(seed: Seed, index: usize) -> User {
    let handle = handle(seed, index);
    let name = words::name(seed.draw("profile.name", index as u64));
    let bio = caption(seed, "profile.bio", index as u64, 12);
    User { id: user_id(&handle).raw(), handle, name, bio }
}

/// Three to `most` words, frequent ones more often.
fn caption(seed: Seed, label: &str, number: u64, most: u64) -> String {
    thread_local! {
        static WORDS: Weighted = Weighted::zipf(words::VOCABULARY, 1.0);
    }
    let mut bits = seed.draw(label, number);
    let count = 3 + bits % (most - 2);
    let mut text = String::new();
    for position in 0..count {
        bits = mix(bits.wrapping_add(position + 1));
        let rank = WORDS.with(|words| words.index(crate::seed::unit(bits)));
        if position > 0 {
            text.push(' ');
        }
        text += &words::word(rank);
    }
    text
}

/// Who follows each user: exactly as many, all distinct, as the shape says.
fn followers(seed: Seed, n: usize, graph: &Graph) -> Lists {
    // Stratified quantiles: the same shape for every seed, only the assignment
    // differs. Plain draws would move the maximum more than many effects.
    let pareto = BoundedPareto::with_mean(graph.alpha, graph.mean.min(n as f64 / 4.0), graph.cap * n as f64);
    let mut degrees: Vec<usize> =
        (0..n).map(|i| (pareto.quantile((i as f64 + 0.5) / n as f64).round() as usize).clamp(1, n - 1)).collect();
    seed.stream("graph.in").shuffle(&mut degrees);

    let mut out = seed.stream("graph.out");
    let weights: Vec<f64> = (0..n).map(|_| lognormal(out.unit(), 1.0, graph.following_sigma)).collect();
    let choice = Weighted::new(&weights);
    let mut rng = seed.stream("graph.wire");
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_unstable_by_key(|&author| (std::cmp::Reverse(degrees[author]), author));
    let mut lists = vec![Vec::new(); n];
    for author in order {
        let wanted = degrees[author];
        lists[author] = if wanted > n / 50 {
            by_keys(&mut rng, &weights, author, wanted)
        } else {
            by_rejection(&mut rng, &choice, author, wanted)
        };
    }
    Lists::new(lists.into_iter())
}

/// Many of all: the smallest exponential keys (Efraimidis & Spirakis 2006).
fn by_keys(rng: &mut Rng, weights: &[f64], author: usize, wanted: usize) -> Vec<u32> {
    let mut keys: Vec<(f64, u32)> = (0..weights.len())
        .map(|user| (rng.exp() / weights[user], user as u32))
        .filter(|(_, user)| *user != author as u32)
        .collect();
    if wanted < keys.len() {
        keys.select_nth_unstable_by(wanted, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        keys.truncate(wanted);
    }
    keys.into_iter().map(|(_, user)| user).collect()
}

/// Few of all: draw until there are enough distinct ones.
fn by_rejection(rng: &mut Rng, choice: &Weighted, author: usize, wanted: usize) -> Vec<u32> {
    let mut chosen = HashSet::with_capacity(wanted);
    while chosen.len() < wanted {
        let user = choice.index(rng.unit()) as u32;
        if user != author as u32 {
            chosen.insert(user);
        }
    }
    chosen.into_iter().collect()
}

/// Authors in proportion to the square root of their followers.
pub fn author_weights(followers: &Lists, users: usize) -> Vec<f64> {
    (0..users as u32).map(|user| (followers.of(user).len() as f64).sqrt()).collect()
}

fn photos(seed: Seed, count: usize, followers: &Lists, users: usize) -> Vec<Photo> {
    let authors = Weighted::new(&author_weights(followers, users));
    let mut rng = seed.stream("photo.author");
    let step = NINETY_DAYS_US / count as i64;
    (0..count)
        .map(|index| {
            let number = index as u64;
            let author = authors.index(rng.unit()) as u32;
            let caption = caption(seed, "photo.caption", number, 8);
            let tags = caption.split(' ').take(1 + (seed.draw("photo.tags", number) % 3) as usize).map(str::to_owned);
            let jitter = (seed.unit("photo.time", number) * step as f64) as i64;
            Photo {
                id: Id::<PrincipalKind>::derived("seeded-photo", &[&seed.0.to_le_bytes(), &number.to_le_bytes()]).raw(),
                author,
                tags: tags.collect(),
                caption,
                image: (seed.draw("photo.image", number) % u64::from(SHARED)) as u8,
                posted_us: EPOCH_US - NINETY_DAYS_US + step * index as i64 + jitter,
            }
        })
        .collect()
}

/// Popular authors own popular photos, give or take.
fn popular(seed: Seed, photos: &[Photo], followers: &Lists) -> Vec<u32> {
    let mut rng = seed.stream("photo.rank");
    let mut scores: Vec<(f64, u32)> = photos
        .iter()
        .enumerate()
        .map(|(index, photo)| (followers.of(photo.author).len() as f64 * rng.exp(), index as u32))
        .collect();
    scores.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    scores.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_graph_has_the_handbooks_shape() {
        for seed in [1, 42] {
            let graph = followers(Seed(seed), 10_000, &Graph::default());
            let edges = graph.len() as f64;
            assert!((edges / 400_000.0 - 1.0).abs() < 0.001, "seed {seed}: {edges} edges");
            let mut degrees: Vec<usize> = (0..10_000).map(|user| graph.of(user).len()).collect();
            degrees.sort_unstable_by(|a, b| b.cmp(a));
            assert!((1_900..=2_000).contains(&degrees[0]), "seed {seed}: {}", degrees[0]);
            let top: usize = degrees[..100].iter().sum();
            assert!((0.16..0.18).contains(&(top as f64 / edges)), "seed {seed}: {top}");
            let weights = author_weights(&graph, 10_000);
            let total: f64 = weights.iter().sum();
            let fan_out: f64 = (0..10_000).map(|u| weights[u as usize] / total * graph.of(u).len() as f64).sum();
            assert!((80.0..85.0).contains(&fan_out), "seed {seed}: {fan_out}");
        }
    }

    #[test]
    fn a_seed_has_one_data_set() {
        let make = |seed| Dataset::generate(Seed(seed), Size::Tiny, &Graph::default());
        let one = make(42);
        assert_eq!(one.digest(), make(42).digest());
        assert_ne!(one.digest(), make(43).digest());
        let handles: HashSet<&str> = one.users.iter().map(|user| user.handle.as_str()).collect();
        assert_eq!(handles.len(), one.users.len());
        assert!(one.photos.windows(2).all(|pair| pair[0].posted_us <= pair[1].posted_us));
    }

    #[test]
    fn lists_agree_both_ways_and_nobody_follows_himself() {
        let data = Dataset::generate(Seed(7), Size::Tiny, &Graph::default());
        assert_eq!(data.followers.len(), data.following.len());
        for user in 0..500 {
            assert!(!data.is_edge(user, user));
            assert!(data.followers.of(user).iter().all(|follower| data.is_edge(*follower, user)));
        }
    }
}
