//! Every scenario in `bad/` has the mistakes its name describes; the `.txt` next to it holds the messages.

use std::path::Path;

use crate::{files, read, stem, text};

/// Scenarios with mistakes.
pub(crate) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/bad");
/// Set this variable to write the messages again; then review each change.
const UPDATE_VARIABLE: &str = "UPDATE_MESSAGES";

/// The messages for `toml`. Lists that grow with every fault kind and every measure are replaced by a
/// placeholder, so that a new one changes no file.
fn message_of(name: &str, toml: &str) -> Option<String> {
    let printed = read(&format!("{name}.toml"), toml).err()?.to_string();
    let verbs: Vec<&str> = scenario::action::verbs().collect();
    let measures: Vec<String> = scorecard::measures::CATALOGUE.iter().map(|one| one.form()).collect();
    Some(printed.replace(&verbs.join(", "), "{verbs}").replace(&measures.join(", "), "{measures}"))
}

/// Compares the messages for `toml` with `expected`, character by character.
fn check(name: &str, toml: &str, expected: &str) -> Result<(), String> {
    let Some(found) = message_of(name, toml) else {
        return Err(format!("{name}: was read without a message"));
    };
    if found == expected.trim_end_matches('\n') {
        return Ok(());
    }
    Err(format!("{name}: printed\n{found}\n--- expected\n{expected}"))
}

#[test]
fn every_message_equals_its_file() {
    let mut wrong = Vec::new();
    let cases = files(Path::new(FOLDER), "toml");
    for path in &cases {
        let (name, toml) = (stem(path), text(path));
        let message_file = path.with_extension("txt");
        if std::env::var_os(UPDATE_VARIABLE).is_some() {
            let printed = message_of(&name, &toml).expect(&name);
            std::fs::write(&message_file, printed + "\n").expect("a writable folder");
        }
        match std::fs::read_to_string(&message_file) {
            Ok(expected) => wrong.extend(check(&name, &toml, &expected).err()),
            Err(error) => wrong.push(format!("{name}: no message file: {error}")),
        }
    }
    assert!(!cases.is_empty(), "no case in {FOLDER}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_message_file_has_its_scenario() {
    for path in files(Path::new(FOLDER), "txt") {
        assert!(path.with_extension("toml").exists(), "{} has no scenario", path.display());
    }
}
