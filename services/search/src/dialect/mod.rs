//! Full text in the words of a database: the index tables, the query language, the ranking.
//!
//! - [`fts5`]: SQLite's. [`tsvector`]: PostgreSQL's, over [`words`] as SQLite has them.
//!
//! What differs between databases is here and nowhere else.

mod fts5;
mod tsvector;
mod words;

use contract::Refusal;
use search_api::{PersonHit, PhotoHit};
use storage::{Connection, Dialect, FromRow, Migration, StorageError};

/// The index tables.
pub const INDEX: Migration =
    Migration { version: 2, name: "index", sql: fts5::TABLES, postgres: Some(tsvector::TABLES) };

/// An index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Index {
    People,
    Photos,
}

impl Index {
    const fn table(self) -> &'static str {
        match self {
            Self::People => "search_people_text",
            Self::Photos => "search_photos_text",
        }
    }
}

/// What a hit is read as.
trait Row: FromRow + Send {}

impl<R: FromRow + Send> Row for R {}

/// Longest question, bytes.
const QUESTION_MAX: usize = 200;
/// Words of a question: every one is a list to intersect.
const WORDS_MAX: usize = 16;

/// Hits to skip, and how many to give after them.
#[derive(Clone, Copy, Debug)]
pub struct PageRange {
    /// At most [`crate::finder::OFFSET_MAX`].
    pub offset: u32,
    /// At most 101: a page and one more, to know whether another follows.
    pub limit: u32,
}

/// Words to look for, as they were typed.
#[derive(Debug, PartialEq, Eq)]
pub struct Terms(Vec<String>);

impl Terms {
    /// Parses a typed query. All of its words must be found.
    ///
    /// # Errors
    /// 400 when there is no letter or digit in it, or too much.
    pub fn read(typed: &str) -> Result<Self, Refusal> {
        if typed.len() > QUESTION_MAX {
            return Err(Refusal::bad_request("q_too_long", format!("`q` has at most {QUESTION_MAX} bytes")));
        }
        // A zero byte would end the query in the middle of a string.
        let words: Vec<String> = typed
            .split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|word| word.chars().any(char::is_alphanumeric))
            .map(str::to_owned)
            .collect();
        match words.len() {
            0 => Err(Refusal::bad_request("q_empty", "give `q` a word to look for")),
            1..=WORDS_MAX => Ok(Self(words)),
            _ => Err(Refusal::bad_request("q_too_long", format!("`q` has at most {WORDS_MAX} words"))),
        }
    }
}

/// Photos that match, best first.
pub async fn find_photos(
    conn: &mut Connection,
    terms: &Terms,
    range: PageRange,
) -> Result<Vec<PhotoHit>, StorageError> {
    let rows: Vec<(i64, i64, String)> = match conn.dialect() {
        Dialect::Sqlite => fts5::find(conn, Index::Photos, &terms.0, range).await?,
        Dialect::Postgres => tsvector::find(conn, Index::Photos, &terms.0, range).await?,
    };
    let hit = |(id, author, caption)| PhotoHit {
        id: photo_api::PhotoId::from_sql(id),
        author: profile_api::UserId::from_sql(author),
        caption,
    };
    Ok(rows.into_iter().map(hit).collect())
}

/// People that match, best first.
pub async fn find_people(
    conn: &mut Connection,
    terms: &Terms,
    range: PageRange,
) -> Result<Vec<PersonHit>, StorageError> {
    let rows: Vec<(i64, String, String)> = match conn.dialect() {
        Dialect::Sqlite => fts5::find(conn, Index::People, &terms.0, range).await?,
        Dialect::Postgres => tsvector::find(conn, Index::People, &terms.0, range).await?,
    };
    let hit = |(id, handle, name)| PersonHit { id: profile_api::UserId::from_sql(id), handle, name };
    Ok(rows.into_iter().map(hit).collect())
}

async fn put(conn: &mut Connection, index: Index, id: i64, texts: [&str; 2]) -> Result<(), StorageError> {
    match conn.dialect() {
        Dialect::Sqlite => fts5::put(conn, index, id, texts).await,
        Dialect::Postgres => tsvector::put(conn, index, id, texts).await,
    }
}

async fn remove(conn: &mut Connection, index: Index, id: i64) -> Result<(), StorageError> {
    match conn.dialect() {
        Dialect::Sqlite => fts5::remove(conn, index, id).await,
        Dialect::Postgres => tsvector::remove(conn, index, id).await,
    }
}

/// Indexes a person, in place of what was indexed of them before.
pub async fn put_person(
    conn: &mut Connection,
    id: i64,
    handle: &str,
    name: &str,
) -> Result<(), StorageError> {
    put(conn, Index::People, id, [handle, name]).await
}

/// Indexes a photo.
pub async fn put_photo(
    conn: &mut Connection,
    id: i64,
    caption: &str,
    tags: &str,
) -> Result<(), StorageError> {
    put(conn, Index::Photos, id, [caption, tags]).await
}

/// Takes a person out of the index.
pub async fn remove_person(conn: &mut Connection, id: i64) -> Result<(), StorageError> {
    remove(conn, Index::People, id).await
}

/// Takes a photo out of the index.
pub async fn remove_photo(conn: &mut Connection, id: i64) -> Result<(), StorageError> {
    remove(conn, Index::Photos, id).await
}

/// Takes an author's photos out of the index, while their rows are still there.
pub async fn remove_photos_of(conn: &mut Connection, author: i64) -> Result<(), StorageError> {
    match conn.dialect() {
        Dialect::Sqlite => fts5::remove_photos_of(conn, author).await,
        Dialect::Postgres => tsvector::remove_photos_of(conn, author).await,
    }
}

/// Indexes all rows at once.
pub async fn index_rows(conn: &mut Connection) -> Result<(), StorageError> {
    for index in [Index::People, Index::Photos] {
        match conn.dialect() {
            Dialect::Sqlite => fts5::index_rows(conn, index).await?,
            Dialect::Postgres => tsvector::index_rows(conn, index).await?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_a_word_and_an_end() {
        let words = "word ".repeat(17);
        for (typed, code) in [
            ("", "q_empty"),
            (" \t", "q_empty"),
            ("\"* ()", "q_empty"),
            (words.as_str(), "q_too_long"),
            (&"x".repeat(201), "q_too_long"),
        ] {
            assert_eq!(Terms::read(typed).expect_err(typed).code, code, "{typed:?}");
        }
    }
}
