//! What holds exactly, whatever was drawn.

use std::sync::Arc;

use record::Finding;
use scorecard::inference::{
    Body, Conditions, Figure, Frame, Margin, Resampling, Statistic, Terms, Trials, contrast, decide, estimate,
};

use super::card::{arrivals, cpu, goodput, mean, parts, quantile};
use super::queue::{Queue, Round};
use super::random::Random;

pub(super) const PLAIN: Conditions<'static> = Conditions {
    margin: Margin::Ratio(1.1),
    depends_on_start: false,
    start: None,
    is_taking_turns: false,
    is_part: false,
    withheld: None,
};

fn frame(rounds: u32, seconds: u32) -> Frame {
    Frame { seed: 42, window: "steady".into(), rounds, seconds }
}

fn arms(seed: u64) -> [Vec<Round>; 2] {
    Queue::plain(200.0, 20, 0.5, true, true).round(&mut Random::new(seed)).map(|round| vec![round])
}

fn figures(rounds: &[Round], resampling: &Arc<Resampling>) -> Vec<Figure> {
    let arrivals = arrivals(rounds);
    [quantile(0.5, &arrivals), quantile(0.9, &arrivals), quantile(0.99, &arrivals), cpu(rounds), mean(rounds)]
        .map(|statistic| Figure::new(statistic, resampling))
        .to_vec()
}

/// Counts are compared as shares of what they are counted among, and so is their margin.
#[test]
fn counts_are_equivalent_within_a_share_of_their_exposure() {
    let resampling = Arc::new(Resampling::new(&frame(6, 20)));
    let of = |lost: u64| {
        let rounds = vec![Some(Trials { events: lost, trials: 2_000 }); 6];
        Figure::new(Statistic::count(rounds), &resampling)
    };
    let conditions = Conditions { margin: Margin::Absolute(0.005), ..PLAIN };
    let finding = |a, b| {
        let mut rows = [contrast(&of(a), &of(b), &conditions)];
        decide(&mut rows);
        rows[0].contrast.finding
    };
    // Of 12,000: none and none, none and 0.15 % are less than half a point apart, none and 2 % are not.
    assert_eq!(finding(0, 0), Some(Finding::Equivalent));
    assert_eq!(finding(0, 3), Some(Finding::Equivalent));
    assert_eq!(finding(0, 40), Some(Finding::Differs));
}

#[test]
fn swapped_arms_have_the_inverse_ratio_and_the_negative_difference() {
    let resampling = Arc::new(Resampling::new(&frame(1, 20)));
    let [a, b] = arms(1);
    for (a, b) in figures(&a, &resampling).iter().zip(&figures(&b, &resampling)) {
        for is_part in [false, true] {
            let conditions = Conditions { is_part, margin: Margin::Ratio(1.1), ..PLAIN };
            let (one, two) = (contrast(a, b, &conditions), contrast(b, a, &conditions));
            let ends = |of: &scorecard::inference::Candidate| {
                let measured = of.contrast.ratio.or(of.contrast.difference).expect("compared");
                let interval = measured.interval.expect("bounded");
                (interval.low, interval.upper())
            };
            let ((low, high), (other_low, other_high)) = (ends(&one), ends(&two));
            let (mirrored_low, mirrored_high) =
                if is_part { (-other_high, -other_low) } else { (1.0 / other_high, 1.0 / other_low) };
            assert!((low - mirrored_low).abs() < 1e-9 && (high - mirrored_high).abs() < 1e-9);
            let level = |of: &scorecard::inference::Candidate| of.evidence.expect("judged").p;
            assert!((level(&one) - level(&two)).abs() < 1e-9);
        }
    }
}

#[test]
fn a_row_in_another_unit_has_the_same_interval_in_it() {
    let resampling = Arc::new(Resampling::new(&frame(1, 20)));
    let [a, _] = arms(2);
    let plain = estimate(&Figure::new(cpu(&a), &resampling));
    let in_ms = estimate(&Figure::new(Statistic { scale: 1e-6, ..cpu(&a) }, &resampling));
    let (plain, in_ms) = (plain.interval.expect("bounded"), in_ms.interval.expect("bounded"));
    let in_ms = in_ms.scaled(1e-3);
    assert!((plain.low - in_ms.low).abs() < 1e-12 && (plain.upper() - in_ms.upper()).abs() < 1e-12);
}

