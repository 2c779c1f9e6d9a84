//! For which network a result holds, and what more of it would add.

use std::collections::BTreeMap;

use model::Run;
use model::format::value;
use record::Arm;

use super::Pair;
use crate::measure::Unit;
use crate::selection::steady;

/// The step of a round trip that a slope is given for, seconds.
const STEP_S: f64 = 100e-6;
/// The scenario that runs one topology at several round trips.
const PRICED_BY: &str = "real-network";
/// Journeys a line names at most: it is to be read.
const MAX_JOURNEYS: usize = 4;

/// `on loopback`, or `on a network of 300µs round trip (declared)`: what the processes of the split arm have between them.
pub(super) fn between(pair: Pair<'_>) -> String {
    match pair.other.network {
        None => "on loopback".to_owned(),
        Some(network) => {
            format!("on a network of {} round trip (declared)", time(network.rtt_ns as f64 / 1e9))
        }
    }
}

/// `each 100µs of round trip adds here, in micro: 310µs to the p50 of home-feed (3 round trips in sequence)`, where arms of one topology ran at several round trips.
pub(super) fn slope(run: &Run) -> Option<String> {
    let mut topologies: BTreeMap<&str, Vec<&Arm>> = BTreeMap::new();
    for arm in run.header.arms.iter().filter(|arm| !arm.remote_edges.is_empty()) {
        topologies.entry(&arm.topology).or_default().push(arm);
    }
    let (topology, arms) = topologies.into_iter().max_by_key(|(_, arms)| distances(arms))?;
    if distances(&arms) < 2 {
        return None;
    }
    let journeys = run.header.journeys.iter().filter_map(|journey| {
        let slope = slope_of(run, &arms, &journey.name)?;
        let crossings = arms.last().and_then(|arm| run.crossings(arm.letter, &journey.name));
        let crossings = crossings.map_or_else(String::new, in_sequence);
        Some(format!("{} to the p50 of {}{crossings}", time(slope * STEP_S), journey.name))
    });
    let journeys: Vec<String> = journeys.take(MAX_JOURNEYS).collect();
    let step = time(STEP_S);
    (!journeys.is_empty())
        .then(|| format!("each {step} of round trip adds here, in {topology}: {}", journeys.join("; ")))
}

/// `in sequence, in micro: home-feed 3 round trips, view-photo 1 round trip (real-network has their price)`, of the arm
/// that is split most, by its traces. `None` where nothing is split or no trace is known.
pub(super) fn crossings(run: &Run) -> Option<String> {
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

/// Least squares of the journey's p50 over the round trip, both in seconds; `None` where an arm has no such journey.
fn slope_of(run: &Run, arms: &[&Arm], journey: &str) -> Option<f64> {
    let window = run.whole(&steady(run));
    let point = |arm: &&Arm| {
        let p50_us = run.merged(arm.letter, &window, journey, |w| &w.intended).quantile(0.5)?;
        Some((rtt_ns(arm) as f64 / 1e9, p50_us as f64 / 1e6))
    };
    let points: Vec<(f64, f64)> = arms.iter().map(point).collect::<Option<_>>()?;
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / n, y + point.1 / n));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let variance: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    (variance > 0.0).then(|| covariance / variance)
}

fn time(seconds: f64) -> String {
    value(Some(seconds), Unit::Time.symbol())
}
