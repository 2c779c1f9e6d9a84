//! Finds the place of a message in a file, and rewrites serde's messages for authors of scenarios.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use crate::source::unknown;

/// A value with its place.
pub(crate) type Value<'i> = Spanned<DeValue<'i>>;

pub(crate) fn remove<'i>(table: &mut DeTable<'i>, key: &str) -> Option<Value<'i>> {
    table.remove_entry(key).map(|(_, value)| value)
}

/// Removes the innermost entry that covers `span` from a table or a list and returns the name of its outermost key; none
/// where nothing covers it. What stands beside it can be read on.
pub(crate) fn remove_covering(value: &mut Value<'_>, span: &Range<usize>) -> Option<String> {
    let covers = |token: Range<usize>| token.start <= span.start && span.end <= token.end;
    match value.get_mut() {
        DeValue::Table(table) => {
            let is_meant = |(key, value): &(&Spanned<DeString<'_>>, &Value<'_>)| {
                covers(key.span()) || covers(value.span()) || holds(value, &covers)
            };
            let name = table.iter().find(is_meant).map(|(key, _)| key.get_ref().to_string())?;
            let inside = table.get_mut(name.as_str()).and_then(|inner| remove_covering(inner, span));
            if inside.is_none() {
                table.remove(name.as_str());
            }
            Some(name)
        }
        DeValue::Array(items) => {
            let at = items.iter().position(|item| covers(item.span()) || holds(item, &covers))?;
            for (index, mut item) in std::mem::replace(items, DeArray::new()).into_iter().enumerate() {
                if index != at || remove_covering(&mut item, span).is_some() {
                    items.push(item);
                }
            }
            Some(String::new())
        }
        _ => None,
    }
}

/// Whether something inside is covered: the place of a `[table]` is its header only.
fn holds(value: &Value<'_>, covers: &impl Fn(Range<usize>) -> bool) -> bool {
    match value.get_ref() {
        DeValue::Table(table) => table
            .iter()
            .any(|(key, value)| covers(key.span()) || covers(value.span()) || holds(value, covers)),
        DeValue::Array(items) => items.iter().any(|item| covers(item.span()) || holds(item, covers)),
        _ => false,
    }
}

/// The string at `key` of a table, and its place; the place of the table if the key is absent.
pub(crate) fn string_entry(table: &Value<'_>, key: &str) -> (Option<String>, Range<usize>) {
    let value = table.get_ref().as_table().and_then(|table| table.get(key));
    let text = value.and_then(|value| value.get_ref().as_str()).map(str::to_owned);
    (text, value.map_or(table.span(), Spanned::span))
}

/// A key, a string or a number within a value.
#[derive(Clone)]
pub(crate) struct Token {
    pub text: String,
    pub is_key: bool,
    pub span: Range<usize>,
}

/// Every key, string and number of a value within `span`, in the order of the file.
pub(crate) fn tokens(value: &Value<'_>, span: &Range<usize>) -> Vec<Token> {
    let mut found = Vec::new();
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        match value.get_ref() {
            DeValue::String(text) => {
                found.push(Token { text: text.to_string(), is_key: false, span: value.span() });
            }
            DeValue::Integer(number) => {
                found.push(Token { text: number.as_str().to_owned(), is_key: false, span: value.span() });
            }
            DeValue::Float(number) => {
                found.push(Token { text: number.as_str().to_owned(), is_key: false, span: value.span() });
            }
            DeValue::Array(items) => pending.extend(items.iter()),
            DeValue::Table(table) => {
                for (key, value) in table {
                    found.push(Token { text: key.get_ref().to_string(), is_key: true, span: key.span() });
                    pending.push(value);
                }
            }
            _ => {}
        }
    }
    // The span of a `[table]` covers its header only, so a whole value is not filtered by it.
    found.sort_by_key(|token| token.span.start);
    if *span == value.span() { found } else { within(&found, span) }
}

pub(crate) fn within(tokens: &[Token], span: &Range<usize>) -> Vec<Token> {
    let inside = |token: &&Token| span.start <= token.span.start && token.span.end <= span.end;
    tokens.iter().filter(inside).cloned().collect()
}

/// The place of a key of this name.
pub(crate) fn find_key(tokens: &[Token], name: &str) -> Option<Range<usize>> {
    tokens.iter().find(|token| token.is_key && token.text == name).map(|token| token.span.clone())
}

/// The place of a string.
pub(crate) fn find_string(tokens: &[Token], text: &str) -> Option<Range<usize>> {
    tokens.iter().find(|token| !token.is_key && token.text == text).map(|token| token.span.clone())
}

/// The place of a message: the last string that it quotes, or else the last key that it names.
pub(crate) fn find_token(tokens: &[Token], message: &str) -> Option<Range<usize>> {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let text = |text: &&str| tokens.iter().rev().find(|token| !token.is_key && token.text == **text);
    let key = |text: &str| tokens.iter().rev().find(|token| token.is_key && token.text == text);
    let words = message.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
    quoted
        .iter()
        .find_map(text)
        .or_else(|| quoted.iter().find_map(|word| key(word)))
        .or_else(|| words.into_iter().find_map(key))
        .map(|token| token.span.clone())
}

/// Rewrites a message of serde for the author of a scenario, with the most similar choice.
pub(crate) fn explain_serde_error(message: &str) -> String {
    let parts: Vec<&str> = message.split('`').collect();
    match parts.as_slice() {
        ["unknown field ", written, _] => format!("unknown key `{written}`; no keys are allowed here"),
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

/// Turns ``invalid type: integer `5`, expected a string`` into ``write a string in quotes, not integer `5` ``.
fn wrong_type(message: &str) -> Option<String> {
    if message.starts_with("data did not match any variant of untagged enum Jitter") {
        let forms = "write jitter = \"20ms\", or a table: { dist = \"pareto\", spread = \"40ms\", correlation = \"25%\" }";
        return Some(forms.to_owned());
    }
    if message == "wanted string or table" {
        return Some("write a string in quotes or a table: { .. }".to_owned());
    }
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, wanted) = rest.rsplit_once(", expected ")?;
    let wanted = match wanted {
        "a string" | "string" => "a string in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list: [..]",
        "a map" => "a table: { .. }",
        "i64" | "usize" | "u64" | "u32" | "u16" | "u8" if message.starts_with("invalid value") => {
            "a whole number within range"
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
