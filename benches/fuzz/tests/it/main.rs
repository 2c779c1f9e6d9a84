//! Each target with some thousand inputs; and what a finding is, by a target that has one.

use fuzz::driver::check;
use fuzz::mutation::Mutator;
use fuzz::{Finding, TARGETS, Target, corpus, run};

/// Inputs of each target.
const INPUTS: u64 = 5_000;

#[track_caller]
fn holds(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    assert!(!corpus::of(target).is_empty(), "mutation begins with something");
    if let Err(finding) = run(target, INPUTS, 1) {
        panic!("{finding}");
    }
}

#[test]
fn requests_pass_on_what_they_may() {
    holds("sanitize");
}

#[test]
fn requests_reach_public_routes_alone() {
    holds("routing");
}

#[test]
fn deadlines_stay_within_their_bounds() {
    holds("deadlines");
}

#[test]
fn calls_read_back_as_they_were_written() {
    holds("codecs");
}

#[test]
fn cursors_are_ours_or_refused() {
    holds("cursors");
}

#[test]
fn tokens_speak_for_no_other_user() {
    holds("tokens");
}

#[test]
fn records_are_read_to_their_end() {
    holds("record");
}

#[test]
fn spans_of_any_shape_are_taken_or_refused() {
    holds("otlp");
}

/// A reader that fails for a byte which its corpus has not.
fn planted(input: &[u8]) {
    assert!(!input.contains(&b'!'), "a planted failure");
}

const PLANTED: Target =
    Target { name: "deadlines", run: planted, seeds: || vec![b"harmless".to_vec()], words: &[b"!"] };

#[test]
fn a_failure_is_found_with_its_input() {
    let Finding { target, input, reason } = run(&PLANTED, INPUTS, 1).expect_err("it is there");
    assert_eq!((target, reason.as_str()), ("deadlines", "a planted failure"));
    assert!(input.contains(&b'!'));
    assert!(check(&PLANTED, &input).is_err() && check(&PLANTED, b"harmless").is_ok());
}

#[test]
fn a_seed_has_its_inputs() {
    let corpus = [b"GET /v1/feed".to_vec(), b"POST /v1/photos".to_vec()];
    let inputs = |seed| -> Vec<Vec<u8>> {
        let mut mutator = Mutator::new(seed, "a", &corpus, &[b"%2e", b"/"]);
        (0..100).map(|_| mutator.input()).collect()
    };
    assert_eq!(inputs(1), inputs(1));
    assert_ne!(inputs(1), inputs(2));
    let changed = inputs(1).iter().filter(|input| !corpus.contains(input)).count();
    assert!(changed > 80, "{changed} of 100 differ from what they were made of");
}
