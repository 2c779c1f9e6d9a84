//! What is not shown, or not judged: for each reason a record that gives it, and one that just does not.

use std::sync::Arc;

use record::{Finding, Interval, Note, Verdict};
use scorecard::expect::Op;
use scorecard::inference::{
    Arrivals, Body, Candidate, Conditions, Figure, Frame, Margin, Once, Resampling, Statistic, Terms, Trials,
    against_limit, against_other, contrast, decide, estimate, fail_differently,
};

use super::card::quantile;
use super::exact::PLAIN;

fn resampling(rounds: u32, seconds: u32) -> Arc<Resampling> {
    Arc::new(Resampling::new(&Frame { seed: 1, window: "steady".into(), rounds, seconds }))
}

/// Arrivals of as many seconds, waits between 1 and 2 ms.
fn even(seconds: u32, of_second: impl Fn(u32) -> u64) -> Vec<Option<Arrivals>> {
    let waits = |second: u32| {
        (0..of_second(second)).map(move |i| 1_000 + (i * 617 + u64::from(second) * 131) % 1_000)
    };
    (0..seconds).map(|second| Some(Arrivals { waits: waits(second).collect(), censored: 0 })).collect()
}

/// The same, but in some seconds all are slow.
fn clustered(seconds: u32, of_second: u64, is_slow: impl Fn(u32) -> bool) -> Vec<Option<Arrivals>> {
    let mut arrivals = even(seconds, |_| of_second);
    for (second, arrivals) in arrivals.iter_mut().enumerate().filter(|(second, _)| is_slow(*second as u32)) {
        let base = 5_000 + 37 * second as u64;
        arrivals.as_mut().expect("present").waits = (0..of_second).map(|i| base + i * 11 % 997).collect();
    }
    arrivals
}

fn figure(statistic: Statistic, rounds: u32, seconds: u32) -> Figure {
    Figure::new(statistic, &resampling(rounds, seconds))
}

fn decided(base: &Figure, other: &Figure, conditions: &Conditions<'_>) -> Candidate {
    let mut rows = [contrast(base, other, conditions)];
    decide(&mut rows);
    rows[0].clone()
}

fn quotient(seconds: u32, is_nominal: bool) -> Statistic {
    let unit = |second: u32| Some(Terms { numerator: 10.0 + f64::from(second % 3), denominator: 5.0 });
    let statistic = Statistic::quotient((0..seconds).map(unit).collect(), 5 * u64::from(seconds), 1.0);
    if is_nominal { statistic.nominal() } else { statistic }
}

#[test]
fn a_window_of_less_than_eight_seconds_has_no_interval() {
    let short = estimate(&figure(quotient(7, false), 1, 7));
    assert_eq!((short.interval, short.note), (None, Some(Note::ShortWindow)));
    assert!(short.value.is_some());
    let of = figure(quotient(7, false), 1, 7);
    assert_eq!(decided(&of, &of, &PLAIN).contrast.note, Some(Note::ShortWindow));
    assert_eq!(against_limit(&of, Op::AtMost, 1e9).verdict, Verdict::Inconclusive);
    let enough = estimate(&figure(quotient(8, false), 1, 8));
    assert!(enough.interval.is_some() && enough.note.is_none());
    // Seconds that are missing do not count.
    let mut units = quotient(8, false);
    if let Body::Quotient(units) = &mut units.body {
        units[3] = None;
    }
    assert_eq!(estimate(&figure(units, 1, 8)).note, Some(Note::ShortWindow));
}

