//! The traps of comparing deployments: each has a scenario that falls into it, and is told so.

use std::path::Path;

use crate::cleave::Cleave;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/scenarios/traps");

/// `# expects: EXIT WORDS`, the first line of each file.
fn expected(path: &Path) -> (i32, String) {
    let text = std::fs::read_to_string(path).expect("a file of ours");
    let line = text.lines().next().and_then(|line| line.strip_prefix("# expects: ")).expect("its first line");
    let (code, words) = line.split_once(' ').expect("an exit code and words");
    (code.parse().expect("an exit code"), words.to_owned())
}

#[test]
fn whoever_falls_into_a_trap_is_told_its_name() {
    let cleave = Cleave::new();
    let mut paths: Vec<_> =
        std::fs::read_dir(FOLDER).expect("ours").map(|entry| entry.expect("ours").path()).collect();
    paths.sort();
    assert!(paths.len() >= 16, "{} traps", paths.len());
    for path in paths {
        let (code, words) = expected(&path);
        let output = cleave.run(&["run", &path.to_string_lossy(), "--output", "json"]);
        let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{}:\n{said}\n{told}", path.display());
        let found = if code == 2 {
            told.contains(&words)
        } else {
            names(&said).iter().any(|name| name.starts_with(&words))
        };
        assert!(found, "{}: no `{words}` in\n{said}\n{told}", path.display());
        assert_eq!(cleave.processes(), Vec::<u32>::new(), "{}: something is left", path.display());
    }
}

/// Names of the lints in a document.
fn names(document: &str) -> Vec<String> {
    let document: serde_json::Value = serde_json::from_str(document).expect("a document");
    let lints = document["lints"].as_array().expect("a list");
    lints.iter().filter_map(|lint| lint["name"].as_str().map(str::to_owned)).collect()
}
