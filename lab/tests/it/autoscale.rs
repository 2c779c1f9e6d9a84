//! Copies that come and go by themselves, in real arms under load.

use std::collections::BTreeSet;

use record::{Entry, Event, EventKind};

use crate::cleave::{Cleave, is_starved, went_well};

/// Forty lookups a second, of which a copy of photo should do ten.
const SCENARIO: &str = r#"schema = 1
name   = "grows"
title  = "Copies of photo, as many as ten lookups a second each need, and at most three"
why    = "A component is scaled by what it does"
phases = [{ name = "warm", for = "1s", measure = false }, { name = "steady", for = "7s" }]

[load]
rate = "40/s"
size = "tiny"
mix  = { view-photo = 1 }

[topology.services]
processes = { each = ["*"] }

[topology.whole]
processes = { app = ["gateway", "*"] }

[[step]]
id       = "autoscaler"
in       = "steady"
do       = "autoscale"
on       = "photo"
requests = "10/s"
max      = 3
for      = "6s"

[expect]
check = ["errors(all) in steady == 0"]
"#;

#[test]
fn a_component_gets_as_many_copies_as_its_requests_need_and_a_program_with_the_public_port_none() {
    let cleave = Cleave::shared();
    let file = cleave.folder().join("grows.toml");
    std::fs::write(&file, SCENARIO).expect("a folder of ours");
    let (document, lines) = cleave.document(&[&file.to_string_lossy()]);

    let scaled = |event: &&Event| event.what == EventKind::Scale;
    let events = lines.iter().filter_map(|line| match &line.entry {
        Entry::Event(event) => Some(event),
        _ => None,
    });
    let events: Vec<&Event> = events.filter(scaled).collect();
    let texts: Vec<&str> = events.iter().map(|event| event.text.as_str()).collect();
    // In one step, or in two where the first look was at a part of a second.
    let grows = |text: &&str| text.starts_with("A photo: ") && text.contains(" to 3 copies, ");
    let is_decided = went_well(&document, 2, 0.9);
    assert!(texts.iter().any(grows) || !is_decided, "{texts:?}");
    let reasons: Vec<&String> = events.iter().filter_map(|event| event.targets.get(&'B')).collect();
    assert!(
        reasons.iter().any(|reason| reason.starts_with("n/a (the gateway is in the same process")),
        "{reasons:?}"
    );

    let up: BTreeSet<(char, &str)> = lines
        .iter()
        .filter_map(|line| match &line.entry {
            Entry::Proc(proc) if proc.state == "up" => Some((proc.arm, proc.instance.as_str())),
            _ => None,
        })
        .collect();
    let copies = |arm: char| up.iter().filter(|(of, name)| *of == arm && name.starts_with("photo#")).count();
    assert_eq!(copies('B'), 0, "{up:?}");
    // Where the machine has no room a copy may come after the end.
    let is_late = is_starved(&document) && copies('A') < 3;
    assert!(copies('A') == 3 || is_late, "{up:?}");
}
