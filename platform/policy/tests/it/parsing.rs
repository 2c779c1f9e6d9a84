//! What a scenario writes is what a node reads: quantities and policies survive the journey.

use policy::units::{HumanDuration, Rate, Ratio};
use policy::{EdgePattern, Policy, for_edge};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// A day, ns: the longest span.
const DAY_NS: u64 = 86_400_000_000_000;

fn close(one: f64, other: f64) -> bool {
    // A part in 10^9 of the value, or of a per cent for shares near nothing.
    (one - other).abs() <= 1e-9 * one.abs().max(0.01)
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    span: Option<HumanDuration>,
    ratio: Option<Ratio>,
    rate: Option<Rate>,
}

#[test]
fn a_bare_number_is_refused_with_the_right_form() {
    for (written, form) in
        [("span = 5", "250ms"), ("span = 1.5", "250ms"), ("rate = 280", "280/s"), ("ratio = 10", "10%")]
    {
        let error = toml::from_str::<Line>(written).expect_err(written).to_string();
        assert!(error.contains(form), "{written}: {error}");
    }
    for written in ["ratio = 0.1", "ratio = 1", "ratio = \"100%\"", "span = \"0ms\"", "rate = \"0/s\""] {
        assert!(toml::from_str::<Line>(written).is_ok(), "{written}");
    }
}

proptest! {
    #[test]
    fn spans_survive_to_the_nanosecond(ns in 0..=DAY_NS) {
        let span = HumanDuration::from(std::time::Duration::from_nanos(ns));
        prop_assert_eq!(span.to_string().parse::<HumanDuration>(), Ok(span));
    }

    #[test]
    fn shares_survive(share in prop_oneof![0.0..=1.0, 0.0..=0.001, Just(0.000_001)]) {
        let back: Ratio = Ratio::new(share).to_string().parse().expect("what we print, we read");
        prop_assert!(close(share, back.get()), "{} came back as {}", share, back.get());
    }

    #[test]
    fn rates_survive(rate in 0.0..=1e6) {
        let back: Rate = Rate::per_second(rate).to_string().parse().expect("what we print, we read");
        prop_assert!(close(rate, back.get()));
    }

    #[test]
    fn no_text_upsets_the_readers(text in ".{0,12}") {
        let _any = (text.parse::<HumanDuration>().is_ok(), text.parse::<Ratio>().is_ok(), text.parse::<Rate>().is_ok());
        if let Ok(pattern) = text.parse::<EdgePattern>() {
            prop_assert_eq!(pattern.to_string().parse::<EdgePattern>(), Ok(pattern));
        }
    }

    #[test]
    fn a_policy_over_nothing_and_nothing_over_it_are_the_policy(
        attempts in proptest::option::of(0_u32..9),
        timeout_ms in proptest::option::of(0_u64..5_000),
        bulkhead in proptest::option::of(0_u32..99),
    ) {
        let policy = Policy { attempts, bulkhead, timeout: timeout_ms.map(HumanDuration::from_millis), ..Policy::default() };
        prop_assert_eq!(policy.over(&Policy::default()), policy.clone());
        prop_assert_eq!(Policy::default().over(&policy), policy.clone());
        let table = [("*->photo".parse().expect("an edge"), policy.clone())];
        prop_assert_eq!(for_edge(&table, "feed", "photo"), policy.clone());
        prop_assert_eq!(for_edge(&table, "feed", "profile"), Policy::default());
        prop_assert!((1..=policy::edge::MAX_ATTEMPTS).contains(&policy.effective().attempts));
    }
}
