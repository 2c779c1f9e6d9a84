//! The record of a prediction: the lines that a live run would have, with what was simulated in them.
//!
//! `processes`: a second of a process. Here: the header, phases, steps, what users saw, edges, and the order of it all.

mod processes;

use std::collections::BTreeMap;

use record::{
    Arm, CLIENT, Entry, Errors, Event, EventKind, Header, Host, Line, Phase, Prediction, Provenance, Window,
};
use scenario::Scenario;

use self::processes::Processes;
use super::block::{Block, finished, load_seconds};
use super::changes;
use super::layout::Layout;
use super::setting::edges;
use crate::calibrate::Calibration;
use crate::model::edge::Outcome;
use crate::model::report::{DueWindow, Requests};

const SECOND_NS: u64 = 1_000_000_000;
/// Seconds at rest before each load, which show what an arm costs when nothing is asked of it.
pub(super) const REST_SECONDS: u64 = 3;
/// Seconds from the last answer of a turn to the rest before the next.
const GAP_SECONDS: u64 = 1;

/// What a record is made of.
#[derive(Debug)]
pub struct RecordContents<'a> {
    /// The header of a live run of the scenario.
    pub header: Header,
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The arms.
    pub layouts: &'a [Layout],
    /// What was learnt.
    pub calibration: &'a Calibration,
    /// Every pass of the load with its round.
    pub blocks: &'a [(u32, Block)],
    /// What stands behind it.
    pub prediction: &'a Prediction,
}

/// The lines up to the last second of the load, in the order of a record.
pub fn lines(recorded: &RecordContents<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (at, (round, block)) in recorded.blocks.iter().enumerate() {
        let turn = Turn { recorded, block, round: *round, start_ns: start_of(recorded.scenario, at) };
        turn.add(&mut lines);
    }
    // Lines of one moment stay in their order.
    lines.sort_by_key(|line| line.t);
    let header = Header {
        schema_version: record::SCHEMA_VERSION,
        source: Provenance::Simulated,
        prediction: Some(recorded.prediction.clone()),
        load_start_ns: start_of(recorded.scenario, 0),
        further: Vec::new(),
        ..recorded.header.clone()
    };
    lines.insert(0, Line { t: 0, entry: Entry::Header(Box::new(header)) });
    lines
}

/// When the load of a block begins, ns of the run.
fn start_of(scenario: &Scenario, block: usize) -> u64 {
    let timeout = scenario.load.timeout.nanos().div_ceil(SECOND_NS);
    let each = load_seconds(scenario) + timeout + REST_SECONDS + GAP_SECONDS;
    (REST_SECONDS + block as u64 * each) * SECOND_NS
}

/// One pass of the load, being written.
struct Turn<'a> {
    recorded: &'a RecordContents<'a>,
    block: &'a Block,
    round: u32,
    start_ns: u64,
}

