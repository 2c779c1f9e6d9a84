//! Who is there, who follows whom, which photos there are: a pure function of the seed.

use contract::Id;
use contract::hash::{fnv1a64, fnv1a64_with, mix};
use contract::id::PrincipalKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distributions::WeightedChoice;
use crate::follow_graph::{AdjacencyLists, Graph};
use crate::images::SHARED;
use crate::random::Seed;
use crate::vocabulary;

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

    /// How many photos: four a user, so that 99.7 % of first feed pages at
    /// `standard` have something on them; two a user would leave 6 % empty.
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

/// A user; others refer to it by its place in [`Dataset::users`].
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Follows from the handle.
    pub id: u64,
    /// Unique.
    pub handle: String,
    /// Display name.
    pub name: String,
    /// Words, as many as make the profile 128 to 512 bytes.
    pub bio: String,
}

/// A photo; others refer to it by its place in [`Dataset::photos`].
#[derive(Clone, Debug, PartialEq)]
pub struct Photo {
    /// Follows from seed and number.
    pub id: u64,
    /// Index of its author.
    pub author: u32,
    /// Three to eight words.
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
/// How far back they go, microseconds.
pub const HISTORY_US: i64 = 90 * 86_400 * 1_000_000;
/// Version of everything here: data sets of different versions differ.
const VERSION: u64 = 2;
/// A bio's length, bytes: some 87 more of id, handle, name and JSON make a profile.
const BIO: std::ops::RangeInclusive<u64> = 41..=425;
/// Words of a caption.
const CAPTION: std::ops::RangeInclusive<u64> = 3..=8;
/// Most words of a search.
const TERMS: u64 = 3;

/// Everything that is there when a run begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The users.
    pub users: Vec<User>,
    /// The photos, oldest first.
    pub photos: Vec<Photo>,
    /// Who follows a user.
    pub followers: AdjacencyLists,
    /// Whom a user follows.
    pub following: AdjacencyLists,
    /// Photos by falling popularity.
    pub popular: Vec<u32>,
    photos_by_author: AdjacencyLists,
    key: u64,
}

impl Dataset {
    /// The data set of a seed.
    ///
    /// # Panics
    /// If the graph is impossible; [`Graph::diagnostics`] reports that.
    pub fn generate(seed: Seed, size: Size, graph: &Graph) -> Self {
        let n = size.users();
        let followers = graph.wire(seed, n);
        let photos = photos(seed, size.photos(), &followers);
        let by_author = photos.iter().zip(0..).map(|(photo, index)| (photo.author, index));
        Self {
            following: followers.transposed(),
            users: (0..n).map(|index| user(seed, index)).collect(),
            popular: popular(seed, &photos, &followers),
            photos_by_author: AdjacencyLists::grouped(n, by_author),
            key: key(seed, size, graph),
            photos,
            followers,
        }
    }

    /// Whether `follower` follows `followee`.
    pub fn is_edge(&self, follower: u32, followee: u32) -> bool {
        self.following.of(follower).binary_search(&followee).is_ok()
    }

    /// A user's photos, oldest first.
    pub fn photos_of(&self, author: u32) -> &[u32] {
        self.photos_by_author.of(author)
    }

    /// One to three words that find a photo: the first of its caption.
    pub fn terms(&self, photo: u32, payload_seed: u64) -> Vec<&str> {
        let count = 1 + payload_seed % TERMS;
        self.photos[photo as usize].caption.split(' ').take(count as usize).collect()
    }

    /// Names the data set: equal keys have equal data.
    pub fn key(&self) -> String {
        format!("{:016x}", self.key)
    }

