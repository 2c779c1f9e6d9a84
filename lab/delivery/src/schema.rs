//! The JSON Schema of the document, derived from its types; committed as `lab/delivery/schema/structure.json`.

use serde_json::Value;

use crate::document::Structure;

/// The schema of `cleave structure --output json`.
pub fn structure() -> Value {
    record::schema::of_written::<Structure>("the structure of a workspace")
}
