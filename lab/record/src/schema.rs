//! The JSON Schema (draft 2020-12) of a record's lines, for readers other than this program: derived from the types that
//! the reader reads, so that the two cannot disagree.
//!
//! - [`line()`]: the schema of a line; committed as `lab/record/schema/line.json`.
//! - [`of_written`]: the schema of a document that is made of a record's types and only written.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use crate::Line;

/// The schema of one line, as the reader takes it: a key that an older record may lack is not required.
pub fn line() -> Value {
    of::<Line>(SchemaSettings::draft2020_12().for_deserialize(), "a line of a run record of Cleave")
}

/// The schema of a document as it is written: a key that is always there is required, even where its value is null.
pub fn of_written<T: JsonSchema>(title: &str) -> Value {
    of::<T>(SchemaSettings::draft2020_12().for_serialize(), title)
}

fn of<T: JsonSchema>(settings: SchemaSettings, title: &str) -> Value {
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(bounded).transform(&mut schema);
    RecursiveTransform(described).transform(&mut schema);
    schema.insert("title".to_owned(), json!(title));
    schema.to_value()
}

/// Integers go up to the size of their type.
fn bounded(schema: &mut Schema) {
    if schema.get("format").is_some_and(|format| format == "uint32") {
        schema.as_object_mut().map(|object| object.entry("maximum").or_insert(json!(u32::MAX)));
    }
}

/// Descriptions are comments of the source, whose lines break where the source's do and whose `None` is a null.
fn described(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace("`None`", "null");
    }
}