impl Turn<'_> {
    fn add(&self, lines: &mut Vec<Line>) {
        self.phases(lines);
        self.steps(lines);
        self.notes(lines);
        for arm in self.arms() {
            self.windows(arm, lines);
            self.edges(arm, lines);
        }
        let processes = Processes::of(self);
        processes.add(lines);
        processes.add_costs(lines);
        self.hosts(lines);
    }

    /// The machine, each second from the rest before the load on: nothing else runs on it. How long threads waited for a core
    /// is known where all are on one.
    fn hosts(&self, lines: &mut Vec<Line>) {
        let stalled = self.block.snapshots.windows(2).map(|pair| {
            let ns = pair[1].stalled_ns?.saturating_sub(pair[0].stalled_ns?);
            Some(100.0 * ns as f64 / SECOND_NS as f64)
        });
        let unknown = (0..=REST_SECONDS).map(|_| None);
        for (second, cpu_stall) in (0..).zip(unknown.chain(stalled)) {
            let t = self.start_ns + second * SECOND_NS - REST_SECONDS * SECOND_NS;
            lines.push(Line { t, entry: Entry::Host(Host { cpu_stall, ..Host::default() }) });
        }
    }

    fn arms(&self) -> impl Iterator<Item = &Arm> {
        let arms = self.recorded.header.arms.iter();
        arms.filter(|arm| self.block.letters.contains(&arm.letter))
    }

    fn phases(&self, lines: &mut Vec<Line>) {
        let all = self.block.letters.len() == self.recorded.header.arms.len();
        let arms: String = if all { String::new() } else { self.block.letters.iter().collect() };
        for (index, plan) in (0..).zip(&self.recorded.header.phases) {
            let phase = Phase { index, name: plan.name.clone(), round: self.round, arms: arms.clone() };
            lines.push(Line { t: self.start_ns + plan.start_ns, entry: Entry::Phase(phase) });
        }
    }

    /// When steps begin and end, in the arms in which they have a target.
    fn steps(&self, lines: &mut Vec<Line>) {
        for step in &self.recorded.header.steps {
            let targets: BTreeMap<char, String> = self
                .arms()
                .map(|arm| {
                    let nothing = step.not_applicable.get(&arm.letter);
                    (arm.letter, nothing.cloned().unwrap_or_else(|| step.hits.join(", ")))
                })
                .collect();
            let missing = format!("step {} (", step.number);
            let is_simulated =
                !self.recorded.prediction.not_simulated.iter().any(|what| what.starts_with(&missing));
            let lasts = step.length_ns > 0;
            let planned = self.recorded.scenario.steps.iter().find(|planned| planned.number == step.number);
            let kind = planned.map_or(EventKind::Fault, |planned| changes::kind_of(&planned.action));
            let event = |active: Option<bool>, text: String| Event {
                number: step.number,
                what: if is_simulated { kind } else { EventKind::Log },
                active: active.filter(|_| is_simulated),
                mark: None,
                targets: targets.clone(),
                text,
            };
            let began =
                if is_simulated { step.text.clone() } else { format!("not simulated: {}", step.text) };
            let begins = Entry::Event(event(lasts.then_some(true), began));
            lines.push(Line { t: self.start_ns + step.start_ns, entry: begins });
            if lasts && is_simulated {
                let ends = Entry::Event(event(Some(false), format!("{} ends", step.text)));
                lines.push(Line { t: self.start_ns + step.start_ns + step.length_ns, entry: ends });
            }
        }
    }

    /// Where steps that change copies stood, as these note it.
    fn notes(&self, lines: &mut Vec<Line>) {
        for note in &self.block.notes {
            let event = changes::event_of(note, self.recorded.scenario, self.recorded.layouts);
            let event = event.map(Entry::Event);
            lines.extend(event.map(|entry| Line { t: self.start_ns + note.at_ns, entry }));
        }
    }

    fn windows(&self, arm: &Arm, lines: &mut Vec<Line>) {
        let nothing = DueWindow::default();
        for (journey, requests) in self.block.requests(arm.letter) {
            let seconds = load_seconds(self.recorded.scenario);
            for second in 0..seconds as u32 {
                let due = requests.due.get(second as usize).unwrap_or(&nothing);
                let window = Window {
                    arm: arm.letter,
                    round: self.round,
                    journey: journey.to_owned(),
                    second,
                    finished: Some(finished(requests, u64::from(second), seconds)),
                    closed: true,
                    ..window_of(due, sent(requests, second))
                };
                let t = self.start_ns + u64::from(second + 2) * SECOND_NS;
                lines.push(Line { t, entry: Entry::from(window) });
            }
        }
    }

    fn edges(&self, arm: &Arm, lines: &mut Vec<Line>) {
        let prefix = format!("{}:", arm.letter);
        let called = edges(self.recorded.calibration);
        for (second, pair) in (1..).zip(self.block.snapshots.windows(2)) {
            for (name, (now, breaker)) in &pair[1].edges {
                let before = pair[0].edges.get(name).map(|(counts, _)| *counts).unwrap_or_default();
                let Some((caller, callee)) = name.split_once("->") else { continue };
                let (Some(caller), Some(callee)) =
                    (caller.strip_prefix(&prefix), callee.strip_prefix(&prefix))
                else {
                    continue;
                };
                // What fetches events is no edge of calls.
                if caller != CLIENT && !called.contains(&(caller, callee)) {
                    continue;
                }
                let edge = record::Edge {
                    arm: arm.letter,
                    caller: caller.to_owned(),
                    callee: callee.to_owned(),
                    local: false,
                    effective_rps: (now.calls - before.calls) as f64,
                    actual_rps: (now.tries - before.tries) as f64,
                    errors_rps: (now.failed - before.failed) as f64,
                    retries_rps: (now.retries - before.retries) as f64,
                    breaker: *breaker,
                    ..record::Edge::default()
                };
                lines.push(Line { t: self.start_ns + second * SECOND_NS, entry: Entry::Edge(edge) });
            }
        }
    }
}

/// Requests that were due in a second.
fn sent(requests: &Requests, second: u32) -> u64 {
    requests.windows.get(second as usize).map_or(0, |window| window.sent)
}

/// What came of the requests that were due in a second, as a record has it.
fn window_of(due: &DueWindow, sent: u64) -> Window {
    let mut errors = Errors::new();
    for (outcome, count) in &due.outcomes {
        if let Some(cause) = cause_of(*outcome) {
            *errors.entry(cause.to_owned()).or_default() += count;
        }
    }
    let ok = due.answered.len();
    Window {
        offered: sent,
        sent,
        ok,
        good: due.good,
        abandoned: sent.saturating_sub(ok + errors.values().sum::<u64>()),
        errors,
        // It is sent when it is due.
        service: due.answered.clone(),
        intended: due.answered.clone(),
        failed: due.failed.clone(),
        ..Window::default()
    }
}

/// How records call what a request ended with; `None` where it was answered.
const fn cause_of(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Done => None,
        Outcome::HeldBack | Outcome::NoConnection | Outcome::Shed => Some("status_5xx"),
        Outcome::Failed(400..=499) => Some("status_4xx"),
        Outcome::Failed(_) => Some("status_5xx"),
        Outcome::Refused => Some("connect"),
        Outcome::Reset => Some("reset"),
        Outcome::TimedOut => Some("timeout"),
    }
}
