//! Nothing simulated passes for measured: every view of a prediction carries its mark; and predictions are made from a run
//! of this machine, from the command line.

use model::source::Replay;
use model::{Run, SIMULATED};
use record::{
    CalibrationIdentity, Entry, Interval, Line, Prediction, Provenance, Sensitivity, SweepCell, SweepCount,
    SweepResult, SweptKey, Validity,
};
use report::Comparison;
use serde_json::{Value, json};

use crate::cleave::{Cleave, scenario};
use crate::views::lines;

/// What the mark has besides its word.
const PARTS: [&str; 4] =
    ["hop-tax r0", "validity: extrapolated", "p99 ±20 %", "of a model of 1000 instances"];

/// Views that begin with a verdict.
const HEADED: [&str; 7] =
    ["card", "folded card", "page", "Markdown", "whole Markdown", "page of two runs", "Markdown of two runs"];

/// A recorded run as if it were a prediction.
fn predicted() -> Vec<Line> {
    let mut lines = lines();
    for line in &mut lines {
        if let Entry::Header(header) = &mut line.entry {
            header.source = Provenance::Simulated;
            header.prediction = Some(Prediction {
                calibration: CalibrationIdentity {
                    sources: vec!["hop-tax r0".into()],
                    ..CalibrationIdentity::default()
                },
                validity: Validity::Extrapolated,
                because: vec!["another load".into()],
                not_simulated: vec!["step 9 (`leak`): leak".into()],
                band: vec![Sensitivity {
                    arm: 'A',
                    measure: "latency_p99".into(),
                    unit: "s".into(),
                    value: 0.01,
                    low: 0.008,
                    high: 0.011,
                    parameter: "wake_ns".into(),
                    interval: None,
                }],
                band_copies: Some(1_000),
                ..Prediction::default()
            });
        }
    }
    lines
}

/// The same, with keys that vary.
fn swept() -> Vec<Line> {
    let mut lines = predicted();
    for line in &mut lines {
        if let Entry::Header(header) = &mut line.entry
            && let Some(prediction) = &mut header.prediction
        {
            let count = SweepCount { held: 2, judged: 5, interval: Some(Interval::new(0.118, 0.769)) };
            prediction.sweep = Some(SweepResult {
                holds: "goodput(all) >= 95%".into(),
                replications: 5,
                axes: vec![SweptKey {
                    name: "load".into(),
                    key: "load.rate".into(),
                    values: vec!["60/s".into()],
                }],
                cells: vec![SweepCell { arms: [('A', count)].into() }],
            });
        }
    }
    lines
}

/// Every view of a run as text, with its name.
fn views(lines: &[Line]) -> Vec<(&'static str, String)> {
    let run = Run::of(lines).expect("a header");
    let printed = |print: &dyn Fn(&mut Vec<u8>)| {
        let mut text = Vec::new();
        print(&mut text);
        String::from_utf8(text).expect("text")
    };
    let comparison = Comparison::of(&run, &run);
    vec![
        ("card", printed(&|out| tui::card::print(out, &run, 120, false).expect("a vector takes everything"))),
        ("folded card", printed(&|out| tui::card::print_folded(out, &run, 120, false).expect("the same"))),
        (
            "plain lines",
            printed(&|out| tui::plain::print(&mut Vec::from(lines).into_iter(), out).expect("the same")),
        ),
        ("page", report::page::page(&run)),
        ("Markdown", report::markdown::markdown(&run)),
        ("whole Markdown", report::markdown::unfolded(&run)),
        ("JSON", format!("{:#}", json!(report::document::document(&run, None)))),
        ("JUnit", report::junit::junit(&run)),
        ("GitHub", report::github::annotations(&run, "scenarios/crash.toml")),
        ("page of two runs", report::page::comparison(&comparison)),
        ("Markdown of two runs", report::markdown::comparison(&comparison)),
        ("JSON of two runs", format!("{:#}", json!(report::document::comparison(&comparison)))),
    ]
}

