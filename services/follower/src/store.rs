//! Tables and queries. Each edge is kept once in either direction, so that both lists read in key order.

use std::collections::BTreeMap;

use component::Digest;
use follower_api::Counts;
use history::History;
use profile_api::UserId;
use serde::Serialize;
use storage::{Connection, Database, Migration, StorageError, Tx, Value, query};

/// Its tables. `turns` counts the edges a user has added and removed, and names
/// the events of it. `follower_gone` remembers deleted users, 8 bytes each for
/// ever: a follow that was on its way meanwhile must not bring them back.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "edges",
    sql: "CREATE TABLE follower_out (
              follower BIGINT NOT NULL,
              followee BIGINT NOT NULL,
              PRIMARY KEY (follower, followee)
          );
          CREATE TABLE follower_in (
              followee BIGINT NOT NULL,
              follower BIGINT NOT NULL,
              PRIMARY KEY (followee, follower)
          );
          CREATE TABLE follower_counts (
              user_id BIGINT PRIMARY KEY,
              followers BIGINT NOT NULL,
              following BIGINT NOT NULL,
              turns BIGINT NOT NULL
          );
          CREATE TABLE follower_gone (user_id BIGINT PRIMARY KEY);",
    postgres: None,
}];

const OUT: &str = "follower_out";
const IN: &str = "follower_in";
const COUNTS: &str = "follower_counts";
const GONE: &str = "follower_gone";

/// What happens to an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Change {
    /// It is there afterwards.
    Add,
    /// It is not.
    Remove,
}

/// Which edges at a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From their followers.
    In,
    /// To those they follow.
    Out,
}

/// Adds or removes an edge and counts it. The follower's turn if that changed
/// anything, `None` if it was so already.
pub async fn set(
    conn: &mut Connection,
    follower: UserId,
    followee: UserId,
    change: Change,
) -> Result<Option<i64>, StorageError> {
    let (operation, out, back) = match change {
        Change::Add => (
            "INSERT",
            "INSERT INTO follower_out (follower, followee) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            "INSERT INTO follower_in (follower, followee) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        ),
        Change::Remove => (
            "DELETE",
            "DELETE FROM follower_out WHERE follower = $1 AND followee = $2",
            "DELETE FROM follower_in WHERE follower = $1 AND followee = $2",
        ),
    };
    let out = query(operation, OUT, out).bind(follower.sql()).bind(followee.sql());
    if out.execute(conn).await? == 0 {
        return Ok(None);
    }
    query(operation, IN, back).bind(follower.sql()).bind(followee.sql()).execute(conn).await?;
    let step = if change == Change::Add { 1 } else { -1 };
    count(conn, followee, step, 0).await?;
    count(conn, follower, 0, step).await.map(Some)
}

/// Moves a user's counts; each move of `following` is a turn. The turns so far.
async fn count(
    conn: &mut Connection,
    user: UserId,
    followers: i64,
    following: i64,
) -> Result<i64, StorageError> {
    let upsert = query(
        "INSERT",
        COUNTS,
        "INSERT INTO follower_counts (user_id, followers, following, turns) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id) DO UPDATE SET
             followers = follower_counts.followers + excluded.followers,
             following = follower_counts.following + excluded.following,
             turns = follower_counts.turns + excluded.turns
         RETURNING turns",
    )
    .bind(user.sql())
    .bind(followers)
    .bind(following)
    .bind(following.abs());
    upsert.one(conn).await
}

/// Whether a user was deleted.
pub async fn is_gone(conn: &mut Connection, user: UserId) -> Result<bool, StorageError> {
    let select = query("SELECT", GONE, "SELECT user_id FROM follower_gone WHERE user_id = $1");
    select.bind(user.sql()).exists(conn).await
}

/// Edges at one user; none at an unknown one.
pub async fn counts(conn: &mut Connection, user: UserId) -> Result<Counts, StorageError> {
    let select =
        query("SELECT", COUNTS, "SELECT followers, following FROM follower_counts WHERE user_id = $1");
    let row: Option<(i64, i64)> = select.bind(user.sql()).optional(conn).await?;
    let (followers, following) = row.unwrap_or_default();
    Ok(Counts { user, followers: followers.cast_unsigned(), following: following.cast_unsigned() })
}

/// Edges at each of these users, in the order asked.
pub async fn counts_of(conn: &mut Connection, users: &[UserId]) -> Result<Vec<Counts>, StorageError> {
    let select = query(
        "SELECT",
        COUNTS,
        "SELECT user_id, followers, following FROM follower_counts WHERE user_id IN ",
    );
    let rows: Vec<(i64, i64, i64)> = select.push_list(users.iter().map(|user| user.sql())).all(conn).await?;
    let known: BTreeMap<i64, (i64, i64)> =
        rows.into_iter().map(|(user, ins, outs)| (user, (ins, outs))).collect();
    let counts = users.iter().map(|&user| {
        let (followers, following) = known.get(&user.sql()).copied().unwrap_or_default();
        Counts { user, followers: followers.cast_unsigned(), following: following.cast_unsigned() }
    });
    Ok(counts.collect())
}

