//! Full text in the words of SQLite's FTS5 (<https://www.sqlite.org/fts5.html>).

use storage::{Connection, StorageError, query};

use super::{Index, PageRange, Row};

/// The index tables. Contentless: words are indexed, the text stays in the rows
/// alone. Case and accents do not count.
pub(super) const TABLES: &str = "CREATE VIRTUAL TABLE search_people_text USING fts5(
              handle, name,
              content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
          );
          CREATE VIRTUAL TABLE search_photos_text USING fts5(
              caption, tags,
              content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
          );";

/// Words in its query language. Each becomes a quoted string, in which
/// only the quote itself means anything, so no typed character is syntax.
/// All of them must be found.
pub(super) fn question(typed: &[String]) -> String {
    let quoted: Vec<String> = typed.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    quoted.join(" ")
}

/// The rows that match, best first.
pub(super) async fn find<R: Row>(
    conn: &mut Connection,
    index: Index,
    typed: &[String],
    range: PageRange,
) -> Result<Vec<R>, StorageError> {
    // Ranked before joined: only the rows of the page are fetched.
    let select = match index {
        Index::Photos => {
            "SELECT p.id, p.author, p.caption
             FROM (SELECT rowid AS id, rank AS score FROM search_photos_text
                   WHERE search_photos_text MATCH $1 ORDER BY rank, rowid LIMIT $2 OFFSET $3) hit
             JOIN search_photos p ON p.id = hit.id
             ORDER BY hit.score, p.id"
        }
        Index::People => {
            "SELECT p.id, p.handle, p.name
             FROM (SELECT rowid AS id, rank AS score FROM search_people_text
                   WHERE search_people_text MATCH $1 ORDER BY rank, rowid LIMIT $2 OFFSET $3) hit
             JOIN search_people p ON p.id = hit.id
             ORDER BY hit.score, p.id"
        }
    };
    let select = query("SELECT", index.table(), select)
        .bind(question(typed))
        .bind(i64::from(range.limit))
        .bind(i64::from(range.offset));
    select.all(conn).await
}

/// Indexes a row, in place of what was indexed of it before.
pub(super) async fn put(
    conn: &mut Connection,
    index: Index,
    id: i64,
    texts: [&str; 2],
) -> Result<(), StorageError> {
    let insert = match index {
        Index::People => {
            "INSERT OR REPLACE INTO search_people_text (rowid, handle, name) VALUES ($1, $2, $3)"
        }
        Index::Photos => "INSERT INTO search_photos_text (rowid, caption, tags) VALUES ($1, $2, $3)",
    };
    let [one, other] = texts;
    query("INSERT", index.table(), insert).bind(id).bind(one).bind(other).execute(conn).await.map(drop)
}

/// Takes a row out of the index.
pub(super) async fn remove(conn: &mut Connection, index: Index, id: i64) -> Result<(), StorageError> {
    let delete = match index {
        Index::People => "DELETE FROM search_people_text WHERE rowid = $1",
        Index::Photos => "DELETE FROM search_photos_text WHERE rowid = $1",
    };
    query("DELETE", index.table(), delete).bind(id).execute(conn).await.map(drop)
}

/// Takes an author's photos out of the index, while their rows are still there.
pub(super) async fn remove_photos_of(conn: &mut Connection, author: i64) -> Result<(), StorageError> {
    let delete = query(
        "DELETE",
        Index::Photos.table(),
        "DELETE FROM search_photos_text WHERE rowid IN (SELECT id FROM search_photos WHERE author = $1)",
    );
    delete.bind(author).execute(conn).await.map(drop)
}

/// Indexes all rows at once, by ascending id: FTS5 writes a segment whenever
/// the next id is smaller than the last.
pub(super) async fn index_rows(conn: &mut Connection, index: Index) -> Result<(), StorageError> {
    let insert = match index {
        Index::People => {
            "INSERT INTO search_people_text (rowid, handle, name) SELECT id, handle, name FROM search_people ORDER BY id"
        }
        Index::Photos => {
            "INSERT INTO search_photos_text (rowid, caption, tags) SELECT id, caption, tags FROM search_photos ORDER BY id"
        }
    };
    query("INSERT", index.table(), insert).execute(conn).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Terms;

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
            assert_eq!(question(&Terms::read(typed).expect(typed).0), expected, "{typed:?}");
        }
    }
}