    /// Over everything in it, for tests that it repeats.
    pub fn digest(&self) -> u64 {
        let mut hash = self.key;
        let mut take = |bytes: &[u8]| hash = mix(fnv1a64_with(bytes, hash));
        for user in &self.users {
            take(&user.id.to_le_bytes());
            [&user.handle, &user.name, &user.bio].into_iter().for_each(|text| take(text.as_bytes()));
        }
        for photo in &self.photos {
            take(&photo.id.to_le_bytes());
            take(&photo.author.to_le_bytes());
            take(&photo.posted_us.to_le_bytes());
            take(&[photo.image]);
            take(photo.caption.as_bytes());
            take(photo.tags.join(",").as_bytes());
        }
        for item in self.followers.items().iter().chain(&self.popular) {
            take(&item.to_le_bytes());
        }
        hash
    }
}

/// Names a data set before it is made.
pub fn key(seed: Seed, size: Size, graph: &Graph) -> u64 {
    let shape = [graph.alpha, graph.mean, graph.cap, graph.following_sigma].map(f64::to_bits);
    let parts = [VERSION, seed.0, size.users() as u64].into_iter().chain(shape);
    let bytes: Vec<u8> = parts.flat_map(u64::to_le_bytes).collect();
    mix(fnv1a64(&bytes))
}

/// The handle of a seeded user.
pub fn handle(seed: Seed, index: usize) -> String {
    let word = vocabulary::word(seed.draw("profile.handle", index as u64) as usize % vocabulary::VOCABULARY);
    format!("{word}{index:05}")
}

/// The id that follows from a handle, for seeded and for new users.
pub fn user_id(handle: &str) -> Id<PrincipalKind> {
    Id::derived("user", &[handle.as_bytes()])
}

fn user(seed: Seed, index: usize) -> User {
    let number = index as u64;
    let handle = handle(seed, index);
    let length = BIO.start() + seed.draw("profile.size", number) % (BIO.end() - BIO.start() + 1);
    User {
        id: user_id(&handle).raw(),
        name: vocabulary::name(seed.draw("profile.name", number)),
        bio: vocabulary::text(seed.draw("profile.bio", number), length as usize),
        handle,
    }
}

/// Users' weights as authors: the square root of their followers. Uniform
/// authors would reach 40 on average and proportional ones 211; this reaches 82.
pub fn author_weights(followers: &AdjacencyLists) -> Vec<f64> {
    (0..followers.users() as u32).map(|user| (followers.of(user).len() as f64).sqrt()).collect()
}

fn photos(seed: Seed, count: usize, followers: &AdjacencyLists) -> Vec<Photo> {
    let authors = WeightedChoice::new(&author_weights(followers));
    let mut rng = seed.stream("photo.author");
    let step = HISTORY_US / count as i64;
    let photo = |index: usize| {
        let number = index as u64;
        let words =
            CAPTION.start() + seed.draw("photo.words", number) % (CAPTION.end() - CAPTION.start() + 1);
        let caption = vocabulary::phrase(seed.draw("photo.caption", number), words as usize);
        let tags = 1 + seed.draw("photo.tags", number) % TERMS;
        let tags: Vec<String> = caption.split(' ').take(tags as usize).map(str::to_owned).collect();
        // One in each stretch of the ninety days, so that index order is the order of time.
        let jitter = (seed.unit("photo.time", number) * step as f64) as i64;
        Photo {
            id: Id::<PrincipalKind>::derived("seeded-photo", &[&seed.0.to_le_bytes(), &number.to_le_bytes()])
                .raw(),
            author: authors.index(rng.unit()) as u32,
            caption,
            tags,
            image: (seed.draw("photo.image", number) % u64::from(SHARED)) as u8,
            posted_us: EPOCH_US - HISTORY_US + step * index as i64 + jitter,
        }
    };
    (0..count).map(photo).collect()
}

/// Popular authors own popular photos, give or take.
fn popular(seed: Seed, photos: &[Photo], followers: &AdjacencyLists) -> Vec<u32> {
    let mut rng = seed.stream("photo.rank");
    let mut scores: Vec<(f64, u32)> = photos
        .iter()
        .zip(0..)
        .map(|(photo, index)| (followers.of(photo.author).len() as f64 * rng.exp(), index))
        .collect();
    scores.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    scores.into_iter().map(|(_, index)| index).collect()
}