#[test]
fn a_quotient_of_few_seconds_decides_nothing() {
    // Three tries of one call in each of so many of twelve seconds.
    let of = |seconds: u32, rounds: u32| {
        let unit = |second: u32| {
            let calls = f64::from(u32::from(second % 12 < seconds));
            Some(Terms { numerator: 3.0 * calls, denominator: calls })
        };
        let units = (0..12 * rounds).map(unit).collect();
        figure(Statistic::quotient(units, u64::from(seconds * rounds), 1.0), rounds, 12)
    };
    for seconds in [1, 4] {
        let judged = against_limit(&of(seconds, 1), Op::AtLeast, 2.5);
        assert_eq!((judged.verdict, judged.note), (Verdict::Inconclusive, Some(Note::TooFewToJudge)));
        let candidate = decided(&of(seconds, 1), &of(seconds, 1), &PLAIN);
        assert_eq!((candidate.contrast.finding, candidate.contrast.note), (None, Some(Note::TooFewToJudge)));
    }
    assert_eq!(estimate(&of(1, 1)).value, Some(3.0), "it is shown");
    assert_eq!(against_limit(&of(5, 1), Op::AtLeast, 2.5).verdict, Verdict::Pass);
    assert_eq!(against_limit(&of(1, 3), Op::AtLeast, 2.5).verdict, Verdict::Pass, "rounds are the units");
}

#[test]
fn few_samples_show_no_value() {
    let shown = |q: f64, n: u64| {
        let arrivals = even(10, |second| n / 10 + u64::from(u64::from(second) < n % 10));
        estimate(&figure(quantile(q, &arrivals), 1, 10))
    };
    for (q, n) in [(0.5, 100), (0.9, 100), (0.95, 60), (0.99, 300), (0.999, 3_000)] {
        assert_eq!((shown(q, n - 1).value, shown(q, n - 1).note), (None, Some(Note::TooFew)), "{q}");
        assert!(shown(q, n).value.is_some(), "{q}");
    }
}

#[test]
fn few_samples_of_a_tail_are_not_judged() {
    for n in [999, 1_000] {
        let arrivals = even(10, |second| n / 10 + u64::from(u64::from(second) < n % 10));
        let p99 = figure(quantile(0.99, &arrivals), 1, 10);
        let row = decided(&p99, &p99, &PLAIN);
        let judged = against_limit(&p99, Op::AtMost, 1.0);
        if n == 999 {
            assert_eq!((row.contrast.finding, row.contrast.note), (None, Some(Note::TooFewToJudge)));
            assert_eq!(estimate(&p99).note, Some(Note::TooFewToJudge));
            assert_eq!((judged.verdict, judged.note), (Verdict::Inconclusive, Some(Note::TooFewToJudge)));
        } else {
            assert!(row.contrast.finding.is_some(), "{row:?}");
            assert_eq!(judged.verdict, Verdict::Pass);
        }
        assert!(estimate(&p99).interval.is_some());
    }
}

fn trials(seconds: u32, of_second: impl Fn(u32) -> (u64, u64)) -> Vec<Option<Trials>> {
    let unit = |(events, trials)| Some(Trials { events, trials });
    (0..seconds).map(|second| unit(of_second(second))).collect()
}

#[test]
fn few_trials_are_not_judged() {
    for last in [9, 10] {
        let share =
            Statistic::share(trials(10, |second| (0, if second == 9 { last } else { 10 })), Vec::new(), true);
        let figure = figure(share, 1, 10);
        let finding = decided(&figure, &figure, &Conditions { margin: Margin::Absolute(0.9), ..PLAIN })
            .contrast
            .finding;
        let verdict = against_limit(&figure, Op::AtMost, 0.5).verdict;
        let expected = if last == 9 {
            (None, Verdict::Inconclusive)
        } else {
            (Some(Finding::Equivalent), Verdict::Pass)
        };
        assert_eq!((finding, verdict), expected);
    }
}

#[test]
fn samples_in_few_bursts_show_no_value() {
    // A hundred and twenty arrivals, a quarter of them slow: in two whole seconds of eight, or in every fourth arrival.
    let bursts = figure(quantile(0.5, &clustered(8, 15, |second| second == 2 || second == 3)), 1, 8);
    assert_eq!((estimate(&bursts).value, estimate(&bursts).note), (None, Some(Note::TooClustered)));
    assert!(estimate(&figure(quantile(0.5, &even(8, |_| 15)), 1, 8)).value.is_some());
    let row = contrast(&bursts, &bursts, &PLAIN);
    assert_eq!((row.contrast.ratio, row.contrast.note), (None, Some(Note::TooClustered)));
}

