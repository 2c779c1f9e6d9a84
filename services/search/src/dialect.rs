//! Full text in the words of SQLite's FTS5 (<https://www.sqlite.org/fts5.html>).
//!
//! What differs between databases is here and nowhere else: the index tables,
//! the query language, the ranking.

use contract::Refusal;
use search_api::{PersonHit, PhotoHit};
use storage::{Connection, Migration, StorageError, query};

/// The index tables. Contentless: words are indexed, the text stays in the rows
/// alone. Case and accents do not count.
pub const INDEX: Migration = Migration {
    version: 2,
    name: "index",
    sql: "CREATE VIRTUAL TABLE search_people_text USING fts5(
              handle, name,
              content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
          );
          CREATE VIRTUAL TABLE search_photos_text USING fts5(
              caption, tags,
              content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
          );",
};

const PEOPLE: &str = "search_people_text";
const PHOTOS: &str = "search_photos_text";

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

/// Words to look for, in the database's query language.
#[derive(Debug, PartialEq, Eq)]
pub struct Terms(String);

impl Terms {
    /// Parses a typed query. Each word becomes a quoted string, in which
    /// only the quote itself means anything, so no typed character is syntax.
    /// All of them must be found.
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
            .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
            .collect();
        match words.len() {
            0 => Err(Refusal::bad_request("q_empty", "give `q` a word to look for")),
            1..=WORDS_MAX => Ok(Self(words.join(" "))),
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
    // Ranked before joined: only the rows of the page are fetched.
    let select = query(
        "SELECT",
        PHOTOS,
        "SELECT p.id, p.author, p.caption
         FROM (SELECT rowid AS id, rank AS score FROM search_photos_text
               WHERE search_photos_text MATCH $1 ORDER BY rank, rowid LIMIT $2 OFFSET $3) hit
         JOIN search_photos p ON p.id = hit.id
         ORDER BY hit.score, p.id",
    )
    .bind(&terms.0)
    .bind(i64::from(range.limit))
    .bind(i64::from(range.offset));
    let rows: Vec<(i64, i64, String)> = select.all(conn).await?;
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
    let select = query(
        "SELECT",
        PEOPLE,
        "SELECT p.id, p.handle, p.name
         FROM (SELECT rowid AS id, rank AS score FROM search_people_text
               WHERE search_people_text MATCH $1 ORDER BY rank, rowid LIMIT $2 OFFSET $3) hit
         JOIN search_people p ON p.id = hit.id
         ORDER BY hit.score, p.id",
    )
    .bind(&terms.0)
    .bind(i64::from(range.limit))
    .bind(i64::from(range.offset));
    let rows: Vec<(i64, String, String)> = select.all(conn).await?;
    let hit = |(id, handle, name)| PersonHit { id: profile_api::UserId::from_sql(id), handle, name };
    Ok(rows.into_iter().map(hit).collect())
}

/// Indexes a person, in place of what was indexed of them before.
pub async fn put_person(
    conn: &mut Connection,
    id: i64,
    handle: &str,
    name: &str,
) -> Result<(), StorageError> {
    let replace = query(
        "INSERT",
        PEOPLE,
        "INSERT OR REPLACE INTO search_people_text (rowid, handle, name) VALUES ($1, $2, $3)",
    );
    replace.bind(id).bind(handle).bind(name).execute(conn).await.map(drop)
}

/// Indexes a photo.
pub async fn put_photo(
    conn: &mut Connection,
    id: i64,
    caption: &str,
    tags: &str,
) -> Result<(), StorageError> {
    let insert =
        query("INSERT", PHOTOS, "INSERT INTO search_photos_text (rowid, caption, tags) VALUES ($1, $2, $3)");
    insert.bind(id).bind(caption).bind(tags).execute(conn).await.map(drop)
}

/// Takes a person out of the index.
pub async fn remove_person(conn: &mut Connection, id: i64) -> Result<(), StorageError> {
    let delete = query("DELETE", PEOPLE, "DELETE FROM search_people_text WHERE rowid = $1");
    delete.bind(id).execute(conn).await.map(drop)
}

/// Takes a photo out of the index.
pub async fn remove_photo(conn: &mut Connection, id: i64) -> Result<(), StorageError> {
    let delete = query("DELETE", PHOTOS, "DELETE FROM search_photos_text WHERE rowid = $1");
    delete.bind(id).execute(conn).await.map(drop)
}

/// Takes an author's photos out of the index, while their rows are still there.
pub async fn remove_photos_of(conn: &mut Connection, author: i64) -> Result<(), StorageError> {
    let delete = query(
        "DELETE",
        PHOTOS,
        "DELETE FROM search_photos_text WHERE rowid IN (SELECT id FROM search_photos WHERE author = $1)",
    );
    delete.bind(author).execute(conn).await.map(drop)
}

/// Indexes all rows at once, by ascending id: FTS5 writes a segment whenever
/// the next id is smaller than the last.
pub async fn index_rows(conn: &mut Connection) -> Result<(), StorageError> {
    let people = query(
        "INSERT",
        PEOPLE,
        "INSERT INTO search_people_text (rowid, handle, name) SELECT id, handle, name FROM search_people ORDER BY id",
    );
    people.execute(conn).await?;
    let photos = query(
        "INSERT",
        PHOTOS,
        "INSERT INTO search_photos_text (rowid, caption, tags) SELECT id, caption, tags FROM search_photos ORDER BY id",
    );
    photos.execute(conn).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_words_become_quoted_strings() {
        for (typed, expected) in [
            ("sea", r#""sea""#),
            ("  red   sea ", r#""red" "sea""#),
            (r#"say "hi" AND NOT x*"#, r#""say" """hi""" "AND" "NOT" "x*""#),
            ("a\0b", r#""a" "b""#),
            ("sea -- ^ ( )", r#""sea""#),
            ("Öl 日本", r#""Öl" "日本""#),
        ] {
            assert_eq!(Terms::read(typed).expect(typed).0, expected, "{typed:?}");
        }
    }

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
