//! How often intervals from rounds hold the truth: arms in turns at load 0.3, 120 arrivals a second that share two
//! processors, stalls, a drift of 3 % and starts that differ by 1 %.

use std::sync::Arc;

use scorecard::inference::{Figure, Frame, Margin, Resampling, Statistic, contrast, estimate};

use super::bounds::at_least;
use super::card::{arrivals, cpu, quantile};
use super::exact::PLAIN;
use super::queue::{IDLE_CPU, Queue, Round};
use super::random::Random;

const REPLICAS: u64 = 400;
/// What is allowed below the table.
const ALLOWANCE: f64 = 0.015;

pub(super) const QUEUE: Queue = Queue {
    rate: 120.0,
    seconds: 10,
    load: 0.3,
    is_shared: true,
    has_stalls: true,
    drift: 0.03,
    start: 0.01,
    is_taking_turns: true,
};

/// Of p50, p90 and p99 in the long run, seconds: made by `make_truths` from 400 windows of a minute.
const TRUTHS_S: [f64; 3] = [0.003_721, 0.012_536, 0.040_615];

/// Coverage that is reached of values and of ratios: p50, p90, p99, CPU.
fn check(rounds: u32, seconds: u32, values: [f64; 4], ratios: [f64; 4]) {
    let queue = Queue { seconds, ..QUEUE };
    let mut random = Random::new(u64::from(rounds));
    let mut hits = [[0_u64; 4]; 2];
    // The mean of the service over starts and speeds, which are lognormal.
    let cpu_s = queue.mean_service() * ((0.01_f64.powi(2) + 0.03_f64.powi(2)) / 2.0).exp() + IDLE_CPU / 120.0;
    let truths = [TRUTHS_S[0], TRUTHS_S[1], TRUTHS_S[2], cpu_s];
    for replica in 0..REPLICAS {
        let frame = Frame { seed: replica, window: "steady".into(), rounds, seconds };
        let resampling = Arc::new(Resampling::new(&frame));
        let mut arms: [Vec<Round>; 2] = Default::default();
        for _ in 0..rounds {
            let [base, other] = queue.round(&mut random);
            arms[0].push(base);
            arms[1].push(other);
        }
        let figures = arms.map(|rounds| {
            let arrivals = arrivals(&rounds);
            let statistics: [Statistic; 4] =
                [quantile(0.5, &arrivals), quantile(0.9, &arrivals), quantile(0.99, &arrivals), cpu(&rounds)];
            statistics.map(|statistic| Figure::new(statistic, &resampling))
        });
        for (column, truth) in truths.into_iter().enumerate() {
            let value = estimate(&figures[0][column]).interval.expect("bounded");
            hits[0][column] += u64::from(value.holds(truth));
            let conditions = scorecard::inference::Conditions { margin: Margin::Ratio(1.1), ..PLAIN };
            let ratio = contrast(&figures[0][column], &figures[1][column], &conditions).contrast.ratio;
            hits[1][column] += u64::from(ratio.and_then(|ratio| ratio.interval).expect("bounded").holds(1.0));
        }
    }
    println!("{rounds} x {seconds} s: values and ratios hold in {hits:?} of {REPLICAS}");
    for (hits, reached) in hits.iter().zip([values, ratios]) {
        for (hit, reached) in hits.iter().zip(reached) {
            let needed = at_least(REPLICAS, reached - ALLOWANCE);
            assert!(*hit >= needed, "{rounds} x {seconds} s: {hit} of {REPLICAS}, needed {needed}: {hits:?}");
        }
    }
}

#[test]
fn five_rounds_of_twelve_seconds() {
    check(5, 12, [0.93, 0.92, 0.91, 0.94], [0.96, 0.96, 0.96, 0.95]);
}

#[test]
fn ten_rounds_of_six_seconds() {
    check(10, 6, [0.93, 0.92, 0.91, 0.94], [0.96, 0.95, 0.95, 0.94]);
}
