//! Every file of `bad/` holds the faults its name says; beside it stands what its writer is told.

use std::path::Path;

use crate::{files, read, stem, text};

/// Where the scenarios with faults lie.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/bad");
/// Set it to write the complaints anew, then look at each.
const WRITE: &str = "WRITE_COMPLAINTS";

/// What reading `toml` complains of is word for word `complaint`.
fn check(name: &str, toml: &str, complaint: &str) -> Result<(), String> {
    let found = match read(&format!("{name}.toml"), toml) {
        Ok(_) => return Err(format!("{name}: was read without fault")),
        Err(faults) => faults.to_string(),
    };
    if found == complaint.trim_end_matches('\n') {
        return Ok(());
    }
    Err(format!("{name}: complains\n{found}\n--- instead of\n{complaint}"))
}

#[test]
fn every_fault_is_told_in_the_same_words() {
    let mut wrong = Vec::new();
    let cases = files(Path::new(FOLDER), "toml");
    for path in &cases {
        let (name, toml) = (stem(path), text(path));
        let beside = path.with_extension("txt");
        if std::env::var_os(WRITE).is_some() {
            let said = read(&format!("{name}.toml"), &toml).expect_err(&name).to_string();
            std::fs::write(&beside, said + "\n").expect("a folder of ours");
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
fn every_complaint_has_its_scenario() {
    for path in files(Path::new(FOLDER), "txt") {
        assert!(path.with_extension("toml").exists(), "{} has no scenario beside it", path.display());
    }
}
