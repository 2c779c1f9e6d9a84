//! Why a run is invalid or inconclusive: what happened, against which limit, and what helps.

use std::collections::BTreeMap;

use record::{Check, End, Entry, ExpectationPlan, Note, Verdict};
use scorecard::lints::{CATALOGUE, Effect, lint};
use scorecard::reason;

use crate::fixture::{Run, SECOND};

fn ended(mut run: Run, verdict: Option<Verdict>, lints: Vec<record::Lint>) -> Run {
    let end = End {
        verdict,
        exit_code: 0,
        lints,
        generator_saturated: false,
        noisy: false,
        pss_mib_peak: 1.0,
        lines: BTreeMap::new(),
        dropped_updates: 0,
        tracing: record::Tracing::default(),
        speed: None,
    };
    run.add(50 * SECOND, Entry::End(Box::new(end)));
    run
}

fn check(text: &str, verdict: Verdict, reason: &str, note: Option<Note>) -> Check {
    Check {
        id: 0,
        text: text.into(),
        arm: 'B',
        value: Some(0.034),
        interval: None,
        is_censored: false,
        limit: Some(0.01),
        unit: "%".into(),
        margin: None,
        n: 62,
        verdict,
        reason: reason.into(),
        note,
        since_ns: None,
    }
}

fn checked(check: Check, list: &str) -> Run {
    let mut run = Run::new();
    run.header().expectations = vec![ExpectationPlan {
        id: 0,
        list: list.into(),
        text: check.text.clone(),
        why: String::new(),
        line: 7,
    }];
    run.add(40 * SECOND, Entry::Check(check));
    run
}

#[test]
fn a_sentence_has_what_happened_the_limit_and_what_helps() {
    let late = lint("generator_lag", "micro: 9000 us late at p50".into());
    let drift = lint("drift", "latency drifts".into());
    let run = ended(Run::new(), Some(Verdict::Invalid), vec![drift, late]);
    let sentence = reason::sentence(run.tally()).expect("invalid");
    assert!(
        sentence.starts_with("invalid: micro: 9000 us late at p50 (allowed: 0.2 ms or a tenth"),
        "{sentence}"
    );
    assert!(sentence.contains("; lower the rate, run in turns with --rounds 6"), "{sentence}");
}

#[test]
fn a_premise_has_its_value_next_to_its_limit() {
    let run = checked(check("errors(all) in steady < 1%", Verdict::Fail, "", None), "valid");
    let valid = lint("valid", "`errors(all) in steady < 1%` does not hold".into());
    let run = ended(run, Some(Verdict::Invalid), vec![valid]);
    let sentence = reason::sentence(run.tally()).expect("invalid");
    assert!(sentence.contains("does not hold, 3.4% where the limit is 1%"), "{sentence}");
}

#[test]
fn a_run_that_claims_alone_leave_open_names_the_first() {
    let open = check("errors(all) < 1%", Verdict::Inconclusive, "62 samples; it takes 100", None);
    let run = ended(checked(open, "check"), Some(Verdict::Inconclusive), Vec::new());
    let sentence = reason::sentence(run.tally()).expect("inconclusive");
    let expected = "inconclusive: `errors(all) < 1%` in micro: 3.4% where the limit is 1% (n=62); 62 samples; it takes 100; \
                    lengthen its phase or raise the rate";
    assert_eq!(sentence, expected);
}

#[test]
fn what_passes_or_goes_on_has_no_reason() {
    assert_eq!(reason::sentence(Run::new().tally()), None, "it goes on");
    for verdict in [Some(Verdict::Pass), Some(Verdict::Fail), None] {
        assert_eq!(reason::sentence(ended(Run::new(), verdict, Vec::new()).tally()), None, "{verdict:?}");
    }
}

#[test]
fn what_helps_depends_on_why_a_claim_is_open() {
    let advice = |reason: &str, note: Option<Note>| {
        let check = check("p50(all) < 1s", Verdict::Inconclusive, reason, note);
        let run = ended(checked(check.clone(), "check"), Some(Verdict::Inconclusive), Vec::new());
        reason::advice(run.tally(), &check)
    };
    assert_eq!(advice("the interval 1 to 2 straddles the limit", None), "cleave run test --rounds 6");
    assert_eq!(
        advice("62 samples; it takes 100", Some(Note::TooFew)),
        "lengthen its phase or raise the rate"
    );
    assert!(advice("not judged: no arm of this run is `x`", None).contains("--arms"));
    let busy = "side by side, tasks waited for a CPU 61 % of the time in steady";
    let check = check("p50(all) < 1s", Verdict::Inconclusive, busy, None);
    let noisy = lint("noisy", format!("{busy}: `p50(all) < 1s`"));
    let run = ended(checked(check.clone(), "check"), Some(Verdict::Inconclusive), vec![noisy]);
    assert!(reason::advice(run.tally(), &check).contains("stop other programs"), "as the lint has it");
}

#[test]
fn commands_that_help_are_as_a_shell_reads_them() {
    let open = check("p50(all) < 1s", Verdict::Inconclusive, "the interval 1 to 2 straddles the limit", None);
    let mut run = ended(checked(open.clone(), "check"), Some(Verdict::Inconclusive), Vec::new());
    run.header().command = ["cleave", "run", "my runs/own.toml"].map(str::to_owned).into();
    assert_eq!(reason::advice(run.tally(), &open), "cleave run 'my runs/own.toml' --rounds 6");
}

#[test]
fn what_a_failed_claim_shows_is_in_its_own_run() {
    let failed = Check { since_ns: Some(29 * SECOND), ..check("p50(all) < 1s", Verdict::Fail, "", None) };
    let mut run = ended(checked(failed.clone(), "check"), Some(Verdict::Fail), Vec::new());
    run.header().run_id = "20261126-101500-a7f3".into();
    let advice = reason::advice(run.tally(), &failed);
    assert_eq!(advice, "cleave replay a7f3 shows what happened at 00:29.0; line 7 states the limit");
}

#[test]
fn every_lint_names_what_helps() {
    for lint in CATALOGUE {
        assert!(lint.help.len() > 8, "`{}` leaves its reader alone", lint.name);
        assert!(
            lint.effect == Effect::Note || !lint.help.ends_with('.'),
            "`{}`: part of a sentence",
            lint.name
        );
    }
}