#[test]
fn arms_that_took_turns_once_or_twice_are_not_compared() {
    let turns = Conditions { is_taking_turns: true, ..PLAIN };
    let twice = figure(quotient(20, false), 2, 10);
    let row = contrast(&twice, &twice, &turns);
    assert_eq!((row.contrast.ratio, row.contrast.note, row.evidence), (None, Some(Note::OneTurn), None));
    let thrice = figure(quotient(30, false), 3, 10);
    assert!(decided(&thrice, &thrice, &turns).contrast.finding.is_some());
    assert!(decided(&twice, &twice, &PLAIN).contrast.finding.is_some(), "side by side");
}

#[test]
fn where_queues_couple_seconds_a_p90_decides_no_claim() {
    // Forty seconds of fifty, a quarter of them slow throughout, five in a row.
    let coupled = clustered(40, 50, |second| second % 20 < 5);
    let p90 = figure(quantile(0.9, &coupled), 1, 40);
    assert_eq!(estimate(&p90).note, Some(Note::Queue));
    let judged = against_limit(&p90, Op::AtMost, 1.0);
    assert_eq!((judged.verdict, judged.note), (Verdict::Inconclusive, Some(Note::Queue)));
    assert_eq!(against_other(&p90, Op::AtMost, 9.0, &p90, None).note, Some(Note::Queue));
    let free = figure(quantile(0.9, &even(40, |_| 50)), 1, 40);
    let row = contrast(&free, &p90, &PLAIN);
    assert_eq!(row.contrast.ratio.and_then(|ratio| ratio.note), Some(Note::Queue), "either arm");
    assert_eq!((estimate(&free).note, against_limit(&free, Op::AtMost, 1.0).verdict), (None, Verdict::Pass));
    // Not the median, nor a p99, which borrow or need nothing; but the mean of the same arrivals.
    assert_eq!(estimate(&figure(quantile(0.5, &coupled), 1, 40)).note, None);
    let mean = figure(quotient(40, true), 1, 40).with_arrivals(&coupled);
    assert_eq!(estimate(&mean).note, Some(Note::Queue));
    assert_eq!(against_limit(&mean, Op::AtMost, 1e9).verdict, Verdict::Inconclusive);
    // Nor over rounds, whose spread contains it.
    let in_each_round = clustered(40, 50, |second| second % 10 < 3);
    assert_eq!(estimate(&figure(quantile(0.9, &in_each_round), 1, 40)).note, Some(Note::Queue));
    assert_eq!(estimate(&figure(quantile(0.9, &in_each_round), 4, 10)).note, None);
}

#[test]
fn means_are_marked() {
    assert_eq!(estimate(&figure(quotient(10, true), 1, 10)).note, Some(Note::Nominal));
    assert_eq!(estimate(&figure(quotient(10, false), 1, 10)).note, None);
}

#[test]
fn what_the_caller_knows_against_a_row_withholds_its_finding() {
    let figure = figure(quotient(10, false), 1, 10);
    for (note, has_ratio) in [
        (Note::NotSteady, true),
        (Note::SpansLost, true),
        (Note::TooBusy, true),
        (Note::ArmsFailDifferently, false),
        (Note::NoContext, false),
    ] {
        let row = decided(&figure, &figure, &Conditions { withheld: Some(note), ..PLAIN });
        assert_eq!((row.contrast.finding, row.contrast.note), (None, Some(note)));
        assert_eq!(row.contrast.ratio.is_some(), has_ratio, "{note:?}");
    }
}

