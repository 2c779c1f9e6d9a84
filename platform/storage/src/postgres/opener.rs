//! How connections are opened: limits of time, what a commit survives, who writes at a time.

use std::fmt::Write;

use contract::hash::fnv1a64;
use tokio_postgres::{Config, NoTls};

use super::Address;
use super::connection::{Connection, Turns};
use super::driver::Driver;
use crate::{Options, StorageError, Synchronous};

/// The first version whose statements are all known.
const MIN_VERSION: u32 = 13;
/// The longest deadline of a call, milliseconds: a statement that is not waited for any more is ended by then.
const STATEMENT_TIMEOUT_MS: u32 = 10_000;
/// Wait for a lock before giving up, milliseconds, as for the lock of a SQLite file.
const LOCK_TIMEOUT_MS: u32 = 5_000;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Transactions that write.
    Write,
    /// Statements that read.
    Read,
}

/// Opens connections to one database.
pub(crate) struct Opener {
    config: Config,
    turns: Turns,
}

impl Opener {
    /// Nothing is opened yet.
    pub fn new(address: &Address, access: Access, options: &Options) -> Self {
        let mut config = address.config().clone();
        let mut settings = config.get_options().unwrap_or_default().to_owned();
        let mut set = |name: &str, value: &str| {
            // Writing to a string does not fail.
            let _ = write!(settings, " -c {name}={value}");
        };
        set("client_min_messages", "warning");
        // `Normal` has no counterpart: with `synchronous_commit` off a server that is killed may lose acknowledged writes,
        // so it is treated as `Full`.
        let is_bulk = options.synchronous == Synchronous::Off;
        set("synchronous_commit", if is_bulk { "off" } else { "on" });
        set("statement_timeout", &if is_bulk { 0 } else { STATEMENT_TIMEOUT_MS }.to_string());
        set("lock_timeout", &LOCK_TIMEOUT_MS.to_string());
        if let Some(schema) = address.schema_name() {
            set("search_path", schema);
        }
        if access == Access::Read {
            set("default_transaction_read_only", "on");
        }
        config.options(settings);
        if config.get_application_name().is_none() {
            config.application_name("cleave");
        }
        let key = |of: &str| lock_key(of, address.schema_name());
        let turns = Turns {
            is_one_at_a_time: options.writers <= 1,
            writer_lock: key("writer"),
            outbox_lock: key("outbox"),
        };
        Self { config, turns }
    }

    /// Opens one.
    ///
    /// # Errors
    /// When there is no server, it refuses the user, or it is too old.
    pub async fn open(&self) -> Result<Connection, StorageError> {
        let (client, connection) = self.config.connect(NoTls).await?;
        let version = connection.parameter("server_version").unwrap_or_default();
        check_version(version).map_err(|text| StorageError::Other(text.into()))?;
        Ok(Connection::new(client, Driver::new(connection), self.turns))
    }
}

/// Key of an advisory lock. Such locks are the database's: those of two schemas must not meet.
fn lock_key(of: &str, schema: Option<&str>) -> i64 {
    fnv1a64(format!("cleave {of} {}", schema.unwrap_or_default()).as_bytes()).cast_signed()
}

/// Whether a server of this version will do; it is as the server writes it.
///
/// # Errors
/// That it is too old, or no version, with what to use instead.
pub fn check_version(version: &str) -> Result<(), String> {
    if major(version).is_some_and(|major| major >= MIN_VERSION) {
        return Ok(());
    }
    Err(format!("the server is PostgreSQL {version}; use PostgreSQL {MIN_VERSION} or later instead"))
}

/// 15 of `15.18 (Debian 15.18-0+deb12u1)`, 17 of `17beta1`.
fn major(version: &str) -> Option<u32> {
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_a_major_number() {
        for (version, expected) in [
            ("15.18 (Debian 15.18-0+deb12u1)", Some(15)),
            ("17beta1", Some(17)),
            ("9.6.24", Some(9)),
            ("", None),
        ] {
            assert_eq!(major(version), expected, "{version}");
        }
    }

    #[test]
    fn a_server_that_is_too_old_is_refused_with_what_to_use() {
        for version in ["13.0", "15.18 (Debian 15.18-0+deb12u1)", "17beta1"] {
            assert_eq!(check_version(version), Ok(()), "{version}");
        }
        for version in ["12.22", "9.6.24", ""] {
            let why = check_version(version).expect_err("too old, or none");
            assert!(why.contains(version) && why.contains("use PostgreSQL 13 or later"), "{why}");
        }
    }

    #[test]
    fn schemas_have_locks_of_their_own() {
        let keys = [("writer", None), ("outbox", None), ("writer", Some("feed")), ("writer", Some("photo"))];
        let keys: std::collections::BTreeSet<i64> =
            keys.into_iter().map(|(of, schema)| lock_key(of, schema)).collect();
        assert_eq!(keys.len(), 4);
    }
}
