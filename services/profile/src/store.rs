//! Tables and queries.

use component::Digest;
use component::service_context::Settings;
use history::History;
use profile_api::{Profile, UserId};
use storage::{Connection, Database, Migration, StorageError, Tx, query};

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
    postgres: None,
}];

const ACCOUNTS: &str = "profile_accounts";
const RETIRED: &str = "profile_retired";

/// `id, handle, name, bio, version`.
type Row = (i64, String, String, String, i64);

fn profile((id, handle, name, bio, version): Row) -> Profile {
    Profile { id: UserId::from_sql(id), handle, name, bio, version: version.cast_unsigned() }
}

/// Adds an account; `false` when its handle is or was taken.
pub async fn insert(conn: &mut Connection, new: &Profile, password: &str) -> Result<bool, StorageError> {
    let insert = query(
        "INSERT",
        ACCOUNTS,
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
    Ok(insert.execute(conn).await? == 1)
}

/// Whether the handle from which an id is derived is or was taken.
pub async fn is_taken(conn: &mut Connection, id: UserId) -> Result<bool, StorageError> {
    let select = query(
        "SELECT",
        ACCOUNTS,
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM profile_accounts WHERE id = $1)
             OR EXISTS (SELECT 1 FROM profile_retired WHERE id = $1)",
    );
    select.bind(id.sql()).exists(conn).await
}

/// The accounts of these ids that exist, in no particular order.
pub async fn by_ids(conn: &mut Connection, ids: &[UserId]) -> Result<Vec<Profile>, StorageError> {
    let select =
        query("SELECT", ACCOUNTS, "SELECT id, handle, name, bio, version FROM profile_accounts WHERE id IN ");
    let rows: Vec<Row> = select.push_list(ids.iter().map(|id| id.sql())).all(conn).await?;
    Ok(rows.into_iter().map(profile).collect())
}

/// The account under a handle, and its password's hash.
pub async fn by_handle(
    conn: &mut Connection,
    handle: &str,
) -> Result<Option<(Profile, String)>, StorageError> {
    let select = query(
        "SELECT",
        ACCOUNTS,
        "SELECT id, handle, name, bio, version, password FROM profile_accounts WHERE handle = $1",
    )
    .bind(handle);
    let row: Option<(i64, String, String, String, i64, String)> = select.optional(conn).await?;
    Ok(row.map(|(id, handle, name, bio, version, password)| {
        (profile((id, handle, name, bio, version)), password)
    }))
}

/// The hash of an account's password.
pub async fn password(conn: &mut Connection, id: UserId) -> Result<Option<String>, StorageError> {
    let select = query("SELECT", ACCOUNTS, "SELECT password FROM profile_accounts WHERE id = $1");
    select.bind(id.sql()).optional(conn).await
}

/// Changes what is given; the account as it is then, if it exists.
pub async fn edit(
    conn: &mut Connection,
    id: UserId,
    name: Option<&str>,
    bio: Option<&str>,
) -> Result<Option<Profile>, StorageError> {
    let update = query(
        "UPDATE",
        ACCOUNTS,
        "UPDATE profile_accounts
         SET name = COALESCE($2, name), bio = COALESCE($3, bio), version = version + 1
         WHERE id = $1
         RETURNING id, handle, name, bio, version",
    )
    .bind(id.sql())
    .bind(name)
    .bind(bio);
    Ok(update.optional(conn).await?.map(profile))
}

/// Removes an account and retires its id; `false` when there is none.
pub async fn retire(conn: &mut Connection, id: UserId) -> Result<bool, StorageError> {
    let delete = query("DELETE", ACCOUNTS, "DELETE FROM profile_accounts WHERE id = $1");
    if delete.bind(id.sql()).execute(conn).await? == 0 {
        return Ok(false);
    }
    let insert = query("INSERT", RETIRED, "INSERT INTO profile_retired (id) VALUES ($1)");
    insert.bind(id.sql()).execute(conn).await?;
    Ok(true)
}

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
        .map_err(|refusal| StorageError::Other(refusal.into()))?;
    let mut profiles: Vec<&Profile> = history.profiles.iter().collect();
    profiles.sort_unstable_by_key(|profile| profile.id);
    let rows = profiles.iter().map(|profile| {
        [
            profile.id.sql().into(),
            (&profile.handle).into(),
            (&profile.name).into(),
            (&profile.bio).into(),
            (&hash).into(),
            profile.version.cast_signed().into(),
        ]
    });
    let insert = query(
        "INSERT",
        ACCOUNTS,
        "INSERT INTO profile_accounts (id, handle, name, bio, password, version) VALUES ($1, $2, $3, $4, $5, $6)",
    );
    insert.execute_each(tx.conn(), rows).await.map(drop)
}

/// What is kept, as one number. Password hashes have random salts and stay out.
pub async fn digest(db: &Database) -> Result<u64, StorageError> {
    let mut read = db.read().await?;
    let accounts = query("SELECT", ACCOUNTS, "SELECT id, handle, name, bio, version FROM profile_accounts");
    let digest =
        accounts.fold(&mut read, Digest::default(), |digest, (id, handle, name, bio, version): Row| {
            let (id, version) = (id.to_le_bytes(), version.to_le_bytes());
            digest.row(ACCOUNTS, &[&id, handle.as_bytes(), name.as_bytes(), bio.as_bytes(), &version]);
        });
    let digest = digest.await?;
    let retired = query("SELECT", RETIRED, "SELECT id FROM profile_retired");
    let add = |digest: &mut Digest, id: i64| digest.row(RETIRED, &[&id.to_le_bytes()]);
    Ok(retired.fold(&mut read, digest, add).await?.value())
}
