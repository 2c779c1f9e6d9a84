//! The schema says what the writer writes: in every table the same keys, none more and none less.

use std::collections::BTreeSet;

use record::schema::{self, KEYWORDS};
use record::{Class, Entry, Kept, Line};
use serde_json::Value;

use crate::filled;

fn values() -> Vec<Value> {
    filled::lines().iter().map(|line| serde_json::to_value(line).expect("json")).collect()
}

/// Keys a value has and its schema does not know, by the place in the schema; and the places it went through.
fn walk(
    root: &Value,
    schema: &Value,
    value: &Value,
    seen: &mut BTreeSet<String>,
    unknown: &mut Vec<String>,
    place: &str,
) {
    if let Some(name) = schema["$ref"].as_str() {
        let meant = root.pointer(&name[1..]).unwrap_or_else(|| panic!("no {name}"));
        return walk(root, meant, value, seen, unknown, name);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        for choice in
            choices.iter().filter(|choice| schema::faults(&with_defs(root, choice), value).is_empty())
        {
            walk(root, choice, value, seen, unknown, place);
        }
        return;
    }
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                if let Some(known) = schema["properties"].get(key) {
                    seen.insert(format!("{place}/{key}"));
                    walk(root, known, inner, seen, unknown, &format!("{place}/{key}"));
                } else if schema["additionalProperties"].is_object() {
                    walk(root, &schema["additionalProperties"], inner, seen, unknown, place);
                } else if schema["properties"].is_object() {
                    unknown.push(format!("{place}/{key}"));
                }
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| walk(root, &schema["items"], item, seen, unknown, place));
        }
        _ => {}
    }
}

fn with_defs(root: &Value, schema: &Value) -> Value {
    let mut schema = schema.clone();
    schema["$defs"] = root["$defs"].clone();
    schema
}

#[test]
fn every_kind_of_line_fits() {
    let schema = schema::line();
    let kinds: BTreeSet<&str> = filled::lines().iter().map(|line| line.entry.kind()).collect();
    assert_eq!(kinds.len(), schema["oneOf"].as_array().map_or(0, Vec::len), "a line of every kind");
    for value in values() {
        assert_eq!(schema::faults(&schema, &value), [""; 0], "{}", value["kind"]);
    }
}

#[test]
fn the_schema_has_the_keys_the_writer_writes_and_no_others() {
    let schema = schema::line();
    let (mut seen, mut unknown) = (BTreeSet::new(), Vec::new());
    for value in values() {
        walk(&schema, &schema, &value, &mut seen, &mut unknown, "");
    }
    assert_eq!(unknown, [""; 0], "written, and not in the schema");
    let known: BTreeSet<String> = schema["$defs"]
        .as_object()
        .expect("definitions")
        .iter()
        .flat_map(|(name, def)| {
            let keys = def["properties"].as_object().into_iter().flatten();
            keys.map(move |(key, _)| format!("#/$defs/{name}/{key}"))
        })
        .collect();
    let missing: Vec<&String> = known.difference(&seen).collect();
    assert!(missing.is_empty(), "in the schema, and never written: {missing:?}");
}

#[test]
fn what_may_be_absent_is_not_missed_by_the_reader() {
    let schema = schema::line();
    for value in values() {
        let kind = value["kind"].as_str().expect("a kind").to_owned();
        let required = schema["$defs"][&kind]["required"].as_array().expect("a list").clone();
        for key in value
            .as_object()
            .expect("a table")
            .keys()
            .filter(|key| !required.contains(&Value::from(key.as_str())))
        {
            let mut without = value.clone();
            without.as_object_mut().expect("a table").remove(key);
            assert!(serde_json::from_value::<Line>(without).is_ok(), "{kind} without {key}");
        }
    }
}

#[test]
fn words_of_the_schema_are_those_of_the_types() {
    let defs = schema::defs();
    let classes: Vec<Value> =
        Class::ALL.iter().map(|class| serde_json::to_value(class).expect("json")).collect();
    assert_eq!(defs["class"]["enum"], Value::from(classes));
    for kept in [Kept::Error, Kept::Slow, Kept::Pair] {
        let word = serde_json::to_value(kept).expect("json");
        assert!(
            defs["trace"]["properties"]["kept"]["enum"].as_array().expect("a list").contains(&word),
            "{word}"
        );
    }
}

#[test]
fn a_wrong_line_is_reported_with_its_mistake() {
    let schema = schema::line();
    let line =
        filled::lines().into_iter().find(|line| matches!(line.entry, Entry::Window(_))).expect("a window");
    let mut value = serde_json::to_value(line).expect("json");
    value["ok"] = Value::from("many");
    value.as_object_mut().expect("a table").remove("bytes");
    assert_eq!(
        schema::faults(&schema, &value),
        [": `bytes` is missing", "/ok: integer expected, \"many\" found"]
    );
}

fn keywords(schema: &Value, is_schema: bool, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            for (key, inner) in fields {
                found.extend(is_schema.then(|| key.clone()));
                let names_follow = is_schema && (key == "properties" || key == "$defs");
                keywords(inner, !names_follow, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keywords(item, is_schema, found)),
        _ => {}
    }
}

#[test]
fn the_checker_understands_every_word_the_schema_uses() {
    let mut found = BTreeSet::new();
    keywords(&schema::line(), true, &mut found);
    let strange: Vec<&String> = found.iter().filter(|word| !KEYWORDS.contains(&word.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

#[test]
fn the_committed_schema_is_this_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/line.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let schema = format!("{:#}\n", schema::line());
    assert!(committed == schema, "write it again: cleave schema record > lab/record/schema/line.json");
}