/// A text on one line, so that a break in a sentence hides nothing.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_view_of_a_prediction_is_marked_with_what_stands_behind_it() {
    for (name, text) in views(&predicted()) {
        let text = unwrapped(&text);
        let is_document = name.starts_with("JSON");
        let word = if is_document { "\"source\": \"simulated\"" } else { SIMULATED };
        assert!(text.contains(word), "{name} is not marked: {text}");
        let parts = if is_document {
            ["hop-tax r0", "extrapolated", "latency_p99", "\"band_copies\": 1000"]
        } else {
            PARTS
        };
        for part in parts {
            assert!(text.contains(part), "{name} has no `{part}`: {text}");
        }
    }
}

#[test]
fn what_came_of_keys_that_vary_is_where_the_limits_of_a_prediction_are() {
    const SHOWN: [&str; 4] = ["card", "page", "Markdown", "whole Markdown"];
    for (name, text) in views(&swept()) {
        let text = unwrapped(&text);
        assert!(text.contains(SIMULATED) || name.starts_with("JSON"), "{name}: {text}");
        if SHOWN.contains(&name) {
            for part in ["goodput(all)", "load 60/s: 2 of 5 (12 to 77 %)"] {
                assert!(text.contains(part), "{name} has no `{part}`: {text}");
            }
        }
        assert!(name != "JSON" || text.contains("\"held\": 2"), "{text}");
    }
}

#[test]
fn a_predicted_verdict_is_headed_as_one_and_nothing_held_memory() {
    let simulated = predicted();
    let run = Run::of(&simulated).expect("a header");
    let words = run.verdict_words();
    assert!(words.starts_with("predicted "), "{words}");
    let peak = format!("at most {:.0} MiB", run.end.as_ref().expect("it is over").pss_mib_peak);
    for (name, text) in views(&simulated).into_iter().filter(|(name, _)| HEADED.contains(name)) {
        let text = unwrapped(&text);
        assert!(text.to_lowercase().contains(&words), "{name} has no `{words}`: {text}");
        assert!(!text.contains("peak PSS") && !text.contains(&peak), "{name}: {text}");
    }
    for (name, text) in views(&lines()) {
        assert!(!text.to_lowercase().contains(&words), "{name}: {text}");
    }
}

#[test]
fn no_view_of_a_measured_run_is_marked() {
    for (name, text) in views(&lines()) {
        let is_marked = text.contains(SIMULATED) || text.contains("simulated\"");
        assert!(!is_marked, "{name}: {text}");
    }
}

#[test]
fn rows_that_are_found_alone_are_marked() {
    let run = Run::of(&predicted()).expect("a header");
    let mut plain = Vec::new();
    tui::plain::print(&mut predicted().into_iter(), &mut plain).expect("a vector takes everything");
    let plain = String::from_utf8(plain).expect("text");
    let mut rows =
        plain.lines().filter(|line| line.contains(" | ") && !line.contains("load phase")).peekable();
    assert!(rows.peek().is_some() && rows.all(|row| row.ends_with(SIMULATED)), "{plain}");
    let exposed = grafana::openmetrics::exposition(&run, run.now);
    let mut series =
        exposed.lines().filter(|line| line.starts_with("cleave_") && !line.starts_with('#')).peekable();
    assert!(series.peek().is_some() && series.all(|row| row.contains("source=\"simulated\"")), "{exposed}");
    for family in
        ["cleave_process_pss_bytes", "cleave_process_open_fds", "cleave_host_memory_available_bytes"]
    {
        let has = |line: &str| line.starts_with(family);
        assert!(!exposed.lines().any(has), "{family} is not simulated");
    }
    let mut backfill = Vec::new();
    grafana::openmetrics::export(Replay::of(predicted()), &mut backfill).expect("a vector takes everything");
    let backfill = String::from_utf8(backfill).expect("text");
    assert!(
        backfill
            .lines()
            .filter(|line| !line.starts_with('#'))
            .all(|row| row.contains("source=\"simulated\""))
    );
}

