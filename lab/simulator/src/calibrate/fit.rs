//! The parameters that no record shows directly: those with which a simulation of the runs comes closest to them.
//!
//! Two of the six are fitted, on the arms that were learnt from and on nothing else: how long an idle process takes to begin,
//! and by how much runnable threads slow each other down. The others are measured or held.

use std::sync::Arc;

use contract::ComponentName;
use model::Window;
use scenario::Scenario;
use traffic::{Dataset, Schedule};

use super::document::{Calibration, FitError, Origin, Parameter};
use super::{Source, dataset, is_learnt, layouts};
use crate::engine::Draws;
use crate::predict::block::simulate;
use crate::predict::setting::Setting;
use crate::predict::{Block, Figures, Hosts, Layout};
use crate::run::in_order;

/// Rounds of a run that are simulated at most: the arrivals of a few thousand requests fix two parameters.
const MAX_ROUNDS: u32 = 2;
/// First looks: times the wake-up that the records suggest, and contentions.
const WAKES: [f64; 4] = [0.25, 0.5, 1.0, 1.5];
const CONTENTIONS: [f64; 3] = [0.0, 0.05, 0.15];
/// No process takes longer to begin, ns, once a core is free: what is slower than that waited for a core.
const MAX_WAKE_NS: f64 = 1e6;
/// Steps of the simplex after that.
const MAX_STEPS: usize = 24;
/// What weighs how much in the loss: p50, p99, which is known least, and CPU, which is given.
const WEIGHTS: [f64; 3] = [1.0, 0.5, 0.0];
/// The same where other programs made the tail.
const NOISY_WEIGHTS: [f64; 3] = [1.0, 0.0, 0.0];
/// A loss so much above the least is nearly as good: figures that are 5 % further off.
const TOLERANCE: f64 = 0.05 * 0.05;

/// A live run, with what it is compared in.
pub(super) struct Measured<'a> {
    run_id: String,
    scenario: &'a Scenario,
    seed: u64,
    interleaved: bool,
    rounds: u32,
    cores: u32,
    /// Threads to simulate on: turns are independent.
    threads: usize,
    data: Arc<Dataset>,
    /// Its arms.
    pub layouts: Vec<Layout>,
    /// What each arm showed, and whether it is learnt from; `None` of one whose data is on a server, which is not simulated.
    figures: Vec<Option<(Figures, bool)>>,
    /// Seconds of processes of each arm over its journeys: at rest, a journey's share of these is spent all the same.
    process_seconds: Vec<f64>,
}

impl<'a> Measured<'a> {
    pub fn of(source: &Source<'a>, components: &[ComponentName], threads: usize) -> Self {
        let Source { run, scenario } = *source;
        let header = &run.header;
        let layouts = layouts(run, scenario, components);
        let figures = |layout: &Layout| {
            let arm = run.arm(layout.letter).filter(|_| super::is_calibrated(&layout.arm.placement))?;
            let figures = Figures::of(|row| run.figure_of_whole(layout.letter, row))?;
            Some((figures, is_learnt(scenario, arm)))
        };
        let range = run.whole(&Window::Whole);
        let process_seconds = |layout: &Layout| {
            let load = run.run_time(layout.letter, &range);
            let seconds = load.iter().map(|time| time.end - time.start).sum::<u64>() as f64 / 1e9;
            let journeys = run.sum(layout.letter, &range, "all", |window| window.sent).max(1) as f64;
            seconds * layout.copies().len() as f64 / journeys
        };
        Self {
            run_id: header.run_id.clone(),
            scenario,
            seed: header.seed,
            interleaved: header.way == "interleaved",
            rounds: header.rounds.clamp(1, MAX_ROUNDS),
            cores: header.machine.cores,
            threads,
            data: dataset(header.seed, scenario),
            figures: layouts.iter().map(figures).collect(),
            process_seconds: layouts.iter().map(process_seconds).collect(),
            layouts,
        }
    }