#[test]
fn arms_that_fail_differently_are_reported() {
    let failing = |of_second: u64| {
        figure(
            Statistic::share(trials(20, |second| (of_second + u64::from(second % 2), 100)), Vec::new(), true),
            1,
            20,
        )
    };
    assert!(fail_differently(&failing(0), &failing(2)));
    assert!(!fail_differently(&failing(0), &failing(0)));
}

#[test]
fn within_one_run_only_what_is_beyond_the_margin_differs() {
    let scaled = |by: f64| {
        let mut statistic = quotient(20, false);
        if let Body::Quotient(units) = &mut statistic.body {
            units.iter_mut().flatten().for_each(|unit| unit.numerator *= by);
        }
        figure(statistic, 1, 20)
    };
    let conditions = Conditions { depends_on_start: true, margin: Margin::Ratio(1.05), ..PLAIN };
    let finding = |by: f64| decided(&scaled(1.0), &scaled(by), &conditions).contrast;
    assert_eq!(
        (finding(1.04).finding, finding(1.04).note),
        (Some(Finding::Undecided), Some(Note::WithinThisRun))
    );
    assert_eq!(finding(1.06).finding, Some(Finding::Differs));
    assert_eq!(finding(1.0).finding, Some(Finding::Undecided), "never equivalent");
    assert_eq!(decided(&scaled(1.0), &scaled(1.04), &PLAIN).contrast.finding, Some(Finding::Equivalent));
}

#[test]
fn what_did_not_end_compares_with_nothing_and_is_beyond_every_limit() {
    let failing = |censored: u64| {
        let mut arrivals = even(20, |_| 50);
        arrivals.iter_mut().flatten().for_each(|second| second.censored = censored);
        figure(quantile(0.9, &arrivals), 1, 20)
    };
    let (sound, broken) = (failing(0), failing(10));
    let measured = estimate(&broken);
    assert_eq!(
        (measured.value, measured.is_censored, measured.note),
        (Some(10.0), true, Some(Note::Censored))
    );
    for (one, two) in [(&sound, &broken), (&broken, &sound), (&broken, &broken)] {
        let row = contrast(one, two, &PLAIN);
        assert_eq!((row.contrast.ratio, row.contrast.note, row.evidence), (None, Some(Note::Censored), None));
        let judged = against_other(one, Op::AtMost, 1e9, two, None);
        assert_eq!((judged.verdict, judged.note), (Verdict::Inconclusive, Some(Note::Censored)));
    }
    // A limit at or beyond what was waited is missed, too.
    for limit in [0.01, 10.0, 60.0] {
        assert_eq!(against_limit(&broken, Op::AtMost, limit).verdict, Verdict::Fail, "{limit}");
    }
}

#[test]
fn what_is_seen_once_is_judged_on_what_was_seen_and_compared_over_rounds() {
    let of = |values: &[f64]| {
        let rounds = values.len() as u32;
        let values =
            values.iter().map(|value| Some(Once { value: *value, is_censored: false, interval: None }));
        figure(Statistic::event(values.collect()), rounds, 10)
    };
    let (one, two) = (of(&[0.9]), of(&[0.5]));
    assert_eq!((estimate(&one).interval, estimate(&one).note), (None, Some(Note::ThisEvent)));
    let judged = against_limit(&one, Op::AtLeast, 0.8);
    assert_eq!((judged.verdict, judged.note), (Verdict::Pass, Some(Note::ThisEvent)));
    assert_eq!(against_other(&one, Op::AtLeast, 1.0, &two, None).verdict, Verdict::Pass);
    assert_eq!(
        (contrast(&one, &two, &PLAIN).contrast.note, contrast(&one, &two, &PLAIN).evidence),
        (Some(Note::ThisEvent), None)
    );
    let (many, others) =
        (of(&[0.90, 0.91, 0.89, 0.90, 0.92, 0.90]), of(&[0.50, 0.51, 0.52, 0.49, 0.50, 0.51]));
    assert!(estimate(&many).interval.is_some_and(|interval| interval.holds(0.903)));
    assert_eq!(decided(&many, &others, &PLAIN).contrast.finding, Some(Finding::Differs));
}

