//! Runs as things one keeps house with: what a finished one leaves, what is listed, what goes.

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::cleave::{Cleave, wait_for};

const SCENARIO: &str = r#"schema = 1
name   = "brief"
title  = "A few seconds of one program"
why    = "Long enough for a record"
phases = [{ name = "steady", for = "2s" }]

[load]
rate    = "40/s"
size    = "tiny"
timeout = "30s"

[topology.mono]
processes = { app = ["gateway", "*"] }

[expect]
check = ["lost_writes() == 0"]
"#;

/// What `cleave runs` lists, the newest first.
fn listed(cleave: &Cleave) -> Vec<Value> {
    let output = cleave.run(&["runs", "--output", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    document["runs"].as_array().expect("a list").clone()
}

#[test]
fn a_finished_run_leaves_its_record_and_its_documents_and_goes_when_it_is_pruned() {
    let cleave = Cleave::small();
    std::fs::write(cleave.folder().join("brief.toml"), SCENARIO).expect("a folder of ours");
    let with = ["brief.toml", "--label", "before", "--report", "html,junit=brief.xml"];
    let (first, _) = cleave.document(&with);
    let folder = Path::new(first["run_dir"].as_str().expect("a folder"));
    // A machine too busy for an honest load makes it invalid; only after a failed claim databases stay.
    assert_ne!(first["verdict"], "fail", "no write is lost");
    assert!(!folder.join("mono/data").exists(), "the audit has read them");
    assert!(folder.join("run.jsonl.gz").is_file() && !folder.join("run.jsonl").exists());
    assert!(folder.join("report.html").is_file(), "--report html");
    let junit = std::fs::read_to_string(cleave.folder().join("brief.xml")).expect("--report junit=..");
    assert!(junit.contains("<testsuite name=\"brief\""), "{junit}");

    let (kept, _) = cleave.document(&["brief.toml", "--keep-data"]);
    let kept = Path::new(kept["run_dir"].as_str().expect("a folder"));
    assert!(kept.join("mono/data").is_dir(), "--keep-data");

    is_listed(&cleave, &first);
    is_live_and_left_alone(&cleave);
    is_pruned(&cleave, folder, kept);
}

fn is_listed(cleave: &Cleave, first: &Value) {
    let runs = listed(cleave);
    let [newer, older] = runs.as_slice() else { panic!("two runs: {runs:?}") };
    assert_eq!((&older["scenario"], &older["verdict"]), (&"brief".into(), &first["verdict"]));
    assert_eq!(older["labels"], serde_json::json!(["before"]));
    assert!(older["bytes"].as_u64() < Some(3 * 1_024 * 1_024), "{older}");
    assert!(older["bytes"].as_u64() < newer["bytes"].as_u64(), "databases are kept in the newer");
    let (code, text) = cleave.printed(&["runs"]);
    assert!(code == Some(0) && text.contains("before") && text.contains("2 runs, "), "{text}");
    let (code, text) = cleave.printed(&["report", "before", "--output", "markdown"]);
    assert!(code == Some(0) && text.contains("### brief"), "found by its label: {text}");
}

fn is_live_and_left_alone(cleave: &Cleave) {
    let longer = cleave.folder().join("longer");
    std::fs::create_dir(&longer).expect("a folder of ours");
    let text = SCENARIO.replace("for = \"2s\"", "for = \"14s\"");
    std::fs::write(longer.join("brief.toml"), text).expect("a folder of ours");
    let live = cleave.start(&["run", "longer/brief.toml", "--no-tui"]);
    wait_for("a run with a load", || {
        let newest = listed(cleave).swap_remove(0);
        (newest["verdict"] == "running" && newest["scenario"] == "brief").then_some(())
    });
    let (code, text) = cleave.printed(&["runs", "prune", "--keep", "0", "--dry-run"]);
    assert!(code == Some(0) && text.contains("in progress, left alone"), "{text}");
    assert!(text.contains("2 of 3 runs would be removed"), "{text}");
    let (code, text) = cleave.printed(&["runs", "rm", "last"]);
    assert!(code == Some(2) && text.contains("is in progress; end it first"), "{text}");
    live.signal(Signal::SIGINT);
    let (code, _) = live.rest();
    assert_eq!(code, Some(130), "it was not disturbed");
    assert_eq!(listed(cleave)[0]["verdict"], "interrupted");
}

fn is_pruned(cleave: &Cleave, first: &Path, kept: &Path) {
    let (code, text) = cleave.printed(&["runs", "prune", "--older", "7d"]);
    assert!(code == Some(0) && text.contains("0 of 3 runs removed"), "{text}");
    let (code, text) = cleave.printed(&["runs", "prune", "--keep", "2"]);
    assert!(code == Some(0) && text.contains("1 of 3 runs removed"), "{text}");
    assert!(!first.exists() && kept.exists(), "the oldest");
    let (code, text) = cleave.printed(&["runs", "rm", &kept.to_string_lossy()]);
    assert!(code == Some(0) && !kept.exists(), "{text}");
    let (code, text) = cleave.printed(&["runs", "prune"]);
    assert!(code == Some(2) && text.contains("--keep"), "which ones is asked for: {text}");

    let aborted = cleave.folder().join("runs/20990101-000000-none");
    std::fs::create_dir(&aborted).expect("a folder of ours");
    std::fs::write(aborted.join("run.jsonl"), "").expect("a folder of ours");
    let (code, text) = cleave.printed(&["report", "last"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("the last run, 20990101-000000-none, was aborted before its load began")
            && text.contains("the latest run with a record is"),
        "{text}"
    );
}

#[test]
fn a_file_of_ones_own_is_written_explained_and_listed_for_programs() {
    let cleave = Cleave::shared();
    let (code, text) = cleave.printed(&["init", "mine.toml", "--from", "crash-one"]);
    assert!(code == Some(0) && text.contains("cleave run mine.toml"), "{text}");
    assert!(cleave.folder().join("cleave.schema.json").is_file());
    let json = |arguments: &[&str]| {
        let output = cleave.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).expect("a document")
    };
    let explained = json(&["explain", "mine.toml", "--output", "json"]);
    assert_eq!(explained["scenario"], "mine");
    assert!(explained["arms"][1]["differs_from_first"].as_object().is_some_and(|keys| !keys.is_empty()));
    assert_eq!(explained["opt_in_arms"], Value::Array(Vec::new()), "all of crash-one's arms are run");
    let explained = json(&["explain", "retry-storm", "--output", "json"]);
    let opt_in = explained["opt_in_arms"].as_array().expect("a list");
    let breaker =
        opt_in.iter().find(|arm| arm["name"] == "breaker/micro").expect("run where --arms names it");
    assert!(breaker["differs_from_first"].as_object().is_some_and(|keys| !keys.is_empty()), "{breaker}");
    let list = json(&["list", "--output", "json"]);
    assert!(list["scenarios"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "hop-tax")));
    let doctor = json(&["doctor", "--output", "json"]);
    assert!(doctor["findings"].as_array().is_some_and(|all| all.iter().any(|one| one["what"] == "kernel")));
    for shell in ["bash", "zsh", "fish"] {
        let (code, script) = cleave.printed(&["completions", shell]);
        assert!(code == Some(0) && script.contains("keep-data"), "{shell}");
    }
    std::fs::write(cleave.folder().join("cleave.toml"), "out = \"elsewhere\"\n").expect("a folder of ours");
    let (_, text) = cleave.printed(&["report", "last"]);
    assert!(text.contains("no run in elsewhere"), "{text}");
    let (_, text) = cleave.printed(&["report", "last", "--out", "here"]);
    assert!(text.contains("no run in here"), "a flag comes first: {text}");
    let mut command = cleave.command(&["report", "last"]);
    command.env("CLEAVE_OUT", "there");
    let output = command.output().expect("starts");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no run in there"), "then the environment");
    std::fs::write(cleave.folder().join("cleave.toml"), "asci = true\n").expect("a folder of ours");
    let (code, text) = cleave.printed(&["list"]);
    assert!(
        code == Some(2) && text.contains("cleave.toml: unknown key `asci`; did you mean `ascii`?"),
        "{text}"
    );
}
