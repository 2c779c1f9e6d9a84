//! `lock-table`: a table is locked on a database server, as by a change of its schema.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::TargetKind;

/// The lock of `ALTER TABLE`, ACCESS EXCLUSIVE: readers wait as well as writers, and so do statements that come while it waits itself
/// for those before it. Only a database server has locks of tables; a file of SQLite has one lock, `db-lock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockTable {
    /// The table's name in the component's database, such as `feed_posts`.
    pub table: String,
}

impl FaultKind for LockTable {
    const ACTUATOR: Actuator = Actuator::Session;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["table"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Store];
}

impl fmt::Display for LockTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "locks table {}", self.table)
    }
}
