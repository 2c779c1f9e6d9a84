//! How far a calibration carries to what is predicted, and why no further.

use std::collections::{BTreeMap, BTreeSet};

use model::speed::{self, Compared};
use model::sweep::MAX_SIDE_BY_SIDE;
use policy::units::HumanDuration;
use record::{Machine, Validity};
use scenario::{Action, Scenario, TelemetryLevel};
use traffic::load::Shape;

use super::changes;
use super::layout::{Hosts, Layout};
use crate::calibrate::{Calibration, DataShape, SourceRun, shares};

/// A calibration older than this is of another machine as likely as not, microseconds: 30 days.
const MAX_AGE_US: i64 = 30 * 24 * 3_600 * 1_000_000;
/// A load so much above the highest that was calibrated, or below the lowest, is another one.
const LOAD_MARGIN: f64 = 1.1;

/// Journeys with their shares, 0 to 1.
type Shares = BTreeMap<String, f64>;

/// A mix of which more of the journeys are others is another one.
const MAX_MOVED: f64 = 0.1;
/// A mix that is nearer by less is as near.
const MIX_ALIKE: f64 = 0.01;
/// Mixes between two that are looked at.
const MIX_STEPS: u32 = 50;

/// What a prediction is made on and for.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// The machine here.
    pub machine: Machine,
    /// The program's version.
    pub version: String,
    /// The wall clock, microseconds since the Unix epoch.
    pub wall_us: i64,
}

/// The label of a prediction, and what keeps it from a better one.
pub(super) fn validity(
    calibration: &Calibration,
    scenario: &Scenario,
    layouts: &[Layout],
    (hosts, cores, interleaved): (Hosts, u32, bool),
    here: &Circumstances,
    not_simulated: &[String],
) -> (Validity, Vec<String>) {
    let mut assumed = of_identity(calibration, here);
    let mut extrapolated: Vec<String> = Vec::new();
    let size = size_of(scenario);
    if size != calibration.size {
        assumed.push(format!("data of size {size}, calibrated with {}", calibration.size));
    }
    if DataShape::of(&scenario.load) != calibration.shape {
        assumed.push("another `graph`, `feed` or `popularity` of the data than was calibrated".to_owned());
    }
    if cores != calibration.machine.cores {
        assumed.push(format!("hosts of {cores} cores, calibrated with {}", calibration.machine.cores));
    }
    for layout in layouts {
        if layout.arm.placement.has_server() {
            assumed.push(format!("{}: data on a PostgreSQL server, calibrated on SQLite", layout.arm.name));
        }
        if layout.arm.placement.has_broker() {
            assumed.push(format!("{}: events through a broker, calibrated with pulls", layout.arm.name));
        }
        let level = word_of(layout.arm.telemetry.unwrap_or(scenario.telemetry));
        if !calibration.telemetry.starts_with(level) {
            let (arm, known) = (&layout.arm.name, &calibration.telemetry);
            assumed.push(format!("{arm}: telemetry {level}, calibrated with {known}"));
        }
        let rtt = layout.arm.network.rtt;
        if rtt != HumanDuration::default() {
            assumed.push(format!("{}: a round trip of {rtt}, calibrated on loopback", layout.arm.name));
        }
        if let Some(scale) = &layout.scale {
            let links = scale.links.by_distance(layout.arm.network);
            if let Some(link) = links.iter().find(|link| !link.is_loopback()) {
                assumed.push(format!(
                    "{}: networks between hosts, zones and regions, such as a round trip of {}, calibrated on loopback",
                    layout.arm.name, link.rtt
                ));
            }
            assumed
                .push(format!("{}: a part of the data with each copy, calibrated with all", layout.arm.name));
        }
    }
    assumed.extend(scenario.prices.iter().map(|prices| format!("prices: {}", prices.record())));
    assumed.extend(changes::assumed_start(calibration, scenario));
    extrapolated.extend(of_groupings(calibration, layouts));
    if not_simulated.iter().any(|what| what.starts_with("journey") || what.starts_with("the carrier")) {
        let name = &scenario.name;
        assumed.push(format!(
            "part of the load, or a carrier, was never calibrated; calibrate with: cleave calibrate {name}"
        ));
    }
    if hosts != Hosts::One {
        extrapolated.push(format!("hosts: {hosts}, each like the one that was calibrated, on its loopback"));
    }
    let nearest = nearest(calibration, scenario);
    if let Some(share) = nearest.as_ref().map(|nearest| nearest.moved).filter(|share| *share > MAX_MOVED) {
        extrapolated.push(format!(
            "another mix of journeys: {:.0} % of them would have to be of other kinds to match one that was calibrated",
            share * 100.0
        ));
    }
    let (lowest, highest) = nearest.map_or((f64::INFINITY, 0.0), |nearest| nearest.rates);
    let peak = scenario.load.peak_rate();
    if peak > highest * LOAD_MARGIN {
        extrapolated.push(format!("up to {peak:.0} arrivals a second, calibrated up to {highest:.0}"));
    }
    let least = least_rate(scenario).unwrap_or(peak);
    if least * LOAD_MARGIN < lowest {
        extrapolated.push(format!("from {least:.0} arrivals a second on, calibrated from {lowest:.0} on"));
    }
    if acts_on_arms(scenario) {
        extrapolated.push("steps, of which the calibration has none".to_owned());
    }
    if !interleaved && layouts.len() > 1 && calibration.sources.iter().all(|run| run.interleaved) {
        extrapolated.push("arms side by side, calibrated in turns".to_owned());
    }
    if !assumed.is_empty() {
        return (Validity::Assumed, assumed);
    }
    if extrapolated.is_empty() {
        (Validity::Interpolated, extrapolated)
    } else {
        (Validity::Extrapolated, extrapolated)
    }
}

