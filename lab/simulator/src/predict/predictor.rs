//! A scenario, its arms and a calibration, simulated: the run itself, its replications, and its sensitivity.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use record::{Header, Prediction, Sensitivity};
use scenario::Scenario;
use traffic::load::Rates;
use traffic::{Dataset, Schedule};

use super::band::{ByArm, CHANGE, band};
use super::block::{Block, Figures, simulate_noting, simulated_seconds};
use super::layout::{Hosts, Layout};
use super::progress::Progress;
use super::setting::Setting;
pub use super::validity::Circumstances;
use super::validity::validity;
use super::watch::Watch;
use crate::calibrate::{Calibration, Parameters, calls_of};
use crate::engine::Draws;
use crate::model::{ChangeWatch, PlanError};
use crate::run::in_order;

/// Rounds that replications and changed parameters are simulated for: their figures need no more.
const BAND_ROUNDS: u32 = 2;

/// Purpose of the seeds of replications.
const REPLICATION: &str = "replication";

/// Copies in an arm that replications and changed parameters are simulated with, at most, where the run has more: what they are
/// for is by what share figures move.
const BAND_COPIES: u32 = 1_000;

/// Why there is no prediction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PredictError {
    /// The rate is not known without running the arms.
    #[error(
        "the rate is a share of a capacity that only a live run measures; write an absolute one such as \"100/s\""
    )]
    RelativeRate,
    /// Nothing of the load was calibrated.
    #[error("no run of the calibration had a journey of this load; calibrate with: cleave calibrate {0}")]
    NoJourneys(String),
    /// What cannot be simulated.
    #[error("not simulated: {0}")]
    Plan(String),
}

/// A scenario, its arms and a calibration.
#[derive(Debug)]
pub struct Predictor<'a> {
    /// What was learnt.
    pub calibration: &'a Calibration,
    /// The scenario.
    pub scenario: &'a Scenario,
    /// Its arms, A first.
    pub layouts: Vec<Layout>,
    /// Its data set.
    pub data: Arc<Dataset>,
    /// Whether arms take turns.
    pub interleaved: bool,
    /// Rounds.
    pub rounds: u32,
    /// Seed of arrivals and of everything random.
    pub seed: u64,
    /// The machines.
    pub hosts: Hosts,
    /// Cores of each.
    pub cores: u32,
    /// Replications, the run itself included.
    pub replications: u32,
    /// Threads to simulate on.
    pub threads: usize,
    /// The machine and the program here.
    pub here: Circumstances,
    /// How far it has come.
    pub progress: Arc<Progress>,
    /// The header of the run: conditions of its deploys are judged on what is recorded under it.
    pub header: &'a Header,
}

/// What is predicted.
#[derive(Debug)]
pub struct PredictedRun {
    /// Every pass of the load with its round, in the order of a live run.
    pub blocks: Vec<(u32, Block)>,
    /// What stands behind it.
    pub prediction: Prediction,
}

/// A simulation: of which seed, with which parameter changed by which factor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variation {
    pub seed: u64,
    pub parameter: Option<(&'static str, f64)>,
}

/// A scenario and its arms, of one size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size<'a> {
    pub scenario: &'a Scenario,
    pub layouts: &'a [Layout],
}

/// A smaller size of a scenario and its arms.
#[derive(Debug)]
struct ReducedScenario {
    scenario: Scenario,
    layouts: Vec<Layout>,
}

/// What came of a simulation.
enum SimulationOutcome {
    /// A pass of the load of the run itself.
    Turn(Box<Block>),
    /// The figures of all passes, with another seed or parameter.
    Variation(ByArm),
}

/// The figures of every arm over some blocks.
fn by_arm<'b>(
    Size { scenario, layouts }: Size<'_>,
    blocks: impl Iterator<Item = &'b Block> + Clone,
) -> ByArm {
    let of = |letter| Some((letter, Block::figures(blocks.clone(), letter, scenario)?));
    layouts.iter().filter_map(|layout| of(layout.letter)).collect()
}

