//! Tables and queries.

use std::collections::HashSet;

use component::Digest;
use history::{History, PastPhoto};
use photo_api::{Photo, PhotoId};
use profile_api::UserId;
use storage::{Connection, Database, Migration, StorageError, Tx, Value, query};

/// Object-store keys that are looked up at once.
const KEYS_AT_ONCE: usize = 128;

/// Its tables. `likes` counts rows of `photo_likes` besides those a history
/// came with. `photo_gone` keeps the ids of deleted accounts, 8 bytes each for
/// ever: a token outlives its account, and what comes with it must not stay.
pub const MIGRATIONS: &[Migration] = &[PHOTOS_AND_LIKES, BY_BYTES, LEAVING];

/// Deleted accounts of which not everything is forgotten yet.
const LEAVING: Migration = Migration {
    version: 3,
    name: "leaving",
    sql: "CREATE TABLE photo_leaving (account BIGINT PRIMARY KEY);",
    postgres: None,
};

/// For the sweep, which asks whether a photo names some bytes.
const BY_BYTES: Migration = Migration {
    version: 2,
    name: "by_bytes",
    sql: "CREATE INDEX photo_photos_by_original ON photo_photos (original);
          CREATE INDEX photo_photos_by_thumbnail ON photo_photos (thumbnail);",
    postgres: None,
};

const PHOTOS_AND_LIKES: Migration = Migration {
    version: 1,
    name: "photos",
    sql: "CREATE TABLE photo_photos (
              id BIGINT PRIMARY KEY,
              author BIGINT NOT NULL,
              caption TEXT NOT NULL,
              tags TEXT NOT NULL,
              width BIGINT NOT NULL,
              height BIGINT NOT NULL,
              bytes BIGINT NOT NULL,
              likes BIGINT NOT NULL,
              posted_us BIGINT NOT NULL,
              version BIGINT NOT NULL,
              original TEXT NOT NULL,
              thumbnail TEXT NOT NULL,
              media_type TEXT NOT NULL
          );
          CREATE INDEX photo_photos_by_author ON photo_photos (author, id);
          CREATE TABLE photo_likes (
              photo BIGINT NOT NULL,
              liker BIGINT NOT NULL,
              PRIMARY KEY (photo, liker)
          );
          CREATE INDEX photo_likes_by_liker ON photo_likes (liker, photo);
          CREATE TABLE photo_gone (account BIGINT PRIMARY KEY);",
    postgres: None,
};

const PHOTOS: &str = "photo_photos";
const LIKES: &str = "photo_likes";
const GONE: &str = "photo_gone";
const LEFT_OVER: &str = "photo_leaving";

/// `id, author, caption, tags, width, height, bytes, likes, posted_us, version`.
type Row = (i64, i64, String, String, i64, i64, i64, i64, i64, i64);

/// Public metadata, and the version.
fn photo(row: Row) -> (Photo, u64) {
    let (id, author, caption, tags, width, height, bytes, likes, posted_us, version) = row;
    let photo = Photo {
        id: PhotoId::from_sql(id),
        author: UserId::from_sql(author),
        caption,
        tags: tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        width: width as u32,
        height: height as u32,
        bytes: bytes.cast_unsigned(),
        likes: likes.cast_unsigned(),
        posted_us,
    };
    (photo, version.cast_unsigned())
}

/// Where the bytes of a photo are.
#[derive(Clone, Debug, PartialEq)]
pub struct Files {
    /// Object-store key of the original.
    pub original: String,
    /// Object-store key of the thumbnail.
    pub thumbnail: String,
    /// Media type of the original.
    pub media_type: String,
}

/// How a photo is liked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likes {
    /// How many like it.
    pub count: u64,
    /// Rises with every like that comes or goes, from 1.
    pub version: u64,
}

/// Adds a photo.
pub async fn insert(conn: &mut Connection, photo: &Photo, files: &Files) -> Result<(), StorageError> {
    let row = values(photo, &files.original, &files.thumbnail, &files.media_type);
    query("INSERT", PHOTOS, INSERT).execute_each(conn, [row]).await.map(drop)
}

const INSERT: &str = "INSERT INTO photo_photos
     (id, author, caption, tags, width, height, bytes, likes, posted_us, version, original, thumbnail, media_type)
 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $11, $12)";

/// The values of [`INSERT`].
fn values<'p>(
    photo: &'p Photo,
    original: &'p str,
    thumbnail: &'p str,
    media_type: &'p str,
) -> [Value<'p>; 12] {
    [
        photo.id.sql().into(),
        photo.author.sql().into(),
        (&photo.caption).into(),
        photo.tags.join(",").into(),
        i64::from(photo.width).into(),
        i64::from(photo.height).into(),
        photo.bytes.cast_signed().into(),
        photo.likes.cast_signed().into(),
        photo.posted_us.into(),
        original.into(),
        thumbnail.into(),
        media_type.into(),
    ]
}

