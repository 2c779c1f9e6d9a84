//! The parameters that no record shows directly: those with which a simulation of the runs comes closest to them.
//!
//! Two are fitted here, on the arms that were learnt from and on nothing else: how long an idle process takes to begin, and by
//! how much runnable threads slow each other down. The others are known from the levels, measured or held.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use contract::ComponentName;
use model::Window;
use scenario::Scenario;
use traffic::{Dataset, Schedule};

use super::attribution;
use super::document::{Calibration, CostFactors, Origin, Parameter};
use super::learnt::Learnt;
use super::level::{FitError, Level, LevelName};
use super::parts::CpuParts;
use super::{Source, dataset, is_learnt, layouts, local_calls};
use crate::engine::Draws;
use crate::predict::block::simulate;
use crate::predict::setting::Setting;
use crate::predict::{Block, Figures, Hosts, Layout};
use crate::run::in_order;

/// Rounds of a run that are simulated at most: the arrivals of a few thousand requests fix two parameters.
const MAX_ROUNDS: u32 = 2;
const SECOND_NS: u64 = 1_000_000_000;
/// First looks: times the wake-up that the records suggest, and contentions.
const WAKES: [f64; 4] = [0.25, 0.5, 1.0, 1.5];
const CONTENTIONS: [f64; 3] = [0.0, 0.05, 0.15];
/// At which it is seen how many threads run at once.
const TRIED_CONTENTION: f64 = 0.1;
/// CPU of a call of the gateway within its process at which it is seen what such calls add, ns.
const TRIED_LOCAL_NS: f64 = 20e3;
/// No process takes longer to begin, ns, once a core is free: what is slower than that waited for a core.
const MAX_WAKE_NS: f64 = 1e6;
/// Steps of the simplex after that.
const MAX_STEPS: usize = 24;
/// What weighs how much in the loss of a level: p50, p99, which is known least, and CPU, whose sum is given, but not how it
/// falls from level to level.
const WEIGHTS: [f64; 3] = [1.0, 0.5, 1.0];
/// The same where other programs made the tail.
const NOISY_WEIGHTS: [f64; 3] = [1.0, 0.0, 1.0];
/// A loss so much above the least is nearly as good: figures that are 5 % further off.
const TOLERANCE: f64 = 0.05 * 0.05;

/// A live run, with what it is compared in.
pub(super) struct LiveRun<'a> {
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
    /// Its measured phases: the seconds of the load in which each is.
    phases: BTreeMap<String, Range<u64>>,
    /// What each arm showed; `None` where not all of it is known, and of one whose data is on a server, which is not simulated.
    shown: Vec<Option<ArmFigures>>,
}

/// What an arm showed.
struct ArmFigures {
    /// Over all measured phases.
    whole: Figures,
    /// In each of them.
    levels: Vec<Level>,
    is_learnt: bool,
    /// Whether calls of the gateway stay in its process, and it does what its operations do by themselves.
    has_local_calls: bool,
}

/// What an arm shows when it is simulated.
struct SimulatedArm {
    whole: Figures,
    phases: BTreeMap<String, SimulatedPhase>,
}

/// What it shows in a phase.
#[derive(Clone, Copy, Debug)]
struct SimulatedPhase {
    figures: Figures,
    /// What the CPU of a journey was for.
    cpu: CpuParts,
    /// How many times as much CPU was by neighbours on the cores.
    slowed: f64,
}

impl<'a> LiveRun<'a> {
    /// A run, as far as `calibration`, to which nothing has been fitted yet, can be compared with it.
    pub fn of(
        source: &Source<'a>,
        calibration: &Calibration,
        components: &[ComponentName],
        threads: usize,
    ) -> Self {
        let Source { run, scenario } = *source;
        let header = &run.header;
        let layouts = layouts(run, scenario, components);
        let shown = |layout: &Layout| {
            let arm = run.arm(layout.letter).filter(|_| super::is_calibrated(&layout.arm.placement))?;
            let whole = Figures::of(|row| run.figure_of_whole(layout.letter, row))?;
            let is_learnt = is_learnt(scenario, arm);
            let measured = |level: Level| {
                let window = Window::Phase(level.phase.clone());
                let figures = Figures::of(|row| run.figure_in(layout.letter, row, &window))?;
                let measured_cpu = attribution::recorded(run, layout.letter, &window, calibration)?;
                Some(Level { measured: figures, measured_cpu, ..level })
            };
            let levels = Level::of(run, arm, is_learnt).into_iter().filter_map(measured).collect();
            let has_local_calls = local_calls::has(scenario, arm);
            Some(ArmFigures { whole, levels, is_learnt, has_local_calls })
        };
        let phases = scenario.plan().into_iter().filter(|phase| phase.measure).map(|phase| {
            let end_ns = phase.start_ns + phase.length_ns;
            (phase.name, phase.start_ns / SECOND_NS..end_ns.div_ceil(SECOND_NS))
        });
        Self {
            run_id: header.run_id.clone(),
            scenario,
            seed: header.seed,
            interleaved: header.way == "interleaved",
            rounds: header.rounds.clamp(1, MAX_ROUNDS),
            cores: header.machine.cores,
            threads,
            data: dataset(header.seed, scenario),
            phases: phases.collect(),
            shown: layouts.iter().map(shown).collect(),
            layouts,
        }
    }

