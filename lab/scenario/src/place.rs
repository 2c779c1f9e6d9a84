//! Where in a file a fault stands, and its words: serde's own are for programmers.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::read::Value;
use crate::source::unknown;

pub(crate) fn remove<'i>(table: &mut DeTable<'i>, key: &str) -> Option<Value<'i>> {
    table.remove_entry(key).map(|(_, value)| value)
}

/// Takes the entry that covers `span` out of a table; false where there is none.
pub(crate) fn take_out(value: &mut Value<'_>, span: &Range<usize>) -> bool {
    let DeValue::Table(table) = value.get_mut() else { return false };
    let covers = |place: Range<usize>| place.start <= span.start && span.end <= place.end;
    let guilty = table.iter().find(|(key, value)| covers(key.span()) || covers(value.span()));
    let Some(name) = guilty.map(|(key, _)| key.get_ref().to_string()) else { return false };
    table.remove(name.as_str()).is_some()
}

/// A key's text and place in a table; the table's own place where it has none.
pub(crate) fn text_of(table: &Value<'_>, key: &str) -> (Option<String>, Range<usize>) {
    let value = table.get_ref().as_table().and_then(|table| table.get(key));
    let text = value.and_then(|value| value.get_ref().as_str()).map(str::to_owned);
    (text, value.map_or(table.span(), Spanned::span))
}

/// A key or a text somewhere in a value.
#[derive(Clone)]
pub(crate) struct Place {
    pub word: String,
    pub is_key: bool,
    pub span: Range<usize>,
}

/// Every key and text of a value within `span`, in the order of the file's tables.
pub(crate) fn places(value: &Value<'_>, span: &Range<usize>) -> Vec<Place> {
    let mut found = Vec::new();
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value.get_ref() {
            DeValue::String(text) => {
                found.push(Place { word: text.to_string(), is_key: false, span: value.span() });
            }
            DeValue::Array(items) => left.extend(items.iter()),
            DeValue::Table(table) => {
                for (key, value) in table {
                    found.push(Place { word: key.get_ref().to_string(), is_key: true, span: key.span() });
                    left.push(value);
                }
            }
            _ => {}
        }
    }
    // The span of a `[table]` is that of its header alone, so that a whole value has no bounds.
    found.sort_by_key(|place| place.span.start);
    if *span == value.span() { found } else { within(&found, span) }
}

pub(crate) fn within(places: &[Place], span: &Range<usize>) -> Vec<Place> {
    let inside = |place: &&Place| span.start <= place.span.start && place.span.end <= span.end;
    places.iter().filter(inside).cloned().collect()
}

/// The place a message speaks of: where a text it quotes stands last, or else a key it names.
pub(crate) fn nearest(places: &[Place], message: &str) -> Option<Range<usize>> {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let text = |word: &&str| places.iter().rev().find(|place| !place.is_key && place.word == **word);
    let key = |word: &str| places.iter().rev().find(|place| place.is_key && place.word == word);
    let words = message.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
    quoted
        .iter()
        .find_map(text)
        .or_else(|| quoted.iter().find_map(|word| key(word)))
        .or_else(|| words.into_iter().find_map(key))
        .map(|place| place.span.clone())
}

/// Serde's words in those of a scenario's writer, with a guess at what was meant.
pub(crate) fn explain(message: &str) -> String {
    let parts: Vec<&str> = message.split('`').collect();
    match parts.as_slice() {
        ["unknown field ", written, _] => format!("unknown key `{written}`; there are no keys here"),
        ["unknown field ", written, _, choices @ ..] => {
            let choices: Vec<&str> = choices.iter().copied().step_by(2).collect();
            unknown("key", written, choices)
        }
        ["unknown variant ", written, _, choices @ ..] => {
            let choices: Vec<&str> = choices.iter().copied().step_by(2).collect();
            unknown("value", written, choices)
        }
        ["missing field ", key, ..] => {
            let example = match *key {
                "for" => "for = \"5s\"",
                "by" => "by = \"150ms\"",
                "name" => "name = \"steady\"",
                "status" => "status = 503",
                "after" => "after = \"1s\"",
                "rate" => "rate = \"100/s\"",
                "processes" => "processes = { app = [\"gateway\", \"*\"] }",
                _ => return format!("`{key}` is missing"),
            };
            format!("`{key}` is missing; write for example {example}")
        }
        _ => wrong_type(message).unwrap_or_else(|| message.trim_end().replace('\n', " ")),
    }
}

/// ``invalid type: integer `5`, expected a string`` as ``write a text in quotes, not integer `5` ``.
fn wrong_type(message: &str) -> Option<String> {
    if message == "wanted string or table" {
        return Some("write a text in quotes or a table: { .. }".to_owned());
    }
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, wanted) = rest.rsplit_once(", expected ")?;
    let wanted = match wanted {
        "a string" | "string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list: [..]",
        "a map" => "a table: { .. }",
        "i64" | "usize" | "u64" | "u32" | "u16" | "u8" if message.starts_with("invalid value") => {
            "a whole number of fitting size"
        }
        "i64" | "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number",
        "f64" | "f32" => "a number",
        wanted if wanted.starts_with("struct ") || wanted.contains(" enum ") => "a table: { .. }",
        wanted => wanted,
    };
    let found = match found {
        "map" => "a table",
        "sequence" => "a list",
        found => found,
    };
    Some(format!("write {wanted}, not {found}"))
}
