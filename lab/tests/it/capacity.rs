//! A load that is a share of what the slowest arm can do; and a search for capacity that goes on beyond its declared rates.

use std::collections::BTreeMap;

use record::Entry;

use crate::cleave::{Cleave, is_starved, scenario};

const SCENARIO: &str = r#"schema = 1
name   = "share"
title  = "A tenth of what the slower arm can do"
why    = "The same rate for both, far from the limits of either"
phases = [{ name = "steady", for = "2s" }]

[load]
rate = "10% of slowest"
size = "tiny"
mix  = { view-profile = 1 }

[topology.slow]
processes = { app = ["gateway", "*"] }

[topology.mono]
processes = { app = ["gateway", "*"] }

[variant.two.service.profile]
slots = 2
work  = { dist = "constant", mean = "10ms" }

[expect]
check = ["errors(all) < 5%"]
"#;

#[test]
fn the_rate_is_measured_once_and_the_same_for_all() {
    let cleave = Cleave::shared();
    let file = cleave.folder().join("share.toml");
    std::fs::write(&file, SCENARIO).expect("a folder of ours");
    let planned = || {
        let (document, lines) = cleave.document(&[&file.to_string_lossy(), "--seed", "7"]);
        let note = lines.iter().find_map(|line| match &line.entry {
            record::Entry::Event(event) if event.text.contains("of the slowest") => Some(event.text.clone()),
            _ => None,
        });
        (document["schedule_digest"].clone(), note.expect("the record notes how the rate was derived"))
    };
    let (first, note) = planned();
    // Two slots of 10 ms do at most 200 calls a second, and each journey makes at least one.
    let rate: f64 = note
        .split_once(" is ")
        .and_then(|(_, rest)| rest.split_once("/s"))
        .and_then(|(rate, _)| rate.parse().ok())
        .unwrap_or_else(|| panic!("no rate in {note}"));
    assert!((1.0..=20.0).contains(&rate), "{note}");
    assert!(note.contains("two/slow") && note.contains("two/mono"), "{note}");
    assert_eq!(planned(), (first, note), "measured once: the second run offers the same");
}

/// Rates of 40 and 60, 90, 135 and 203 a second: one slot of 8 ms serves at most 125, eight serve 1,000.
#[test]
fn a_search_goes_on_until_every_arm_has_failed_or_its_rates_end() {
    let cleave = Cleave::new();
    let (document, lines) = cleave.document(&[&scenario("search")]);
    if is_starved(&document) || is_logged(&lines, "was late at the last rate") {
        println!("skipped: the load generator had no room here");
        return;
    }
    assert!(
        is_logged(&lines, "the search for capacity ends: the last further rate was offered"),
        "one arm fails none"
    );
    let begun: Vec<&record::Phase> = lines.iter().filter_map(phase).filter(|phase| phase.index > 2).collect();
    let names: Vec<&str> = begun.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["further-1", "further-2", "further-3", "further-4"]);
    assert!(begun.iter().all(|phase| phase.arms == "AB"), "both arms together: {begun:?}");

    // Each second offers both the same arrivals, also where one of them has failed before.
    let offered = |arm: char| -> BTreeMap<u32, u64> {
        let windows = lines.iter().filter_map(|line| match &line.entry {
            Entry::Window(window) if window.arm == arm && window.closed && window.offered > 0 => {
                Some((window.second, window.offered))
            }
            _ => None,
        });
        windows.collect()
    };
    assert_eq!(offered('A'), offered('B'));

    let rates = document["capacity"][0]["rates"].as_array().expect("a search").clone();
    let of = |phase: &str| rates.iter().find(|rate| rate["phase"] == phase).expect("it was offered");
    for (phase, rate) in [("further-1", 60.0), ("further-3", 135.0), ("further-4", 203.0)] {
        let found = of(phase)["rate"].as_f64().expect("a number");
        // Over four seconds: five times the root of so many arrivals.
        assert!((found - rate).abs() < 5.0 * (rate * 4.0_f64).sqrt() / 4.0, "{phase}: {found}");
    }
    let standing =
        |phase: &str, arm: &str| of(phase)["arms"][arm]["standing"].as_str().expect("a word").to_owned();
    // Of the eighty arrivals of a low rate one that comes late leaves it undecided.
    assert_ne!(standing("r20", "A"), "failed", "a sixth of what one slot does");
    assert_eq!(standing("further-4", "A"), "failed", "more than one slot does");
    assert_ne!(standing("further-4", "B"), "failed", "eight slots");

    let row = &document["scorecard"][0];
    assert_eq!(row["id"], "capacity");
    // Of the lower ends four seconds a rate decide little.
    let high = |arm: &str| row["arms"][arm]["interval"][1].as_f64();
    assert!(high("A").is_some_and(|rate| rate < 250.0), "the search found its upper end: {row}");
    assert_eq!(high("B"), None, "none of its rates failed: {row}");
    let other = document["scorecard"].as_array().expect("rows").iter().find(|row| row["id"] == "latency_p99");
    assert_eq!(
        other.expect("a row")["window"],
        "r20",
        "rows of the declared rates have none of the further ones"
    );
}

fn phase(line: &record::Line) -> Option<&record::Phase> {
    if let Entry::Phase(phase) = &line.entry { Some(phase) } else { None }
}

fn is_logged(lines: &[record::Line], text: &str) -> bool {
    lines.iter().any(|line| matches!(&line.entry, Entry::Event(event) if event.text.contains(text)))
}
