//! The schema for editors says what the reader reads: in every table it knows the same keys.

use scenario::schema::schema;
use serde_json::Value;

use crate::{COMPONENTS, read};

/// A scenario that is right, with a place for a key nobody knows.
fn with(place: &str, line: &str) -> String {
    let here = |name: &str| if name == place { line } else { "" };
    format!(
        r#"schema = 1
name = "x"
title = "t"
why = "w"
{}
phases = [{{ name = "steady", for = "5s", {} }}]
budget = {{ cores = 1, {} }}
[load]
rate = "10/s"
{}
[topology.mono]
processes = {{ app = ["gateway", "*"] }}
{}
[service.feed]
slots = 4
{}
[policy."feed->photo"]
timeout = "1s"
{}
[variant.v]
{}
[stop]
max = "60s"
{}
"#,
        here("top"),
        here("phase").replace('\n', ""),
        here("budget").replace('\n', ""),
        here("load"),
        here("topology"),
        here("service"),
        here("policy"),
        here("variant"),
        here("stop"),
    )
}

/// The keys the reader offers when it meets one it does not know.
fn known_to_the_reader(place: &str) -> Vec<String> {
    let line = if matches!(place, "phase" | "budget") { "qqqqqqqq = 1" } else { "qqqqqqqq = 1\n" };
    let diagnostics = read("x", &with(place, line)).expect_err("nobody knows that key").to_string();
    let line = diagnostics
        .lines()
        .find(|line| line.contains("qqqqqqqq") && line.contains("unknown"))
        .unwrap_or_else(|| panic!("{place}: {diagnostics}"));
    let choices = line.rsplit_once(": ").expect("choices follow").1;
    let mut keys: Vec<String> = choices.split(", ").map(str::to_owned).collect();
    keys.sort();
    keys
}

fn known_to_the_schema(schema: &Value, pointer: &str) -> Vec<String> {
    let properties = schema.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"))["properties"].clone();
    let mut keys: Vec<String> = properties.as_object().expect("a table").keys().cloned().collect();
    keys.sort();
    keys
}

#[test]
fn the_schema_knows_the_keys_the_reader_knows() {
    let schema = schema(&COMPONENTS);
    for (place, pointer) in [
        ("top", ""),
        ("phase", "/properties/phases/items"),
        ("budget", "/properties/budget"),
        ("load", "/properties/load"),
        ("topology", "/properties/topology/additionalProperties"),
        ("service", "/properties/service/properties/feed"),
        ("policy", "/properties/policy/additionalProperties"),
        ("variant", "/properties/variant/additionalProperties"),
        ("stop", "/properties/stop"),
    ] {
        assert_eq!(known_to_the_schema(&schema, pointer), known_to_the_reader(place), "{place}");
    }
}

#[test]
fn every_verb_and_its_fields_are_in_the_schema() {
    let schema = schema(&COMPONENTS);
    let step = known_to_the_schema(&schema, "/properties/step/items");
    for verb in scenario::action::verbs() {
        for field in scenario::action::fields(verb).expect("a verb has fields") {
            assert!(step.iter().any(|key| key == field), "{verb}: {field}");
        }
    }
}
