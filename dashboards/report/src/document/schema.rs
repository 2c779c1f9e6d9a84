//! The JSON Schemas of the documents; committed as `lab/record/schema/document.json` and `comparison.json`.

use record::schema::{self, DIALECT, flag, list, map_of, nullable, number, object, of, text, texts, whole};
use serde_json::{Map, Value, json};

use super::SCHEMA_VERSION;

fn version() -> Value {
    json!({ "const": SCHEMA_VERSION, "description": "version of the document: refuse any other" })
}

fn or_null(schema: Value, description: &str) -> Value {
    json!({ "oneOf": [schema, { "type": "null" }], "description": description })
}

fn run() -> Value {
    object(
        &[
            ("schema_version", version()),
            ("run_id", text("names the run and its folder")),
            ("scenario", text("the scenario's name")),
            ("title", text("its title")),
            ("seed", whole("the seed used")),
            ("version", text("version of Cleave, with the commit it was built from")),
            ("way", text("side by side, or interleaved")),
            ("rounds", whole("rounds of an interleaved run; 1 side by side")),
            ("verdict", or_null(of("verdict"), "null when interrupted")),
            ("exit_code", whole("0 pass, 1 fail, 3 invalid, 4 inconclusive, 130 interrupted")),
            ("ready_ms", whole("from the program's start until every arm served, ms")),
            ("pss_mib", nullable(number("highest memory of everything, MiB; null when cut short"))),
            ("schedule_digest", text("digest of the schedule offered to every arm")),
            ("machine", of("machine")),
            ("arms", list(of("arm"), "the arms, A first")),
            ("checks", list(of("judged"), "how each expectation stands in the end")),
            ("scorecard", list(of("score"), "rows of the scorecard")),
            ("audits", list(of("audit"), "audits of acknowledged writes, one per arm")),
            ("symptoms", list(of("symptom"), "what was wrong, by arm; none for a sweep of many arms")),
            ("lints", list(of("lint"), "reasons not to believe the run")),
        ],
        &[("run_dir", text("the run's folder"))],
    )
}

fn symptom() -> Value {
    let second = |which: &str| whole(&format!("second of the load at whose end it was {which}"));
    object(
        &[
            ("arm", text("letter")),
            ("kind", text("retry_amplification, queue_growing, breaker_open, ..")),
            ("place", text("where: feed#0, or feed->follower")),
            ("text", text("in words, as it was at its worst")),
            ("first_s", second("first there")),
            ("last_s", second("last there")),
            ("worst_s", second("worst")),
            ("seconds", whole("seconds at whose end it was there, rounds added up")),
        ],
        &[],
    )
}

/// The record's types that documents are made of, and a check with its line.
fn defs() -> Map<String, Value> {
    let mut defs = schema::defs();
    let used =
        ["machine", "instance", "arm", "interval", "verdict", "check", "measured", "score", "audit", "lint"];
    defs.retain(|name, _| used.contains(&name.as_str()));
    let mut judged = defs["check"].clone();
    judged["properties"]["line"] = whole("line of the scenario file; 0 where it is not known");
    judged["required"].as_array_mut().expect("a list").push(json!("line"));
    defs.insert("judged".into(), judged);
    defs.insert("symptom".into(), symptom());
    defs
}

/// The schema of `cleave run --output json` and `cleave report --output json`.
pub fn document() -> Value {
    let mut defs = defs();
    // What only comparisons refer to.
    defs.remove("check");
    titled(run(), "a run of Cleave", defs)
}

/// The schema of `cleave report --compare --output json`.
pub fn comparison() -> Value {
    let mut defs = defs();
    let two = |inner: Value, description: &str| json!({ "type": "array", "items": or_null(inner, "null where there is none"), "minItems": 2, "maxItems": 2, "description": description });
    let values = object(
        &[
            ("runs", two(of("measured"), "one for each run; null in a run without such an arm")),
            (
                "finding",
                text(
                    "differs, only where the intervals do not overlap; no difference, no interval, not measured",
                ),
            ),
            ("is_second_better", nullable(flag("null where they do not differ"))),
        ],
        &[],
    );
    let row = object(
        &[
            ("id", text("stable id: latency_p99")),
            ("claim", text("the trade-off it measures")),
            ("measure", text("in words")),
            ("unit", text("unit")),
            ("window", text("phase, or whole")),
            ("arms", map_of(of("values"), "by the name of the arm")),
        ],
        &[],
    );
    let expected = object(
        &[
            ("text", text("the expectation")),
            ("arm", text("the arm's name; empty where it compares arms")),
            ("runs", two(of("check"), "how it stands in each; null in a run that was not asked")),
        ],
        &[],
    );
    for (name, def) in [("run", run()), ("values", values), ("row", row), ("expected", expected)] {
        defs.insert(name.into(), def);
    }
    let both = object(
        &[
            ("schema_version", version()),
            ("runs", json!({ "type": "array", "items": of("run"), "minItems": 2, "maxItems": 2 })),
            ("warnings", texts("what else is different between them")),
            ("scorecard", list(of("row"), "rows of the scorecard, of both")),
            ("checks", list(of("expected"), "expectations, of both")),
        ],
        &[],
    );
    titled(both, "two runs of Cleave", defs)
}

fn titled(mut schema: Value, title: &str, defs: Map<String, Value>) -> Value {
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!(title);
    schema["$defs"] = Value::Object(defs);
    schema
}
