//! Generator F, and steady series: arms that are called on the front, and windows that are called unsteady.

use scorecard::inference::front::{Axis, FrontStatus, memberships};
use scorecard::inference::trend::has_trend;

use super::queue::Queue;
use super::random::Random;

const ARMS: usize = 52;
const REDRAWS: usize = 200;
const REPLICAS: usize = 100;
/// Noise of three measured figures; the fourth is exact.
const NOISE: [f64; 3] = [0.06, 0.03, 0.01];

/// True figures of the arms: the more is split, the dearer and the better isolated.
fn arms(random: &mut Random) -> Vec<[f64; 4]> {
    (0..ARMS)
        .map(|_| {
            let x = random.uniform();
            let [latency, cpu, memory] =
                [(0.3, 0.05), (0.5, 0.05), (0.8, 0.03)].map(|(slope, sd)| slope * x + sd * random.normal());
            let hurt = ((1.0 - x + 0.3 * random.normal()) * 10.0).round() / 10.0;
            [latency, cpu, memory, hurt]
        })
        .collect()
}

fn exactly(arms: &[[f64; 4]]) -> Vec<bool> {
    let axes: Vec<Vec<Axis>> = arms.iter().map(|arm| arm.map(Axis::exact).to_vec()).collect();
    memberships(&axes).into_iter().map(|arm| arm.status == FrontStatus::On).collect()
}

#[test]
fn few_arms_are_called_on_the_front_that_are_not() {
    let mut random = Random::new(1);
    let (mut on, mut wrong, mut members, mut missed) = (0, 0, 0, 0);
    for _ in 0..REPLICAS {
        let truth = arms(&mut random);
        let axes: Vec<Vec<Axis>> = truth
            .iter()
            .map(|figures| {
                let mut axes: Vec<Axis> = figures
                    .iter()
                    .zip(NOISE)
                    .map(|(figure, noise)| {
                        let value = figure + noise * random.normal();
                        let replicates = (0..REDRAWS).map(|_| value + noise * random.normal()).collect();
                        Axis { value, replicates }
                    })
                    .collect();
                axes.push(Axis::exact(figures[3]));
                axes
            })
            .collect();
        for (found, is_member) in memberships(&axes).iter().zip(exactly(&truth)) {
            on += u32::from(found.status == FrontStatus::On);
            wrong += u32::from(found.status == FrontStatus::On && !is_member);
            members += u32::from(is_member);
            missed += u32::from(found.status == FrontStatus::Off && is_member);
        }
    }
    println!("{on} called on, {wrong} of them wrong; {members} members, {missed} called off");
    assert!(f64::from(wrong) < 0.1 * f64::from(on) && f64::from(missed) < 0.1 * f64::from(members));
    assert!(on > members / 4, "the front is not empty: {on} of {members}");
}

#[test]
fn steady_windows_have_no_trend() {
    let mut random = Random::new(2);
    let (mut series, mut unsteady) = (0_u32, 0_u32);
    for _ in 0..1_000 {
        let queue = Queue::plain(120.0, 20, 0.3, true, true);
        let logs = queue.round(&mut random).map(|round| {
            let mean = |of: &Vec<u64>| (of.iter().sum::<u64>() as f64 / of.len().max(1) as f64).max(1.0).ln();
            let latency: Vec<f64> = round.latencies_us.iter().map(mean).collect();
            let per_journey = |(ns, n): (&u64, &u64)| (*ns as f64 / (*n).max(1) as f64).ln();
            let cpu: Vec<f64> = round.cpu_ns.iter().zip(&round.finished).map(per_journey).collect();
            [latency, cpu]
        });
        let [a, b] = &logs;
        let ratios = [0, 1].map(|row| a[row].iter().zip(&b[row]).map(|(a, b)| b - a).collect::<Vec<f64>>());
        for row in a.iter().chain(b).chain(&ratios) {
            series += 1;
            unsteady += u32::from(has_trend(std::slice::from_ref(row)));
        }
    }
    println!("{unsteady} of {series} steady series have a trend");
    assert!(f64::from(unsteady) < 0.02 * f64::from(series), "{unsteady} of {series}");
}

#[test]
fn a_warm_up_is_seen_over_rounds_more_often_than_in_one_window() {
    let mut random = Random::new(3);
    let mut found = |rounds: usize| {
        let is_seen = |_: &u32| {
            let round = |random: &mut Random| -> Vec<f64> {
                (0..12).map(|second| 0.3 * (-f64::from(second) / 2.0).exp() + 0.1 * random.normal()).collect()
            };
            has_trend(&(0..rounds).map(|_| round(&mut random)).collect::<Vec<_>>())
        };
        (0..400).filter(is_seen).count()
    };
    let (alone, five) = (found(1), found(5));
    println!("seen in {alone} of 400 windows, in {five} of 400 runs of five rounds");
    assert!(five > 2 * alone, "{alone} {five}");
}