    /// Whether the figures are known of an arm that was learnt from.
    pub fn shows_what_is_fitted(&self) -> bool {
        self.shown.iter().flatten().any(|shown| shown.is_learnt)
    }

    /// What its arms show when they are simulated; of those learnt from, or of all.
    fn simulated(&self, calibration: &Calibration, all: bool) -> Vec<(usize, SimulatedArm)> {
        let is_meant = |at: &usize| self.shown[*at].as_ref().is_some_and(|shown| shown.is_learnt || all);
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
        let of = |arm: usize| {
            let letter = self.layouts[arm].letter;
            let phases = self.phases.iter().filter_map(|(name, seconds)| {
                let figures = Block::figures_within(&blocks, letter, self.scenario, seconds.clone())?;
                let cpu =
                    attribution::simulated(&blocks, &self.layouts[arm], calibration, seconds, figures.cpu);
                let slowed = Block::slowed(&blocks, letter, seconds);
                Some((name.clone(), SimulatedPhase { figures, cpu, slowed }))
            });
            let whole = Block::figures(&blocks, letter, self.scenario)?;
            Some((arm, SimulatedArm { whole, phases: phases.collect() }))
        };
        wanted.into_iter().filter_map(of).collect()
    }
}

/// Fits the free parameters of a calibration to the runs, by what was learnt of them, and writes down how far it is off.
pub(super) fn fit(calibration: &mut Calibration, learnt: &Learnt, runs: &[LiveRun<'_>]) {
    let start_ns = calibration.parameters.wake_ns.value;
    let sources = calibration.sources.clone();
    let neighbours = neighbours(calibration, runs);
    // What was accounted has the contention of the runs in it already: things take so much less alone.
    let with = |point: [f64; 2]| {
        let others = |level: &LevelName| neighbours.get(level).copied().unwrap_or(0.0);
        let priced = learnt.priced(|level| 1.0 + point[1].max(0.0) * others(level));
        let mut calibration = Calibration { sources: sources.clone(), ..priced };
        calibration.parameters.wake_ns.value = wake_ns(point);
        calibration.parameters.contention.value = point[1].max(0.0);
        scaled(&calibration, runs)
    };
    let weights = if calibration.noise.is_quiet() { WEIGHTS } else { NOISY_WEIGHTS };
    let loss = |point: [f64; 2]| loss(&with(point), runs, weights);
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
    // Scaled anew: costs of the first scale leave processes busier, or less, and so less often woken or slowed down.
    *calibration = with_local_calls(&scaled(&with(best), runs), runs);
    let parameters = &mut calibration.parameters;
    parameters.wake_ns = Parameter {
        value: wake_ns(best),
        origin: Origin::Fitted,
        low: wake_ns([wake_low, 0.0]),
        high: wake_ns([wake_high, 0.0]),
    };
    parameters.contention =
        Parameter { value: best[1], origin: Origin::Fitted, low: contention_low, high: contention_high };
    (calibration.fit, calibration.levels) = errors(calibration, runs);
}

/// The wake-up of a point, ns, as far as it is one.
fn wake_ns(point: [f64; 2]) -> f64 {
    point[0].exp().min(MAX_WAKE_NS)
}

/// CPU of a kind over some levels, seconds.
#[derive(Clone, Copy, Debug, Default)]
struct CpuSums {
    measured: f64,
    simulated: f64,
}

impl CpuSums {
    /// Adds what so many journeys took each.
    fn add(&mut self, journeys: f64, measured: f64, simulated: f64) {
        self.measured += journeys * measured;
        self.simulated += journeys * simulated;
    }

    /// By how many times the simulation has to spend more; 1 where there is nothing to compare.
    fn factor(self) -> f64 {
        if self.measured > 0.0 && self.simulated > 0.0 { self.measured / self.simulated } else { 1.0 }
    }
}

/// How many other threads run beside one that starts, on average of an arm, at each level: less than one on two cores. How much each
/// of them adds hardly changes that.
fn neighbours(calibration: &Calibration, runs: &[LiveRun<'_>]) -> BTreeMap<LevelName, f64> {
    let mut tried = calibration.clone();
    tried.parameters.contention.value = TRIED_CONTENTION;
    let tried = scaled(&tried, runs);
    let mut neighbours = BTreeMap::new();
    for run in runs {
        for (arm, simulated) in run.simulated(&tried, true) {
            for level in run.shown[arm].iter().flat_map(|shown| &shown.levels) {
                let Some(phase) = simulated.phases.get(&level.phase) else { continue };
                neighbours.insert(level.name(), (phase.slowed - 1.0) / TRIED_CONTENTION);
            }
        }
    }
    neighbours
}

/// A calibration whose simulation of the runs spends what they spent, in all levels together that were learnt from: on operations,
/// on what of them blocks, and on messages. What cools was warmed for calls that come at random, while those of a journey come
/// together and find processes warmer: of operations and of messages that is not the same share, and a monolith has few of the
/// latter.
fn scaled(calibration: &Calibration, runs: &[LiveRun<'_>]) -> Calibration {
    let [mut operations, mut blocking, mut messages] = [CpuSums::default(); 3];
    for run in runs {
        for (arm, simulated) in run.simulated(calibration, false) {
            for level in run.shown[arm].iter().flat_map(|shown| &shown.levels) {
                let Some(phase) = simulated.phases.get(&level.phase) else { continue };
                let (measured, simulated) = (level.measured_cpu, phase.cpu);
                let journeys = level.rate * level.seconds;
                operations.add(journeys, measured.operations, simulated.operations);
                blocking.add(journeys, measured.blocking, simulated.blocking);
                messages.add(journeys, measured.messages, simulated.messages);
            }
        }
    }
    let [operations, blocking, messages] = [operations, blocking, messages].map(CpuSums::factor);
    calibration.with_costs(CostFactors { operations, blocking, messages })
}

/// A calibration by which arms in which the gateway shares a process spend on messages what they did, in all their levels together:
/// by the CPU of its calls that stay there. Those of nothing else stay at what services showed. 0 where no arm shows it.
fn with_local_calls(calibration: &Calibration, runs: &[LiveRun<'_>]) -> Calibration {
    let at = |local_ns: f64| Calibration { local_ns, ..calibration.clone() };
    let messages = |local_ns: f64| {
        let tried = at(local_ns);
        let mut sums = CpuSums::default();
        for run in runs {
            for (arm, simulated) in run.simulated(&tried, true) {
                let shown = run.shown[arm].as_ref().filter(|shown| shown.has_local_calls);
                for level in shown.into_iter().flat_map(|shown| &shown.levels) {
                    let Some(phase) = simulated.phases.get(&level.phase) else { continue };
                    sums.add(level.rate * level.seconds, level.measured_cpu.messages, phase.cpu.messages);
                }
            }
        }
        sums
    };
    // What they add, cooled and beside neighbours, grows with what one takes: two looks show how much of it is missing.
    let (without, with) = (messages(0.0), messages(TRIED_LOCAL_NS));
    let added = with.simulated - without.simulated;
    if added <= 0.0 {
        return at(0.0);
    }
    at((TRIED_LOCAL_NS * (without.measured - without.simulated) / added).max(0.0))
}

/// Mean weighted square of the logarithms by which the figures of levels are off.
fn loss(calibration: &Calibration, runs: &[LiveRun<'_>], weigh: [f64; 3]) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for run in runs {
        for (arm, figures) in run.simulated(calibration, false) {
            let levels = run.shown[arm].iter().flat_map(|shown| &shown.levels);
            let pairs =
                levels.filter_map(|level| Some((figures.phases.get(&level.phase)?.figures, level.measured)));
            let named = pairs.flat_map(|(simulated, measured)| {
                simulated.named().into_iter().zip(measured.named()).zip(weigh)
            });
            for (((_, simulated), (_, measured)), weight) in named {
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

/// Every figure of every arm, measured and simulated, and its levels.
fn errors(calibration: &Calibration, runs: &[LiveRun<'_>]) -> (Vec<FitError>, Vec<Level>) {
    let (mut errors, mut levels) = (Vec::new(), Vec::new());
    for run in runs {
        for (arm, figures) in run.simulated(calibration, true) {
            let Some(ArmFigures { whole, levels: of_arm, is_learnt, .. }) = &run.shown[arm] else { continue };
            levels.extend(of_arm.iter().filter_map(|level| {
                let SimulatedPhase { figures: simulated, cpu: simulated_cpu, .. } =
                    *figures.phases.get(&level.phase)?;
                Some(Level { simulated, simulated_cpu, ..level.clone() })
            }));
            let named = figures.whole.named().into_iter().zip(whole.named());
            for ((measure, simulated), (_, measured)) in named {
                errors.push(FitError {
                    run_id: run.run_id.clone(),
                    arm: run.layouts[arm].arm.name.clone(),
                    is_fitted: *is_learnt,
                    measure: measure.to_owned(),
                    measured,
                    simulated,
                });
            }
        }
    }
    (errors, levels)
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
