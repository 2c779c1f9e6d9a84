//! Faults that are counted elsewhere than in the call they hit: each is carried out, and its hits are known.

use crate::cleave::{Cleave, is_starved, lints};
use crate::places::side_by_side;

fn scenario(step: &str) -> String {
    format!(
        r#"schema = 1
name   = "counted"
title  = "A fault and its hits"
why    = "An injection that did nothing must not pass for resilience"
phases = [{{ name = "steady", for = "4s" }}]

[load]
rate    = "40/s"
size    = "tiny"
mix     = {{ home-feed = 50, upload = 25, like = 25 }}
timeout = "1s"

[topology.pairs]
processes = {{ people = ["profile", "follower"], feed = ["feed"], media = ["search", "photo"] }}
restart   = {{ after = "200ms" }}

[topology.mono]
processes = {{ app = ["gateway", "*"] }}
restart   = {{ after = "200ms" }}

[[step]]
id  = "fault"
in  = "steady"
at  = "+1s"
for = "2s"
{step}
"#
    )
}

/// Faults, and why the monolith has nothing for them to act on, where it has not.
const FAULTS: [(&str, Option<&str>); 5] = [
    ("do = \"reorder\"\non = \"feed\"\nwindow = 3", Some("in the transaction that publishes them")),
    ("do = \"poison\"\non = \"feed\"\ndead_letters = true", Some("in the transaction that publishes them")),
    ("do = \"panic\"\non = \"photo\"\nmode = \"process\"\nshare = \"20%\"", None),
    ("do = \"outage\"\non = \"gateway\"", None),
    ("do = \"registry\"\non = \"registry\"\nanswers = \"slow\"\nby = \"500ms\"", Some("no registry here")),
];

#[test]
fn hits_of_a_fault_are_counted_by_target() {
    side_by_side(FAULTS, |(step, in_monolith)| has_hits(step, in_monolith));
}

fn has_hits(step: &str, in_monolith: Option<&str>) {
    let cleave = Cleave::shared();
    std::fs::write(cleave.folder().join("counted.toml"), scenario(step)).expect("a folder of ours");
    let (document, lines) = cleave.document(&["counted.toml"]);
    let found = lints(&document);
    // A load that does not come hits nothing.
    let has_hits = !found.iter().any(|name| name == "fault_without_hits");
    assert!(has_hits || is_starved(&document), "{step}: {}", document["lints"]);
    let plan = lines.iter().find_map(|line| match &line.entry {
        record::Entry::Header(header) => header.steps.first().cloned(),
        _ => None,
    });
    let reasons = plan.expect("its step").not_applicable;
    assert!(!reasons.contains_key(&'A'), "{step}: {reasons:?}");
    match (reasons.get(&'B'), in_monolith) {
        (None, None) => {}
        (Some(reason_text), Some(reason)) => assert!(reason_text.contains(reason), "{step}: {reason_text}"),
        (reasons, wanted) => panic!("{step} in the monolith: {reasons:?}, not {wanted:?}"),
    }
}