/// The lowest rate that a measured phase, or a step of one, is offered on average, a second: what a journey takes falls with the
/// rate, and one phase may lie far below the others. `None` where arrivals are read from a trace, or users wait for answers.
fn least_rate(scenario: &Scenario) -> Option<f64> {
    if !scenario.load.rows.is_empty() {
        return None;
    }
    let names: Vec<&str> = scenario.phases.iter().map(|phase| phase.name.as_str()).collect();
    let shapes = scenario.load.shapes(&names);
    let of = |shape: &Shape| -> Vec<f64> {
        match shape {
            Shape::Steps(levels) => levels.iter().map(|level| level.get()).collect(),
            other => vec![f64::midpoint(other.first().get(), other.last().get())],
        }
    };
    let measured = scenario.phases.iter().zip(&shapes).filter(|(phase, _)| phase.measure);
    // A phase in which nothing is asked for has no figures.
    measured.flat_map(|(_, shape)| of(shape)).filter(|rate| *rate > 0.0).reduce(f64::min)
}

/// Groupings that no run of the calibration had: a line each, or of many arms one line.
fn of_groupings(calibration: &Calibration, layouts: &[Layout]) -> Vec<String> {
    let is_known = |layout: &&Layout| {
        let grouping = layout.grouping();
        calibration.sources.iter().flat_map(|run| &run.groupings).any(|known| *known == grouping)
    };
    let (known, other): (Vec<&Layout>, Vec<&Layout>) = layouts.iter().partition(is_known);
    if layouts.len() <= MAX_SIDE_BY_SIDE || other.is_empty() {
        let line =
            |layout: &Layout| format!("{}: a grouping that no run of the calibration had", layout.arm.name);
        return other.into_iter().map(line).collect();
    }
    let names: Vec<&str> = known.iter().map(|layout| layout.arm.name.as_str()).collect();
    let had = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let (others, all) = (other.len(), layouts.len());
    vec![format!("{others} of {all} groupings, which no run of the calibration had; it had {had}")]
}

/// What of a calibration is nearest to a load.
struct NearestLoad {
    /// Share of the journeys that differ between the load and the nearest mix that was calibrated, or that lies between two.
    moved: f64,
    /// Lowest and highest rates of these.
    rates: (f64, f64),
}

