//! Databases of a server: made, commented on and dropped.

use super::{Access, Address, Opener};
use crate::{Options, StorageError};

/// Makes an empty database on the server of an address.
///
/// # Errors
/// When there is one of that name, the user may make none, or the server does not answer.
pub async fn create_database(server: &Address, name: &str) -> Result<(), StorageError> {
    run(server, &making(name)).await
}

/// The statement that makes a database.
pub(super) fn making(name: &str) -> String {
    format!("CREATE DATABASE {}", quoted(name))
}

/// Comments on a database: whose it is, for those who look at the server.
///
/// # Errors
/// When there is none of that name, the user does not own it, or the server does not answer.
pub async fn comment_on_database(server: &Address, name: &str, comment: &str) -> Result<(), StorageError> {
    let comment = comment.replace('\'', "''");
    run(server, &format!("COMMENT ON DATABASE {} IS '{comment}'", quoted(name))).await
}

/// Drops a database with all that is in it, if it is there. Connections to it are ended.
///
/// # Errors
/// When the user may not, or the server does not answer.
pub async fn drop_database(server: &Address, name: &str) -> Result<(), StorageError> {
    run(server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name))).await
}

async fn run(server: &Address, statement: &str) -> Result<(), StorageError> {
    // Outside of any transaction, and as long as it takes.
    let mut connection = Opener::new(server, Access::Write, &Options::bulk()).open().await?;
    connection.batch(statement).await
}

/// A name, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
