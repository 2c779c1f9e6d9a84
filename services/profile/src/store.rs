//! Tables and queries.

use component::Digest;
use component::service_context::Settings;
use futures_util::TryStreamExt;
use history::History;
use profile_api::{Profile, UserId};
use sqlx::QueryBuilder;
use storage::{Connection, Database, Engine, Migration, StorageError, Tx, query};

use crate::passwords;

/// Its tables. `profile_retired` keeps the ids of deleted accounts, 8 bytes
/// each for ever, so that no handle is given twice.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "accounts",
    sql: "CREATE TABLE profile_accounts (
              id BIGINT PRIMARY KEY,
              handle TEXT NOT NULL UNIQUE,
              name TEXT NOT NULL,
              bio TEXT NOT NULL,
              password TEXT NOT NULL,
              version BIGINT NOT NULL
          );
          CREATE TABLE profile_retired (id BIGINT PRIMARY KEY);",
}];

const ACCOUNTS: &str = "profile_accounts";

/// `id, handle, name, bio, version`.
type Row = (i64, String, String, String, i64);

fn profile((id, handle, name, bio, version): Row) -> Profile {
    Profile { id: UserId::from_sql(id), handle, name, bio, version: version.cast_unsigned() }
}

/// Adds an account; `false` when its handle is or was taken.
pub async fn insert(conn: &mut Connection, new: &Profile, password: &str) -> Result<bool, StorageError> {
    let insert = sqlx::query(
        "INSERT INTO profile_accounts (id, handle, name, bio, password, version)
         SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (SELECT 1 FROM profile_retired WHERE id = $1)
         ON CONFLICT DO NOTHING",
    )
    .bind(new.id.sql())
    .bind(&new.handle)
    .bind(&new.name)
    .bind(&new.bio)
    .bind(password)
    .bind(new.version.cast_signed());
    Ok(query("INSERT", ACCOUNTS, insert.execute(conn)).await?.rows_affected() == 1)
}

/// The accounts of these ids that exist, in no particular order.
pub async fn by_ids(conn: &mut Connection, ids: &[UserId]) -> Result<Vec<Profile>, StorageError> {
    let Some(&last) = ids.last() else { return Ok(Vec::new()) };
    let mut select = QueryBuilder::<Engine>::new(
        "SELECT id, handle, name, bio, version FROM profile_accounts WHERE id IN (",
    );
    // Padded to a power of two: eight statements serve every length up to 128 and stay prepared.
    let padded = ids.iter().copied().chain(std::iter::repeat(last)).take(ids.len().next_power_of_two());
    let mut list = select.separated(", ");
    for id in padded {
        list.push_bind(id.sql());
    }
    select.push(")");
    let rows: Vec<Row> = query("SELECT", ACCOUNTS, select.build_query_as().fetch_all(conn)).await?;
    Ok(rows.into_iter().map(profile).collect())
}

/// The account under a handle, and its password's hash.
pub async fn by_handle(
    conn: &mut Connection,
    handle: &str,
) -> Result<Option<(Profile, String)>, StorageError> {
    let select = sqlx::query_as::<_, (i64, String, String, String, i64, String)>(
        "SELECT id, handle, name, bio, version, password FROM profile_accounts WHERE handle = $1",
    )
    .bind(handle);
    let row = query("SELECT", ACCOUNTS, select.fetch_optional(conn)).await?;
    Ok(row.map(|(id, handle, name, bio, version, password)| {
        (profile((id, handle, name, bio, version)), password)
    }))
}

/// The hash of an account's password.
pub async fn password(conn: &mut Connection, id: UserId) -> Result<Option<String>, StorageError> {
    let select = sqlx::query_scalar("SELECT password FROM profile_accounts WHERE id = $1").bind(id.sql());
    query("SELECT", ACCOUNTS, select.fetch_optional(conn)).await
}

/// Changes what is given; the account as it is then, if it exists.
pub async fn edit(
    conn: &mut Connection,
    id: UserId,
    name: Option<&str>,
    bio: Option<&str>,
) -> Result<Option<Profile>, StorageError> {
    let update = sqlx::query_as::<_, Row>(
        "UPDATE profile_accounts
         SET name = COALESCE($2, name), bio = COALESCE($3, bio), version = version + 1
         WHERE id = $1
         RETURNING id, handle, name, bio, version",
    )
    .bind(id.sql())
    .bind(name)
    .bind(bio);
    Ok(query("UPDATE", ACCOUNTS, update.fetch_optional(conn)).await?.map(profile))
}

/// Removes an account and retires its id; `false` when there is none.
pub async fn retire(conn: &mut Connection, id: UserId) -> Result<bool, StorageError> {
    let delete = sqlx::query("DELETE FROM profile_accounts WHERE id = $1").bind(id.sql());
    if query("DELETE", ACCOUNTS, delete.execute(&mut *conn)).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let insert = sqlx::query("INSERT INTO profile_retired (id) VALUES ($1)").bind(id.sql());
    query("INSERT", "profile_retired", insert.execute(conn)).await?;
    Ok(true)
}

/// Rows in one INSERT: 6 columns each, far below SQLite's 32,766 parameters.
const ROWS: usize = 1_000;

/// Fills the tables with the accounts of a history, by ascending id. They share
/// one password, so it is hashed once.
pub async fn load(tx: &mut Tx, history: &History) -> Result<(), StorageError> {
    if history.profiles.is_empty() {
        return Ok(());
    }
    let seeded = history.password.clone();
    let kib = Settings::default().argon2_kib;
    let hash = runtime::blocking(move || passwords::hash_now(&seeded, kib))
        .await
        .map_err(|refusal| StorageError::Other(sqlx::Error::Encode(refusal.into())))?;
    let mut profiles: Vec<&Profile> = history.profiles.iter().collect();
    profiles.sort_unstable_by_key(|profile| profile.id);
    for rows in profiles.chunks(ROWS) {
        let mut insert = QueryBuilder::<Engine>::new(
            "INSERT INTO profile_accounts (id, handle, name, bio, password, version) ",
        );
        insert.push_values(rows, |mut row, profile| {
            row.push_bind(profile.id.sql())
                .push_bind(&profile.handle)
                .push_bind(&profile.name)
                .push_bind(&profile.bio)
                .push_bind(&hash)
                .push_bind(profile.version.cast_signed());
        });
        query("INSERT", ACCOUNTS, insert.build().execute(tx.conn())).await?;
    }
    Ok(())
}

/// What is kept, as one number. Password hashes have random salts and stay out.
pub async fn digest(db: &Database) -> Result<u64, StorageError> {
    let mut read = db.read().await?;
    let mut digest = Digest::default();
    query("SELECT", ACCOUNTS, async {
        let mut rows =
            sqlx::query_as::<_, Row>("SELECT id, handle, name, bio, version FROM profile_accounts")
                .fetch(&mut *read);
        while let Some((id, handle, name, bio, version)) = rows.try_next().await? {
            let (id, version) = (id.to_le_bytes(), version.to_le_bytes());
            digest.row(ACCOUNTS, &[&id, handle.as_bytes(), name.as_bytes(), bio.as_bytes(), &version]);
        }
        Ok(())
    })
    .await?;
    query("SELECT", "profile_retired", async {
        let mut ids = sqlx::query_scalar::<_, i64>("SELECT id FROM profile_retired").fetch(&mut *read);
        while let Some(id) = ids.try_next().await? {
            digest.row("profile_retired", &[&id.to_le_bytes()]);
        }
        Ok(())
    })
    .await?;
    Ok(digest.value())
}
