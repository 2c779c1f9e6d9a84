//! The committed schemas say what the documents hold: the same keys, none more and none less.

use record::schema::faults;
use report::Comparison;
use report::document::{self, schema};
use serde_json::{Value, json};

use crate::fixture::{other_lines, reported, run};

/// The schema with every table closed: a key it does not know is a fault then.
fn closed(mut schema: Value) -> Value {
    fn close(schema: &mut Value) {
        match schema {
            Value::Object(fields) => {
                if fields.contains_key("properties") && fields.contains_key("required") {
                    fields.insert("additionalProperties".into(), json!(false));
                }
                fields.values_mut().for_each(close);
            }
            Value::Array(items) => items.iter_mut().for_each(close),
            _ => {}
        }
    }
    close(&mut schema);
    schema
}

#[test]
fn documents_have_the_keys_of_their_schemas_and_no_others() {
    let (one, two) = (run(), reported(&other_lines()));
    let run = json!(document::document(&one, Some("runs/x".into())));
    assert_eq!(faults(&closed(schema::document()), &run), [""; 0]);
    let both = json!(document::comparison(&Comparison::of(&one, &two)));
    assert_eq!(faults(&closed(schema::comparison()), &both), [""; 0]);
}

#[test]
fn a_run_that_was_cut_short_fits_too() {
    let mut cut = run();
    cut.end = None;
    let run = json!(document::document(&cut, None));
    assert_eq!(faults(&closed(schema::document()), &run), [""; 0]);
    assert_eq!((&run["verdict"], &run["exit_code"]), (&json!("invalid"), &json!(3)));
}

#[test]
fn what_does_not_fit_is_found() {
    let mut run = json!(document::document(&run(), None));
    run["checks"][0]["verdict"] = json!("perhaps");
    run["seed"] = json!(-1);
    let faults = faults(&schema::document(), &run);
    assert_eq!(faults.len(), 2, "{faults:?}");
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
