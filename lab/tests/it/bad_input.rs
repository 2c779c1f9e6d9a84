//! Wrong input: one clear message each, exit 2, nothing started, nothing left.

use std::net::TcpListener;

use crate::cleave::Cleave;

const BROKEN: &str = include_str!("scenarios/broken.toml");

/// Runs the program and returns what it complained of.
#[track_caller]
fn complaint(cleave: &Cleave, arguments: &[&str]) -> String {
    let output = cleave.run(arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(output.stdout.is_empty(), "results go to stdout, complaints do not");
    assert!(cleave.processes().is_empty(), "something was started");
    text
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in\n{text}");
    }
}

#[test]
fn an_unknown_scenario_is_answered_with_the_near_one() {
    let cleave = Cleave::new();
    let text = complaint(&cleave, &["run", "first-lok"]);
    says(&text, &["unknown scenario `first-lok`", "did you mean `first-look`?", "hop-tax"]);
    assert!(!cleave.folder().join("runs").exists(), "a run folder was made");
}

#[test]
fn a_scenario_that_is_no_toml_is_shown_where() {
    let cleave = Cleave::new();
    std::fs::write(cleave.folder().join("torn.toml"), "schema = 1\nname = \"torn\nseed = 3\n").expect("ours");
    let text = complaint(&cleave, &["run", "torn.toml"]);
    says(&text, &["torn.toml:2:"]);
}

#[test]
fn every_fault_of_a_scenario_is_said_in_one_pass() {
    let cleave = Cleave::new();
    std::fs::write(cleave.folder().join("broken.toml"), BROKEN).expect("ours");
    let text = complaint(&cleave, &["run", "broken.toml"]);
    says(
        &text,
        &[
            "broken.toml:10:",
            "unknown key `rat`",
            "did you mean `rate`?",
            "broken.toml:11:",
            "did you mean `tiny`?",
            "unknown component `fed`",
            "did you mean `feed`?",
            "broken.toml:22:",
        ],
    );
}

#[test]
fn an_impossible_rate_is_refused() {
    let cleave = Cleave::new();
    let right = BROKEN.replace("rat   ", "rate  ").replace("tin\"", "tiny\"").replace("\"fed\"", "\"feed\"");
    let right = right.replace("goodputt", "goodput");
    for (rate, reason) in [("0/s", "0"), ("-3/s", "-3"), ("9000000/s", "9000000"), ("fast", "fast")] {
        let text = right.replace("40/s", rate);
        std::fs::write(cleave.folder().join("rate.toml"), text).expect("ours");
        let text = complaint(&cleave, &["explain", "rate.toml"]);
        says(&text, &["rate.toml:10:", reason]);
    }
    std::fs::write(cleave.folder().join("right.toml"), right).expect("ours");
    assert!(cleave.run(&["explain", "right.toml"]).status.success(), "the rest of it is right");
}

#[test]
fn an_unknown_arm_is_answered_with_the_choices() {
    let cleave = Cleave::new();
    let text = complaint(&cleave, &["run", "first-look", "--arms", "mono,mikro"]);
    says(&text, &["mikro", "micro"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let cleave = Cleave::new();
    std::fs::write(cleave.folder().join("file"), "in the way").expect("ours");
    let text = complaint(&cleave, &["run", "first-look", "--out", "file/runs"]);
    says(&text, &["file/runs", "--out"]);
    // Also for root, whom permissions do not stop.
    let text = complaint(&cleave, &["run", "first-look", "--out", "/proc/runs"]);
    says(&text, &["/proc/runs", "--out"]);
}

#[test]
fn a_taken_port_is_named() {
    let cleave = Cleave::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = taken.local_addr().expect("bound").to_string();
    let text = complaint(&cleave, &["node", "--hosts", "profile", "--listen", &addr]);
    says(&text, &[&addr, "is another program using the port?"]);
    let text = complaint(&cleave, &["up", "mono", "--size", "tiny", "--public", &addr]);
    says(&text, &[&addr, "is another program using the port?"]);
}
