//! A load that is a share of what the slowest arm can do.

use crate::cleave::Cleave;

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
