//! Loads the tables from a history, and computes a digest of their state.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use component::Digest;
use feed_api::Position;
use history::{History, PastPhoto};
use photo_api::PhotoId;
use profile_api::UserId;
use storage::{Connection, Database, StorageError, Tx, Value, query};

use crate::store::{self, GONE_USERS, POSTS, TIMELINES, TimelineRow};
use crate::timeline::{Entries, Timeline};

/// Fills the tables as if the history had been lived: posts and timelines by ascending id.
pub async fn load(tx: &mut Tx, history: &History) -> Result<(), StorageError> {
    let mut followers: HashMap<UserId, u32> = HashMap::new();
    let mut following: BTreeMap<UserId, Vec<UserId>> = BTreeMap::new();
    for edge in &history.follows {
        *followers.entry(edge.followee).or_default() += 1;
        following.entry(edge.follower).or_default().push(edge.followee);
    }
    let is_pushed = |author: UserId| followers.get(&author).copied().unwrap_or(0) < history.push_below;

    let mut posts: Vec<&PastPhoto> = history.photos.iter().collect();
    posts.sort_unstable_by_key(|past| past.photo.id);
    let insert = query(
        "INSERT",
        POSTS,
        "INSERT INTO feed_posts (photo, author, posted_us, pushed) VALUES ($1, $2, $3, $4)",
    );
    let rows = posts.iter().map(|PastPhoto { photo, .. }| {
        let pushed = i64::from(is_pushed(photo.author));
        [photo.id.sql(), photo.author.sql(), photo.posted_us, pushed].map(Value::from)
    });
    insert.execute_each(tx.conn(), rows).await?;

    let mut pushed: HashMap<UserId, Vec<Position>> = HashMap::new();
    for PastPhoto { photo, .. } in posts {
        if is_pushed(photo.author) {
            let at = Position { posted_us: photo.posted_us, photo: photo.id };
            pushed.entry(photo.author).or_default().push(at);
        }
    }
    let depth = history.feed_depth as usize;
    let mut lot = Vec::with_capacity(store::READERS);
    for (reader, authors) in following {
        let mut entries = Entries::default();
        entries.add(authors.iter().filter_map(|author| pushed.get(author)).flatten().copied(), depth);
        lot.push(Timeline { reader, authors: authors.into_iter().collect(), entries });
        if lot.len() == store::READERS {
            store::save(tx.conn(), &lot).await?;
            lot.clear();
        }
    }
    store::save(tx.conn(), &lot).await
}

/// What is kept, as one number: the posts, whom every reader follows, and every
/// entry a timeline has too many or too few.
///
/// Entries in their places follow from the rest, and where they stand depends
/// on the clock: which are cut off, and whether an author crossed the
/// threshold before or after a post. A misplaced one changes the number.
pub async fn digest(db: &Database) -> Result<u64, StorageError> {
    let mut read = db.read().await?;
    let state = State { gone: gone_users(&mut read).await?, ..State::default() };
    let posts = query("SELECT", POSTS, "SELECT photo, author, posted_us, pushed FROM feed_posts");
    let state = posts.fold(&mut read, state, State::add_post).await?;
    let timelines = query("SELECT", TIMELINES, "SELECT reader, authors, entries, cut FROM feed_timelines");
    let state = timelines.fold(&mut read, state, State::add_timeline).await?;
    if state.misplaced > 0 {
        tracing::warn!(state.misplaced, "timelines hold other entries than their authors' posts");
    }
    Ok(state.digest.value())
}

/// What a digest is made of, row by row: the posts first.
#[derive(Default)]
struct State {
    digest: Digest,
    gone: HashSet<UserId>,
    pushed: HashMap<UserId, Vec<Position>>,
    existing: HashSet<PhotoId>,
    misplaced: u64,
}

impl State {
    fn add_post(&mut self, (photo, author, posted_us, is_pushed): (i64, i64, i64, i64)) {
        self.digest.row(POSTS, &[&photo.to_le_bytes(), &author.to_le_bytes()]);
        let photo = PhotoId::from_sql(photo);
        self.existing.insert(photo);
        if is_pushed != 0 {
            self.pushed.entry(UserId::from_sql(author)).or_default().push(Position { posted_us, photo });
        }
    }

    fn add_timeline(&mut self, row: TimelineRow) {
        let timeline = store::timeline(row);
        let reader = timeline.reader.raw().to_le_bytes();
        for author in timeline.authors.followed().filter(|author| !self.gone.contains(author)) {
            self.digest.row(TIMELINES, &[&reader, &author.raw().to_le_bytes()]);
        }
        for photo in differences(&timeline, &self.pushed, &self.existing) {
            self.digest.row("feed_misplaced", &[&reader, &photo.raw().to_le_bytes()]);
            self.misplaced += 1;
        }
    }
}

async fn gone_users(conn: &mut Connection) -> Result<HashSet<UserId>, StorageError> {
    let select = query("SELECT", GONE_USERS, "SELECT account FROM feed_gone_users");
    let add = |gone: &mut HashSet<UserId>, id: i64| {
        gone.insert(UserId::from_sql(id));
    };
    select.fold(conn, HashSet::new(), add).await
}

/// The photos that a timeline has and should not, or has not and should:
/// all pushed posts of its authors, down to where it was cut. Entries of posts
/// of deleted photos count as absent, since they are never shown.
fn differences(
    timeline: &Timeline,
    pushed: &HashMap<UserId, Vec<Position>>,
    existing: &HashSet<PhotoId>,
) -> Vec<PhotoId> {
    let held: BTreeSet<Position> =
        timeline.entries.as_slice().iter().copied().filter(|entry| existing.contains(&entry.photo)).collect();
    let floor = timeline.entries.floor();
    let due: BTreeSet<Position> = timeline
        .authors
        .followed()
        .filter_map(|author| pushed.get(&author))
        .flatten()
        .copied()
        .filter(|entry| floor.is_none_or(|floor| *entry >= floor))
        .collect();
    held.symmetric_difference(&due).map(|entry| entry.photo).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_and_a_stray_entry_are_both_found() {
        let author = UserId::new(7);
        let entry = |n: i64| Position { posted_us: n, photo: PhotoId::new(n as u64) };
        let pushed = HashMap::from([(author, vec![entry(1), entry(2), entry(3)])]);
        let existing: HashSet<PhotoId> = (1..=4).map(PhotoId::new).collect();
        let found = |numbers: &[i64], depth| {
            let mut timeline = Timeline::new(UserId::new(1));
            timeline.authors.add(author);
            timeline.entries.add(numbers.iter().map(|&n| entry(n)), depth);
            let mut found = differences(&timeline, &pushed, &existing);
            found.sort_unstable();
            found
        };
        assert_eq!(found(&[1, 2, 3], 9), []);
        assert_eq!(found(&[1, 3], 9), [PhotoId::new(2)]);
        // 4 stands, but its author is not followed.
        assert_eq!(found(&[1, 2, 3, 4], 9), [PhotoId::new(4)]);
        // 5 was deleted; 1 lies below the cut.
        assert_eq!(found(&[1, 2, 3, 5], 3), []);
    }
}
