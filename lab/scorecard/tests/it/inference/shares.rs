//! Generators S and T, and counts: shares whose failures come one by one, in waves or in bursts; second sums of traced
//! pairs; counts from events.

use std::sync::Arc;

use scorecard::inference::{Figure, Frame, Resampling, Statistic, Terms, Trials, contrast, estimate};

use super::bounds::at_least;
use super::exact::PLAIN;
use super::random::Random;

const REPLICAS: u64 = 400;

fn resampling(seed: u64, rounds: u32, seconds: u32) -> Arc<Resampling> {
    Arc::new(Resampling::new(&Frame { seed, window: "steady".into(), rounds, seconds }))
}

/// How failures come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Failures {
    OneByOne,
    /// Their rate is drawn for each second, for both arms together.
    Waves,
    /// Half of the arrivals of one second in twenty-five.
    Bursts,
}

/// Hits of the value, and of the difference of two arms.
fn hits(seconds: u32, rate: f64, share_of: f64, failures: Failures) -> [u64; 2] {
    let mut random = Random::new(u64::from(seconds) + 100 * failures as u64);
    let mut hits = [0; 2];
    for replica in 0..REPLICAS {
        let mut arms = [Vec::new(), Vec::new()];
        for _ in 0..seconds {
            let p = match failures {
                Failures::OneByOne => share_of,
                Failures::Waves => (share_of * random.gamma(1.0)).min(1.0),
                Failures::Bursts => 0.5 * f64::from(u8::from(random.uniform() < 1.0 / 25.0)),
            };
            let n = random.poisson(rate);
            for arm in &mut arms {
                arm.push(Some(Trials { events: random.binomial(n, p), trials: n }));
            }
        }
        let resampling = resampling(replica, 1, seconds);
        let [base, other] =
            arms.map(|trials| Figure::new(Statistic::share(trials, Vec::new(), true), &resampling));
        let value = estimate(&base).interval.expect("bounded");
        hits[0] += u64::from(value.holds(share_of));
        let difference = contrast(&base, &other, &PLAIN).contrast.difference.expect("compared");
        hits[1] += u64::from(difference.interval.expect("bounded").holds(0.0));
    }
    println!("{failures:?}, {seconds} s: {hits:?} of {REPLICAS}");
    hits
}

#[test]
fn shares_hold_the_truth_where_failures_come_one_by_one_or_in_waves() {
    for (seconds, rate) in [(12, 80.0), (20, 120.0), (60, 200.0)] {
        for failures in [Failures::OneByOne, Failures::Waves] {
            let [value, difference] = hits(seconds, rate, 0.02, failures);
            assert!(value >= at_least(REPLICAS, 0.92), "{seconds} s, {failures:?}: {value}");
            assert!(difference >= at_least(REPLICAS, 0.94), "{seconds} s, {failures:?}: {difference}");
        }
    }
}

#[test]
fn a_minute_without_a_bad_second_still_misses_bursts() {
    for (seconds, reached) in [(12, 0.36), (20, 0.54), (60, 0.88)] {
        let [value, _] = hits(seconds, 100.0, 0.02, Failures::Bursts);
        assert!(value >= at_least(REPLICAS, reached - 0.015), "{seconds} s: {value}");
    }
}

/// Parts of a traced request, in the order of [`pairs`].
const PARTS: [&str; 4] = ["network", "queue", "work", "database"];
/// The second arm over the first one.
const RATIOS: [f64; 4] = [3.0, 1.0, 1.0, 1.0];

