//! From records of live runs to a calibration: what operations, messages and commits take on a machine.
//!
//! What an operation does, and what it waits for at the same time, is read from traces; how much CPU that takes is what the
//! kernel and the processes account, since the length of a span has waiting in it. Learnt from are arms in which every
//! component has a process of its own; the other arms of a run are held out, but for what calls within the gateway's process
//! take, and show how far it carries.
//!
//! - [`calibrate`]: does it. Start here. [`document`]: the result; `document_reader`: reads it, and
//!   refuses what no result has.
//! - [`journeys_scenario`], [`levels_scenario`]: runs to learn from; [`knee`]: the rates of the second, by the first.
//! - `learnt`: what runs show, and what things cost by it, by these:
//! - `traces`: samples of operations; `shape`: what they come to. `ledger`: what was spent. `cooling`: how much less of it at higher
//!   rates. `costs`: of what, by whom, with `least_squares`. `local_calls`: which arms show those of the gateway in its
//!   process.
//! - [`memory`]: what processes and their components hold.
//! - [`demand`]: CPU of a mix of journeys, from a calibration.
//! - `fit`: the parameters that no record shows directly, and how far a simulation of the runs is off. [`level`]: at each rate.
//!   [`parts`]: in what; [`attribution`]: these of a run and of a simulation.

pub mod attribution;
mod cooling;
mod costs;
pub mod demand;
pub mod document;
mod document_reader;
mod fit;
mod learnt;
mod least_squares;
mod ledger;
pub mod level;
mod local_calls;
pub mod memory;
pub mod parts;
mod scenario;
mod shape;
mod traces;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::scenario::Scenario;
use contract::ComponentName;
use model::{Run, Window};
use record::{MachineSpeed, Verdict};
use traffic::{Dataset, Seed};

pub use self::document::{
    Activity, ActivityKind, Calibration, CostFactors, DataShape, DocumentError, Hop, Noise, Operation,
    Origin, Parameter, Parameters, SourceRun, Stage, Times,
};
use self::learnt::Learnt;
pub(crate) use self::ledger::{calls_of, component_of};
pub use self::level::{FitError, Level};
pub use self::memory::MemoryUse;
pub use self::parts::CpuParts;
pub(crate) use self::scenario::load_table;
pub use self::scenario::{journeys_scenario, levels_scenario};
use crate::predict::Layout;

/// Fewest traces that a calibration is made from: with fewer, most operations were seen once or never.
const MIN_TRACES: u64 = 30;

/// A live run to learn from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The run, folded whole.
    pub run: &'a Run,
    /// Its scenario.
    pub scenario: &'a Scenario,
}

/// Why there is no calibration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalibrateError {
    /// A simulated record has nothing to learn from.
    #[error("run {0} is a simulation; calibrate from a live run")]
    Simulated(String),
    /// A run that was not what it should have been.
    #[error(
        "run {0} is invalid; cleave report {0} --output text prints why; calibrate from a run that is valid, of an idle machine"
    )]
    Invalid(String),
    /// Its steps are in its figures.
    #[error(
        "scenario `{1}` of run {0} has steps, whose effects would be learnt as costs; calibrate from a run without, or: \
         cleave calibrate {1}"
    )]
    Steps(String, String),
    /// No arm can be learnt from.
    #[error(
        "no arm of {0} can be learnt from: its components must each have a process of their own without limits, their data \
         in SQLite, the run's level of telemetry, and no `work`, `cache`, `store` or `slots`; run a topology with \
         processes = {{ each = [\"*\"] }}, or: cleave calibrate hop-tax"
    )]
    NoArm(String),
    /// Too few traces.
    #[error(
        "{0} has {1} complete traces: expected at least {MIN_TRACES}; run it longer, or write telemetry = \"sampled\""
    )]
    FewTraces(String, u64),
    /// Processes did not report.
    #[error(
        "the processes of {0} did not report their CPU by operation; run it again with this version of Cleave"
    )]
    NoParts(String),
    /// There is nothing to compare a simulation with.
    #[error(
        "CPU and latency of a journey were not measured in any arm of {0} that can be learnt from: journeys have to end in \
         seconds in which all of its processes report their CPU; run it again on an idle machine"
    )]
    NotMeasured(String),
    /// Runs that do not belong together.
    #[error(
        "{0} and {1} are of different {2}; calibrate from runs of one machine, program and shape of data"
    )]
    Different(String, String, &'static str),
    /// Nothing of it can be simulated.
    #[error(
        "nothing of {0} can be simulated to fit parameters to it; calibrate from a run with an absolute rate, such as \
         \"100/s\", in which journeys were answered"
    )]
    NotFitted(String),
}