fn nearest(calibration: &Calibration, scenario: &Scenario) -> Option<NearestLoad> {
    let own = shares(scenario);
    let sources = || calibration.sources.iter();
    // A run by itself before two between which nothing is nearer.
    let alone = sources().map(|run| (run, run));
    let pairs = alone.chain(sources().flat_map(|one| sources().map(move |other| (one, other))));
    let of_pair = |(one, other): (&SourceRun, &SourceRun)| NearestLoad {
        moved: moved_from(&own, &one.mix, &other.mix),
        rates: (one.rates.0.min(other.rates.0), one.rates.1.max(other.rates.1)),
    };
    pairs.map(of_pair).reduce(|best, next| if next.moved < best.moved - MIX_ALIKE { next } else { best })
}

/// The same share of one of the mixes between two.
fn moved_from(own: &Shares, one: &Shares, other: &Shares) -> f64 {
    let names = own.keys().chain(one.keys()).chain(other.keys());
    let journeys: BTreeSet<&str> = names.map(String::as_str).collect();
    let share = |mix: &Shares, journey: &str| mix.get(journey).copied().unwrap_or(0.0);
    let at = |part: f64| {
        let between =
            |journey: &str| share(one, journey) + part * (share(other, journey) - share(one, journey));
        journeys.iter().map(|journey| (share(own, journey) - between(journey)).abs()).sum::<f64>() / 2.0
    };
    (0..=MIX_STEPS).map(|step| at(f64::from(step) / f64::from(MIX_STEPS))).fold(f64::INFINITY, f64::min)
}

/// Where the calibration is of something else than what is here.
fn of_identity(calibration: &Calibration, here: &Circumstances) -> Vec<String> {
    let (then, now) = (&calibration.machine, &here.machine);
    let mut differences: Vec<String> = [
        ("Cleave", &calibration.version, &here.version),
        ("kernel", &then.kernel, &now.kernel),
        ("CPU", &then.cpu, &now.cpu),
        ("build", &then.profile, &now.profile),
    ]
    .into_iter()
    .filter(|(_, then, now)| then != now)
    .map(|(what, then, now)| format!("{what} {now}, calibrated with {then}"))
    .collect();
    if then.cores != now.cores {
        differences.push(format!("{} cores, calibrated with {}", now.cores, then.cores));
    }
    // What another CPU or build takes is no speed of this one.
    if (&then.cpu, &then.profile) == (&now.cpu, &now.profile) {
        let speeds = calibration.speed.zip(now.speed);
        differences
            .extend(speeds.and_then(|(calibrated, now)| speed::sentence(calibrated, now, Compared::Now)));
    }
    if !calibration.is_rest_known {
        differences.push(
            "no run of the calibration was at rest, so that CPU at rest counts as that of journeys; calibrate from a run with \
             15 seconds of load or more, all rounds together"
                .to_owned(),
        );
    }
    if !calibration.noise.is_quiet() {
        differences.push(format!(
            "calibrated while other programs took {:.0} % of a core",
            calibration.noise.other_cpu + calibration.noise.steal
        ));
    }
    if here.wall_us - calibration.wall_us > MAX_AGE_US {
        differences.push("the calibration is older than 30 days".to_owned());
    }
    differences
}

/// A level of telemetry as records begin to write it.
const fn word_of(level: TelemetryLevel) -> &'static str {
    match level {
        TelemetryLevel::Off => "off",
        TelemetryLevel::Metrics => "metrics",
        TelemetryLevel::Sampled => "sampled",
        TelemetryLevel::Full => "full",
    }
}

/// Whether a step acts on the arms, rather than on the load.
pub(crate) fn acts_on_arms(scenario: &Scenario) -> bool {
    scenario.steps.iter().any(|step| !matches!(step.action, Action::Load(_)))
}

/// The size of a scenario's data, as a scenario writes it.
pub(crate) fn size_of(scenario: &Scenario) -> String {
    let size = serde_json::to_value(scenario.load.size).unwrap_or_default();
    size.as_str().unwrap_or_default().to_owned()
}
