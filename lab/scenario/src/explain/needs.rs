//! What each claim takes to be judged, and whether the run will have it.

use record::PhasePlan;
use scorecard::Expectation;
use scorecard::expect::{Op, Parameter, Query, Side, Window};
use scorecard::inference::needs::{StatisticKind, fewest_events, most_events};
use scorecard::measure::Unit;
use traffic::Journey;
use traffic::load::{Model, Rates};

use crate::scenario::{Assertion, RunMode, Scenario};

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// What one side of a claim takes of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Needs {
    /// Samples below which it is not judged.
    pub(super) samples: Option<u64>,
    /// Samples that the plan offers each arm, where it says.
    pub(super) planned: Option<u64>,
    /// Seconds below which its window has no interval.
    pub(super) seconds: Option<u32>,
    /// Seconds of its window.
    pub(super) window_s: Option<u32>,
    /// For people: what is needed, what will be there, and how many samples may lie on the wrong side.
    pub(super) sentences: Vec<String>,
}

impl Needs {
    /// Whether the run will have what is needed; `None` where the plan does not say.
    pub(super) fn are_met(&self) -> Option<bool> {
        let has = |needed: Option<u64>, there: Option<u64>| match (needed, there) {
            (None, _) => Some(true),
            (Some(needed), Some(there)) => Some(there >= needed),
            (Some(_), None) => None,
        };
        let seconds = has(self.seconds.map(u64::from), self.window_s.map(u64::from));
        match (has(self.samples, self.planned), seconds) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }
}

/// What the sides of an expectation take, those that are measures. A premise (`valid`) is judged on what was seen.
pub(super) fn of(scenario: &Scenario, that: &Expectation, is_premise: bool) -> Vec<Needs> {
    let limit = match (&that.left, &that.right) {
        (Side::Measure { factor, .. }, Side::Quantity { value, .. }) => Some(value / factor),
        _ => None,
    };
    let sides = [&that.left, &that.right].into_iter().filter_map(|side| match side {
        Side::Measure { query, .. } => Some(of_query(scenario, query, that.op, limit, is_premise)),
        Side::Quantity { .. } => None,
    });
    let mut needs: Vec<Needs> = sides.collect();
    // Both sides of a comparison mostly take the same.
    needs.dedup();
    needs
}

/// Claims that no run of the scenario decides, each with what it takes.
pub fn open_claims(scenario: &Scenario) -> Vec<String> {
    let open = |assertion: &Assertion| {
        let mut needs = of(scenario, &assertion.that, false).into_iter();
        let short = needs.find(|needs| needs.are_met() == Some(false))?;
        Some(format!("`{}`: {}", assertion.that.text, short.sentences.join("; ")))
    };
    scenario.check.iter().filter_map(open).collect()
}

fn of_query(scenario: &Scenario, query: &Query, op: Op, limit: Option<f64>, is_premise: bool) -> Needs {
    let sampled = StatisticKind::of(query);
    let rounds = match scenario.way {
        RunMode::SideBySide => 1,
        RunMode::Interleaved => scenario.repeats,
    };
    let is_of_arrivals = matches!(query.measure.parameter, Parameter::Journey | Parameter::JourneyAndTime);
    let phases = windows_of(scenario, &query.window);
    let arrivals = || arrivals(scenario, phases.as_deref()?, query.argument.journeys());
    let planned = is_of_arrivals.then(arrivals).flatten().map(|one| (one * f64::from(rounds)).round() as u64);
    let window_s = phases.as_ref().map(|phases| {
        let ns: u64 = phases.iter().map(|phase| phase.length_ns).sum();
        u32::try_from(ns / SECOND).unwrap_or(u32::MAX)
    });
    let is_event =
        query.window != Window::Whole && has_fault(scenario, phases.as_deref().unwrap_or_default());
    // What is judged on what was seen needs no seconds to resample.
    let seconds = if is_event || is_premise { None } else { sampled.min_seconds(rounds) };
    let mut needs =
        Needs { samples: sampled.min_samples(), planned, seconds, window_s, sentences: Vec::new() };
    needs.sentences = sentences(&needs, query);
    if is_event && sampled != StatisticKind::AsSeen {
        needs.sentences.push(format!(
            "{} is judged on its figure in each round: a fault acts in its window, and what it does is one event",
            query.measure.form()
        ));
    } else if let (Some(limit), Some(planned), Some(true), false) =
        (limit, planned, needs.are_met(), is_premise)
    {
        needs.sentences.extend(allowance(sampled, query, op, limit, planned));
    }
    needs
}

/// The measured phases in which a fault acts, each of which has rows of its own.
pub fn phases_with_faults(scenario: &Scenario) -> Vec<PhasePlan> {
    let measured = scenario.plan().into_iter().filter(|phase| phase.measure);
    measured.filter(|phase| has_fault(scenario, std::slice::from_ref(phase))).collect()
}

