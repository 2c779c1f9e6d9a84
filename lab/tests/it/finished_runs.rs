//! A finished run is replayed, reported and checked from its record alone.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::cleave::Cleave;
use crate::printing;

const SCENARIO: &str = r#"schema = 1
name   = "short"
title  = "Three seconds of one program"
why    = "Long enough for some figures"
phases = [{ name = "steady", for = "8s" }]

[load]
rate    = "40/s"
size    = "tiny"
timeout = "30s"

[topology.mono]
processes = { app = ["gateway", "*"] }

[expect]
check = ["errors(all) > 50%"]
"#;

#[test]
fn a_finished_run_can_be_replayed_reported_checked_and_compared() {
    let cleave = Cleave::small();
    std::fs::write(cleave.folder().join("short.toml"), SCENARIO).expect("a folder of ours");
    let (document, _) = cleave.document(&["short.toml"]);
    is_shown(&cleave, &document);
    is_printed(&cleave);
    is_compared(&cleave, &document);
    is_damaged(&cleave, &document);
}

/// Replayed, reported and checked.
fn is_shown(cleave: &Cleave, document: &Value) {
    let folder = document["run_dir"].as_str().expect("a folder").to_owned();

    let (code, text) = cleave.printed(&["record", "check", "last"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("complete: every line is valid"), "{text}");

    let (code, exported) = cleave.printed(&["record", "export", "last"]);
    assert_eq!(code, Some(0), "{exported}");
    assert!(exported.contains("\ncleave_run_info{run_id=") && exported.ends_with("# EOF\n"), "{exported}");
    let (code, refused) = cleave.printed(&["record", "export", "last", "--to", "no/such/folder/run.om"]);
    assert_eq!(code, Some(2));
    assert!(refused.contains("choose another path with --to"), "{refused}");

    let (code, replayed) = cleave.printed(&["replay", "last"]);
    let (_, watched) = cleave.printed(&["watch", &folder]);
    assert_eq!(code, Some(0), "{replayed}");
    assert!(replayed.contains("PHASE  steady"), "{replayed}");
    assert_eq!(replayed, watched, "a run that is over is watched to its end");

    let (code, path) = cleave.printed(&["report", "last"]);
    assert_eq!(code, Some(0), "{path}");
    let html = std::fs::read_to_string(Path::new(&folder).join("report.html")).expect("a page");
    let check = &document["checks"][0];
    let value = check["value"].as_f64().expect("a figure") * 100.0;
    for part in ["<svg", "errors(all) &gt; 50%", &format!("<td>{value:.1}%</td>")] {
        assert!(html.contains(part), "no {part}");
    }
    let (_, markdown) = cleave.printed(&["report", "last", "--output", "markdown"]);
    let verdict = document["verdict"].as_str().expect("a word");
    // A machine too busy for an honest load makes the run invalid, and then nothing of it is called failed; one that lost
    // journeys for a moment leaves the claim undecided.
    let (element, level, word) = match verdict {
        "fail" => ("<failure", "error", "fail"),
        "inconclusive" => ("<error", "warning", "inconclusive"),
        _ => ("<error", "error", "invalid"),
    };
    assert!(
        markdown.contains(&format!("### short {verdict}")) && markdown.contains(&format!("{value:.1}%")),
        "{markdown}"
    );
    let (_, junit) = cleave.printed(&["report", "last", "--output", "junit"]);
    assert!(junit.contains(element) && junit.contains("errors(all) &gt; 50%"), "{junit}");
    let (_, github) = cleave.printed(&["report", "last", "--output", "github"]);
    assert!(
        github.contains(&format!("::{level} file=short.toml,line=16::{word}: errors(all) > 50%")),
        "{github}"
    );

    let (_, json) = cleave.printed(&["report", "last", "--output", "json"]);
    assert_eq!(
        &serde_json::from_str::<Value>(&json).expect("JSON"),
        document,
        "as the run itself printed it"
    );

    let (code, folded) = cleave.printed(&["report", "last", "--output", "text"]);
    assert_eq!(code, Some(0), "{folded}");
    assert!(folded.starts_with(&format!("{}  short", verdict.to_uppercase())), "{folded}");
    assert!(folded.contains("`errors(all) > 50%` in mono: "), "the claim with its figure: {folded}");
    let (_, full) = cleave.printed(&["report", "last", "--output", "text", "--full"]);
    assert!(full.contains("again: ") && full.lines().count() > folded.lines().count(), "{full}");
    let (code, text) = cleave.printed(&["report", "last", "--against", "mnoo"]);
    assert!(code == Some(2) && text.contains("unknown arm `mnoo`; did you mean `mono`?"), "{text}");

    let (code, text) = cleave.printed(&["report", "lost"]);
    assert!(code == Some(2) && text.contains("unknown run `lost` in runs"), "{text}");
}

/// What is printed of a run arrives whole, or the command fails.
fn is_printed(cleave: &Cleave) {
    let json = ["report", "last", "--output", "json"];
    let junit = ["report", "last", "--output", "junit"];
    let commands: [&[&str]; 6] = [
        &json,
        &junit,
        &["record", "export", "last"],
        &["record", "check", "last"],
        &["replay", "last"],
        &["watch", "last"],
    ];
    for arguments in commands {
        printing::to_a_full_disk(cleave.command(arguments));
        let output = printing::without_a_reader(cleave.command(arguments));
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*text), (Some(0), ""), "{arguments:?}");
    }
}

