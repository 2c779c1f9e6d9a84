//! The JSON Schema (draft 2020-12) of a record's lines, for whoever reads records without this program.
//!
//! - [`line()`]: the schema; committed as `lab/record/schema/line.json`.
//! - [`defs`]: its definitions, which documents made of a record share.
//! - [`faults`]: what of a value does not fit a schema.
//!
//! Written out, because the types have texts for values and old records lack what came later; a test fills every
//! type and compares the keys both ways.

mod fit;
mod outcome;
mod plan;
mod requests;
mod seconds;
mod words;

pub use fit::{KEYWORDS, faults};
pub use words::{
    flag, letter, list, map_of, nullable, number, object, of, one_of, pair_of, text, texts, whole,
};

use serde_json::{Map, Value, json};

/// What every schema of ours says it is written in.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of one line.
pub fn line() -> Value {
    let kinds = [
        "header", "phase", "window", "edge", "proc", "host", "event", "check", "score", "cost", "trace",
        "split", "audit", "end",
    ];
    let mut defs = defs();
    // A line is its kind's fields, with the kind and the moment among them.
    for kind in kinds {
        let def = defs.get_mut(kind).expect("every kind is defined");
        def["properties"]["kind"] = json!({ "const": kind });
        def["properties"]["t"] = whole("when it was written, ns since the run's start");
        let required = def["required"].as_array_mut().expect("a list");
        required.extend([json!("t"), json!("kind")]);
    }
    json!({
        "$schema": DIALECT,
        "title": "a line of a run record of Cleave",
        "description": "run.jsonl: one object a line, the first a header, the last an end. A later version may add kinds \
            and keys: skip what you do not know. No end means that the run was cut short.",
        "type": "object",
        "oneOf": kinds.map(of),
        "$defs": defs,
    })
}

/// The types of a record, by the kind of line or their own name.
pub fn defs() -> Map<String, Value> {
    let mut defs = Map::new();
    let all = plan::header().into_iter().chain(seconds::seconds()).chain(outcome::outcome());
    for (name, def) in all.chain(requests::traces()) {
        defs.insert(name.to_owned(), def);
    }
    defs
}

/// A definition and its name.
type Def = (&'static str, Value);
