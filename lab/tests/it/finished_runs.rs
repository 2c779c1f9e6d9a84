//! A run that is over is told from its record alone: replayed, reported, checked.

use std::path::Path;

use crate::cleave::Cleave;

const SCENARIO: &str = r#"schema = 1
name   = "short"
title  = "Three seconds of one program"
why    = "Long enough to have something to tell"
phases = [{ name = "steady", for = "3s" }]

[load]
rate = "40/s"
size = "tiny"

[topology.mono]
processes = { app = ["gateway", "*"] }

[expect]
check = ["errors(all) > 50%"]
"#;

fn told(cleave: &Cleave, arguments: &[&str]) -> (Option<i32>, String) {
    let output = cleave.run(arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_run_that_is_over_can_be_replayed_reported_and_checked() {
    let cleave = Cleave::new();
    std::fs::write(cleave.folder().join("short.toml"), SCENARIO).expect("a folder of ours");
    let (document, _) = cleave.document(&["short.toml"]);
    let folder = document["run_dir"].as_str().expect("a folder").to_owned();

    let (code, text) = told(&cleave, &["record", "check", "last"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("whole: every line is readable"), "{text}");

    let (code, exported) = told(&cleave, &["record", "export", "last"]);
    assert_eq!(code, Some(0), "{exported}");
    assert!(exported.contains("\ncleave_run_info{run_id=") && exported.ends_with("# EOF\n"), "{exported}");
    let (code, refused) = told(&cleave, &["record", "export", "last", "--to", "no/such/folder/run.om"]);
    assert_eq!(code, Some(2));
    assert!(refused.contains("choose another place with --to"), "{refused}");

    let (code, replayed) = told(&cleave, &["replay", "last"]);
    let (_, watched) = told(&cleave, &["watch", &folder]);
    assert_eq!(code, Some(0), "{replayed}");
    assert!(replayed.contains("PHASE  steady"), "{replayed}");
    assert_eq!(replayed, watched, "a run that is over is watched to its end");

    let (code, path) = told(&cleave, &["report", "last"]);
    assert_eq!(code, Some(0), "{path}");
    let html = std::fs::read_to_string(Path::new(&folder).join("report.html")).expect("a page");
    let check = &document["checks"][0];
    let value = check["value"].as_f64().expect("a figure") * 100.0;
    for part in ["<svg", "errors(all) &gt; 50%", &format!("<td>{value:.1}%</td>")] {
        assert!(html.contains(part), "no {part}");
    }
    let (_, markdown) = told(&cleave, &["report", "last", "--output", "markdown"]);
    let verdict = document["verdict"].as_str().expect("a word");
    // A machine too busy for an honest load makes the run invalid, and then nothing of it is called failed.
    let (element, word) = if verdict == "fail" { ("<failure", "fail") } else { ("<error", "invalid") };
    assert!(
        markdown.contains(&format!("### short {verdict}")) && markdown.contains(&format!("{value:.1}%")),
        "{markdown}"
    );
    let (_, junit) = told(&cleave, &["report", "last", "--output", "junit"]);
    assert!(junit.contains(element) && junit.contains("errors(all) &gt; 50%"), "{junit}");
    let (_, github) = told(&cleave, &["report", "last", "--output", "github"]);
    assert!(
        github.contains(&format!("::error file=short.toml,line=15::{word}: errors(all) > 50%")),
        "{github}"
    );

    let (_, json) = told(&cleave, &["report", "last", "--output", "json"]);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&json).expect("JSON"),
        document,
        "as the run itself said it"
    );

    let (code, text) = told(&cleave, &["report", "lost"]);
    assert!(code == Some(2) && text.contains("unknown run `lost` in runs"), "{text}");
}

#[test]
fn two_runs_stand_beside_each_other_unless_one_is_none() {
    let cleave = Cleave::new();
    std::fs::write(cleave.folder().join("short.toml"), SCENARIO).expect("a folder of ours");
    let (document, _) = cleave.document(&["short.toml"]);
    let folder = Path::new(document["run_dir"].as_str().expect("a folder")).to_owned();
    let verdict = document["verdict"].as_str().expect("a word");
    let record = std::fs::read(folder.join("run.jsonl")).expect("readable");
    let again = folder.with_file_name("20000101-000000-twin");
    let torn = folder.with_file_name("20000101-000000-torn");
    for (copy, bytes) in [(&again, &record[..]), (&torn, &record[..record.len() * 2 / 3])] {
        std::fs::create_dir(copy).expect("a folder of ours");
        std::fs::write(copy.join("run.jsonl"), bytes).expect("a folder of ours");
    }
    let (code, path) = told(&cleave, &["report", "last", "--compare", "twin"]);
    assert_eq!(code, Some(0), "{path}");
    assert!(path.trim_end().ends_with("compare-20000101-000000-twin.html"), "{path}");
    let html = std::fs::read_to_string(cleave.folder().join(path.trim_end())).expect("a page");
    assert!(html.contains("mono, run 2") && !html.contains("seeds differ"));
    let (_, markdown) = told(&cleave, &["report", "last", "--compare", "twin", "--output", "markdown"]);
    assert!(markdown.contains(&format!("### short: {verdict} in run 1, {verdict} in run 2")), "{markdown}");
    let (_, json) = told(&cleave, &["report", "last", "--compare", "twin", "--output", "json"]);
    let both: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(both["runs"][0]["checks"], document["checks"]);
    for (other, output, said) in [
        ("lost", "html", "unknown run `lost` in runs"),
        ("last", "html", "are the same run"),
        ("torn", "html", "has no end: the run was cut short"),
        ("twin", "junit", "two runs are told as html, markdown or json"),
    ] {
        let (code, text) = told(&cleave, &["report", "last", "--compare", other, "--output", output]);
        assert!(code == Some(2) && text.contains(said), "{other}: {code:?} {text}");
    }
}

#[test]
fn a_strange_or_torn_record_is_told_as_such_and_shown_as_far_as_it_goes() {
    let cleave = Cleave::new();
    std::fs::write(cleave.folder().join("short.toml"), SCENARIO).expect("a folder of ours");
    let (document, _) = cleave.document(&["short.toml"]);
    let record = Path::new(document["run_dir"].as_str().expect("a folder")).join("run.jsonl");
    let whole = std::fs::read(&record).expect("readable");
    // This program can read any word there; whoever reads by the schema would stumble.
    let strange = String::from_utf8_lossy(&whole).replacen("\"list\":\"check\"", "\"list\":\"chess\"", 1);
    std::fs::write(&record, strange).expect("writable");
    let (code, text) = told(&cleave, &["record", "check", "last"]);
    assert!(code == Some(3) && text.contains("! line 1/expectations/0/list: \"chess\" is none of"), "{text}");
    std::fs::write(&record, &whole[..whole.len() * 2 / 3]).expect("writable");
    let (code, text) = told(&cleave, &["record", "check", "last"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("torn") && text.contains("there is no end"), "{text}");
    let (_, markdown) = told(&cleave, &["report", "last", "--output", "markdown"]);
    assert!(markdown.contains("### short invalid"), "{markdown}");
}
