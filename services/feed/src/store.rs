//! Tables and queries.

use feed_api::Position;
use photo_api::PhotoId;
use profile_api::UserId;
use storage::{Connection, Migration, StorageError, query};

use crate::timeline::{Authors, Entries, Timeline};

/// Its tables. `feed_gone_*` are tombstones, 8 bytes each for ever: an event
/// of a deleted photo or account may come after the news of its end.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "timelines",
        sql: "CREATE TABLE feed_posts (
              photo BIGINT PRIMARY KEY,
              author BIGINT NOT NULL,
              posted_us BIGINT NOT NULL,
              pushed BIGINT NOT NULL
          );
          CREATE INDEX feed_posts_by_author ON feed_posts (author, posted_us, photo, pushed);
          CREATE TABLE feed_timelines (
              reader BIGINT PRIMARY KEY,
              authors BYTEA NOT NULL,
              entries BYTEA NOT NULL,
              cut BIGINT NOT NULL
          );
          CREATE TABLE feed_gone_photos (photo BIGINT PRIMARY KEY);
          CREATE TABLE feed_gone_users (account BIGINT PRIMARY KEY);",
        postgres: None,
    },
    Migration {
        version: 2,
        name: "changes of follows",
        sql: "CREATE TABLE feed_follow_changes (author BIGINT PRIMARY KEY, changes BIGINT NOT NULL);",
        postgres: None,
    },
];

pub(crate) const POSTS: &str = "feed_posts";
pub(crate) const TIMELINES: &str = "feed_timelines";
const CHANGES: &str = "feed_follow_changes";
const GONE_PHOTOS: &str = "feed_gone_photos";
pub(crate) const GONE_USERS: &str = "feed_gone_users";

/// A post, as the lists of its author know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Post {
    /// When, and which photo.
    pub at: Position,
    /// Who posted it.
    pub author: UserId,
}

fn position((posted_us, photo): (i64, i64)) -> Position {
    Position { posted_us, photo: PhotoId::from_sql(photo) }
}

fn post((posted_us, photo, author): (i64, i64, i64)) -> Post {
    Post { at: position((posted_us, photo)), author: UserId::from_sql(author) }
}

/// Ids in one list, far below SQLite's 32,766 parameters.
const IDS: usize = 1_024;

/// Adds a post that is not pushed yet, unless it or its author is known to be
/// gone. Whether it stands there now.
pub async fn insert_post(conn: &mut Connection, new: Post) -> Result<bool, StorageError> {
    let insert = query(
        "INSERT",
        POSTS,
        "INSERT INTO feed_posts (photo, author, posted_us, pushed)
         SELECT $1, $2, $3, 0
         WHERE NOT EXISTS (SELECT 1 FROM feed_gone_photos WHERE photo = $1)
           AND NOT EXISTS (SELECT 1 FROM feed_gone_users WHERE account = $2)
         ON CONFLICT DO NOTHING",
    )
    .bind(new.at.photo.sql())
    .bind(new.author.sql())
    .bind(new.at.posted_us);
    Ok(insert.execute(conn).await? == 1)
}

/// Whether an author has posts that were not pushed.
pub async fn has_unpushed(conn: &mut Connection, author: UserId) -> Result<bool, StorageError> {
    let select = query("SELECT", POSTS, "SELECT 1 FROM feed_posts WHERE author = $1 AND pushed = 0 LIMIT 1");
    select.bind(author.sql()).exists(conn).await
}

/// Marks all posts of an author as pushed; those that were not before.
pub async fn mark_pushed(conn: &mut Connection, author: UserId) -> Result<Vec<Position>, StorageError> {
    let update = query(
        "UPDATE",
        POSTS,
        "UPDATE feed_posts SET pushed = 1 WHERE author = $1 AND pushed = 0 RETURNING posted_us, photo",
    )
    .bind(author.sql());
    let rows: Vec<(i64, i64)> = update.all(conn).await?;
    Ok(rows.into_iter().map(position).collect())
}

