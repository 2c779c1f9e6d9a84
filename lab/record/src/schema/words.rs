//! The few words schemas are written in.

use serde_json::{Map, Value, json};

fn described(mut schema: Value, description: &str) -> Value {
    if !description.is_empty() {
        schema["description"] = json!(description);
    }
    schema
}

/// A text.
pub fn text(description: &str) -> Value {
    described(json!({ "type": "string" }), description)
}

/// A list of texts.
pub fn texts(description: &str) -> Value {
    list(text(""), description)
}

/// A letter or a dash.
pub fn letter(description: &str) -> Value {
    described(json!({ "type": "string", "minLength": 1, "maxLength": 1 }), description)
}

/// A whole number from 0 on.
pub fn whole(description: &str) -> Value {
    described(json!({ "type": "integer", "minimum": 0 }), description)
}

/// A number.
pub fn number(description: &str) -> Value {
    described(json!({ "type": "number" }), description)
}

/// True or false.
pub fn flag(description: &str) -> Value {
    described(json!({ "type": "boolean" }), description)
}

/// One of a few words.
pub fn one_of(words: &[&str], description: &str) -> Value {
    described(json!({ "enum": words }), description)
}

/// A list.
pub fn list(inner: Value, description: &str) -> Value {
    described(json!({ "type": "array", "items": inner }), description)
}

/// A list of two.
pub fn pair_of(inner: Value, description: &str) -> Value {
    described(json!({ "type": "array", "items": inner, "minItems": 2, "maxItems": 2 }), description)
}

/// A table of any keys.
pub fn map_of(inner: Value, description: &str) -> Value {
    described(json!({ "type": "object", "additionalProperties": inner }), description)
}

/// What is defined elsewhere in the schema.
pub fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// The same, or null.
pub fn nullable(mut schema: Value) -> Value {
    let kind = schema["type"].take();
    schema["type"] = json!([kind, "null"]);
    schema
}

/// A table of these keys: those there always are, and those that may be absent. Others may come with later versions.
pub fn object(always: &[(&str, Value)], sometimes: &[(&str, Value)]) -> Value {
    let known: Map<String, Value> =
        always.iter().chain(sometimes).map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let required: Vec<&str> = always.iter().map(|(key, _)| *key).collect();
    json!({ "type": "object", "properties": known, "required": required })
}
