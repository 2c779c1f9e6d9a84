//! How far a calibration carries to what is predicted, and why no further.

use std::collections::{BTreeMap, BTreeSet};

use policy::units::HumanDuration;
use record::{Machine, Validity};
use scenario::{Action, Scenario, TelemetryLevel};

use super::layout::{Hosts, Layout};
use crate::calibrate::{Calibration, DataShape, shares};

/// A calibration older than this is of another machine as likely as not, microseconds: 30 days.
const MAX_AGE_US: i64 = 30 * 24 * 3_600 * 1_000_000;
/// A load so much above the highest that was calibrated, or below the lowest, is another one.
const LOAD_MARGIN: f64 = 1.1;

/// A mix of which more of the journeys are others is another one.
const MAX_MOVED: f64 = 0.1;

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
        let grouping = layout.grouping();
        let mut known = calibration.sources.iter().flat_map(|run| &run.groupings);
        if !known.any(|known| *known == grouping) {
            extrapolated.push(format!("{}: a grouping that no run of the calibration had", layout.arm.name));
        }
    }
    if not_simulated.iter().any(|what| what.starts_with("journey") || what.starts_with("the carrier")) {
        assumed.push("part of the load, or a carrier, was never calibrated".to_owned());
    }
    if hosts != Hosts::One {
        extrapolated.push(format!("hosts: {hosts}, each like the one that was calibrated, on its loopback"));
    }
    if let Some(share) = moved(calibration, scenario).filter(|share| *share > MAX_MOVED) {
        extrapolated.push(format!(
            "another mix of journeys: {:.0} % of them would have to be others to make it one that was calibrated",
            share * 100.0
        ));
    }
    let highest = calibration.sources.iter().map(|run| run.rates.1).fold(0.0, f64::max);
    let peak = scenario.load.peak_rate();
    if peak > highest * LOAD_MARGIN {
        extrapolated.push(format!("up to {peak:.0} arrivals a second, calibrated up to {highest:.0}"));
    }
    let lowest = calibration.sources.iter().map(|run| run.rates.0).fold(f64::INFINITY, f64::min);
    if peak * LOAD_MARGIN < lowest {
        extrapolated.push(format!("at most {peak:.0} arrivals a second, calibrated from {lowest:.0} on"));
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

/// Share of the journeys that differ between a load and the nearest mix that was calibrated.
fn moved(calibration: &Calibration, scenario: &Scenario) -> Option<f64> {
    let own = shares(scenario);
    let of = |mix: &BTreeMap<String, f64>| {
        let journeys: BTreeSet<&String> = own.keys().chain(mix.keys()).collect();
        let share = |mix: &BTreeMap<String, f64>, journey| mix.get(journey).copied().unwrap_or(0.0);
        journeys.into_iter().map(|journey| (share(&own, journey) - share(mix, journey)).abs()).sum::<f64>()
            / 2.0
    };
    calibration.sources.iter().map(|run| of(&run.mix)).reduce(f64::min)
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