/// A photo and its version.
pub async fn by_id(conn: &mut Connection, id: PhotoId) -> Result<Option<(Photo, u64)>, StorageError> {
    let select = query(
        "SELECT",
        PHOTOS,
        "SELECT id, author, caption, tags, width, height, bytes, likes, posted_us, version
         FROM photo_photos WHERE id = $1",
    )
    .bind(id.sql());
    Ok(select.optional(conn).await?.map(photo))
}

/// The photos of these ids that exist, in no particular order.
pub async fn by_ids(conn: &mut Connection, ids: &[PhotoId]) -> Result<Vec<Photo>, StorageError> {
    let select = query(
        "SELECT",
        PHOTOS,
        "SELECT id, author, caption, tags, width, height, bytes, likes, posted_us, version
         FROM photo_photos WHERE id IN ",
    );
    let rows: Vec<Row> = select.push_list(ids.iter().map(|id| id.sql())).all(conn).await?;
    Ok(rows.into_iter().map(|row| photo(row).0).collect())
}

/// Where a photo's bytes are, if there is such a photo.
pub async fn files(conn: &mut Connection, id: PhotoId) -> Result<Option<Files>, StorageError> {
    let select =
        query("SELECT", PHOTOS, "SELECT original, thumbnail, media_type FROM photo_photos WHERE id = $1");
    let row: Option<(String, String, String)> = select.bind(id.sql()).optional(conn).await?;
    Ok(row.map(|(original, thumbnail, media_type)| Files { original, thumbnail, media_type }))
}

/// Keeps of some object-store keys those that no photo names.
pub async fn retain_unnamed(conn: &mut Connection, keys: &mut HashSet<String>) -> Result<(), StorageError> {
    for named in [
        "SELECT DISTINCT original FROM photo_photos WHERE original IN ",
        "SELECT DISTINCT thumbnail FROM photo_photos WHERE thumbnail IN ",
    ] {
        let asked: Vec<String> = keys.iter().cloned().collect();
        for some in asked.chunks(KEYS_AT_ONCE) {
            let found: Vec<String> = query("SELECT", PHOTOS, named).push_list(some.iter()).all(conn).await?;
            for key in &found {
                keys.remove(key);
            }
        }
    }
    Ok(())
}

/// Who posted a photo, if there is such a photo.
pub async fn author(conn: &mut Connection, id: PhotoId) -> Result<Option<UserId>, StorageError> {
    let select = query("SELECT", PHOTOS, "SELECT author FROM photo_photos WHERE id = $1");
    Ok(select.bind(id.sql()).optional(conn).await?.map(UserId::from_sql))
}

/// Removes a photo and its likes.
pub async fn delete(conn: &mut Connection, id: PhotoId) -> Result<(), StorageError> {
    let likes = query("DELETE", LIKES, "DELETE FROM photo_likes WHERE photo = $1");
    likes.bind(id.sql()).execute(conn).await?;
    let photo = query("DELETE", PHOTOS, "DELETE FROM photo_photos WHERE id = $1");
    photo.bind(id.sql()).execute(conn).await.map(drop)
}

/// Whether `liker` likes a photo, and whether their account is known to be deleted.
pub async fn liked(conn: &mut Connection, id: PhotoId, liker: UserId) -> Result<(bool, bool), StorageError> {
    let select = query(
        "SELECT",
        LIKES,
        "SELECT EXISTS (SELECT 1 FROM photo_likes WHERE photo = $1 AND liker = $2),
                EXISTS (SELECT 1 FROM photo_gone WHERE account = $2)",
    );
    select.bind(id.sql()).bind(liker.sql()).one(conn).await
}

