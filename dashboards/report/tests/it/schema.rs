//! The committed schemas say what the documents hold.

use std::path::Path;

use model::Run;
use report::Comparison;
use report::document::{self, schema};
use serde_json::{Value, json};

use crate::fixture::{other_lines, reported, run};

/// What of a document does not fit its schema.
fn faults(schema: &Value, document: &Value) -> Vec<String> {
    let validator = jsonschema::draft202012::new(schema).expect("a valid schema");
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn documents_of_a_run_and_of_two_fit_their_schemas() {
    let (one, two) = (run(), reported(&other_lines()));
    let run = json!(document::document(&one, Some("runs/x".into())));
    assert_eq!(faults(&schema::document(), &run), [""; 0]);
    let both = json!(document::comparison(&Comparison::of(&one, &two)));
    assert_eq!(faults(&schema::comparison(), &both), [""; 0]);
}

#[test]
fn documents_of_a_kept_record_fit_their_schemas() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the root of the workspace");
    let reader = record::Reader::open(&root.join("lab/tests/it/records/crash.jsonl")).expect("a record");
    let mut run = Run::default();
    run.take(&reader.collect::<Result<Vec<_>, _>>().expect("readable"));
    assert_eq!(faults(&schema::document(), &json!(document::document(&run, None))), [""; 0]);
    let both = json!(document::comparison(&Comparison::of(&run, &run)));
    assert_eq!(faults(&schema::comparison(), &both), [""; 0]);
}

#[test]
fn a_run_that_was_cut_short_fits_too() {
    let mut cut = run();
    cut.end = None;
    let run = json!(document::document(&cut, None));
    assert_eq!(faults(&schema::document(), &run), [""; 0]);
    assert_eq!((&run["verdict"], &run["exit_code"]), (&json!("invalid"), &json!(3)));
}

#[test]
fn what_does_not_fit_is_found_and_every_key_is_demanded() {
    let whole = json!(document::document(&run(), None));
    let mut wrong = whole.clone();
    wrong["checks"][0]["verdict"] = json!("perhaps");
    wrong["seed"] = json!(-1);
    let found = faults(&schema::document(), &wrong);
    assert_eq!(found.len(), 2, "{found:?}");
    for key in whole.as_object().expect("a table").keys() {
        let mut without = whole.clone();
        without.as_object_mut().expect("a table").remove(key);
        assert_eq!(faults(&schema::document(), &without).len(), 1, "without {key}");
    }
}

#[test]
fn the_committed_schemas_are_these() {
    for (name, schema) in [("document", schema::document()), ("comparison", schema::comparison())] {
        let path = format!("{}/../../lab/record/schema/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == format!("{schema:#}\n"),
            "write it again: cleave schema {name} > lab/record/schema/{name}.json"
        );
    }
}
