//! The schema and the reader agree: both take what is written, and both refuse what is not a line.

use std::collections::BTreeSet;
use std::path::Path;

use jsonschema::Validator;
use record::{Reader, schema};
use serde_json::{Value, json};

use crate::filled;

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema::line()).expect("a valid schema")
}

/// A line of every kind as JSON, each field filled.
fn values() -> Vec<Value> {
    filled::lines().iter().map(|line| serde_json::to_value(line).expect("json")).collect()
}

/// What the reader makes of lines after a header.
fn read<'v>(lines: impl IntoIterator<Item = &'v Value>) -> Vec<Result<(), String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.jsonl");
    let text: String = lines.into_iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, format!("{}\n{text}", values()[0])).expect("writes");
    let mut reader = Reader::open(&path).expect("begins with a header");
    let mut read = Vec::new();
    loop {
        match reader.next_line() {
            Ok(Some(_)) => read.push(Ok(())),
            Ok(None) => break,
            Err(error) => read.push(Err(error.to_string().replace(&path.display().to_string(), "run.jsonl"))),
        }
    }
    read.remove(0).expect("the header is valid");
    read
}

/// Every place in a value where something else could stand, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                found.push(at.clone());
                places(inner, &at, found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                let at = format!("{at}/{index}");
                found.push(at.clone());
                places(inner, &at, found);
            }
        }
        _ => {}
    }
}

/// A value without what stands at a place.
fn without(value: &Value, place: &str) -> Value {
    let mut value = value.clone();
    let (parent, key) = place.rsplit_once('/').expect("a pointer");
    match value.pointer_mut(parent).expect("a parent") {
        Value::Object(fields) => drop(fields.remove(&key.replace("~1", "/").replace("~0", "~"))),
        Value::Array(items) => drop(items.remove(key.parse().expect("an index"))),
        _ => unreachable!("only tables and lists have places"),
    }
    value
}

fn with(value: &Value, place: &str, other: Value) -> Value {
    let mut value = value.clone();
    *value.pointer_mut(place).expect("a place") = other;
    value
}

#[test]
fn every_line_that_is_kept_fits_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("record lies in lab");
    let validator = validator();
    let mut lines = 0;
    for record in [
        format!("record/tests/it/records/v{}.jsonl", record::SCHEMA_VERSION),
        "tests/it/records/crash.jsonl".to_owned(),
    ] {
        let text = std::fs::read_to_string(root.join(&record)).expect("a record that is kept");
        for (at, line) in text.lines().enumerate() {
            let value = serde_json::from_str(line).expect("JSON");
            let error = validator.validate(&value).err();
            assert!(error.is_none(), "{record}:{}: {}", at + 1, error.expect("an error"));
            lines += 1;
        }
    }
    assert!(lines > 500, "{lines} lines were checked");
}

#[test]
fn schema_and_reader_take_a_line_of_every_kind() {
    let schema = schema::line();
    let kinds: BTreeSet<&str> = filled::lines().iter().map(|line| line.entry.kind()).collect();
    assert_eq!(kinds.len(), schema["oneOf"].as_array().map_or(0, Vec::len), "a line of every kind");
    let validator = validator();
    let mut lines = values();
    lines.extend(values().into_iter().map(|mut line| {
        // A later version may add keys.
        line["later"] = json!(1);
        line
    }));
    for (line, read) in lines.iter().zip(read(&lines)) {
        assert!(validator.is_valid(line) && read.is_ok(), "{}: {read:?}", line["kind"]);
    }
}

#[test]
fn schema_and_reader_refuse_the_same_lines() {
    let others =
        || [json!(null), json!(true), json!(-1), json!(1.5), json!(""), json!("ab"), json!([]), json!({})];
    let validator = validator();
    for value in values() {
        let kind = &value["kind"];
        let mut found = Vec::new();
        places(&value, "", &mut found);
        found.retain(|place| place != "/kind");
        let mut changed = Vec::new();
        for place in &found {
            let lines = others().map(|other| with(&value, place, other)).into_iter();
            changed.extend(lines.chain([without(&value, place)]).map(|line| (place, line)));
        }
        let mut refused = 0;
        for ((place, line), read) in changed.iter().zip(read(changed.iter().map(|(_, line)| line))) {
            let fits = validator.is_valid(line);
            // No schema can say whether a text is a histogram.
            let is_text = line.pointer(place).is_some_and(|text| text == "ab");
            assert!(fits == read.is_ok() || fits && is_text, "{kind}{place}: {line}\nreader: {read:?}");
            refused += u32::from(!fits);
        }
        assert!(refused > 10, "{kind}: only {refused} lines were refused");
    }
}

#[test]
fn a_wrong_line_of_each_kind_is_refused_with_its_place() {
    let wrong = |value: &Value| {
        let fields = value.as_object().expect("a table");
        let number = fields.iter().find(|(key, value)| value.is_u64() && *key != "t").map(|(key, _)| key);
        let key = number.or_else(|| fields.keys().find(|key| !["t", "kind"].contains(&key.as_str())));
        let key = key.expect("a field").clone();
        (with(value, &format!("/{key}"), json!([true])), key)
    };
    let (lines, keys): (Vec<Value>, Vec<String>) = values().iter().map(wrong).unzip();
    for (at, read) in read(&lines).into_iter().enumerate() {
        let (line, key) = (&lines[at], &keys[at]);
        let message = read.expect_err("no such line");
        let (place, reason) = message.split_once(": invalid line of a run record: ").expect("a reason");
        // The column is that of the wrong value, which begins after its key.
        let begin = line.to_string().find(&format!("\"{key}\":")).expect("the key") + key.len() + 3;
        let column = place.strip_prefix(&format!("run.jsonl:{}:", at + 2)).and_then(|at| at.parse().ok());
        let column: usize = column.unwrap_or_else(|| panic!("{place}"));
        assert!((begin..begin + 6).contains(&column), "{key} is at {begin}, not {column}: {line}");
        assert!(reason.starts_with("invalid type: "), "{key}: {reason}");
    }
    let end = values().pop().expect("an end line");
    let message = read(&[without(&end, "/exit_code")]).remove(0).expect_err("no such line");
    assert!(message.ends_with("invalid line of a run record: missing field `exit_code`"), "{message}");
}

#[test]
fn every_key_is_described_in_a_sentence_for_other_readers() {
    let schema = schema::line();
    for (name, def) in schema["$defs"].as_object().expect("definitions") {
        assert!(def["description"].is_string(), "{name}");
        for (key, property) in def["properties"].as_object().into_iter().flatten() {
            let text = property["description"].as_str().unwrap_or_default();
            let is_plain = !text.contains("[`") && !text.contains('\n') && !text.contains("None");
            assert!(!text.is_empty() && is_plain, "{name}/{key}: {text}");
        }
    }
}

#[test]
fn the_committed_schema_is_this_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/line.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let schema = format!("{:#}\n", schema::line());
    assert!(committed == schema, "write it again: cleave schema record > lab/record/schema/line.json");
}