/// Whether a fault acts in some phases: its seconds are no sample of others.
fn has_fault(scenario: &Scenario, phases: &[PhasePlan]) -> bool {
    let mut faults = scenario.steps.iter().filter(|step| step.action.fault().is_some());
    faults.any(|step| {
        let last_ns = (step.start_ns + step.length_ns).saturating_sub(1).max(step.start_ns);
        phases
            .iter()
            .any(|phase| step.start_ns < phase.start_ns + phase.length_ns && last_ns >= phase.start_ns)
    })
}

/// The phases that a window is made of; `None` where it is none of whole phases.
fn windows_of(scenario: &Scenario, window: &Window) -> Option<Vec<PhasePlan>> {
    let phases = scenario.plan().into_iter();
    match window {
        Window::Phase(name) => Some(phases.filter(|phase| phase.name == *name).collect()),
        Window::Whole => Some(phases.filter(|phase| phase.measure).collect()),
        Window::Last(_) | Window::Seconds(..) => None,
    }
}

/// Arrivals of some journeys that each arm is offered in some phases; `None` where users decide, or a share of a capacity.
fn arrivals(scenario: &Scenario, phases: &[PhasePlan], journeys: &str) -> Option<f64> {
    let load = &scenario.load;
    if load.model == Model::Closed || matches!(load.rate, Rates::OfSlowest(_)) {
        return None;
    }
    let is_meant = |journey: Journey| {
        journeys == "all" || journey.name() == journeys || journey.groups().contains(&journeys)
    };
    if !load.rows.is_empty() {
        let within = |us: u64| {
            phases
                .iter()
                .any(|phase| (phase.start_ns..phase.start_ns + phase.length_ns).contains(&(us * 1_000)))
        };
        let rows = load.rows.iter().filter(|row| is_meant(row.journey) && within(row.offset_us));
        return Some(rows.count() as f64);
    }
    let weights = load.weights();
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let meant: f64 = weights.iter().filter(|(journey, _)| is_meant(*journey)).map(|(_, weight)| weight).sum();
    let names: Vec<&str> = scenario.phases.iter().map(|phase| phase.name.as_str()).collect();
    let shapes = load.shapes(&names);
    let all: f64 = scenario
        .plan()
        .iter()
        .zip(&shapes)
        .filter(|(phase, _)| phases.iter().any(|wanted| wanted.name == phase.name))
        .map(|(phase, shape)| {
            let seconds = phase.length_ns / SECOND;
            // At the middle of each second.
            let middles = (0..seconds).map(|second| second * SECOND + SECOND / 2);
            let rate = |into_ns: u64| {
                let at_ns = phase.start_ns + into_ns;
                let surges: f64 = load.surges.iter().map(|surge| surge.at(at_ns)).product();
                shape.at(into_ns, phase.length_ns) * surges
            };
            middles.map(rate).sum::<f64>()
        })
        .sum();
    Some(all * meant / total.max(f64::MIN_POSITIVE))
}

fn sentences(needs: &Needs, query: &Query) -> Vec<String> {
    let mut sentences = Vec::new();
    let is_short = |needed: u64, there: Option<u64>| there.is_some_and(|there| there < needed);
    if let Some(needed) = needs.samples {
        let there = match needs.planned {
            Some(planned) if planned < needed => {
                format!("about {planned} are planned: too few, and the claim stays open")
            }
            Some(planned) => format!("about {planned} are planned"),
            None => "the plan does not say how many there will be".to_owned(),
        };
        let what = if needs.planned.is_some() { "arrivals" } else { "samples" };
        sentences.push(format!("{} takes {needed} {what} in each arm: {there}", query.measure.form()));
    }
    if let Some(needed) =
        needs.seconds.filter(|needed| is_short(u64::from(*needed), needs.window_s.map(u64::from)))
    {
        sentences.push(format!(
            "{} takes a window of {needed} s, or three rounds: it has {} s, and the claim stays open",
            query.measure.form(),
            needs.window_s.unwrap_or(0)
        ));
    }
    sentences
}

/// How many samples may lie on the wrong side of a limit, which is the effect that so many can resolve.
fn allowance(sampled: StatisticKind, query: &Query, op: Op, limit: f64, planned: u64) -> Option<String> {
    let (may_be, what) = match sampled {
        StatisticKind::Quantile(q) => {
            (1.0 - q, format!("slower than {}", model::format::value(Some(limit), "s")))
        }
        StatisticKind::Share if query.measure.unit == Unit::Share => {
            (limit, format!("counted by {}", query.measure.name))
        }
        _ => return None,
    };
    let sentence = match op {
        Op::AtMost | Op::Below => match most_events(may_be, planned) {
            Some(most) => format!("passes with at most {most} of {planned} {what}"),
            None => format!("cannot pass: {planned} do not show so small a share"),
        },
        Op::AtLeast | Op::Above => match fewest_events(may_be, planned) {
            Some(fewest) => format!("passes with at least {fewest} of {planned} {what}"),
            None => format!("cannot pass: {planned} do not show so large a share"),
        },
        Op::Equal => return None,
    };
    Some(sentence)
}
