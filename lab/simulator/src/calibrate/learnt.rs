//! What runs show by themselves, before anything is fitted to a simulation, and what things cost by it.

use std::collections::BTreeMap;

use model::Window;

use super::cooling::{self, Load};
use super::document::{Calibration, Operation, SourceRun};
use super::ledger::{self, IdleCpu, Ledger};
use super::level::LevelName;
use super::traces::Samples;
use super::{
    CalibrateError, Hops, MIN_TRACES, Source, begin, carrier_of, costs, is_learnt, memory, names_of, noise,
    plain_arms, shape,
};

/// What was spent in runs, and on what.
pub(super) struct Learnt {
    /// All but costs: operations have the times of their spans.
    calibration: Calibration,
    hops: Hops,
    levels: Vec<LearntLevel>,
}

/// A measured phase of an arm.
struct LearntLevel {
    name: LevelName,
    carrier: String,
    /// What levels have in common that differ in nothing but their rates.
    load: String,
    ledger: Ledger,
}

impl Learnt {
    /// What runs show.
    ///
    /// # Errors
    /// When they show too little, or do not belong together.
    pub fn of(sources: &[Source<'_>]) -> Result<Self, CalibrateError> {
        let mut calibration = begin(sources)?;
        let mut samples = Samples::default();
        let mut hops = Hops::new();
        let mut arms: Vec<(usize, &record::Arm)> = Vec::new();
        for (at, source) in sources.iter().enumerate() {
            for arm in source.run.header.arms.iter().filter(|arm| is_learnt(source.scenario, arm)) {
                let mut of_arm = Samples::of(source.run, arm.letter);
                calibration.sources[at].traces += of_arm.traces;
                hops.entry(carrier_of(source.scenario, &arm.name)).or_default().append(&mut of_arm.hops);
                samples.append(of_arm);
                arms.push((at, arm));
            }
        }
        let names = names_of(sources);
        if arms.is_empty() {
            return Err(CalibrateError::NoArm(names));
        }
        if samples.traces < MIN_TRACES {
            return Err(CalibrateError::FewTraces(names, samples.traces));
        }
        calibration.operations =
            samples.operations.iter().map(|(name, seen)| (name.clone(), shape::operation(seen))).collect();
        calibration.sync = shape::times(&samples.commits);
        let levels = levels(sources, &arms, &calibration);
        let costs = levels.iter().flat_map(|level| level.ledger.operations.values());
        if costs.into_iter().all(|cost| cost.business_ns == 0) {
            return Err(CalibrateError::NoParts(names));
        }
        calibration.start_ns =
            arms.iter().map(|(_, arm)| arm.ready_ms * 1_000_000).filter(|ns| *ns > 0).min().unwrap_or(0);
        calibration.memory = memory::learn(&sources.iter().map(plain_arms).collect::<Vec<_>>());
        calibration.noise = noise(sources);
        Ok(Self { calibration, hops, levels })
    }

    /// A calibration in which things cost what they took, where `slowed` is how many times as much neighbours on the cores made that
    /// in a level. They do so the more, the busier the machine is: what is left shows how CPU falls with the rate of calls.
    pub fn priced(&self, slowed: impl Fn(&LevelName) -> f64) -> Calibration {
        let mut calibration = self.calibration.clone();
        let alone: Vec<(&LearntLevel, Ledger)> =
            self.levels.iter().map(|level| (level, level.ledger.without(slowed(&level.name)))).collect();
        let mut alike: BTreeMap<&str, Vec<&Ledger>> = BTreeMap::new();
        for (level, ledger) in &alone {
            alike.entry(&level.load).or_default().push(ledger);
        }
        let loads: Vec<Vec<Load>> = alike.values().flat_map(|levels| cooling::loads(levels)).collect();
        let cooled = cooling::fit(&loads);
        let cooling = cooled.map(|fitted| fitted.cooling).unwrap_or_default();
        let warm = |(level, ledger): (&LearntLevel, Ledger)| (level.carrier.clone(), cooling.warmed(ledger));
        let ledgers: Vec<(String, Ledger)> = alone.into_iter().map(warm).collect();
        costs::apply(&mut calibration, &ledgers, &self.hops, cooled.is_some());
        if let Some(fitted) = cooled {
            calibration.parameters.cold_cpu = fitted.cold_cpu;
            calibration.parameters.cooling_ns = fitted.cooling_ns;
        }
        calibration
    }
}

/// What levels have to have in common to differ in nothing but their rates: the carrier, and the journeys, to a percent.
fn load_of(source: &SourceRun, carrier: &str) -> String {
    let percent = |(journey, share): (&String, &f64)| format!(" {journey} {:.0}", share * 100.0);
    carrier.to_owned() + &source.mix.iter().map(percent).collect::<String>()
}

/// The levels of every arm that is learnt from, one of each measured phase: phases have rates of their own. A run that was
/// never at rest has processes like those of the others.
fn levels(
    sources: &[Source<'_>],
    arms: &[(usize, &record::Arm)],
    calibration: &Calibration,
) -> Vec<LearntLevel> {
    let operations: &BTreeMap<String, Operation> = &calibration.operations;
    let rests: Vec<Option<IdleCpu>> =
        arms.iter().map(|(at, arm)| ledger::rest(sources[*at].run, arm)).collect();
    let usual = IdleCpu::mean(rests.iter().flatten());
    let mut levels = Vec::new();
    for ((at, arm), rest) in arms.iter().zip(&rests) {
        let Source { run, scenario } = sources[*at];
        let rest = rest.as_ref().or(usual.as_ref());
        let carrier = carrier_of(scenario, &arm.name);
        let load = load_of(&calibration.sources[*at], &carrier);
        for phase in run.header.phases.iter().filter(|phase| phase.measure) {
            let ledger = Ledger::of(run, arm, &Window::Phase(phase.name.clone()), operations, rest);
            if ledger.seconds > 0.0 {
                let name = LevelName::new(&run.header.run_id, &arm.name, &phase.name);
                levels.push(LearntLevel { name, carrier: carrier.clone(), load: load.clone(), ledger });
            }
        }
    }
    levels
}
