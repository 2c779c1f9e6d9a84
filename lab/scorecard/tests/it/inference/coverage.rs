//! How often intervals hold the truth, over generator Q: at least as often as the method is known to reach.

use std::sync::Arc;

use scorecard::inference::{Figure, Frame, Resampling, Statistic, contrast, estimate};

use super::bounds::at_least;
use super::card::{arrivals, cpu, goodput, mean, quantile};
use super::exact::PLAIN;
use super::queue::{IDLE_CPU, Queue, Round};
use super::random::Random;
use super::truths::{Truth, truth};

/// What is allowed below the table.
const ALLOWANCE: f64 = 0.015;

/// What is covered, in the order of the table.
const COLUMNS: [&str; 12] = [
    "p50",
    "p90",
    "p99",
    "goodput",
    "CPU",
    "mean",
    "ratio p50",
    "ratio p90",
    "ratio p99",
    "ratio CPU",
    "ratio mean",
    "goodput difference",
];

/// Loads, and the coverage that is reached in the worst of the three settings, in the order of [`COLUMNS`], %.
type Table = [(f64, [u32; 12]); 3];

const OF_8_S: Table = [
    (0.1, [98, 99, 100, 96, 96, 91, 98, 99, 98, 97, 96, 98]),
    (0.5, [97, 95, 100, 96, 96, 88, 98, 98, 98, 96, 93, 98]),
    (0.8, [91, 91, 100, 95, 96, 77, 97, 94, 98, 96, 86, 99]),
];
const OF_12_S: Table = [
    (0.1, [98, 99, 99, 96, 96, 85, 97, 99, 96, 97, 94, 96]),
    (0.5, [97, 95, 98, 96, 96, 91, 97, 98, 97, 97, 94, 97]),
    (0.8, [94, 92, 99, 96, 96, 84, 96, 96, 99, 97, 90, 99]),
];
const OF_20_S: Table = [
    (0.1, [97, 98, 94, 96, 97, 85, 97, 98, 94, 96, 95, 94]),
    (0.5, [96, 96, 94, 95, 97, 92, 96, 96, 96, 97, 95, 95]),
    (0.8, [95, 88, 95, 96, 95, 87, 96, 94, 98, 97, 92, 98]),
];
const OF_60_S: Table = [
    (0.1, [95, 97, 93, 96, 95, 88, 95, 97, 93, 94, 94, 92]),
    (0.5, [97, 96, 91, 94, 94, 92, 97, 97, 96, 96, 96, 96]),
    (0.8, [95, 93, 92, 94, 95, 91, 93, 93, 91, 95, 91, 95]),
];

/// The three settings: whether processors are shared, whether there are stalls.
pub(super) const SETTINGS: [(bool, bool); 3] = [(false, false), (false, true), (true, true)];

/// Hits among what was shown.
type Hits = [(u64, u64); 12];

fn figures(round: &Round, good_us: u64) -> [Statistic; 6] {
    let rounds = std::slice::from_ref(round);
    let arrivals = arrivals(rounds);
    [
        quantile(0.5, &arrivals),
        quantile(0.9, &arrivals),
        quantile(0.99, &arrivals),
        goodput(rounds, good_us, &arrivals),
        cpu(rounds),
        mean(rounds),
    ]
}

fn replica(queue: &Queue, truth: &Truth, resampling: &Arc<Resampling>, random: &mut Random, hits: &mut Hits) {
    let mut count = |column: usize, interval: Option<record::Interval>, truth: f64| {
        if let Some(interval) = interval {
            hits[column].0 += u64::from(interval.holds(truth));
            hits[column].1 += 1;
        }
    };
    let arms = queue
        .round(random)
        .map(|round| figures(&round, truth.p98_us).map(|statistic| Figure::new(statistic, resampling)));
    let cpu_s = queue.mean_service() + IDLE_CPU / queue.rate;
    let truths =
        [truth.p50_us * 1e-6, truth.p90_us * 1e-6, truth.p99_us * 1e-6, 0.98, cpu_s, truth.mean_us * 1e-6];
    for (column, (figure, truth)) in arms[0].iter().zip(truths).enumerate() {
        let measured = estimate(figure);
        count(column, measured.interval.filter(|_| measured.value.is_some()), truth);
    }
    let of = |index: usize| contrast(&arms[0][index], &arms[1][index], &PLAIN).contrast;
    for (column, index) in [(6, 0), (7, 1), (8, 2), (9, 4), (10, 5)] {
        count(column, of(index).ratio.and_then(|ratio| ratio.interval), 1.0);
    }
    count(11, of(3).difference.and_then(|difference| difference.interval), 0.0);
}

fn check(seconds: u32, rate: f64, replicas: u64, table: &Table) {
    let mut short = Vec::new();
    for (load, reached) in table {
        for (setting, (is_shared, has_stalls)) in SETTINGS.into_iter().enumerate() {
            let queue = Queue::plain(rate, seconds, *load, is_shared, has_stalls);
            let truth = truth(seconds, *load, setting);
            let mut random = Random::new(u64::from(seconds) * 1_000 + (load * 100.0) as u64 + setting as u64);
            let mut hits = Hits::default();
            for replica_seed in 0..replicas {
                let frame = Frame { seed: replica_seed, window: "steady".into(), rounds: 1, seconds };
                let resampling = Arc::new(Resampling::new(&frame));
                replica(&queue, &truth, &resampling, &mut random, &mut hits);
            }
            let shown: Vec<String> = hits
                .iter()
                .map(|(hit, n)| format!("{:3.0}", 100.0 * *hit as f64 / (*n).max(1) as f64))
                .collect();
            println!("{seconds:2} s, load {load}, setting {setting}: {}", shown.join(" "));
            for ((name, (hit, n)), reached) in COLUMNS.iter().zip(hits).zip(reached) {
                let needed = at_least(n, f64::from(*reached) / 100.0 - ALLOWANCE);
                if hit < needed {
                    short.push(format!(
                        "load {load}, setting {setting}: {name} {hit} of {n}, needed {needed}"
                    ));
                }
            }
        }
    }
    assert!(short.is_empty(), "{seconds} s: {short:#?}");
}

#[test]
fn windows_of_8_seconds_hold_the_truth_as_often_as_is_known() {
    check(8, 40.0, 400, &OF_8_S);
}

#[test]
fn windows_of_12_seconds_hold_the_truth_as_often_as_is_known() {
    check(12, 80.0, 400, &OF_12_S);
}

#[test]
fn windows_of_20_seconds_hold_the_truth_as_often_as_is_known() {
    check(20, 120.0, 400, &OF_20_S);
}

#[test]
fn windows_of_60_seconds_hold_the_truth_as_often_as_is_known() {
    check(60, 200.0, 200, &OF_60_S);
}
