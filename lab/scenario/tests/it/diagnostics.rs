//! Every file of `bad/` holds the faults its name says; beside it stands what its writer is told.

use std::path::Path;

use crate::{files, read, stem, text};

/// Where the scenarios with faults lie.
pub(crate) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/bad");
/// Set it to write the complaints anew, then look at each.
const UPDATE_VARIABLE: &str = "WRITE_COMPLAINTS";

/// What reading `toml` complains of. Lists that grow with every kind of fault and every measure
/// stand there by name, so that a new one changes no complaint.
fn message_of(name: &str, toml: &str) -> Option<String> {
    let printed = read(&format!("{name}.toml"), toml).err()?.to_string();
    let verbs: Vec<&str> = scenario::action::verbs().collect();
    let measures: Vec<String> = scorecard::measures::CATALOGUE.iter().map(|one| one.form()).collect();
    Some(printed.replace(&verbs.join(", "), "{verbs}").replace(&measures.join(", "), "{measures}"))
}

/// What reading `toml` complains of is word for word `complaint`.
fn check(name: &str, toml: &str, complaint: &str) -> Result<(), String> {
    let Some(found) = message_of(name, toml) else {
        return Err(format!("{name}: was read without fault"));
    };
    if found == complaint.trim_end_matches('\n') {
        return Ok(());
    }
    Err(format!("{name}: complains\n{found}\n--- instead of\n{complaint}"))
}

#[test]
fn every_message_equals_its_file() {
    let mut wrong = Vec::new();
    let cases = files(Path::new(FOLDER), "toml");
    for path in &cases {
        let (name, toml) = (stem(path), text(path));
        let beside = path.with_extension("txt");
        if std::env::var_os(UPDATE_VARIABLE).is_some() {
            let printed = message_of(&name, &toml).expect(&name);
            std::fs::write(&beside, printed + "\n").expect("a folder of ours");
        }
        match std::fs::read_to_string(&beside) {
            Ok(complaint) => wrong.extend(check(&name, &toml, &complaint).err()),
            Err(error) => wrong.push(format!("{name}: no complaint beside it: {error}")),
        }
    }
    assert!(!cases.is_empty(), "no case in {FOLDER}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_message_file_has_its_scenario() {
    for path in files(Path::new(FOLDER), "txt") {
        assert!(path.with_extension("toml").exists(), "{} has no scenario beside it", path.display());
    }
}