#[test]
fn the_same_record_gives_the_same_digits() {
    let rows = || {
        let resampling = Arc::new(Resampling::new(&frame(1, 20)));
        let [a, b] = arms(3);
        let (a, b) = (figures(&a, &resampling), figures(&b, &resampling));
        let mut rows: Vec<_> = a.iter().zip(&b).map(|(a, b)| contrast(a, b, &PLAIN)).collect();
        decide(&mut rows);
        let values: Vec<_> = a.iter().chain(&b).map(estimate).collect();
        let contrasts: Vec<_> = rows.into_iter().map(|row| row.contrast).collect();
        serde_json::to_string(&(values, contrasts)).expect("writes")
    };
    assert_eq!(rows(), rows());
}

#[test]
fn what_is_the_same_every_second_has_no_width() {
    let units = vec![Some(Terms { numerator: 3.0, denominator: 2.0 }); 20];
    let of = |numerator: f64| {
        let units = units.iter().map(|unit| unit.map(|unit| Terms { numerator, ..unit })).collect();
        Statistic::quotient(units, 40, 1.0)
    };
    let resampling = Arc::new(Resampling::new(&frame(1, 20)));
    let [a, b] = [of(3.0), of(6.0)].map(|statistic| Figure::new(statistic, &resampling));
    let interval = estimate(&a).interval.expect("bounded");
    assert!((interval.low - 1.5).abs() < 1e-12 && (interval.upper() - 1.5).abs() < 1e-12);
    let mut rows = [contrast(&a, &b, &PLAIN), contrast(&a, &a, &PLAIN)];
    decide(&mut rows);
    assert_eq!(rows.map(|row| row.contrast.finding), [Some(Finding::Differs), Some(Finding::Equivalent)]);
}

#[test]
fn parts_sum_to_their_total() {
    for (rounds, seconds) in [(1, 20), (6, 10)] {
        let resampling = Arc::new(Resampling::new(&frame(rounds, seconds)));
        let queue = Queue::plain(120.0, seconds, 0.3, true, true);
        let mut random = Random::new(4);
        let arms: Vec<Round> = (0..rounds).map(|_| queue.round(&mut random)[0].clone()).collect();
        let total = mean(&arms);
        let parts = parts(&total, &mut random);
        // Values sum, and so does what they are in any resample: sums are whole numbers, with whole weights.
        let value = |statistic: &Statistic| {
            estimate(&Figure::new(Statistic { scale: 1.0, ..statistic.clone() }, &resampling))
                .value
                .expect("measured")
        };
        let sum: f64 = parts.iter().map(value).sum();
        assert!((sum - value(&total)).abs() < 1e-6, "{sum} of {}", value(&total));
        let whole = |statistic: &Statistic| match &statistic.body {
            Body::Quotient(units) => units.iter().flatten().all(|unit| unit.numerator.fract() == 0.0),
            _ => false,
        };
        assert!(parts.iter().all(whole));
    }
}

#[test]
fn intervals_hold_their_own_value() {
    let resampling = Arc::new(Resampling::new(&frame(1, 20)));
    let [a, b] = arms(5);
    let (one, two) = (figures(&a, &resampling), figures(&b, &resampling));
    for (figure, other) in one.iter().zip(&two) {
        for measured in [estimate(figure), contrast(figure, other, &PLAIN).contrast.ratio.expect("compared")]
        {
            assert!(
                measured.interval.expect("bounded").holds(measured.value.expect("measured")),
                "{measured:?}"
            );
        }
    }
    let good = |arm: &[Round]| Figure::new(goodput(arm, 20_000, &arrivals(arm)), &resampling);
    let difference = contrast(&good(&a), &good(&b), &PLAIN).contrast.difference.expect("compared");
    assert!(difference.interval.expect("bounded").holds(difference.value.expect("measured")));
}
