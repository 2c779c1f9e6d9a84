//! Full text in the words of PostgreSQL's `tsvector` and `tsquery` (PostgreSQL, chapter 12).
//!
//! The server's own parser and ranks are left aside: it takes `red/blue` for one word, and its ranks do not know how rare a
//! word is. Words come from [`words`], and the rank is FTS5's, BM25 with k1 = 1.2 and b = 0.75 (Robertson and
//! Zaragoza 2009), summed in the same order: the same hits come in the same order from every database, until rows are
//! deleted. FTS5 goes on counting those of a contentless table for its averages; here they are gone.

use std::fmt::Write;

use storage::{Connection, Statement, StorageError, Value, query};

use super::words::words;
use super::{Index, PageRange, Row};

/// The index tables: the words with their positions, and how many there are.
pub(super) const TABLES: &str = "CREATE TABLE search_people_text (
              id BIGINT PRIMARY KEY, words TSVECTOR NOT NULL, length BIGINT NOT NULL
          );
          CREATE INDEX search_people_words ON search_people_text USING GIN (words);
          CREATE TABLE search_photos_text (
              id BIGINT PRIMARY KEY, words TSVECTOR NOT NULL, length BIGINT NOT NULL
          );
          CREATE INDEX search_photos_words ON search_photos_text USING GIN (words);";

/// The last position that a `tsvector` has.
const MAX_POSITION: usize = 16_383;
/// Rows that are indexed at a time.
const BATCH_ROWS: i64 = 1_000;

/// Words with their positions, and their number. Between two texts a position stays empty, so that no
/// phrase reaches from one into the other.
fn document(texts: [&str; 2]) -> (String, i64) {
    let (mut document, mut position, mut length) = (String::new(), 0, 0);
    for text in texts {
        for word in words(text) {
            position += 1;
            length += 1;
            // Letters and digits alone: nothing in a word is syntax. Writing to a string does not fail.
            let _ = write!(document, "'{word}':{} ", position.min(MAX_POSITION));
        }
        position += 1;
    }
    (document, length)
}

/// A typed word as the phrase of its parts: `'red' <-> 'blue'` of `red/blue`.
fn phrase(parts: &[String]) -> String {
    let quoted: Vec<String> = parts.iter().map(|part| format!("'{part}'")).collect();
    format!("({})", quoted.join(" <-> "))
}