#[test]
fn a_run_is_learnt_from_and_another_predicted() {
    let cleave = Cleave::shared();
    let (code, text) = cleave.printed(&["predict", &scenario("learn"), "--calibration", "none.json"]);
    assert!(code == Some(3) && text.contains("cleave calibrate hop-tax"), "{text}");
    // Whatever the machine had to do besides: what is learnt is not judged here.
    let (live, _) = cleave.document(&[&scenario("learn")]);
    let (code, text) = cleave.printed(&["calibrate", "last"]);
    if live["verdict"] == "invalid" {
        // The machine was too busy to send in time: such a run is not learnt from.
        assert!(code != Some(0) && text.contains("is invalid; cleave report"), "{text}");
        return;
    }
    if text.contains("were not measured in any arm") {
        // It was so busy that a process was never seen to report in time: such a run shows too little.
        let rows = live["scorecard"].as_array().expect("rows");
        let cpu = rows.iter().find(|row| row["id"] == "cpu_per_journey").expect("a row");
        assert!(code == Some(2) && cpu["arms"]["A"]["note"] == "not_measured", "{text}: {cpu}");
        return;
    }
    assert_eq!(code, Some(0), "{text}");
    for part in ["calibration: runs/calibration.json", "a call over http+json", "(held out)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (code, text) = cleave.printed(&["explain", &scenario("learn")]);
    let explained = text.lines().find(|line| line.starts_with("utilisation law"));
    assert!(code == Some(0) && explained.is_some_and(|line| line.contains(SIMULATED)), "{text}");
    assert!(text.contains("80 % at "), "{text}");
    let (code, text) = cleave.printed(&["explain", &scenario("learn"), "--calibration", "none.json"]);
    assert!(code == Some(2) && text.contains("cleave calibrate hop-tax"), "{text}");
    let (code, text) = cleave.printed(&["predict", &scenario("learn"), "--live", "none"]);
    assert!(code == Some(2) && text.contains("unknown run `none`"), "{text}");
    let output = cleave.run(&["predict", &scenario("learn"), "--replications", "2", "--output", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(document["source"], "simulated");
    assert_eq!(document["schedule_digest"], live["schedule_digest"], "the same arrivals");
    assert_eq!(document["prediction"]["calibration"]["sources"].as_array().map(Vec::len), Some(1));
    assert!(!document["scorecard"].as_array().expect("rows").is_empty());
    let folder = document["run_dir"].as_str().expect("a folder");
    let (code, checked) = cleave.printed(&["record", "check", folder]);
    assert!(code == Some(0) && checked.contains("complete: every line is valid"), "{checked}");
    let (_, listed) = cleave.printed(&["runs"]);
    assert!(listed.contains("(simulated)"), "{listed}");
    let (code, text) = cleave.printed(&["calibrate", folder]);
    assert!(code != Some(0) && text.contains("is a simulation"), "{text}");
    let output = cleave.run(&["predict", &scenario("swept"), "--replications", "1", "--output", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let cells = document["prediction"]["sweep"]["cells"].as_array().expect("a table");
    let held = |cell: &Value| [&cell["arms"]["A"]["held"], &cell["arms"]["A"]["judged"]].map(Value::as_u64);
    // A delay of 900 ms is beyond the limit at any load; without it both are far from what a core can do.
    let counts: Vec<_> = cells.iter().map(held).collect();
    assert_eq!(counts, [[Some(2), Some(2)], [Some(0), Some(2)], [Some(2), Some(2)], [Some(0), Some(2)]]);
}

#[test]
fn what_is_only_simulated_is_not_run() {
    let file = scenario("swept");
    let (code, text) = Cleave::shared().printed(&["run", &file]);
    let advice = format!("only simulated; write cleave predict {file}");
    assert!(code != Some(0) && text.contains(&advice), "{text}");
    let (code, text) = Cleave::shared().printed(&["explain", &scenario("swept")]);
    assert!(code == Some(0) && text.contains("2 times for each of 4 combinations"), "{text}");
}
