//! `change-schema`: a table on a database server gets another column under load, one part of expand and contract at a time.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind};
use crate::TargetKind;

/// For real, in sessions of the lab, as a migration does it: it gives up the lock of a table that others hold and tries again, until
/// the step ends. The column is one that no statement of the application names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSchema {
    /// The table's name in the component's database, such as `feed_posts`.
    pub table: String,
    /// What is done to it.
    pub change: SchemaChange,
}

/// A part of expand and contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SchemaChange {
    /// `ALTER TABLE .. ADD COLUMN`: rows that are there have no value in it, those that come have one.
    AddColumn,
    /// Rows without a value get one, a hundred in a transaction.
    FillColumn,
    /// `ALTER TABLE .. DROP COLUMN`.
    DropColumn,
}

impl FaultKind for ChangeSchema {
    const ACTUATOR: Actuator = Actuator::Session;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["table", "change"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Store];
}

impl fmt::Display for SchemaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AddColumn => "adds a column",
            Self::FillColumn => "fills the column",
            Self::DropColumn => "drops the column",
        })
    }
}

impl fmt::Display for ChangeSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let preposition = match self.change {
            SchemaChange::AddColumn => "to",
            SchemaChange::FillColumn | SchemaChange::DropColumn => "of",
        };
        write!(f, "{} {preposition} {}", self.change, self.table)
    }
}
