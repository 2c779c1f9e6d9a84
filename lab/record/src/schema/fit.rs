//! Whether a value fits a schema: the part of JSON Schema our schemas are written in (draft 2020-12, core section 8,
//! validation section 6). A test holds them to it.

use serde_json::Value;

/// Keywords that are understood; those from `description` on say nothing about whether a value fits.
pub const KEYWORDS: &[&str] = &[
    "$ref",
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minimum",
    "oneOf",
    "description",
    "title",
    "contentEncoding",
    "$schema",
    "$defs",
];
/// Faults said of one value: the first few tell enough.
const MOST: usize = 20;

/// What of a value does not fit a schema, each with its place; nothing where it fits.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    Fit { root: schema }.look(schema, value, "", &mut faults);
    faults
}

struct Fit<'a> {
    root: &'a Value,
}

impl Fit<'_> {
    fn look(&self, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
        if faults.len() >= MOST {
            return;
        }
        if let Some(name) = schema["$ref"].as_str() {
            match self.root.pointer(name.trim_start_matches('#')) {
                Some(meant) => self.look(meant, value, place, faults),
                None => faults.push(format!("{place}: the schema has no {name}")),
            }
        }
        let before = faults.len();
        self.scalar(schema, value, place, faults);
        if faults.len() > before {
            return;
        }
        match value {
            Value::Object(_) => self.object(schema, value, place, faults),
            Value::Array(items) => {
                let outside = |key: &str, is_wrong: fn(u64, u64) -> bool| {
                    schema[key].as_u64().is_some_and(|limit| is_wrong(items.len() as u64, limit))
                };
                if outside("minItems", |n, limit| n < limit) || outside("maxItems", |n, limit| n > limit) {
                    faults.push(format!("{place}: {} items", items.len()));
                }
                for (at, item) in items.iter().enumerate().filter(|_| !schema["items"].is_null()) {
                    self.look(&schema["items"], item, &format!("{place}/{at}"), faults);
                }
            }
            _ => {}
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            self.choice(choices, value, place, faults);
        }
    }

    fn scalar(&self, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !types.is_empty() && !types.iter().any(|kind| is_of(kind, value)) {
            faults.push(format!("{place}: {} expected, {} found", types.join(" or "), short(value)));
        }
        if let Some(choices) = schema["enum"].as_array().filter(|choices| !choices.contains(value)) {
            faults.push(format!(
                "{place}: {} is none of {}",
                short(value),
                short(&Value::Array(choices.clone()))
            ));
        }
        if schema.get("const").is_some_and(|only| only != value) {
            faults.push(format!("{place}: {} expected, {} found", schema["const"], short(value)));
        }
        let least = schema["minimum"].as_f64().zip(value.as_f64());
        if least.is_some_and(|(least, value)| value < least) {
            faults.push(format!("{place}: {value} is out of bounds"));
        }
        let letters = value.as_str().map(|text| text.chars().count() as u64);
        let length = |key: &str, is_wrong: fn(u64, u64) -> bool| {
            schema[key].as_u64().zip(letters).is_some_and(|(limit, letters)| is_wrong(letters, limit))
        };
        if length("minLength", |n, limit| n < limit) || length("maxLength", |n, limit| n > limit) {
            faults.push(format!("{place}: {} has the wrong length", short(value)));
        }
    }

    fn object(&self, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if value.get(key).is_none() {
                faults.push(format!("{place}: `{key}` is missing"));
            }
        }
        for (key, inner) in value.as_object().into_iter().flatten() {
            let place = format!("{place}/{key}");
            match (schema["properties"].get(key), &schema["additionalProperties"]) {
                (Some(known), _) => self.look(known, inner, &place, faults),
                (None, Value::Bool(false)) => faults.push(format!("{place}: unknown key")),
                (None, others @ Value::Object(_)) => self.look(others, inner, &place, faults),
                (None, _) => {}
            }
        }
    }

    /// One of several: where none fits, the faults of the nearest, which is the one with the fewest.
    fn choice(&self, choices: &[Value], value: &Value, place: &str, faults: &mut Vec<String>) {
        let found: Vec<Vec<String>> = choices
            .iter()
            .map(|choice| {
                let mut faults = Vec::new();
                self.look(choice, value, place, &mut faults);
                faults
            })
            .collect();
        match found.iter().filter(|faults| faults.is_empty()).count() {
            1 => {}
            0 => faults.extend(found.into_iter().min_by_key(Vec::len).unwrap_or_default()),
            many => faults.push(format!("{place}: fits {many} of the choices, not one")),
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(59).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mismatch_is_reported_with_its_place() {
        let schema = json!({
            "type": "object",
            "required": ["a", "b"],
            "properties": {
                "a": { "type": "integer", "minimum": 0 },
                "b": { "type": "array", "items": { "$ref": "#/$defs/word" }, "maxItems": 2 },
                "c": { "type": ["number", "null"] },
                "d": { "oneOf": [{ "type": "null" }, { "$ref": "#/$defs/word" }] },
                "e": { "type": "object", "additionalProperties": { "const": 1 } },
            },
            "$defs": { "word": { "enum": ["x", "y"] } },
        });
        let reported = |value| faults(&schema, &value);
        assert_eq!(
            reported(json!({ "a": 1, "b": ["x"], "c": null, "d": "y", "e": { "k": 1 }, "later": 0 })),
            [""; 0]
        );
        assert_eq!(reported(json!({ "a": -1, "b": [] })), ["/a: -1 is out of bounds"]);
        assert_eq!(
            reported(json!({ "a": 1.5, "b": ["z"] })),
            ["/a: integer expected, 1.5 found", "/b/0: \"z\" is none of [\"x\",\"y\"]"]
        );
        assert_eq!(reported(json!({ "b": ["x", "y", "x"] })), [": `a` is missing", "/b: 3 items"]);
        assert_eq!(reported(json!({ "a": 1, "b": [], "d": 3, "e": { "k": 2 } })).len(), 2);
        assert_eq!(reported(json!([])), [": object expected, [] found"]);
    }
}