/// The newest `limit` pushed posts of these authors, newest first.
pub async fn pushed_by(
    conn: &mut Connection,
    authors: &[UserId],
    limit: usize,
) -> Result<Vec<Position>, StorageError> {
    let mut found: Vec<Position> = Vec::new();
    for some in authors.chunks(IDS) {
        let select = query("SELECT", POSTS, "SELECT posted_us, photo FROM feed_posts WHERE author IN ")
            .push_list(some.iter().map(|author| author.sql()))
            .push(" AND pushed = 1 ORDER BY posted_us DESC, photo DESC LIMIT ")
            .push_value(limit as i64);
        let rows: Vec<(i64, i64)> = select.all(conn).await?;
        found.extend(rows.into_iter().map(position));
    }
    if authors.len() > IDS {
        found.sort_by_key(|entry| std::cmp::Reverse(*entry));
        found.truncate(limit);
    }
    Ok(found)
}

/// The newest `limit` posts of these authors older than `after`, newest first,
/// pushed or not.
pub async fn posts_by(
    conn: &mut Connection,
    authors: &[UserId],
    after: Option<Position>,
    limit: usize,
) -> Result<Vec<Post>, StorageError> {
    if authors.is_empty() {
        return Ok(Vec::new());
    }
    let mut select =
        query("SELECT", POSTS, "SELECT posted_us, photo, author FROM feed_posts WHERE author IN ")
            .push_list(authors.iter().map(|author| author.sql()));
    if let Some(after) = after {
        select = select.push(" AND (posted_us, photo) < (").push_value(after.posted_us);
        select = select.push(", ").push_value(after.photo.sql()).push(")");
    }
    let select = select.push(" ORDER BY posted_us DESC, photo DESC LIMIT ").push_value(limit as i64);
    let rows: Vec<(i64, i64, i64)> = select.all(conn).await?;
    Ok(rows.into_iter().map(post).collect())
}

/// The posts among these entries that still stand, in no particular order.
pub async fn existing(conn: &mut Connection, entries: &[Position]) -> Result<Vec<Post>, StorageError> {
    let mut found = Vec::with_capacity(entries.len());
    for some in entries.chunks(IDS) {
        let select =
            query("SELECT", POSTS, "SELECT posted_us, photo, author FROM feed_posts WHERE photo IN ");
        let rows: Vec<(i64, i64, i64)> =
            select.push_list(some.iter().map(|entry| entry.photo.sql())).all(conn).await?;
        found.extend(rows.into_iter().map(post));
    }
    Ok(found)
}

/// Takes a post away and sets its tombstone. Timelines keep an entry that
/// is never shown, until they are next rebuilt.
pub async fn mark_photo_deleted(conn: &mut Connection, photo: PhotoId) -> Result<(), StorageError> {
    let tombstone = query(
        "INSERT",
        GONE_PHOTOS,
        "INSERT INTO feed_gone_photos (photo) VALUES ($1) ON CONFLICT DO NOTHING",
    );
    tombstone.bind(photo.sql()).execute(conn).await?;
    let delete = query("DELETE", POSTS, "DELETE FROM feed_posts WHERE photo = $1");
    delete.bind(photo.sql()).execute(conn).await.map(drop)
}

/// Takes a user's timeline and posts away and sets a tombstone.
pub async fn mark_user_deleted(conn: &mut Connection, user: UserId) -> Result<(), StorageError> {
    let tombstone = query(
        "INSERT",
        GONE_USERS,
        "INSERT INTO feed_gone_users (account) VALUES ($1) ON CONFLICT DO NOTHING",
    );
    tombstone.bind(user.sql()).execute(conn).await?;
    let posts = query("DELETE", POSTS, "DELETE FROM feed_posts WHERE author = $1");
    posts.bind(user.sql()).execute(conn).await?;
    let timeline = query("DELETE", TIMELINES, "DELETE FROM feed_timelines WHERE reader = $1");
    timeline.bind(user.sql()).execute(conn).await.map(drop)
}

/// Whether an account is known to be deleted.
pub async fn is_gone(conn: &mut Connection, user: UserId) -> Result<bool, StorageError> {
    let select = query("SELECT", GONE_USERS, "SELECT 1 FROM feed_gone_users WHERE account = $1");
    select.bind(user.sql()).exists(conn).await
}