impl Predictor<'_> {
    /// Predicts.
    ///
    /// # Errors
    /// When the load cannot be known, or nothing of it can be simulated.
    pub fn predict(&self) -> Result<PredictedRun, PredictError> {
        if matches!(self.scenario.load.rate, Rates::OfSlowest(_)) {
            return Err(PredictError::RelativeRate);
        }
        self.check_journeys()?;
        let run = Variation { seed: self.seed, parameter: None };
        let turns = self.turns(self.rounds);
        let variations = self.variations();
        let few = self.turns(self.rounds.min(BAND_ROUNDS));
        let (whole, reduced) = (self.whole(), self.reduced());
        let smaller = reduced
            .as_ref()
            .map_or(whole, |reduced| Size { scenario: &reduced.scenario, layouts: &reduced.layouts });
        self.expect(whole, &turns);
        variations.iter().for_each(|_| self.expect(smaller, &few));
        // The run itself first: its turns take longest.
        let simulated = in_order((turns.len() + variations.len()) as u64, self.threads, |at| {
            match turns.get(at as usize) {
                Some(turn) => {
                    self.block(whole, turn, run).map(|block| SimulationOutcome::Turn(Box::new(block)))
                }
                None => {
                    let variation = variations[at as usize - turns.len()];
                    self.figures(smaller, &few, variation).map(SimulationOutcome::Variation)
                }
            }
        });
        let (mut blocks, mut changed, mut replications) = (Vec::new(), Vec::new(), Vec::new());
        for (at, simulated) in simulated.into_iter().enumerate() {
            match simulated? {
                SimulationOutcome::Turn(block) => blocks.push((turns[at].0, *block)),
                SimulationOutcome::Variation(figures) => match variations[at - turns.len()].parameter {
                    Some((name, _)) => changed.push((name, figures)),
                    None => replications.push(figures),
                },
            }
        }
        let figures = by_arm(whole, blocks.iter().map(|(_, block)| block));
        // The last of the replications is the run itself.
        let few = replications.last().cloned().unwrap_or_default();
        let band = band(&figures, &few, &changed, &replications);
        let band_copies = reduced.map(|reduced| reduced.layouts.iter().map(Layout::count).max().unwrap_or(0));
        Ok(PredictedRun { prediction: self.prediction(&blocks, &figures, (band, band_copies)), blocks })
    }

    /// The run once more, with the seed of a replication; number 0 is the run itself. Every pass of the load with its round.
    ///
    /// # Errors
    /// When nothing of it can be simulated.
    pub fn replication(&self, number: u32) -> Result<Vec<(u32, Block)>, PredictError> {
        let seed = match number.checked_sub(1) {
            None => self.seed,
            Some(number) => Draws::new(self.seed, REPLICATION).bits(u64::from(number)),
        };
        let variation = Variation { seed, parameter: None };
        let turns = self.turns(self.rounds);
        turns.iter().map(|turn| Ok((turn.0, self.block(self.whole(), turn, variation)?))).collect()
    }

    /// So many of them are about to be simulated.
    pub fn expect_replications(&self, count: u32) {
        (0..count).for_each(|_| self.expect(self.whole(), &self.turns(self.rounds)));
    }

    /// Whether any journey of the load was calibrated.
    pub(super) fn check_journeys(&self) -> Result<(), PredictError> {
        let is_known = |journey: &traffic::Journey| {
            self.calibration.operations.contains_key(&format!("{}/{}", record::CLIENT, journey.name()))
        };
        let any_is_known = self.scenario.load.journeys().iter().any(is_known);
        any_is_known.then_some(()).ok_or_else(|| PredictError::NoJourneys(self.scenario.name.clone()))
    }

    /// What is simulated for the run itself.
    fn whole(&self) -> Size<'_> {
        Size { scenario: self.scenario, layouts: &self.layouts }
    }

    /// What is simulated for the band where the run is large: the same with fewer copies and as much less load.
    fn reduced(&self) -> Option<ReducedScenario> {
        let scale = self.scenario.scale.as_ref()?;
        let copies = self.layouts.iter().map(Layout::count).max().filter(|copies| *copies > BAND_COPIES)?;
        let share = f64::from(BAND_COPIES) / f64::from(copies);
        let mut scenario = self.scenario.clone();
        scenario.load.rate = scenario.load.rate.times(share);
        if let Some(users) = &mut scenario.load.users {
            users.count = ((f64::from(users.count) * share).round() as u32).max(1);
        }
        let layouts = self.layouts.iter().map(|layout| layout.clone().at_scale(scale, share));
        Some(ReducedScenario { layouts: layouts.collect(), scenario })
    }

    /// Passes of the load: each a round and the arms that run in it, by index.
    fn turns(&self, rounds: u32) -> Vec<(u32, Vec<usize>)> {
        let arms: Vec<usize> = (0..self.layouts.len()).collect();
        if !self.interleaved {
            return vec![(1, arms)];
        }
        let turns = (1..=rounds.max(1)).flat_map(|round| arms.iter().map(move |arm| (round, vec![*arm])));
        turns.collect()
    }

    /// Every parameter a fifth less and more, then the replications.
    fn variations(&self) -> Vec<Variation> {
        let mut parameters = self.calibration.parameters;
        let matter = Parameters::NAMES.into_iter().filter(|name| parameters.of(name).value != 0.0);
        let changes = matter.flat_map(|name| [1.0 - CHANGE, 1.0 + CHANGE].map(|factor| (name, factor)));
        let seeds = Draws::new(self.seed, REPLICATION);
        changes
            .map(|change| Variation { seed: self.seed, parameter: Some(change) })
            .chain(
                (0..u64::from(self.replications.saturating_sub(1)))
                    .map(|number| Variation { seed: seeds.bits(number), parameter: None }),
            )
            .chain([Variation { seed: self.seed, parameter: None }])
            .collect()
    }

    fn figures(
        &self,
        size: Size<'_>,
        turns: &[(u32, Vec<usize>)],
        variation: Variation,
    ) -> Result<ByArm, PredictError> {
        let blocks: Result<Vec<Block>, PredictError> =
            turns.iter().map(|turn| self.block(size, turn, variation)).collect();
        Ok(by_arm(size, blocks?.iter()))
    }

    /// A pass of the load with some of the arms, by index, in a round.
    pub(super) fn block(
        &self,
        Size { scenario, layouts }: Size<'_>,
        (round, arms): &(u32, Vec<usize>),
        variation: Variation,
    ) -> Result<Block, PredictError> {
        let (phases, load) = (scenario.offered_phases(), scenario.offered_load());
        let schedule = Schedule::new(variation.seed, *round, &phases, &load, &self.data);
        let setting = Setting { scenario, hosts: self.hosts, cores: self.cores, seed: self.seed };
        let all = layouts;
        let layouts: Vec<&Layout> = arms.iter().map(|arm| &all[*arm]).collect();
        let mut calibration = self.calibration.clone();
        if let Some((name, factor)) = variation.parameter {
            calibration.parameters.of(name).value *= factor;
        }
        let seed = Draws::new(variation.seed, "round").bits(u64::from(*round));
        let round = *round;
        let watch = Watch { header: self.header, scenario, layouts: all, calibration: &calibration, round };
        let failed = |errors: Vec<PlanError>| {
            let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
            PredictError::Plan(text.join("; "))
        };
        let copies: u64 = layouts.iter().map(|layout| u64::from(layout.count())).sum();
        let second_over = || self.progress.advance(copies);
        let passes = |of: &ChangeWatch, so_far: &Block, second| watch.passes(of, so_far, second);
        simulate_noting(&calibration, &setting, &layouts, &schedule, seed, (second_over, passes))
            .map_err(failed)
    }

    /// Passes of the load are about to be simulated.
    fn expect(&self, Size { scenario, layouts }: Size<'_>, turns: &[(u32, Vec<usize>)]) {
        let arms = turns.iter().flat_map(|(_, arms)| arms);
        let copies: u64 = arms.map(|arm| u64::from(layouts[*arm].count())).sum();
        self.progress.expect(copies * simulated_seconds(scenario));
    }

    /// Journeys a second at which an arm alone on one host keeps all cores busy, if a journey takes as much CPU as here: cores
    /// over the CPU of a journey (Denning & Buzen, Computing Surveys 1978).
    fn saturation(&self, whole: &ByArm) -> BTreeMap<char, f64> {
        if self.hosts != Hosts::One {
            return BTreeMap::new();
        }
        let generator_s = self.requests_per_journey() * self.calibration.generator_ns / 1e9;
        let of = |(arm, figures): (&char, &Figures)| {
            let cpu_s = figures.cpu + generator_s;
            (cpu_s > 0.0).then(|| (*arm, f64::from(self.cores) / cpu_s))
        };
        whole.iter().filter_map(of).collect()
    }

    /// Requests of a journey, on average over those of the load that are simulated.
    pub(super) fn requests_per_journey(&self) -> f64 {
        let of = |(journey, weight): (traffic::Journey, f64)| {
            let name = format!("{}/{}", record::CLIENT, journey.name());
            let operation = self.calibration.operations.get(&name)?;
            Some((weight * calls_of(operation).map(|(_, share)| share).sum::<f64>(), weight))
        };
        let known = self.scenario.load.weights().into_iter().filter_map(of);
        let (requests, journeys) = known.fold((0.0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        if journeys > 0.0 { requests / journeys } else { 0.0 }
    }

    fn prediction(
        &self,
        blocks: &[(u32, Block)],
        whole: &ByArm,
        (band, band_copies): (Vec<Sensitivity>, Option<u32>),
    ) -> Prediction {
        let not_simulated = not_simulated(blocks);
        let scope = (self.hosts, self.cores, self.interleaved);
        let (label, because) =
            validity(self.calibration, self.scenario, &self.layouts, scope, &self.here, &not_simulated);
        let diverged = blocks.iter().find_map(|(_, block)| {
            let diverged = block.report.diverged.as_ref()?;
            let second = diverged.at_ns / 1_000_000_000;
            Some(format!(
                "in second {second} more requests were in flight than can be simulated, most of them in {}",
                diverged.station
            ))
        });
        Prediction {
            run_id: String::new(),
            digest: String::new(),
            calibration: self.calibration.identity(),
            hosts: self.hosts.to_string(),
            cores: self.cores,
            replications: self.replications,
            validity: label,
            because,
            not_simulated,
            band,
            band_copies,
            saturation: self.saturation(whole),
            diverged,
            sweep: None,
        }
    }
}

/// What some blocks leave out of their scenario, each once.
pub fn not_simulated(blocks: &[(u32, Block)]) -> Vec<String> {
    let all: BTreeSet<&String> = blocks.iter().flat_map(|(_, block)| &block.not_simulated).collect();
    all.into_iter().cloned().collect()
}