/// The other ends of a user's edges, by ascending id, from after `after`.
pub async fn edges(
    conn: &mut Connection,
    user: UserId,
    direction: Direction,
    after: Option<UserId>,
    limit: u32,
) -> Result<Vec<UserId>, StorageError> {
    let (table, select) = match direction {
        Direction::In => (
            IN,
            "SELECT follower FROM follower_in WHERE followee = $1 AND follower > $2 ORDER BY follower LIMIT $3",
        ),
        Direction::Out => (
            OUT,
            "SELECT followee FROM follower_out WHERE follower = $1 AND followee > $2 ORDER BY followee LIMIT $3",
        ),
    };
    // Ids are never negative, so -1 is before the first.
    let after = after.map_or(-1, UserId::sql);
    let select = query("SELECT", table, select).bind(user.sql()).bind(after).bind(i64::from(limit));
    let ids: Vec<i64> = select.all(conn).await?;
    Ok(ids.into_iter().map(UserId::from_sql).collect())
}

/// Those a user follows who have at least so many followers, the most followed first.
pub async fn popular(
    conn: &mut Connection,
    user: UserId,
    at_least: u64,
    limit: u32,
) -> Result<Vec<UserId>, StorageError> {
    let select = query(
        "SELECT",
        OUT,
        "SELECT o.followee FROM follower_out o JOIN follower_counts c ON c.user_id = o.followee
         WHERE o.follower = $1 AND c.followers >= $2
         ORDER BY c.followers DESC, o.followee LIMIT $3",
    )
    .bind(user.sql())
    .bind(i64::try_from(at_least).unwrap_or(i64::MAX))
    .bind(i64::from(limit));
    let ids: Vec<i64> = select.all(conn).await?;
    Ok(ids.into_iter().map(UserId::from_sql).collect())
}

/// Removes every edge at a user, both ways, with its counts at the other ends.
/// Each list is read through the other before either goes.
pub async fn forget(conn: &mut Connection, user: UserId) -> Result<(), StorageError> {
    let steps: [(&'static str, &'static str, &'static str); 8] = [
        ("INSERT", GONE, "INSERT INTO follower_gone (user_id) VALUES ($1) ON CONFLICT DO NOTHING"),
        (
            "UPDATE",
            COUNTS,
            "UPDATE follower_counts SET following = following - 1
             WHERE user_id IN (SELECT follower FROM follower_in WHERE followee = $1)",
        ),
        (
            "UPDATE",
            COUNTS,
            "UPDATE follower_counts SET followers = followers - 1
             WHERE user_id IN (SELECT followee FROM follower_out WHERE follower = $1)",
        ),
        (
            "DELETE",
            OUT,
            "DELETE FROM follower_out
             WHERE followee = $1 AND follower IN (SELECT follower FROM follower_in WHERE followee = $1)",
        ),
        (
            "DELETE",
            IN,
            "DELETE FROM follower_in
             WHERE follower = $1 AND followee IN (SELECT followee FROM follower_out WHERE follower = $1)",
        ),
        ("DELETE", IN, "DELETE FROM follower_in WHERE followee = $1"),
        ("DELETE", OUT, "DELETE FROM follower_out WHERE follower = $1"),
        ("DELETE", COUNTS, "DELETE FROM follower_counts WHERE user_id = $1"),
    ];
    for (operation, table, sql) in steps {
        query(operation, table, sql).bind(user.sql()).execute(conn).await?;
    }
    Ok(())
}

/// Fills the tables with the edges of a history, each in its own key order.
pub async fn load(tx: &mut Tx, history: &History) -> Result<(), StorageError> {
    let mut edges: Vec<(i64, i64)> =
        history.follows.iter().map(|e| (e.follower.sql(), e.followee.sql())).collect();
    let mut counts: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for (follower, followee) in &edges {
        counts.entry(*followee).or_default().0 += 1;
        counts.entry(*follower).or_default().1 += 1;
    }
    edges.sort_unstable();
    load_pairs(tx, OUT, "INSERT INTO follower_out (follower, followee) VALUES ($1, $2)", &edges).await?;
    for edge in &mut edges {
        *edge = (edge.1, edge.0);
    }
    edges.sort_unstable();
    load_pairs(tx, IN, "INSERT INTO follower_in (followee, follower) VALUES ($1, $2)", &edges).await?;

    let insert = query(
        "INSERT",
        COUNTS,
        "INSERT INTO follower_counts (user_id, followers, following, turns) VALUES ($1, $2, $3, $4)",
    );
    // A history only adds edges, each a turn of its follower.
    let rows = counts
        .into_iter()
        .map(|(user, (followers, following))| [user, followers, following, following].map(Value::from));
    insert.execute_each(tx.conn(), rows).await.map(drop)
}

async fn load_pairs(
    tx: &mut Tx,
    table: &'static str,
    insert: &'static str,
    pairs: &[(i64, i64)],
) -> Result<(), StorageError> {
    let rows = pairs.iter().map(|&(one, other)| [one, other].map(Value::from));
    query("INSERT", table, insert).execute_each(tx.conn(), rows).await.map(drop)
}

/// What is kept, as one number. Turns and the deleted are bookkeeping and stay
/// out; a user without edges counts as one never heard of.
pub async fn digest(db: &Database) -> Result<u64, StorageError> {
    let mut read = db.read().await?;
    let mut digest = Digest::default();
    for (table, select) in [
        (OUT, "SELECT follower, followee, 0 FROM follower_out"),
        (IN, "SELECT followee, follower, 0 FROM follower_in"),
        (
            COUNTS,
            "SELECT user_id, followers, following FROM follower_counts WHERE followers <> 0 OR following <> 0",
        ),
    ] {
        let add = move |digest: &mut Digest, (a, b, c): (i64, i64, i64)| {
            digest.row(table, &[&a.to_le_bytes(), &b.to_le_bytes(), &c.to_le_bytes()]);
        };
        digest = query("SELECT", table, select).fold(&mut read, digest, add).await?;
    }
    Ok(digest.value())
}
