//! One seed, one schedule, and one final state however the components are grouped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use record::{Entry, Line};
use serde_json::Value;

use crate::cleave::{Cleave, scenario, went_well};
use crate::places::side_by_side;

/// The schedule's digest, and the state digests of all arms; no states where the machine was too busy to take the writes.
fn digests(seed: &str) -> (String, Option<Vec<String>>) {
    let cleave = Cleave::wide();
    let (document, lines) = cleave.document(&[&scenario("four-ways"), "--seed", seed]);
    let seen = spans_are_placed_as_the_catalogue_has_them(&lines);
    let text = |value: &Value| value.as_str().expect("a digest").to_owned();
    if !went_well(&document, 4, 1.0) {
        return (text(&document["schedule_digest"]), None);
    }
    let all = "ABCD"
        .chars()
        .flat_map(|arm| suite::components().into_iter().map(move |name| (arm, name.as_str().to_owned())));
    assert_eq!(seen, all.collect::<BTreeSet<_>>(), "every component of every arm has served a request");
    let audits = document["audits"].as_array().expect("audits");
    let states: Vec<String> = audits.iter().map(|audit| text(&audit["state_digest"])).collect();
    assert_eq!(states.len(), 4, "mono, mono-x3, pairs and micro");
    for (audit, state) in audits.iter().zip(&states) {
        assert!(audit["acknowledged"].as_u64().is_some_and(|n| n > 0), "an arm took no write: {audit:#}");
        for component in ["profile", "follower", "feed", "search", "photo"] {
            assert!(state.contains(component), "{component} is not in {state}");
        }
    }
    (text(&document["schedule_digest"]), Some(states))
}

/// A request to a route is served by the gateway and by the component that owns the route, in every grouping. Returns which
/// components of which arms were seen to serve one.
fn spans_are_placed_as_the_catalogue_has_them(lines: &[Line]) -> BTreeSet<(char, String)> {
    let routes = suite::CATALOGUE.iter().flat_map(|service| {
        service.routes.iter().map(|route| (format!("{} {}", route.method, route.path), service.name.as_str()))
    });
    let owners: BTreeMap<String, &str> = routes.collect();
    let traces = lines.iter().filter_map(|line| match &line.entry {
        Entry::Trace(trace) => Some(trace),
        _ => None,
    });
    let mut seen = BTreeSet::new();
    for trace in traces {
        for span in &trace.spans {
            let Some(owner) = owners.get(&span.name).filter(|_| span.of != "gateway") else { continue };
            assert_eq!(
                (span.of.as_str(), span.place.as_str()),
                (*owner, *owner),
                "`{}` in {}",
                span.name,
                trace.arm
            );
            seen.insert((trace.arm, (*owner).to_owned()));
        }
    }
    seen
}

#[test]
fn a_seed_decides_schedule_and_final_state_and_the_grouping_neither() {
    let runs = Mutex::new(BTreeMap::new());
    side_by_side([("first", "7"), ("again", "7"), ("other", "8")], |(run, seed)| {
        let found = digests(seed);
        runs.lock().expect("no panic while held").insert(run, found);
    });
    let runs = runs.into_inner().expect("no panic while held");
    let [(schedule, first), (again, repeated), (other, another)] =
        ["first", "again", "other"].map(|run| &runs[run]);
    assert_eq!(schedule, again, "a seed repeats");
    assert_ne!(schedule, other, "another seed, another schedule");

    let (Some(first), Some(repeated), Some(another)) = (first, repeated, another) else {
        println!("the states are not compared: the machine was too busy");
        return;
    };
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 1, "groupings differ in state: {first:#?}");
    assert_eq!(first[0], repeated[0], "a seed repeats");
    assert_ne!(first[0], another[0], "another seed, another state");
}
