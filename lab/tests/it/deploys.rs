//! Deploys in a running arm.

use crate::cleave::{Cleave, is_starved, scenario};

/// A failed check of a value, as a sentence.
fn open(document: &serde_json::Value) -> Vec<String> {
    let checks = document["checks"].as_array().expect("a list");
    let open = checks.iter().filter(|check| check["verdict"] != "pass");
    open.map(|check| format!("{}: {} {}", check["text"], check["value"], check["reason"])).collect()
}

#[test]
fn every_service_is_redeployed_at_half_load_without_failures() {
    let cleave = Cleave::new();
    let (document, _) = cleave.document(&[&scenario("roll-all")]);
    if is_starved(&document) {
        println!("not decided: the machine was too busy: {}", document["lints"]);
        return;
    }
    assert_eq!(open(&document), Vec::<String>::new(), "{}", document["lints"]);
    assert_eq!(document["verdict"], "pass", "{}", document["lints"]);
}
