//! The rows behind the index, and the memory of the deleted.

use component::Digest;
use history::History;
use photo_api::{Photo, PhotoId};
use profile_api::{Profile, UserId};
use storage::{Connection, Database, Migration, StorageError, Tx, query};

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
        postgres: None,
    },
    dialect::INDEX,
];

const PEOPLE: &str = "search_people";
const PEOPLE_GONE: &str = "search_people_gone";
const PHOTOS: &str = "search_photos";
const PHOTOS_GONE: &str = "search_photos_gone";

/// Takes a person in as they are now, unless later news came before.
pub async fn put_person(conn: &mut Connection, person: &Profile) -> Result<(), StorageError> {
    let upsert = query(
        "INSERT",
        PEOPLE,
        "INSERT INTO search_people (id, handle, name, version)
         SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM search_people_gone WHERE id = $1)
         ON CONFLICT (id) DO UPDATE SET handle = excluded.handle, name = excluded.name, version = excluded.version
         WHERE excluded.version > search_people.version",
    )
    .bind(person.id.sql())
    .bind(&person.handle)
    .bind(&person.name)
    .bind(person.version.cast_signed());
    if upsert.execute(conn).await? == 0 {
        return Ok(());
    }
    dialect::put_person(conn, person.id.sql(), &person.handle, &person.name).await
}

/// Takes a photo in, unless it or its author was deleted before.
pub async fn put_photo(conn: &mut Connection, photo: &Photo) -> Result<(), StorageError> {
    let tags = photo.tags.join(" ");
    let insert = query(
        "INSERT",
        PHOTOS,
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
    if insert.execute(conn).await? == 0 {
        return Ok(());
    }
    dialect::put_photo(conn, photo.id.sql(), &photo.caption, &tags).await
}

/// Forgets a person and all their photos, those still to come included.
pub async fn forget_person(conn: &mut Connection, id: UserId) -> Result<(), StorageError> {
    let id = id.sql();
    let gone = query(
        "INSERT",
        PEOPLE_GONE,
        "INSERT INTO search_people_gone (id) VALUES ($1) ON CONFLICT DO NOTHING",
    );
    gone.bind(id).execute(conn).await?;
    let delete = query("DELETE", PEOPLE, "DELETE FROM search_people WHERE id = $1");
    if delete.bind(id).execute(conn).await? == 1 {
        dialect::remove_person(conn, id).await?;
    }
    dialect::remove_photos_of(conn, id).await?;
    let delete = query("DELETE", PHOTOS, "DELETE FROM search_photos WHERE author = $1");
    delete.bind(id).execute(conn).await.map(drop)
}

/// Forgets a photo, also one still to come.
pub async fn forget_photo(conn: &mut Connection, id: PhotoId) -> Result<(), StorageError> {
    let id = id.sql();
    let gone = query(
        "INSERT",
        PHOTOS_GONE,
        "INSERT INTO search_photos_gone (id) VALUES ($1) ON CONFLICT DO NOTHING",
    );
    gone.bind(id).execute(conn).await?;
    let delete = query("DELETE", PHOTOS, "DELETE FROM search_photos WHERE id = $1");
    if delete.bind(id).execute(conn).await? == 1 {
        dialect::remove_photo(conn, id).await?;
    }
    Ok(())
}

/// Fills rows and index from a history, by ascending id.
pub async fn load(tx: &mut Tx, history: &History) -> Result<(), StorageError> {
    let mut people: Vec<&Profile> = history.profiles.iter().collect();
    people.sort_unstable_by_key(|person| person.id);
    let insert = query(
        "INSERT",
        PEOPLE,
        "INSERT INTO search_people (id, handle, name, version) VALUES ($1, $2, $3, $4)",
    );
    let rows = people.iter().map(|person| {
        [
            person.id.sql().into(),
            (&person.handle).into(),
            (&person.name).into(),
            person.version.cast_signed().into(),
        ]
    });
    insert.execute_each(tx.conn(), rows).await?;
    let mut photos: Vec<&Photo> = history.photos.iter().map(|past| &past.photo).collect();
    photos.sort_unstable_by_key(|photo| photo.id);
    let insert = query(
        "INSERT",
        PHOTOS,
        "INSERT INTO search_photos (id, author, caption, tags) VALUES ($1, $2, $3, $4)",
    );
    let rows = photos.iter().map(|photo| {
        [
            photo.id.sql().into(),
            photo.author.sql().into(),
            (&photo.caption).into(),
            photo.tags.join(" ").into(),
        ]
    });
    insert.execute_each(tx.conn(), rows).await?;
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
        let add = move |digest: &mut Digest, (id, number, one, other): (i64, i64, String, String)| {
            let (id, number) = (id.to_le_bytes(), number.to_le_bytes());
            digest.row(table, &[&id, &number, one.as_bytes(), other.as_bytes()]);
        };
        digest = query("SELECT", table, select).fold(&mut read, digest, add).await?;
    }
    Ok(digest.value())
}
