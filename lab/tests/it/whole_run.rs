//! A run from the command line to the document and the record.

use record::Entry;
use serde_json::Value;

use crate::cleave::{Cleave, is_starved, lines_of, scenario};

/// Rows that every pair of arms has figures for, whatever the machine.
const COUNTED: &[&str] = &["processes", "databases"];
/// Rows of what was measured: a busy machine may withhold a figure, and says why.
const MEASURED: &[&str] = &["cpu_per_journey", "latency_p50", "hops"];
/// Why a figure of what was measured may be missing.
const WITHHELD: &[&str] = &["too_few", "too_clustered", "censored", "not_measured"];

#[test]
fn a_run_ends_with_a_scorecard_for_people_and_one_complete_document() {
    let cleave = Cleave::wide();
    let output = cleave.run(&["run", &scenario("quick-look"), "--no-tui", "--arms", "micro,mono"]);
    is_scorecard(&String::from_utf8_lossy(&output.stdout));
    // The document that the run would have printed, as `finished_runs` compares.
    let printed = cleave.run(&["report", "last", "--output", "json"]).stdout;
    let document: Value = serde_json::from_slice(&printed).expect("a document");
    assert_eq!(document["exit_code"].as_i64(), output.status.code().map(i64::from));
    let lines = lines_of(&cleave.record().expect("its record")).expect("a readable record");

    assert_eq!(document["schema_version"], 2);
    let (verdict, code) = (document["verdict"].as_str(), document["exit_code"].as_i64());
    // Too busy a machine for an answer is none of a test's business.
    assert!(
        matches!((verdict, code), (Some("pass"), Some(0)) | (Some("inconclusive"), Some(4)))
            || is_starved(&document),
        "{verdict:?} {code:?} {:#} {:#}",
        document["lints"],
        document["checks"]
    );
    assert!(document["ready_ms"].as_u64().is_some_and(|ready| ready > 0));
    assert!(document["pss_mib"].as_f64().is_some_and(|pss| pss > 10.0), "{}", document["pss_mib"]);
    let arms = document["arms"].as_array().expect("arms");
    assert_eq!(arms.iter().map(|arm| &arm["name"]).collect::<Vec<_>>(), ["micro", "mono"]);

    let checks = document["checks"].as_array().expect("checks");
    for field in ["text", "arm", "value", "limit", "n", "verdict"] {
        assert!(checks.iter().all(|check| check.get(field).is_some()), "a check without `{field}`");
    }
    let card = document["scorecard"].as_array().expect("a scorecard");
    for field in ["id", "claim", "unit", "better", "arms", "ratio", "finding"] {
        assert!(card.iter().all(|row| row.get(field).is_some()), "a row without `{field}`");
    }
    for id in COUNTED {
        let row = card.iter().find(|row| row["id"] == *id).unwrap_or_else(|| panic!("no row `{id}`"));
        for arm in ["A", "B"] {
            assert!(row["arms"][arm]["value"].is_number(), "`{id}` has no figure for {arm}: {row:#}");
        }
    }
    for id in MEASURED {
        is_measured_or_withheld(&document, id);
    }
    assert_eq!(figure(card, "processes", "A"), 7.0, "gateway, registry and five services");
    assert_eq!(figure(card, "processes", "B"), 1.0);
    // A machine without room for the run may keep no request whole.
    if let [Some(micro), Some(mono)] = ["A", "B"].map(|arm| known(card, "hops", arm)) {
        assert!(micro > mono, "{micro} hops and {mono}");
    }

    let audits = document["audits"].as_array().expect("audits");
    for audit in audits {
        assert!(audit["acknowledged"].as_u64().is_some_and(|n| n > 0), "no write was acknowledged");
        assert_eq!((&audit["lost"], &audit["duplicated"]), (&Value::from(0), &Value::from(0)), "{audit:#}");
    }

    assert!(matches!(lines[0].entry, Entry::Header(_)), "a record begins with its header");
    assert!(matches!(lines[lines.len() - 1].entry, Entry::End(_)), "and ends with its end");
    let killed = lines.iter().filter(|line| match &line.entry {
        Entry::Event(event) => event.text.contains("down -> up"),
        _ => false,
    });
    let came_back = killed.count();
    // Where the machine has no room, one may come back after the end.
    let is_late = is_starved(&document) && came_back < 2;
    assert!(came_back == 2 || is_late, "the dead process came back in both arms: {came_back}");
}

/// Asserts that each arm has a figure of what was measured, or the reason why it is withheld. Only a machine without room for the
/// run may lack the row.
fn is_measured_or_withheld(document: &Value, id: &str) {
    let rows = document["scorecard"].as_array().expect("checked above");
    let Some(row) = rows.iter().find(|row| row["id"] == id) else {
        assert!(is_starved(document), "no row `{id}`: {:#}", document["lints"]);
        return;
    };
    for arm in ["A", "B"] {
        let found = &row["arms"][arm];
        let has_reason = found["note"].as_str().is_some_and(|note| WITHHELD.contains(&note));
        assert!(found["value"].is_number() || has_reason, "`{id}` has no figure for {arm}: {row:#}");
    }
}

fn figure(card: &[Value], id: &str, arm: &str) -> f64 {
    known(card, id, arm).expect("checked above")
}

fn known(card: &[Value], id: &str, arm: &str) -> Option<f64> {
    card.iter().find(|row| row["id"] == id)?["arms"][arm]["value"].as_f64()
}

/// What a run prints where no terminal is.
fn is_scorecard(text: &str) {
    for word in ["fault isolation", "data consistency", "operational complexity", "record: ", "dead-photo"] {
        assert!(text.contains(word), "no `{word}` in\n{text}");
    }
    assert!(text.ends_with("\ncleave report last\ncleave replay last\n"), "what shows more: {text}");
    // What a person copies, a command or a path, is not wrapped.
    let is_copied = |line: &str| line.starts_with("record:") || line.starts_with("again:");
    assert!(text.lines().all(|line| line.chars().count() <= 80 || is_copied(line)), "{text}");
    assert!(!text.contains('\u{1b}'), "piped output is plain");
}