/// Second sums of the parts of both arms' requests, sizes shared.
fn pairs(seconds: u32, rate: f64, random: &mut Random) -> [[Vec<Option<Terms>>; 4]; 2] {
    let mut sums: [[Vec<Option<Terms>>; 4]; 2] = Default::default();
    for _ in 0..seconds {
        let common = 0.8 * 0.8 * random.normal();
        let queues = [(); 2].map(|()| (0.6 * 0.8 * random.normal() + common).exp());
        let n = random.poisson(rate);
        let mut of_second = [[0.0; 4]; 2];
        for _ in 0..n {
            let size = (0.8 * random.normal()).exp();
            for (arm, queue) in queues.into_iter().enumerate() {
                let hops = if arm == 0 { 1 } else { 3 };
                let parts = [
                    (0..hops).map(|_| 0.5 * (0.4 * random.normal()).exp()).sum(),
                    0.5 * queue * random.exponential(),
                    0.4 * size * (0.2 * random.normal()).exp(),
                    1.4 * size * (0.3 * random.normal()).exp(),
                ];
                for (sum, part) in of_second[arm].iter_mut().zip(parts) {
                    *sum += part;
                }
            }
        }
        for (arm, parts) in of_second.into_iter().enumerate() {
            for (part, numerator) in parts.into_iter().enumerate() {
                sums[arm][part].push(Some(Terms { numerator, denominator: n as f64 }));
            }
        }
    }
    sums
}

#[test]
fn traced_pairs_hold_the_truth_and_are_narrow_where_sizes_are_shared() {
    for (seconds, rate) in [(12, 8.0), (20, 12.0), (60, 20.0)] {
        let mut random = Random::new(u64::from(seconds));
        let mut hits = [0; 4];
        let mut widths = Vec::new();
        for replica in 0..REPLICAS {
            let resampling = resampling(replica, 1, seconds);
            let [bases, others] = pairs(seconds, rate, &mut random);
            for (part, (base, other)) in bases.into_iter().zip(others).enumerate() {
                let [base, other] =
                    [base, other].map(|units| Figure::new(Statistic::quotient(units, 96, 1.0), &resampling));
                let ratio = contrast(&base, &other, &PLAIN).contrast.ratio.expect("compared");
                let interval = ratio.interval.expect("bounded");
                hits[part] += u64::from(interval.holds(RATIOS[part]));
                if PARTS[part] == "work" {
                    widths.push((interval.upper() / interval.low).ln() / 2.0);
                }
            }
        }
        widths.sort_by(f64::total_cmp);
        let half = widths[widths.len() / 2];
        println!("{seconds} s: {hits:?} of {REPLICAS}, half width of work {:.1} %", 100.0 * half);
        for (part, hit) in PARTS.iter().zip(hits) {
            assert!(hit >= at_least(REPLICAS, 0.92 - 0.015), "{seconds} s, {part}: {hit}");
        }
        assert!(seconds > 12 || half < 0.10, "{half}");
    }
}

/// Hits of a count's interval over rounds of a mean of twenty, whose own means vary.
fn counted(rounds: u32, cv: f64) -> u64 {
    let mut random = Random::new(u64::from(rounds));
    let hit = |replica| {
        let counts = (0..rounds).map(|_| {
            let mean = if cv > 0.0 { 20.0 * random.gamma(cv) } else { 20.0 };
            Some(Trials { events: random.poisson(mean), trials: 1_000 })
        });
        let figure = Figure::new(Statistic::count(counts.collect()), &resampling(replica, rounds, 10));
        estimate(&figure).interval.expect("bounded").holds(20.0 * f64::from(rounds))
    };
    (0..REPLICAS).map(hit).filter(|is_hit| *is_hit).count() as u64
}

#[test]
fn counts_hold_the_truth_alone_and_over_rounds_of_events() {
    for rounds in [1, 3, 5, 10] {
        for cv in [0.0, 0.5] {
            if rounds == 1 && cv > 0.0 {
                continue;
            }
            let hits = counted(rounds, cv);
            println!("{rounds} rounds, cv {cv}: {hits} of {REPLICAS}");
            assert!(hits >= at_least(REPLICAS, 0.95 - 0.015), "{rounds} rounds, cv {cv}: {hits}");
        }
    }
}
