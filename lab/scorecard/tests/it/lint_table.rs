//! The table of lints in `scenarios/README.md`: it is written from the catalogue, and fails here when it is stale.

use scorecard::lints::{CATALOGUE, Effect};

use crate::method_tables::with_table;

/// Set this variable to write the table again.
const UPDATE_VARIABLE: &str = "UPDATE_LINTS";
const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/README.md");

fn table() -> String {
    let mut table = String::from("| lint | reported when | effect |\n|---|---|---|\n");
    for effect in Effect::ALL {
        for lint in CATALOGUE.iter().filter(|lint| lint.effect == effect) {
            table += &format!("| `{}` | {} | {} |\n", lint.name, lint.meaning, effect.words());
        }
    }
    table
}

#[test]
fn the_table_of_the_scenarios_is_that_of_the_catalogue() {
    let committed = std::fs::read_to_string(SCENARIOS).expect("scenarios/README.md");
    let written = with_table(&committed, "lints", &table());
    if std::env::var_os(UPDATE_VARIABLE).is_some() {
        std::fs::write(SCENARIOS, &written).expect("scenarios/README.md");
        return;
    }
    assert!(
        committed == written,
        "scenarios/README.md is stale; write it again: {UPDATE_VARIABLE}=1 cargo test -p scorecard --test it lint_table"
    );
}
