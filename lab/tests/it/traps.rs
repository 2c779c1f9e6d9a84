//! The traps of comparing deployments: each has a scenario that is reported under its name.

use std::path::Path;

use crate::cleave::{Cleave, is_starved, lints};
use crate::places::side_by_side;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/scenarios/traps");

/// `# expects: EXIT LINT, LINT`, or `# expects: 2 WORDS` of a message, the first line of each file.
fn expected(text: &str) -> (i32, String) {
    let line = text.lines().next().and_then(|line| line.strip_prefix("# expects: ")).expect("its first line");
    let (code, words) = line.split_once(' ').expect("an exit code and words");
    (code.parse().expect("an exit code"), words.to_owned())
}

/// Lints that only a machine with room for the run has to find: on another one all arms may fail alike.
const NEEDS_ROOM: [&str; 1] = ["unequal_errors"];

#[test]
fn each_trap_is_reported_by_its_name() {
    let mut paths: Vec<_> =
        std::fs::read_dir(FOLDER).expect("ours").map(|entry| entry.expect("ours").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    let traps = (1..=17).map(|number| format!("t{number:02}-"));
    for trap in traps {
        assert!(paths.iter().any(|path| stem(path).starts_with(&trap)), "no scenario for {trap}");
    }
    side_by_side(paths, |path| is_reported(&path));
}

/// Whether a scenario has one arm, in one process, and few arrivals.
fn is_small(text: &str) -> bool {
    let has_one_arm = text.matches("\n[topology.").count() == 1 && !text.contains("\n[variant.");
    has_one_arm && !text.contains("each = ") && !text.contains("\"2000/s\"")
}

/// Runs a trap, which must end as the first line of its file says.
fn is_reported(path: &Path) {
    let text = std::fs::read_to_string(path).expect("a file of ours");
    let cleave = if is_small(&text) { Cleave::small() } else { Cleave::shared() };
    let (code, words) = expected(&text);
    let output = cleave.run(&["run", &path.to_string_lossy(), "--output", "json"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let ended = output.status.code();
    if code == 2 {
        assert!(ended == Some(2) && stderr.contains(&words), "{}: {ended:?}\n{stderr}", path.display());
    } else {
        let document = serde_json::from_str(&stdout)
            .unwrap_or_else(|why| panic!("{}: no document: {why}\n{stderr}", path.display()));
        let found = lints(&document);
        let mut missing: Vec<&str> =
            words.split(", ").filter(|lint| !found.iter().any(|name| name == lint)).collect();
        if is_starved(&document) {
            missing.retain(|lint| !NEEDS_ROOM.contains(lint));
        }
        assert!(missing.is_empty(), "{}: no {missing:?} in {found:?}", path.display());
        assert!(
            ended == Some(code) || (ended == Some(3) && is_starved(&document)),
            "{}: {ended:?}, {found:?}",
            path.display()
        );
    }
    assert_eq!(cleave.processes(), Vec::<u32>::new(), "{}: something is left", path.display());
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
