//! For which network a result holds, and what more of it would add.

use std::collections::BTreeMap;

use model::Run;
use model::delays::OF_NETWORK;
use model::format::value;
use record::{Arm, Measured};

use super::lines::Line;
use super::listed;
use crate::argument::Argument;
use crate::inference::{self, Engine, Figure};
use crate::measure::Unit;
use crate::measures::P50;
use crate::selection::{Selection, steady};

/// The step of a round trip that a slope is given for, seconds.
const STEP_S: f64 = 100e-6;
/// The scenario that runs one topology at several round trips.
const PRICED_BY: &str = "real-network";
/// Journeys a line names at most: it is to be read.
const MAX_JOURNEYS: usize = 4;

/// `on loopback`, `on a network of 300µs round trip (declared)`, or `on loopback and networks of 300µs and 1.0ms round trip
/// (declared)`: what the processes of the arms have between them.
pub(super) fn between(arms: &[&Arm]) -> String {
    let mut declared: Vec<u64> =
        arms.iter().filter_map(|arm| arm.network).map(|network| network.rtt_ns).collect();
    declared.sort_unstable();
    declared.dedup();
    let times: Vec<String> = declared.iter().map(|ns| time(*ns as f64 / 1e9)).collect();
    let times: Vec<&str> = times.iter().map(String::as_str).collect();
    let network = match times.as_slice() {
        [] => None,
        [one] => Some(format!("a network of {one} round trip (declared)")),
        several => Some(format!("networks of {} round trip (declared)", listed(several))),
    };
    let loopback = arms.iter().any(|arm| arm.network.is_none()).then(|| "loopback".to_owned());
    let both: Vec<String> = loopback.into_iter().chain(network).collect();
    format!("on {}", both.join(" and "))
}

/// `each 100µs of round trip adds here, in micro: 310µs [290µs, 330µs] to the p50 of home-feed (3 round trips in sequence)`,
/// and `each 100µs of round trip adds to p50: home-feed 310µs [290µs, 330µs]`, where arms of one topology ran at several round
/// trips.
pub(super) fn slope(run: &Run) -> Option<Line> {
    let (topology, arms) = at_several_distances(run)?;
    let engine = Engine::default();
    let slopes = run.header.journeys.iter().filter_map(|journey| {
        Some((journey.name.as_str(), added(&slope_of(run, &arms, &journey.name, &engine)?)))
    });
    let slopes: Vec<(&str, String)> = slopes.take(MAX_JOURNEYS).collect();
    let in_full = |(journey, added): &(&str, String)| {
        let crossings = arms.last().and_then(|arm| run.crossings(arm.letter, journey));
        let crossings = crossings.map_or_else(String::new, in_sequence);
        format!("{added} to the p50 of {journey}{crossings}")
    };
    let full: Vec<String> = slopes.iter().map(in_full).collect();
    let short: Vec<String> = slopes.iter().map(|(journey, added)| format!("{journey} {added}")).collect();
    let step = time(STEP_S);
    (!slopes.is_empty()).then(|| {
        Line::fixed(
            format!("each {step} of round trip adds here, in {topology}: {}", full.join("; ")),
            format!("each {step} of round trip adds to p50: {}", short.join(", ")),
        )
    })
}

/// The topology that ran at most round trips, and its arms; `None` where none ran at two.
fn at_several_distances(run: &Run) -> Option<(&str, Vec<&Arm>)> {
    let mut topologies: BTreeMap<&str, Vec<&Arm>> = BTreeMap::new();
    for arm in run.header.arms.iter().filter(|arm| !arm.remote_edges.is_empty()) {
        topologies.entry(&arm.topology).or_default().push(arm);
    }
    let (topology, arms) = topologies.into_iter().max_by_key(|(_, arms)| distances(arms))?;
    (distances(&arms) > 1).then_some((topology, arms))
}

/// `in sequence, in micro: home-feed 3 round trips, view-photo 1 round trip (real-network has their price)`, of the arm
/// that is split most, by its traces. `None` where nothing is split, no trace is known, or the run itself has their price.
pub(super) fn crossings(run: &Run) -> Option<String> {
    if at_several_distances(run).is_some() {
        return None;
    }
    let arm = super::most_split(run).filter(|arm| !arm.remote_edges.is_empty())?;
    let of_journey = |name: &str| run.crossings(arm.letter, name).filter(|n| *n > 0);
    let counts =
        run.header.journeys.iter().filter_map(|journey| Some((&journey.name, of_journey(&journey.name)?)));
    let counts: Vec<String> =
        counts.take(MAX_JOURNEYS).map(|(name, n)| format!("{name} {}", round_trips(n))).collect();
    (!counts.is_empty())
        .then(|| format!("in sequence, in {}: {} ({PRICED_BY} has their price)", arm.name, counts.join(", ")))
}

/// ` (3 round trips in sequence)`.
fn in_sequence(n: usize) -> String {
    format!(" ({} in sequence)", round_trips(n))
}

fn round_trips(n: usize) -> String {
    format!("{n} round trip{}", if n == 1 { "" } else { "s" })
}

/// How many different round trips arms have.
fn distances(arms: &[&Arm]) -> usize {
    let mut all: Vec<u64> = arms.iter().map(|arm| rtt_ns(arm)).collect();
    all.sort_unstable();
    all.dedup();
    all.len()
}

fn rtt_ns(arm: &Arm) -> u64 {
    arm.network.map_or(0, |network| network.rtt_ns)
}

/// Seconds a round trip between processes of an arm took longer than on loopback: what was delivered, where that is known.
fn round_trip_s(run: &Run, arm: &Arm) -> f64 {
    let declared = rtt_ns(arm) as f64 / 1e9;
    run.delivered_delay(arm.letter, OF_NETWORK).map_or(declared, |one_way| 2.0 * one_way.delivered_s())
}

/// Least squares of the journey's p50 of all arrivals over the round trip, both in seconds; `None` where an arm has none, or
/// its p50 did not end. Arms that took turns fewer than three times share no seconds.
fn slope_of(run: &Run, arms: &[&Arm], journey: &str, engine: &Engine) -> Option<Measured> {
    let (window, argument) = (steady(run), Argument::Journey(journey.to_owned()));
    let point = |arm: &&Arm| {
        let selection = Selection::new(run, arm.letter, &window, &argument);
        let figure = Figure::new(P50.of(&selection), &engine.resampling(&selection.frame()));
        (round_trip_s(run, arm), figure)
    };
    let points: Vec<(f64, Figure)> = arms.iter().map(point).collect();
    let are_paired =
        run.header.way != "interleaved" || points.iter().all(|(_, figure)| figure.is_by_rounds());
    inference::slope(&points, are_paired)
}

/// `310µs [290µs, 330µs]`, or that it has no interval.
fn added(slope: &Measured) -> String {
    let text = time(slope.value.unwrap_or(0.0) * STEP_S);
    match slope.interval.map(|interval| interval.scaled(STEP_S)) {
        Some(interval) => format!("{text} [{}, {}]", time(interval.low), time(interval.upper())),
        None => format!("{text} (this run, no interval)"),
    }
}

fn time(seconds: f64) -> String {
    value(Some(seconds), Unit::Time.symbol())
}
