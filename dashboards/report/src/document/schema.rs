//! The JSON Schemas of the documents, derived from their types; committed as `lab/record/schema/document.json` and
//! `comparison.json`.

use record::schema::of_written;
use serde_json::Value;

use super::{ComparisonDocument, Document};

/// The schema of `cleave run --output json` and `cleave report --output json`.
pub fn document() -> Value {
    of_written::<Document<'_>>("a run of Cleave")
}

/// The schema of `cleave report --compare --output json`.
pub fn comparison() -> Value {
    of_written::<ComparisonDocument<'_>>("two runs of Cleave")
}
