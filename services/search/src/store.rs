//! The rows behind the index, and the memory of the deleted.

use component::Digest;
use futures_util::TryStreamExt;
use history::History;
use photo_api::{Photo, PhotoId};
use profile_api::{Profile, UserId};
use sqlx::QueryBuilder;
use storage::{Connection, Database, Engine, Migration, StorageError, Tx, query};

use crate::dialect;

/// Its tables. `search_*_gone` keep the ids of what was deleted, 8 bytes each
/// for ever: ids never come back, late news of them may.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "rows",
        sql: "CREATE TABLE search_people (
                  id BIGINT PRIMARY KEY,
                  handle TEXT NOT NULL,
                  name TEXT NOT NULL,
                  version BIGINT NOT NULL
              );
              CREATE TABLE search_people_gone (id BIGINT PRIMARY KEY);
              CREATE TABLE search_photos (
                  id BIGINT PRIMARY KEY,
                  author BIGINT NOT NULL,
                  caption TEXT NOT NULL,
                  tags TEXT NOT NULL
              );
              CREATE INDEX search_photos_author ON search_photos (author);
              CREATE TABLE search_photos_gone (id BIGINT PRIMARY KEY);",
    },
    dialect::INDEX,
];

const PEOPLE: &str = "search_people";
const PEOPLE_GONE: &str = "search_people_gone";
const PHOTOS: &str = "search_photos";
const PHOTOS_GONE: &str = "search_photos_gone";

/// Takes a person in as they are now, unless later news came before.
pub async fn put_person(conn: &mut Connection, person: &Profile) -> Result<(), StorageError> {
    let upsert = sqlx::query(
        "INSERT INTO search_people (id, handle, name, version)
         SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM search_people_gone WHERE id = $1)
         ON CONFLICT (id) DO UPDATE SET handle = excluded.handle, name = excluded.name, version = excluded.version
         WHERE excluded.version > search_people.version",
    )
    .bind(person.id.sql())
    .bind(&person.handle)
    .bind(&person.name)
    .bind(person.version.cast_signed());
    if query("INSERT", PEOPLE, upsert.execute(&mut *conn)).await?.rows_affected() == 0 {
        return Ok(());
    }
    dialect::put_person(conn, person.id.sql(), &person.handle, &person.name).await
}

/// Takes a photo in, unless it or its author was deleted before.
pub async fn put_photo(conn: &mut Connection, photo: &Photo) -> Result<(), StorageError> {
    let tags = photo.tags.join(" ");
    let insert = sqlx::query(
        "INSERT INTO search_photos (id, author, caption, tags)
         SELECT $1, $2, $3, $4
         WHERE NOT EXISTS (SELECT 1 FROM search_photos_gone WHERE id = $1)
           AND NOT EXISTS (SELECT 1 FROM search_people_gone WHERE id = $2)
         ON CONFLICT DO NOTHING",
    )
    .bind(photo.id.sql())
    .bind(photo.author.sql())
    .bind(&photo.caption)
    .bind(&tags);
    if query("INSERT", PHOTOS, insert.execute(&mut *conn)).await?.rows_affected() == 0 {
        return Ok(());
    }
    dialect::put_photo(conn, photo.id.sql(), &photo.caption, &tags).await
}

/// Forgets a person and all their photos, those still to come included.
pub async fn forget_person(conn: &mut Connection, id: UserId) -> Result<(), StorageError> {
    let id = id.sql();
    let gone = sqlx::query("INSERT INTO search_people_gone (id) VALUES ($1) ON CONFLICT DO NOTHING").bind(id);
    query("INSERT", PEOPLE_GONE, gone.execute(&mut *conn)).await?;
    let delete = sqlx::query("DELETE FROM search_people WHERE id = $1").bind(id);
    if query("DELETE", PEOPLE, delete.execute(&mut *conn)).await?.rows_affected() == 1 {
        dialect::remove_person(conn, id).await?;
    }
    dialect::remove_photos_of(conn, id).await?;
    let delete = sqlx::query("DELETE FROM search_photos WHERE author = $1").bind(id);
    query("DELETE", PHOTOS, delete.execute(conn)).await.map(drop)
}

/// Forgets a photo, also one still to come.
pub async fn forget_photo(conn: &mut Connection, id: PhotoId) -> Result<(), StorageError> {
    let id = id.sql();
    let gone = sqlx::query("INSERT INTO search_photos_gone (id) VALUES ($1) ON CONFLICT DO NOTHING").bind(id);
    query("INSERT", PHOTOS_GONE, gone.execute(&mut *conn)).await?;
    let delete = sqlx::query("DELETE FROM search_photos WHERE id = $1").bind(id);
    if query("DELETE", PHOTOS, delete.execute(&mut *conn)).await?.rows_affected() == 1 {
        dialect::remove_photo(conn, id).await?;
    }
    Ok(())
}

/// Rows in one INSERT: 4 columns each, far below SQLite's 32,766 parameters.
const ROWS: usize = 1_000;

/// Fills rows and index from a history, by ascending id.
pub async fn load(tx: &mut Tx, history: &History) -> Result<(), StorageError> {
    let mut people: Vec<&Profile> = history.profiles.iter().collect();
    people.sort_unstable_by_key(|person| person.id);
    for rows in people.chunks(ROWS) {
        let mut insert =
            QueryBuilder::<Engine>::new("INSERT INTO search_people (id, handle, name, version) ");
        insert.push_values(rows, |mut row, person| {
            row.push_bind(person.id.sql())
                .push_bind(&person.handle)
                .push_bind(&person.name)
                .push_bind(person.version.cast_signed());
        });
        query("INSERT", PEOPLE, insert.build().execute(tx.conn())).await?;
    }
    let mut photos: Vec<&Photo> = history.photos.iter().map(|past| &past.photo).collect();
    photos.sort_unstable_by_key(|photo| photo.id);
    for rows in photos.chunks(ROWS) {
        let mut insert =
            QueryBuilder::<Engine>::new("INSERT INTO search_photos (id, author, caption, tags) ");
        insert.push_values(rows, |mut row, photo| {
            row.push_bind(photo.id.sql())
                .push_bind(photo.author.sql())
                .push_bind(&photo.caption)
                .push_bind(photo.tags.join(" "));
        });
        query("INSERT", PHOTOS, insert.build().execute(tx.conn())).await?;
    }
    dialect::index_rows(tx.conn()).await
}

/// What is kept, as one number. The memory of the deleted follows from what
/// others keep and stays out.
pub async fn digest(db: &Database) -> Result<u64, StorageError> {
    let mut read = db.read().await?;
    let mut digest = Digest::default();
    for (table, select) in [
        (PEOPLE, "SELECT id, version, handle, name FROM search_people"),
        (PHOTOS, "SELECT id, author, caption, tags FROM search_photos"),
    ] {
        query("SELECT", table, async {
            let mut rows = sqlx::query_as::<_, (i64, i64, String, String)>(select).fetch(&mut *read);
            while let Some((id, number, one, other)) = rows.try_next().await? {
                let (id, number) = (id.to_le_bytes(), number.to_le_bytes());
                digest.row(table, &[&id, &number, one.as_bytes(), other.as_bytes()]);
            }
            Ok(())
        })
        .await?;
    }
    Ok(digest.value())
}