#[test]
fn a_never_ended_wait_for_an_event_fails_limits_within_what_was_looked_at() {
    let never = Once { value: 9.0, is_censored: true, interval: Some((9.0, f64::INFINITY)) };
    let never = figure(Statistic::event(vec![Some(never)]), 1, 10);
    assert_eq!(against_limit(&never, Op::AtMost, 5.0).verdict, Verdict::Fail);
    assert_eq!(against_limit(&never, Op::AtMost, 20.0).verdict, Verdict::Inconclusive);
    assert_eq!(against_other(&never, Op::AtMost, 1.0, &never, None).verdict, Verdict::Inconclusive);
}

#[test]
fn a_count_among_nothing_is_not_measured() {
    let of = |events, trials| figure(Statistic::count(vec![Some(Trials { events, trials })]), 1, 10);
    let none = of(0, 0);
    let measured = estimate(&none);
    assert_eq!((measured.value, measured.interval, measured.note), (None, None, Some(Note::NotMeasured)));
    let judged = against_limit(&none, Op::Equal, 0.0);
    assert_eq!((judged.verdict, judged.note), (Verdict::Inconclusive, Some(Note::NotMeasured)));
    assert_eq!(against_limit(&of(0, 1), Op::Equal, 0.0).verdict, Verdict::Pass);
    assert_eq!(against_limit(&of(2, 0), Op::Equal, 0.0).verdict, Verdict::Fail, "found all the same");
    assert_eq!(contrast(&of(0, 100), &none, &PLAIN).contrast.note, Some(Note::NotMeasured));
}

#[test]
fn recoveries_that_are_alike_in_every_round_are_known_to_the_second_all_the_same() {
    let of = |seconds: f64| {
        let once = Once {
            value: seconds,
            is_censored: false,
            interval: Some(((seconds - 1.0).max(0.0), seconds + 1.0)),
        };
        figure(Statistic::event(vec![Some(once); 3]), 3, 10)
    };
    let (slow, quick, none) = (of(3.0), of(2.0), of(0.0));
    let row = contrast(&quick, &slow, &PLAIN).contrast.ratio.and_then(|ratio| ratio.interval);
    let row = row.expect("three rounds");
    // 1.5 times exp(+-4.303 x 0.05 / sqrt(3)).
    assert!((row.low - 1.325).abs() < 1e-3 && (row.upper() - 1.698).abs() < 1e-3, "{row:?}");
    let verdict = |factor: f64| against_other(&slow, Op::AtLeast, factor, &quick, None).verdict;
    assert_eq!([1.3, 1.4, 1.8].map(verdict), [Verdict::Pass, Verdict::Inconclusive, Verdict::Fail]);
    // None counts as half a second, as in the row.
    let over_none = |factor: f64| against_other(&slow, Op::AtLeast, factor, &none, None).verdict;
    assert_eq!([5.0, 8.0].map(over_none), [Verdict::Pass, Verdict::Fail], "six times");
}

#[test]
fn counts_are_compared_over_three_rounds_that_both_arms_have() {
    let of = |lost: [Option<u64>; 3]| {
        let rounds = lost.map(|lost| lost.map(|events| Trials { events, trials: 1_000 }));
        figure(Statistic::count(rounds.to_vec()), 3, 10)
    };
    let (none, many) = (of([Some(0); 3]), of([Some(400), Some(410), Some(420)]));
    assert!(contrast(&none, &many, &PLAIN).evidence.is_some());
    // The audit of one round did not come about, and leaves both.
    let two = of([Some(400), None, Some(420)]);
    let row = contrast(&of([Some(0), None, Some(0)]), &two, &PLAIN);
    assert_eq!(
        (row.contrast.difference, row.contrast.note, row.evidence),
        (None, Some(Note::ThisEvent), None)
    );
}

