//! The utilisation law: of the cores, the share that is busy is the rate times the CPU of a journey over their number (Denning &
//! Buzen, Computing Surveys 10, 1978). The CPU of a journey is that of a short simulation at a rate that was calibrated.

use policy::units::{HumanDuration, Rate};
use scenario::{Phase, Scenario};
use traffic::load::{Mix, Model, Rates, Shape};

use super::block::Block;
use super::predictor::{PredictError, Predictor, Size, Variation};
use crate::run::in_order;

/// Journeys whose mean the CPU of one is, about.
const JOURNEYS: f64 = 1_000.0;
/// Seconds for them, at least and at most.
const SECONDS: (f64, f64) = (2.0, 20.0);
/// Before them, processes wake and connections are made, seconds.
const WARM_SECONDS: u64 = 1;

/// How busy an arm alone keeps the cores of one machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Utilisation {
    /// Its letter.
    pub letter: char,
    /// Its name.
    pub arm: String,
    /// The scenario's highest rate, journeys a second; `None` where it is not known without a run: of a closed loop, or of a
    /// share of a capacity.
    pub rate: Option<f64>,
    /// The rate within the calibrated ones at which the CPU of a journey was simulated, journeys a second.
    pub simulated_rate: f64,
    /// CPU of a journey in the arm, seconds.
    pub cpu_s: f64,
    /// CPU of a journey in the load generator, which is on the same cores, seconds.
    pub generator_s: f64,
    /// Cores of the machine.
    pub cores: u32,
    /// Cores that the scenario's budget leaves the arm; the load generator is on none of them.
    pub budget: Option<u32>,
}

impl Utilisation {
    /// Busy share of the machine's cores, 1 where all are; above 1 more is asked for than they do.
    pub fn of_machine(&self) -> Option<f64> {
        Some(self.rate? * (self.cpu_s + self.generator_s) / f64::from(self.cores))
    }

    /// The rate at which such a share of the machine's cores is busy, journeys a second, if a journey takes as much CPU there.
    pub fn rate_of_machine(&self, share: f64) -> f64 {
        share * f64::from(self.cores) / (self.cpu_s + self.generator_s)
    }

    /// Busy share of the cores of its budget.
    pub fn of_budget(&self) -> Option<f64> {
        Some(self.rate? * self.cpu_s / f64::from(self.budget?))
    }

    /// The rate at which such a share of its budget's cores is busy, journeys a second.
    pub fn rate_of_budget(&self, share: f64) -> Option<f64> {
        Some(share * f64::from(self.budget?) / self.cpu_s)
    }
}

impl Predictor<'_> {
    /// The utilisation of each arm alone on one machine; empty at a size of its own, which is no machine's.
    ///
    /// # Errors
    /// When nothing of the load was calibrated, or of the arms is simulated.
    pub fn utilisation(&self) -> Result<Vec<Utilisation>, PredictError> {
        self.check_journeys()?;
        if self.scenario.scale.is_some() {
            return Ok(Vec::new());
        }
        let load = &self.scenario.load;
        let rate = Some(load.peak_rate()).filter(|rate| *rate > 0.0 && load.model == Model::Open);
        let sources = &self.calibration.sources;
        let lowest = sources.iter().map(|run| run.rates.0).fold(f64::INFINITY, f64::min);
        let highest = sources.iter().map(|run| run.rates.1).fold(1.0, f64::max);
        let simulated_rate = rate.unwrap_or(highest).clamp(lowest.min(highest), highest);
        let scenario = at_level(self.scenario, simulated_rate);
        let size = Size { scenario: &scenario, layouts: &self.layouts };
        let run = Variation { seed: self.seed, parameter: None };
        let generator_s = self.requests_per_journey() * self.calibration.generator_ns / 1e9;
        let of = |at: u64| {
            let layout = &self.layouts[at as usize];
            let block = self.block(size, &(1, vec![at as usize]), run)?;
            let figures = Block::figures([&block], layout.letter, &scenario);
            Ok(figures.filter(|figures| figures.cpu > 0.0).map(|figures| Utilisation {
                letter: layout.letter,
                arm: layout.arm.name.clone(),
                rate,
                simulated_rate,
                cpu_s: figures.cpu,
                generator_s,
                cores: self.cores,
                budget: self.scenario.budget.cores,
            }))
        };
        let arms: Result<Vec<Option<Utilisation>>, PredictError> =
            in_order(self.layouts.len() as u64, self.threads, of).into_iter().collect();
        Ok(arms?.into_iter().flatten().collect())
    }
}

/// A scenario's data and journeys at one rate, without steps.
fn at_level(scenario: &Scenario, rate: f64) -> Scenario {
    let mut level = scenario.clone();
    let weights = level.load.weights();
    level.load.mix = Mix::Weights(
        weights.into_iter().map(|(journey, weight)| (journey.name().to_owned(), weight)).collect(),
    );
    level.load.rate = Rates::One(Shape::level(Rate::per_second(rate)));
    (level.load.model, level.load.users) = (Model::Open, None);
    level.load.rows.clear();
    level.load.surges.clear();
    // Of a search for capacity there are no further rates without its claims.
    level.check.clear();
    level.steps.clear();
    let seconds = (JOURNEYS / rate).clamp(SECONDS.0, SECONDS.1).ceil() as u64;
    let phase = |name: &str, seconds: u64, measure| Phase {
        name: name.to_owned(),
        length: HumanDuration::from_millis(seconds * 1_000),
        measure,
    };
    level.phases = vec![phase("warm", WARM_SECONDS, false), phase("level", seconds, true)];
    level
}