/// Adds or takes back a like. `None` when there is no such photo; nothing
/// changes when it is as asked already.
pub async fn set_like(
    conn: &mut Connection,
    id: PhotoId,
    liker: UserId,
    liked: bool,
) -> Result<Option<Likes>, StorageError> {
    let select = query("SELECT", PHOTOS, "SELECT likes, version FROM photo_photos WHERE id = $1");
    let as_it_is: Option<(i64, i64)> = select.bind(id.sql()).optional(conn).await?;
    let Some(as_it_is) = as_it_is else { return Ok(None) };
    let change = if liked {
        query(
            "INSERT",
            LIKES,
            "INSERT INTO photo_likes (photo, liker) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
    } else {
        query("DELETE", LIKES, "DELETE FROM photo_likes WHERE photo = $1 AND liker = $2")
    };
    let changed = change.bind(id.sql()).bind(liker.sql()).execute(conn).await? == 1;
    let (count, version) = if changed {
        let update = query(
            "UPDATE",
            PHOTOS,
            "UPDATE photo_photos SET likes = likes + $2, version = version + 1 WHERE id = $1
             RETURNING likes, version",
        )
        .bind(id.sql())
        .bind(if liked { 1_i64 } else { -1 });
        update.one(conn).await?
    } else {
        as_it_is
    };
    Ok(Some(Likes { count: count.cast_unsigned(), version: version.cast_unsigned() }))
}

/// Whether an account is known to be deleted.
pub async fn is_gone(conn: &mut Connection, user: UserId) -> Result<bool, StorageError> {
    query("SELECT", GONE, "SELECT 1 FROM photo_gone WHERE account = $1").bind(user.sql()).exists(conn).await
}

/// Remembers that a user is gone.
pub async fn mark_gone(conn: &mut Connection, user: UserId) -> Result<(), StorageError> {
    let mark = query("INSERT", GONE, "INSERT INTO photo_gone (account) VALUES ($1) ON CONFLICT DO NOTHING");
    mark.bind(user.sql()).execute(conn).await.map(drop)
}

/// Forgets so many of the photos of a user who is gone, and of their likes. The photos that went, by ascending id, and
/// whether nothing is left; else the user is one of those that [`leaving`] finds.
pub async fn forget_some(
    conn: &mut Connection,
    user: UserId,
    most: usize,
) -> Result<(Vec<PhotoId>, bool), StorageError> {
    let ids_of = |table, statement| query("SELECT", table, statement).bind(user.sql()).bind(most as i64);
    let own: Vec<i64> = ids_of(PHOTOS, "SELECT id FROM photo_photos WHERE author = $1 ORDER BY id LIMIT $2")
        .all(conn)
        .await?;
    for (table, statement) in [
        (LIKES, "DELETE FROM photo_likes WHERE photo IN "),
        (PHOTOS, "DELETE FROM photo_photos WHERE id IN "),
    ] {
        query("DELETE", table, statement).push_list(own.iter().copied()).execute(conn).await?;
    }
    let liked: Vec<i64> =
        ids_of(LIKES, "SELECT photo FROM photo_likes WHERE liker = $1 ORDER BY photo LIMIT $2")
            .all(conn)
            .await?;
    let uncounted = query(
        "UPDATE",
        PHOTOS,
        "UPDATE photo_photos SET likes = likes - 1, version = version + 1 WHERE id IN ",
    );
    uncounted.push_list(liked.iter().copied()).execute(conn).await?;
    let unliked = query("DELETE", LIKES, "DELETE FROM photo_likes WHERE liker = $1 AND photo IN ");
    unliked.bind(user.sql()).push_list(liked.iter().copied()).execute(conn).await?;

    let is_all = own.len() < most && liked.len() < most;
    let remember = if is_all {
        query("DELETE", LEFT_OVER, "DELETE FROM photo_leaving WHERE account = $1")
    } else {
        query("INSERT", LEFT_OVER, "INSERT INTO photo_leaving (account) VALUES ($1) ON CONFLICT DO NOTHING")
    };
    remember.bind(user.sql()).execute(conn).await?;
    Ok((own.into_iter().map(PhotoId::from_sql).collect(), is_all))
}

/// A user who is gone and of whom something is left.
pub async fn leaving(conn: &mut Connection) -> Result<Option<UserId>, StorageError> {
    let select = query("SELECT", LEFT_OVER, "SELECT account FROM photo_leaving LIMIT 1");
    Ok(select.optional(conn).await?.map(UserId::from_sql))
}

/// Fills the tables with the photos of a history, by ascending id.
pub async fn load(tx: &mut Tx, history: &History) -> Result<(), StorageError> {
    let mut photos: Vec<&PastPhoto> = history.photos.iter().collect();
    photos.sort_unstable_by_key(|past| past.photo.id);
    let rows =
        photos.iter().map(|past| values(&past.photo, &past.original, &past.thumbnail, &past.media_type));
    query("INSERT", PHOTOS, INSERT).execute_each(tx.conn(), rows).await.map(drop)
}

/// What is kept, as one number. Left out are the time of posting, and the
/// version, which counts how often a like came and went on the way.
pub async fn digest(db: &Database) -> Result<u64, StorageError> {
    type Kept = (i64, i64, String, String, i64, i64, i64, i64, String, String, String);
    let mut read = db.read().await?;
    let photos = query(
        "SELECT",
        PHOTOS,
        "SELECT id, author, caption, tags, width, height, bytes, likes, original, thumbnail, media_type
         FROM photo_photos",
    );
    let add_photo = |digest: &mut Digest, row: Kept| {
        let (id, author, caption, tags, width, height, bytes, likes, original, thumbnail, media_type) = row;
        let numbers = [id, author, width, height, bytes, likes].map(i64::to_le_bytes);
        let texts = [caption, tags, original, thumbnail, media_type];
        let fields = numbers.iter().map(<[u8; 8]>::as_slice).chain(texts.iter().map(|text| text.as_bytes()));
        digest.row(PHOTOS, &fields.collect::<Vec<_>>());
    };
    let digest = photos.fold(&mut read, Digest::default(), add_photo).await?;
    let add_like = |digest: &mut Digest, (photo, liker): (i64, i64)| {
        digest.row(LIKES, &[&photo.to_le_bytes(), &liker.to_le_bytes()]);
    };
    let likes = query("SELECT", LIKES, "SELECT photo, liker FROM photo_likes");
    Ok(likes.fold(&mut read, digest, add_like).await?.value())
}