#[test]
fn a_median_that_does_not_vary_has_no_ratio_and_ended_all_the_same() {
    // Every second has the same waits, so that how far they cluster is not known.
    let same = |us: u64| {
        let second = Arrivals { waits: (0..50).map(|i| us + i * 10).collect(), censored: 0 };
        figure(quantile(0.5, &vec![Some(second); 20]), 1, 20)
    };
    let row = contrast(&same(1_000), &same(1_500), &PLAIN);
    assert_eq!((row.contrast.ratio, row.contrast.note), (None, Some(Note::TooFewToJudge)));
}

#[test]
fn exact_figures_are_facts() {
    let of = |value: f64| figure(Statistic::exact(Some(value)), 1, 10);
    let measured = estimate(&of(3.0));
    assert_eq!((measured.value, measured.interval, measured.note), (Some(3.0), None, Some(Note::Exact)));
    let row = contrast(&of(3.0), &of(6.0), &PLAIN);
    assert_eq!((row.contrast.ratio.and_then(|ratio| ratio.value), row.evidence), (Some(2.0), None));
    assert_eq!(against_limit(&of(3.0), Op::Equal, 3.0).verdict, Verdict::Pass);
}

#[test]
fn nothing_measured_is_nothing_concluded() {
    let none = figure(Statistic::quotient(vec![None; 10], 0, 1.0), 1, 10);
    let some = figure(quotient(10, false), 1, 10);
    assert_eq!((estimate(&none).value, estimate(&none).note), (None, Some(Note::NotMeasured)));
    for (one, two) in [(&none, &some), (&some, &none), (&none, &none)] {
        assert_eq!(contrast(one, two, &PLAIN).contrast.note, Some(Note::NotMeasured));
        assert_eq!(against_other(one, Op::AtMost, 1.0, two, None).verdict, Verdict::Inconclusive);
    }
    assert_eq!(against_limit(&none, Op::AtMost, 1.0).verdict, Verdict::Inconclusive);
}

#[test]
fn brackets_differ_where_they_are_disjoint_and_have_no_ratio_else() {
    let of = |low, high| figure(Statistic::bracket(low, high, 1_000), 1, 10);
    let (low, high, open) =
        (of(Some(100.0), Some(200.0)), of(Some(400.0), Some(500.0)), of(Some(400.0), None));
    let apart = contrast(&low, &high, &PLAIN).contrast;
    assert_eq!(apart.finding, Some(Finding::Differs));
    assert_eq!(apart.ratio.and_then(|ratio| ratio.interval), Some(Interval::new(2.0, 5.0)));
    let above = contrast(&low, &open, &PLAIN).contrast;
    assert_eq!(above.ratio.and_then(|ratio| ratio.interval), Some(Interval::from(2.0)), "at least twice");
    for (one, two) in [(&low, &low), (&open, &open)] {
        let row = contrast(one, two, &PLAIN);
        assert_eq!(
            (row.contrast.finding, row.contrast.ratio, row.evidence),
            (Some(Finding::Undecided), None, None)
        );
    }
    assert_eq!(against_other(&open, Op::AtLeast, 1.0, &open, None).verdict, Verdict::Inconclusive);
    assert_eq!(against_other(&open, Op::AtLeast, 1.0, &low, None).verdict, Verdict::Pass);
}

#[test]
fn an_estimate_equals_a_number_only_without_width() {
    let constant = Statistic::quotient(vec![Some(Terms { numerator: 3.0, denominator: 1.0 }); 10], 10, 1.0);
    let constant = figure(constant, 1, 10);
    assert_eq!(against_limit(&constant, Op::Equal, 3.0).verdict, Verdict::Pass);
    assert_eq!(against_limit(&constant, Op::Equal, 2.0).verdict, Verdict::Fail);
    let varying = figure(quotient(10, false), 1, 10);
    let value = estimate(&varying).value.expect("measured");
    assert_eq!(against_limit(&varying, Op::Equal, value).verdict, Verdict::Inconclusive);
}