/// The rows that match, best first.
pub(super) async fn find<R: Row>(
    conn: &mut Connection,
    index: Index,
    typed: &[String],
    range: PageRange,
) -> Result<Vec<R>, StorageError> {
    let phrases: Vec<Vec<String>> =
        typed.iter().map(|word| words(word)).filter(|parts| !parts.is_empty()).collect();
    if phrases.is_empty() {
        return Ok(Vec::new());
    }
    let all: Vec<String> = phrases.iter().map(|parts| phrase(parts)).collect();
    let [hits, holding, scores, page] = match index {
        Index::Photos => [
            "WITH total AS MATERIALIZED (
                 SELECT CAST(COUNT(*) AS DOUBLE PRECISION) AS number,
                        CAST(SUM(length) AS DOUBLE PRECISION) / COUNT(*) AS length
                 FROM search_photos_text
             ), hits AS MATERIALIZED (
                 SELECT id, length, words FROM search_photos_text WHERE words @@ CAST(CAST(",
            "SELECT CAST(COUNT(*) AS DOUBLE PRECISION) AS number FROM search_photos_text
             WHERE words @@ CAST(CAST(",
            "), scores AS MATERIALIZED (SELECT hits.id, -1.0 * (0.0",
            ") AS score FROM hits, total)
             SELECT p.id, p.author, p.caption
             FROM (SELECT id, score FROM scores ORDER BY score, id LIMIT ",
        ],
        Index::People => [
            "WITH total AS MATERIALIZED (
                 SELECT CAST(COUNT(*) AS DOUBLE PRECISION) AS number,
                        CAST(SUM(length) AS DOUBLE PRECISION) / COUNT(*) AS length
                 FROM search_people_text
             ), hits AS MATERIALIZED (
                 SELECT id, length, words FROM search_people_text WHERE words @@ CAST(CAST(",
            "SELECT CAST(COUNT(*) AS DOUBLE PRECISION) AS number FROM search_people_text
             WHERE words @@ CAST(CAST(",
            "), scores AS MATERIALIZED (SELECT hits.id, -1.0 * (0.0",
            ") AS score FROM hits, total)
             SELECT p.id, p.handle, p.name
             FROM (SELECT id, score FROM scores ORDER BY score, id LIMIT ",
        ],
    };
    let mut select = query("SELECT", index.table(), hits).push_value(all.join(" & "));
    select = select.push(" AS TEXT) AS TSQUERY)").push(scores);
    for (parts, phrase) in phrases.iter().zip(all) {
        // How rare the phrase is, which is found out once; how often it stands in this row, given the row's length.
        select = select
            .push(
                " + (SELECT GREATEST(LN((total.number - holding.number + 0.5) / (holding.number + 0.5)),
                                     CAST(0.000001 AS DOUBLE PRECISION))
                     FROM total, (",
            )
            .push(holding)
            .push_value(phrase)
            .push(
                " AS TEXT) AS TSQUERY)) holding)
                 * (SELECT (often.times * 2.2) / (often.times
                        + 1.2 * (0.25 + CAST(0.75 AS DOUBLE PRECISION) * hits.length / total.length))
                    FROM (",
            );
        select = push_times(select, parts).push(") often)");
    }
    let select = select.push(page).push_value(i64::from(range.limit)).push(" OFFSET ");
    let select = select.push_value(i64::from(range.offset)).push(match index {
        Index::Photos => ") hit JOIN search_photos p ON p.id = hit.id ORDER BY hit.score, p.id",
        Index::People => ") hit JOIN search_people p ON p.id = hit.id ORDER BY hit.score, p.id",
    });
    select.all(conn).await
}

/// How often a phrase stands in a row: the positions of its first part that the other parts follow.
fn push_times<'v>(select: Statement<'v>, parts: &[String]) -> Statement<'v> {
    let [first, others @ ..] = parts else { return select };
    let mut select = select
        .push(
            "SELECT CAST(COUNT(*) AS DOUBLE PRECISION) AS times
             FROM UNNEST(hits.words) begun, UNNEST(begun.positions) place(spot) WHERE begun.lexeme = ",
        )
        .push_value(first.clone());
    for (number, part) in (1_i64..).zip(others) {
        select = select
            .push(" AND EXISTS (SELECT 1 FROM UNNEST(hits.words) next WHERE next.lexeme = ")
            .push_value(part.clone())
            .push(" AND place.spot + CAST(")
            .push_value(number)
            .push(" AS INTEGER) = ANY(next.positions))");
    }
    select
}

const fn put_statement(index: Index) -> &'static str {
    match index {
        Index::People => {
            "INSERT INTO search_people_text (id, words, length)
             VALUES ($1, CAST(CAST($2 AS TEXT) AS TSVECTOR), $3)
             ON CONFLICT (id) DO UPDATE SET words = excluded.words, length = excluded.length"
        }
        Index::Photos => {
            "INSERT INTO search_photos_text (id, words, length)
             VALUES ($1, CAST(CAST($2 AS TEXT) AS TSVECTOR), $3)"
        }
    }
}

fn row(id: i64, texts: [&str; 2]) -> [Value<'static>; 3] {
    let (document, length) = document(texts);
    [id.into(), document.into(), length.into()]
}

/// Indexes a row, in place of what was indexed of it before.
pub(super) async fn put(
    conn: &mut Connection,
    index: Index,
    id: i64,
    texts: [&str; 2],
) -> Result<(), StorageError> {
    let insert = query("INSERT", index.table(), put_statement(index));
    insert.execute_each(conn, [row(id, texts)]).await.map(drop)
}

/// Takes a row out of the index.
pub(super) async fn remove(conn: &mut Connection, index: Index, id: i64) -> Result<(), StorageError> {
    let delete = match index {
        Index::People => "DELETE FROM search_people_text WHERE id = $1",
        Index::Photos => "DELETE FROM search_photos_text WHERE id = $1",
    };
    query("DELETE", index.table(), delete).bind(id).execute(conn).await.map(drop)
}

/// Takes an author's photos out of the index, while their rows are still there.
pub(super) async fn remove_photos_of(conn: &mut Connection, author: i64) -> Result<(), StorageError> {
    let delete = query(
        "DELETE",
        Index::Photos.table(),
        "DELETE FROM search_photos_text WHERE id IN (SELECT id FROM search_photos WHERE author = $1)",
    );
    delete.bind(author).execute(conn).await.map(drop)
}

/// Indexes all rows, a batch at a time.
pub(super) async fn index_rows(conn: &mut Connection, index: Index) -> Result<(), StorageError> {
    let select = match index {
        Index::People => "SELECT id, handle, name FROM search_people WHERE id > $1 ORDER BY id LIMIT $2",
        Index::Photos => "SELECT id, caption, tags FROM search_photos WHERE id > $1 ORDER BY id LIMIT $2",
    };
    let mut after = i64::MIN;
    loop {
        let batch = query("SELECT", index.table(), select).bind(after).bind(BATCH_ROWS);
        let batch: Vec<(i64, String, String)> = batch.all(conn).await?;
        let Some((last, ..)) = batch.last() else { return Ok(()) };
        after = *last;
        let insert = query("INSERT", index.table(), put_statement(index));
        let rows = batch.iter().map(|(id, one, other)| row(*id, [one, other]));
        insert.execute_each(conn, rows).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_positions_and_no_phrase_across_its_texts() {
        let (text, length) = document(["The Sea, the sea", "red/blue"]);
        assert_eq!((text.trim_end(), length), ("'the':1 'sea':2 'the':3 'sea':4 'red':6 'blue':7", 6));
        assert_eq!(document(["", " - "]), (String::new(), 0));
    }

    #[test]
    fn parts_of_a_typed_word_are_a_phrase() {
        assert_eq!(phrase(&words("www.sea.org")), "('www' <-> 'sea' <-> 'org')");
        assert_eq!(phrase(&words("sea'); DROP")), "('sea' <-> 'drop')");
    }
}
