//! One seed, one schedule, and one final state however the components are grouped.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cleave::{Cleave, scenario};

/// The schedule's digest, and the state digests of all arms.
fn digests(cleave: &Cleave, seed: &str) -> (String, Vec<String>) {
    let (document, _) = cleave.document(&[&scenario("four-ways"), "--seed", seed]);
    let text = |value: &Value| value.as_str().expect("a digest").to_owned();
    let audits = document["audits"].as_array().expect("audits");
    let states: Vec<String> = audits.iter().map(|audit| text(&audit["state_digest"])).collect();
    assert_eq!(states.len(), 4, "mono, mono-x3, pairs and micro");
    for (audit, state) in audits.iter().zip(&states) {
        assert!(audit["acknowledged"].as_u64().is_some_and(|n| n > 0), "an arm took no write: {audit:#}");
        for component in ["profile", "follower", "feed", "search", "photo"] {
            assert!(state.contains(component), "{component} is not in {state}");
        }
    }
    (text(&document["schedule_digest"]), states)
}

#[test]
fn a_seed_decides_schedule_and_final_state_and_the_grouping_neither() {
    let cleave = Cleave::new();
    let (schedule, states) = digests(&cleave, "7");
    assert_eq!(states.iter().collect::<BTreeSet<_>>().len(), 1, "groupings differ in state: {states:#?}");

    let (again, states_again) = digests(&cleave, "7");
    assert_eq!((schedule.as_str(), &states[0]), (again.as_str(), &states_again[0]), "a seed repeats");

    let (other, other_states) = digests(&cleave, "8");
    assert_ne!(schedule, other, "another seed, another schedule");
    assert_ne!(states[0], other_states[0], "and another state");
}