/// Learns from runs; `components` are those of the application, `threads` as many as are simulated on.
///
/// # Errors
/// When they show too little, or do not belong together.
pub fn calibrate(
    sources: &[Source<'_>],
    components: &[ComponentName],
    threads: usize,
) -> Result<Calibration, CalibrateError> {
    let learnt = Learnt::of(sources)?;
    let mut calibration = learnt.priced(|_| 1.0);
    let measured = |source| fit::LiveRun::of(source, &calibration, components, threads);
    let simulated: Vec<fit::LiveRun<'_>> = sources.iter().map(measured).collect();
    for (source, measured) in calibration.sources.iter_mut().zip(&simulated) {
        let known = measured.layouts.iter().filter(|layout| is_calibrated(&layout.arm.placement));
        source.groupings = known.map(Layout::grouping).collect();
        source.groupings.sort();
        source.groupings.dedup();
    }
    if !simulated.iter().any(fit::LiveRun::shows_what_is_fitted) {
        return Err(CalibrateError::NotMeasured(names_of(sources)));
    }
    fit::fit(&mut calibration, &learnt, &simulated);
    if !calibration.fit.iter().any(|error| error.is_fitted) {
        return Err(CalibrateError::NotFitted(names_of(sources)));
    }
    Ok(calibration)
}

/// Journeys of a mix a second at which services like those of a run, and the load generator for them, keep every core of its
/// machine busy: a first look, by which rates are chosen. `None` where none of the journeys was in the run.
///
/// # Errors
/// When the run shows too little.
pub fn knee(source: Source<'_>, mix: &demand::Mix) -> Result<Option<f64>, CalibrateError> {
    Ok(demand::knee(&Learnt::of(&[source])?.priced(|_| 1.0), mix))
}

fn names_of(sources: &[Source<'_>]) -> String {
    let names: Vec<&str> = sources.iter().map(|source| source.run.header.run_id.as_str()).collect();
    names.join(" and ")
}

/// What is known of a calibration without a look at its figures.
fn begin(sources: &[Source<'_>]) -> Result<Calibration, CalibrateError> {
    let mut calibration = Calibration { schema_version: document::VERSION, ..Calibration::default() };
    let speeds: Vec<MachineSpeed> = sources.iter().filter_map(|source| source.run.speed()).collect();
    calibration.speed = MachineSpeed::of_probes(&speeds);
    for (at, Source { run, scenario }) in sources.iter().enumerate() {
        let header = &run.header;
        if run.is_simulated() {
            return Err(CalibrateError::Simulated(header.run_id.clone()));
        }
        // So is a record without an end.
        if run.verdict() == Verdict::Invalid.word() {
            return Err(CalibrateError::Invalid(header.run_id.clone()));
        }
        if crate::predict::acts_on_arms(scenario) {
            return Err(CalibrateError::Steps(header.run_id.clone(), header.scenario.clone()));
        }
        let (size, shape) = (crate::predict::size_of(scenario), DataShape::of(&scenario.load));
        if at == 0 {
            (calibration.version, calibration.size) = (header.version.clone(), size.clone());
            calibration.shape = shape;
            calibration.telemetry.clone_from(&header.telemetry);
        }
        let first = &sources[0].run.header;
        let differs =
            |what| Err(CalibrateError::Different(first.run_id.clone(), header.run_id.clone(), what));
        if header.version != calibration.version {
            return differs("versions");
        }
        let machine = |of: &record::Machine| (of.cpu.clone(), of.kernel.clone(), of.cores);
        if machine(&header.machine) != machine(&first.machine) {
            return differs("machines");
        }
        if header.machine.profile != first.machine.profile {
            return differs("builds");
        }
        if size != calibration.size {
            return differs("sizes of data");
        }
        if shape != calibration.shape {
            return differs("shapes of data (`graph`, `feed`, `popularity`)");
        }
        if header.telemetry != calibration.telemetry {
            return differs("levels of telemetry");
        }
        if header.wall_us >= calibration.wall_us {
            (calibration.wall_us, calibration.machine) = (header.wall_us, header.machine.clone());
        }
        let rates = rates(run);
        let learnt = header.arms.iter().filter(|arm| is_learnt(scenario, arm));
        calibration.sources.push(SourceRun {
            run_id: header.run_id.clone(),
            scenario: header.scenario.clone(),
            arms: learnt.map(|arm| arm.name.clone()).collect(),
            groupings: Vec::new(),
            interleaved: header.way == "interleaved",
            rates,
            mix: shares(scenario),
            traces: 0,
        });
    }
    Ok(calibration)
}

/// Share of each journey of a load, 0 to 1.
pub(crate) fn shares(scenario: &Scenario) -> BTreeMap<String, f64> {
    let weights = scenario.load.weights();
    let all: f64 = weights.iter().map(|(_, weight)| weight).sum();
    weights.into_iter().map(|(journey, weight)| (journey.name().to_owned(), weight / all)).collect()
}

/// What the machine did besides the runs, over their measured phases.
fn noise(sources: &[Source<'_>]) -> Noise {
    let hosts = |source: &Source<'_>| {
        let range = source.run.whole(&Window::Whole);
        source.run.hosts(&range).cloned().collect::<Vec<record::Host>>()
    };
    let hosts: Vec<record::Host> = sources.iter().flat_map(hosts).collect();
    let mean = |of: fn(&record::Host) -> f64| hosts.iter().map(of).sum::<f64>() / hosts.len().max(1) as f64;
    Noise { other_cpu: mean(|host| host.other_cpu), steal: mean(|host| host.steal) }
}

/// Whether every component of an arm has processes of its own.
fn is_apart(arm: &record::Arm) -> bool {
    !arm.remote_edges.is_empty()
        && arm.local_edges.is_empty()
        && arm.instances.iter().all(|instance| instance.hosts.len() <= 1)
}

/// Whether an arm is learnt from: its components are apart, and what it does is what its operations do by themselves. What a
/// scenario declares besides them would be learnt as theirs, and then be simulated once more.
fn is_learnt(scenario: &Scenario, arm: &record::Arm) -> bool {
    let planned = scenario.arms.iter().find(|planned| planned.name == arm.name);
    is_apart(arm) && planned.is_none_or(|planned| is_plain(scenario, planned))
}

/// The arms of a run of which it is known what their processes hold.
fn plain_arms<'r>(Source { run, scenario }: &Source<'r>) -> memory::Arms<'r> {
    let plain = run.header.arms.iter().filter(|arm| {
        let planned = scenario.arms.iter().find(|planned| planned.name == arm.name);
        planned.is_some_and(|planned| is_plain(scenario, planned))
    });
    let (apart, together): (Vec<&record::Arm>, Vec<&record::Arm>) = plain.partition(|arm| is_apart(arm));
    let letters = |arms: Vec<&record::Arm>| arms.into_iter().map(|arm| arm.letter).collect();
    memory::Arms { run, apart: letters(apart), together: letters(together) }
}

/// Whether an arm has nothing but the operations of its components, in files, with pulled events, watched as the run's other
/// arms are.
fn is_plain(scenario: &Scenario, arm: &::scenario::Arm) -> bool {
    is_calibrated(&arm.placement)
        && arm.placement.limits.is_empty()
        && arm.telemetry.is_none_or(|level| level == scenario.telemetry)
        && arm.services.values().all(policy::ServiceOptions::is_plain)
}

/// Whether no server takes part in what an arm does: what those cost is not learnt.
fn is_calibrated(placement: &contract::Placement) -> bool {
    !placement.has_server() && !placement.has_broker()
}

/// The carrier of an arm, as a scenario writes it.
fn carrier_of(scenario: &Scenario, arm: &str) -> String {
    let arm = scenario.arms.iter().find(|planned| planned.name == arm);
    let carrier = arm.map(|arm| arm.placement.carrier).unwrap_or_default();
    let carrier = serde_json::to_value(carrier).unwrap_or_default();
    carrier.as_str().unwrap_or_default().to_owned()
}

/// Lowest and highest arrivals a second of the measured phases, as offered to an arm. A phase in which nothing was asked for
/// shows nothing of any rate.
fn rates(run: &Run) -> (f64, f64) {
    let Some(arm) = run.letters().first().copied() else { return (0.0, 0.0) };
    let rates: Vec<f64> = run
        .header
        .phases
        .iter()
        .filter(|phase| phase.measure)
        .filter_map(|phase| {
            let range = run.whole(&Window::Phase(phase.name.clone()));
            let seconds: u64 = run.run_time(arm, &range).iter().map(|time| time.end - time.start).sum();
            let offered = run.sum(arm, &range, "all", |window| window.offered) as f64;
            (seconds > 0).then(|| offered * 1e9 / seconds as f64)
        })
        .collect();
    least_and_most(&rates)
}

fn least_and_most(rates: &[f64]) -> (f64, f64) {
    let offered = || rates.iter().copied().filter(|rate| *rate > 0.0);
    (offered().reduce(f64::min).unwrap_or(0.0), offered().fold(0.0, f64::max))
}

/// The arms of a run as they are simulated.
pub(crate) fn layouts(run: &Run, scenario: &Scenario, components: &[ComponentName]) -> Vec<Layout> {
    let layout = |arm: &record::Arm| {
        let planned = scenario.arms.iter().find(|planned| planned.name == arm.name)?;
        Some(Layout::of(planned, arm, planned.placement.resolve(components).ok()?))
    };
    run.header.arms.iter().filter_map(layout).collect()
}

/// The data set of a run.
pub(crate) fn dataset(seed: u64, scenario: &Scenario) -> Arc<Dataset> {
    Arc::new(Dataset::generate(Seed(seed), scenario.load.size, &scenario.load.graph))
}

/// Sums by name.
type Sums = BTreeMap<String, f64>;

/// Time of calls beside their callees' spans, ns, with weights, by carrier.
type Hops = BTreeMap<String, Vec<(u64, f64)>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_without_arrivals_makes_no_low_rate_a_calibrated_one() {
        assert_eq!(least_and_most(&[0.0, 60.0, 180.0]), (60.0, 180.0));
        assert_eq!(least_and_most(&[0.0]), (0.0, 0.0));
    }
}
