//! The database product, behind four names: the seam for another one.

/// The product, for query builders.
pub type Engine = sqlx::Sqlite;
/// A connection.
pub type Connection = sqlx::SqliteConnection;
/// Connections.
pub type Pool = sqlx::SqlitePool;
/// A reading connection on loan.
pub type ReadConnection = sqlx::pool::PoolConnection<Engine>;