/// The lines of a run's packed record.
fn record_of(folder: &Path) -> Vec<u8> {
    let packed = std::fs::File::open(folder.join("run.jsonl.gz")).expect("packed when the run ended");
    let mut lines = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut lines).expect("a packed record");
    lines
}

/// Two runs are compared if both are complete.
fn is_compared(cleave: &Cleave, document: &Value) {
    let folder = Path::new(document["run_dir"].as_str().expect("a folder")).to_owned();
    let verdict = document["verdict"].as_str().expect("a word");
    let record = record_of(&folder);
    let again = folder.with_file_name("20000101-000000-twin");
    let torn = folder.with_file_name("20000101-000000-torn");
    for (copy, bytes) in [(&again, &record[..]), (&torn, &record[..record.len() * 2 / 3])] {
        std::fs::create_dir(copy).expect("a folder of ours");
        std::fs::write(copy.join("run.jsonl"), bytes).expect("a folder of ours");
    }
    let (code, path) = cleave.printed(&["report", "last", "--compare", "twin"]);
    assert_eq!(code, Some(0), "{path}");
    assert!(path.trim_end().ends_with("compare-20000101-000000-twin.html"), "{path}");
    let html = std::fs::read_to_string(cleave.folder().join(path.trim_end())).expect("a page");
    assert!(html.contains("mono, after") && !html.contains("seeds differ"));
    let (_, markdown) = cleave.printed(&["report", "last", "--compare", "twin", "--output", "markdown"]);
    assert!(markdown.contains(&format!("### short: {verdict} before, {verdict} after")), "{markdown}");
    let (_, json) = cleave.printed(&["report", "last", "--compare", "twin", "--output", "json"]);
    let both: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(both["runs"][1]["checks"], document["checks"]);
    // Nothing is worse than itself, and its one claim did not hold before; where no figure can be trusted, the gates say so.
    for (gates, expected) in
        [("worse", (0, "nothing is worse")), ("worse,expectations", (4, "expectations: none held before"))]
    {
        let arguments = ["report", "last", "--compare", "twin", "--output", "markdown", "--fail-on", gates];
        let (code, text) = cleave.printed(&arguments);
        let expected = if verdict == "invalid" { (3, "invalid: the run before") } else { expected };
        assert!(code == Some(expected.0) && text.contains(expected.1), "{gates}: {code:?} {text}");
    }
    let (code, text) = cleave.printed(&["report", "last", "--compare", "twin", "--fail-on", "luck"]);
    assert!(code == Some(2) && text.contains("unknown gate `luck`"), "{code:?} {text}");
    for (other, output, message) in [
        ("lost", "html", "unknown run `lost` in runs"),
        ("last", "html", "are the same run"),
        ("torn", "html", "has no end line: the run was cut short"),
        ("twin", "junit", "--compare does not support junit and github"),
    ] {
        let (code, text) = cleave.printed(&["report", "last", "--compare", other, "--output", output]);
        assert!(code == Some(2) && text.contains(message), "{other}: {code:?} {text}");
    }
}

/// A damaged record is reported, and shown up to the damage.
fn is_damaged(cleave: &Cleave, document: &Value) {
    let folder = Path::new(document["run_dir"].as_str().expect("a folder"));
    // An unpacked record is read in the place of the packed one.
    let (record, whole) = (folder.join("run.jsonl"), record_of(folder));
    let strange =
        String::from_utf8_lossy(&whole).replacen("\"memory_available_mib\":", "\"memory_available\":", 1);
    let line = 1 + strange
        .lines()
        .position(|line| line.contains("\"memory_available\":"))
        .expect("a line of the host");
    std::fs::write(&record, strange).expect("writable");
    let (code, text) = cleave.printed(&["record", "check", "last"]);
    assert!(code == Some(3) && text.contains(&format!("run.jsonl:{line}:")), "{text}");
    assert!(text.contains("invalid line of a run record: missing field `memory_available_mib`"), "{text}");
    std::fs::write(&record, &whole[..whole.len() * 2 / 3]).expect("writable");
    let (code, text) = cleave.printed(&["record", "check", "last"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("the last line is incomplete") && text.contains("the end line is missing"),
        "{text}"
    );
    let (_, markdown) = cleave.printed(&["report", "last", "--output", "markdown"]);
    assert!(markdown.contains("### short invalid"), "{markdown}");
}