    /// What its arms show when they are simulated; of those learnt from, or of all.
    fn simulated(&self, calibration: &Calibration, all: bool) -> Vec<(usize, Figures)> {
        let is_meant = |at: &usize| self.figures[*at].is_some_and(|(_, is_learnt)| is_learnt || all);
        let wanted: Vec<usize> = (0..self.layouts.len()).filter(is_meant).collect();
        let turns: Vec<(u32, Vec<usize>)> = if self.interleaved {
            (1..=self.rounds).flat_map(|round| wanted.iter().map(move |arm| (round, vec![*arm]))).collect()
        } else {
            vec![(1, (0..self.layouts.len()).collect())]
        };
        let (phases, load) = (self.scenario.offered_phases(), self.scenario.offered_load());
        let blocks = in_order(turns.len() as u64, self.threads, |at| {
            let (round, arms) = &turns[at as usize];
            let schedule = Schedule::new(self.seed, *round, &phases, &load, &self.data);
            let setting =
                Setting { scenario: self.scenario, hosts: Hosts::One, cores: self.cores, seed: self.seed };
            let layouts: Vec<&Layout> = arms.iter().map(|arm| &self.layouts[*arm]).collect();
            let seed = Draws::new(self.seed, "round").bits(u64::from(*round));
            simulate(calibration, &setting, &layouts, &schedule, seed).ok()
        });
        let blocks: Vec<Block> = blocks.into_iter().flatten().collect();
        let of = |arm: usize| Some((arm, Block::figures(&blocks, self.layouts[arm].letter, self.scenario)?));
        wanted.into_iter().filter_map(of).collect()
    }
}

