//! Faults that are counted elsewhere than in the call they hit: each is carried out, and its hits are known.

use crate::cleave::{Cleave, lints};

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

#[test]
fn hits_of_a_fault_are_counted_by_target() {
    for (step, mono) in [
        ("do = \"reorder\"\non = \"feed\"\nwindow = 3", Some("in the transaction that publishes them")),
        (
            "do = \"poison\"\non = \"feed\"\ndead_letters = true",
            Some("in the transaction that publishes them"),
        ),
        ("do = \"panic\"\non = \"photo\"\nmode = \"process\"\nshare = \"20%\"", None),
        ("do = \"outage\"\non = \"gateway\"", None),
        (
            "do = \"registry\"\non = \"registry\"\nanswers = \"slow\"\nby = \"500ms\"",
            Some("no registry here"),
        ),
    ] {
        let cleave = Cleave::new();
        std::fs::write(cleave.folder().join("counted.toml"), scenario(step)).expect("a folder of ours");
        let (document, lines) = cleave.document(&["counted.toml"]);
        let found = lints(&document);
        assert!(!found.iter().any(|name| name == "fault_without_hits"), "{step}: {}", document["lints"]);
        let plan = lines.iter().find_map(|line| match &line.entry {
            record::Entry::Header(header) => header.steps.first().cloned(),
            _ => None,
        });
        let reasons = plan.expect("its step").not_applicable;
        assert!(!reasons.contains_key(&'A'), "{step}: {reasons:?}");
        match (reasons.get(&'B'), mono) {
            (None, None) => {}
            (Some(reason_text), Some(reason)) => {
                assert!(reason_text.contains(reason), "{step}: {reason_text}")
            }
            (reasons, wanted) => panic!("{step} in the monolith: {reasons:?}, not {wanted:?}"),
        }
    }
}
