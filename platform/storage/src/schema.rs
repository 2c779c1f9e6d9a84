//! What a step of a schema is, and storage's own tables, in every database.

use contract::ComponentName;
use contract::hash::fnv1a64;

use crate::engine::Dialect;

/// One step of a component's schema. Once shipped it never changes.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// From 1, without gaps.
    pub version: i64,
    /// What it adds, for people.
    pub name: &'static str,
    /// Statements, in the portable subset or in SQLite's words.
    pub sql: &'static str,
    /// The same for PostgreSQL, where it takes other words.
    pub postgres: Option<&'static str>,
}

impl Migration {
    /// Changes when the step does.
    pub fn checksum(&self) -> u64 {
        self.checksum_in(Dialect::Sqlite)
    }

    /// The same of its statements in the words of a product.
    pub(crate) fn checksum_in(&self, dialect: Dialect) -> u64 {
        fnv1a64(self.statements(dialect).as_bytes())
    }
}

/// Prefix of storage's own tables, as a component's name would be.
pub(crate) const OWNER: ComponentName = ComponentName::of("storage");

/// Storage's own tables, with the column of the outbox's positions, which are never drawn twice, also after rows are
/// trimmed.
macro_rules! own_tables {
    ($position:literal) => {
        concat!(
            "CREATE TABLE storage_epoch (epoch TEXT NOT NULL);
          CREATE TABLE storage_done (
              component TEXT NOT NULL,
              principal BIGINT NOT NULL,
              key TEXT NOT NULL,
              fingerprint BIGINT NOT NULL,
              reply TEXT NOT NULL,
              created_us BIGINT NOT NULL,
              PRIMARY KEY (component, principal, key)
          );
          CREATE INDEX storage_done_by_age ON storage_done (created_us);
          CREATE TABLE outbox (
              ",
            $position,
            ",
              id TEXT NOT NULL UNIQUE,
              topic TEXT NOT NULL,
              key BIGINT NOT NULL,
              payload TEXT NOT NULL,
              traceparent TEXT NOT NULL,
              created_us BIGINT NOT NULL
          );
          CREATE INDEX outbox_by_topic ON outbox (topic, seq);
          CREATE TABLE inbox_offset (
              consumer TEXT NOT NULL,
              source TEXT NOT NULL,
              epoch TEXT NOT NULL,
              seq BIGINT NOT NULL,
              holder TEXT NOT NULL,
              held_until_us BIGINT NOT NULL,
              PRIMARY KEY (consumer, source)
          );
          CREATE TABLE inbox_seen (
              consumer TEXT NOT NULL,
              id TEXT NOT NULL,
              seen_us BIGINT NOT NULL,
              PRIMARY KEY (consumer, id)
          );
          CREATE INDEX inbox_seen_by_age ON inbox_seen (seen_us);
          CREATE TABLE dead_letters (
              consumer TEXT NOT NULL,
              id TEXT NOT NULL,
              topic TEXT NOT NULL,
              payload TEXT NOT NULL,
              reason TEXT NOT NULL,
              died_us BIGINT NOT NULL,
              PRIMARY KEY (consumer, id)
          );"
        )
    };
}

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "outbox, inbox and done writes",
    sql: own_tables!("seq INTEGER PRIMARY KEY AUTOINCREMENT"),
    postgres: Some(own_tables!("seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")),
}];