/// Fits the free parameters of a calibration to the runs, and writes down how far it is off.
pub(super) fn fit(calibration: &mut Calibration, runs: &[Measured<'_>]) {
    let start_ns = calibration.parameters.wake_ns.value;
    let base = calibration.clone();
    let weights = if base.noise.is_quiet() { WEIGHTS } else { NOISY_WEIGHTS };
    let loss = |point: [f64; 2]| loss(&with(&base, point, runs), runs, weights);
    let looks =
        WAKES.iter().flat_map(|wake| CONTENTIONS.map(|contention| [(wake * start_ns).ln(), contention]));
    let mut seen: Vec<([f64; 2], f64)> = looks.map(|point| (point, loss(point))).collect();
    seen.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (best, least) = descend(&seen[..3], &loss);
    let near = |point: [f64; 2]| loss(point) <= least + TOLERANCE;
    let around = |at: usize, changes: [f64; 4]| {
        let moved = changes.map(|change| {
            let mut point = best;
            point[at] = if at == 0 { point[at] + change } else { (point[at] + change).max(0.0) };
            point
        });
        let fits = moved.into_iter().filter(|point| near(*point)).map(|point| point[at]);
        fits.fold((best[at], best[at]), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (wake_low, wake_high) = around(0, [-0.4, -0.15, 0.15, 0.4]);
    let (contention_low, contention_high) = around(1, [-0.05, -0.02, 0.02, 0.05]);
    *calibration = with(&base, best, runs);
    let parameters = &mut calibration.parameters;
    parameters.wake_ns = Parameter {
        value: wake_ns(best),
        origin: Origin::Fitted,
        low: wake_ns([wake_low, 0.0]),
        high: wake_ns([wake_high, 0.0]),
    };
    parameters.contention =
        Parameter { value: best[1], origin: Origin::Fitted, low: contention_low, high: contention_high };
    calibration.fit = errors(calibration, runs);
}

/// The wake-up of a point, ns, as far as it is one.
fn wake_ns(point: [f64; 2]) -> f64 {
    point[0].exp().min(MAX_WAKE_NS)
}

/// A calibration with a wake-up of `e^point[0]` ns and a contention of `point[1]`. What was accounted has the contention of
/// the runs in it already: what things take alone is so much less that a simulation of the runs spends what they spent.
fn with(base: &Calibration, point: [f64; 2], runs: &[Measured<'_>]) -> Calibration {
    let mut calibration = base.clone();
    calibration.parameters.wake_ns.value = wake_ns(point);
    calibration.parameters.contention.value = point[1].max(0.0);
    let (mut measured, mut simulated) = (0.0, 0.0);
    for run in runs {
        for (arm, figures) in run.simulated(&calibration, false) {
            // What processes take at rest is not scaled.
            let at_rest = base.idle_ns_per_s / 1e9 * run.process_seconds[arm];
            simulated += figures.cpu - at_rest;
            measured += run.figures[arm].map_or(0.0, |(figures, _)| figures.cpu - at_rest);
        }
    }
    let is_known = measured > 0.0 && simulated > 0.0;
    if is_known { calibration.with_cpu(measured / simulated) } else { calibration }
}

/// Mean weighted square of the logarithms by which figures are off.
fn loss(calibration: &Calibration, runs: &[Measured<'_>], weigh: [f64; 3]) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for run in runs {
        for (arm, figures) in run.simulated(calibration, false) {
            let Some((measured, _)) = run.figures[arm] else { continue };
            let pairs = figures.named().into_iter().zip(measured.named()).zip(weigh);
            for (((_, simulated), (_, measured)), weight) in pairs {
                if simulated > 0.0 && measured > 0.0 {
                    sum += weight * (simulated / measured).ln().powi(2);
                    weights += weight;
                }
            }
        }
    }
    if weights > 0.0 { sum / weights } else { f64::INFINITY }
}

/// The least of a function from three points on (Nelder & Mead, Computer Journal 1965).
fn descend(points: &[([f64; 2], f64)], loss: &impl Fn([f64; 2]) -> f64) -> ([f64; 2], f64) {
    let mut simplex = points.to_vec();
    // Three looks in a row would never leave it.
    let area = (simplex[1].0[0] - simplex[0].0[0]) * (simplex[2].0[1] - simplex[0].0[1])
        - (simplex[2].0[0] - simplex[0].0[0]) * (simplex[1].0[1] - simplex[0].0[1]);
    if area.abs() < 1e-9 {
        let [wake, contention] = simplex[0].0;
        for (at, point) in [[wake + 0.2, contention], [wake, contention + 0.03]].into_iter().enumerate() {
            simplex[at + 1] = (point, loss(point));
        }
    }
    for _ in 0..MAX_STEPS {
        simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
        let [best, middle, worst] = [simplex[0], simplex[1], simplex[2]];
        let centre = [0, 1].map(|at| f64::midpoint(best.0[at], middle.0[at]));
        let away = |by: f64| {
            let point = [0, 1].map(|at| centre[at] + by * (centre[at] - worst.0[at]));
            let point = [point[0], point[1].max(0.0)];
            (point, loss(point))
        };
        let reflected = away(1.0);
        simplex[2] = if reflected.1 < best.1 {
            let further = away(2.0);
            if further.1 < reflected.1 { further } else { reflected }
        } else if reflected.1 < middle.1 {
            reflected
        } else {
            let nearer = away(if reflected.1 < worst.1 { 0.5 } else { -0.5 });
            if nearer.1 < worst.1.min(reflected.1) {
                nearer
            } else {
                for at in [1, 2] {
                    let point = [0, 1].map(|axis| f64::midpoint(best.0[axis], simplex[at].0[axis]));
                    simplex[at] = (point, loss(point));
                }
                continue;
            }
        };
    }
    simplex.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).expect("three points")
}

/// Every figure of every arm, measured and simulated.
fn errors(calibration: &Calibration, runs: &[Measured<'_>]) -> Vec<FitError> {
    let mut errors = Vec::new();
    for run in runs {
        for (arm, simulated) in run.simulated(calibration, true) {
            let Some((measured, is_fitted)) = run.figures[arm] else { continue };
            for ((measure, simulated), (_, measured)) in simulated.named().into_iter().zip(measured.named()) {
                errors.push(FitError {
                    run_id: run.run_id.clone(),
                    arm: run.layouts[arm].arm.name.clone(),
                    is_fitted,
                    measure: measure.to_owned(),
                    measured,
                    simulated,
                });
            }
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simplex_finds_the_least_of_a_valley() {
        let loss = |[x, y]: [f64; 2]| (x - 3.0).powi(2) + 4.0 * (y - 0.2).powi(2);
        let start = [[1.0, 0.0], [2.0, 0.0], [4.0, 0.0]].map(|point| (point, loss(point)));
        let (best, least) = descend(&start, &loss);
        assert!((best[0] - 3.0).abs() < 0.05 && (best[1] - 0.2).abs() < 0.03 && least < 0.01, "{best:?}");
        // No contention is below 0.
        let loss = |[x, y]: [f64; 2]| x.powi(2) + (y + 1.0).powi(2);
        let start = [[1.0, 0.1], [2.0, 0.0], [1.0, 0.0]].map(|point| (point, loss(point)));
        assert!(descend(&start, &loss).0[1] >= 0.0);
    }
}