/// `reader, authors, entries, cut`.
pub(crate) type TimelineRow = (i64, Vec<u8>, Vec<u8>, i64);

pub(crate) fn timeline((reader, authors, entries, cut): TimelineRow) -> Timeline {
    Timeline {
        reader: UserId::from_sql(reader),
        authors: Authors::from_bytes(&authors),
        entries: Entries::from_bytes(&entries, cut != 0),
    }
}

/// A reader's timeline; empty when there is none.
pub async fn timeline_of(conn: &mut Connection, reader: UserId) -> Result<Timeline, StorageError> {
    let select = query(
        "SELECT",
        TIMELINES,
        "SELECT reader, authors, entries, cut FROM feed_timelines WHERE reader = $1",
    );
    let row: Option<TimelineRow> = select.bind(reader.sql()).optional(conn).await?;
    Ok(row.map_or_else(|| Timeline::new(reader), timeline))
}

/// How often a follow of an author has begun or ended here: what depends on the author's readers holds
/// while it stays the same.
pub async fn follow_changes(conn: &mut Connection, author: UserId) -> Result<i64, StorageError> {
    let select = query("SELECT", CHANGES, "SELECT changes FROM feed_follow_changes WHERE author = $1");
    Ok(select.bind(author.sql()).optional(conn).await?.unwrap_or(0))
}

/// Counts such a change.
pub async fn count_follow_change(conn: &mut Connection, author: UserId) -> Result<(), StorageError> {
    let upsert = query(
        "INSERT",
        CHANGES,
        "INSERT INTO feed_follow_changes (author, changes) VALUES ($1, 1)
         ON CONFLICT (author) DO UPDATE SET changes = feed_follow_changes.changes + 1",
    );
    upsert.bind(author.sql()).execute(conn).await.map(drop)
}

/// The readers whose timelines show that they follow an author, by reading the authors of all timelines.
pub async fn readers_of(conn: &mut Connection, author: UserId) -> Result<Vec<UserId>, StorageError> {
    let select = query("SELECT", TIMELINES, "SELECT reader, authors FROM feed_timelines");
    let add = move |readers: &mut Vec<UserId>, (reader, authors): (i64, Vec<u8>)| {
        if Authors::from_bytes(&authors).contains(author) {
            readers.push(UserId::from_sql(reader));
        }
    };
    select.fold(conn, Vec::new(), add).await
}

/// Timelines in hand at once: at 12.8 kB each about 3 MB.
pub const READERS: usize = 256;

/// The timelines of these readers that exist, in no particular order. At most [`READERS`].
pub async fn timelines_of(conn: &mut Connection, readers: &[UserId]) -> Result<Vec<Timeline>, StorageError> {
    if readers.is_empty() {
        return Ok(Vec::new());
    }
    let select = query(
        "SELECT",
        TIMELINES,
        "SELECT reader, authors, entries, cut FROM feed_timelines WHERE reader IN ",
    );
    let rows: Vec<TimelineRow> =
        select.push_list(readers.iter().map(|reader| reader.sql())).all(conn).await?;
    Ok(rows.into_iter().map(timeline).collect())
}

/// Writes timelines, over those that exist.
pub async fn save(conn: &mut Connection, timelines: &[Timeline]) -> Result<(), StorageError> {
    let upsert = query(
        "INSERT",
        TIMELINES,
        "INSERT INTO feed_timelines (reader, authors, entries, cut) VALUES ($1, $2, $3, $4)
         ON CONFLICT (reader) DO UPDATE
         SET authors = excluded.authors, entries = excluded.entries, cut = excluded.cut",
    );
    let rows = timelines.iter().map(|timeline| {
        [
            timeline.reader.sql().into(),
            timeline.authors.to_bytes().into(),
            timeline.entries.to_bytes().into(),
            i64::from(timeline.entries.is_cut()).into(),
        ]
    });
    upsert.execute_each(conn, rows).await.map(drop)
}
