//! What a record says, sorted for pages: no figure is made here that another view lacks.

use std::collections::BTreeMap;

use record::{Audit, Check, Edge, End, Entry, Event, Header, Latencies, Line, Score, Verdict};
use scorecard::Tally;
use scorecard::expect::Window;
use scorecard::tally::Stretch;

/// Seconds a 99th percentile looks back, as on the screen: one second has too few samples.
const P99_OVER_S: u32 = 5;
/// Seconds between two points of what is sampled from outside once a second.
const SAMPLED_S: u32 = 2;
/// One second, ns.
const SECOND: u64 = 1_000_000_000;

/// A record without a header tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHeader;

impl std::fmt::Display for NoHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the record has no header; nothing can be told of this run")
    }
}

impl std::error::Error for NoHeader {}

/// A figure of an arm, second by second of the load's clock; `None` where there is no data.
pub type Series = Vec<Option<f64>>;

/// A run, ready to be told.
pub struct Story {
    /// Everything measured, for questions.
    pub tally: Tally,
    /// How it ended; `None` when the record was cut short.
    pub end: Option<End>,
    /// The last standing of each expectation, in the order of the file.
    pub checks: Vec<Check>,
    /// Rows of the scorecard, in their order.
    pub scores: Vec<Score>,
    /// Audits, one per arm.
    pub audits: Vec<Audit>,
    /// What happened, with its moment, ns since the run's start.
    pub events: Vec<(u64, Event)>,
}

impl Story {
    /// The story of a record.
    ///
    /// # Errors
    /// When it does not begin with a header.
    pub fn of(lines: &[Line]) -> Result<Self, NoHeader> {
        let tally = Tally::of(lines).ok_or(NoHeader)?;
        let mut story = Self {
            tally,
            end: None,
            checks: Vec::new(),
            scores: Vec::new(),
            audits: Vec::new(),
            events: Vec::new(),
        };
        let mut checks: BTreeMap<(u32, char), &Check> = BTreeMap::new();
        let mut audits = Vec::new();
        for line in lines {
            match &line.entry {
                Entry::End(end) => story.end = Some((**end).clone()),
                // Said again when it changes: the last word counts.
                Entry::Check(check) => {
                    checks.insert((check.id, check.arm), check);
                }
                Entry::Score(score) => story.scores.push((**score).clone()),
                Entry::Audit(audit) => audits.push(audit),
                Entry::Event(event) => story.events.push((line.t, event.clone())),
                _ => {}
            }
        }
        story.checks = checks.into_values().cloned().collect();
        story.audits = Audit::added_up(audits);
        Ok(story)
    }

    /// What does not change in the run.
    pub fn header(&self) -> &Header {
        &self.tally.header
    }

    /// The verdict in a word, for runs that were cut short as well.
    pub fn verdict(&self) -> &'static str {
        match self.end.as_ref().map(|end| end.verdict) {
            Some(Some(verdict)) => verdict.word(),
            Some(None) => "interrupted",
            None => "invalid",
        }
    }

    /// Checks that hold, and all.
    pub fn held(&self) -> (usize, usize) {
        let held = self.checks.iter().filter(|check| check.verdict == Verdict::Pass).count();
        (held, self.checks.len())
    }

    /// What the file says beside a check: why it should hold, and its line; empty without.
    pub fn reason_of(&self, check: &Check) -> (&str, u32) {
        let plan = self.header().expectations.iter().find(|plan| plan.id == check.id);
        plan.map_or(("", 0), |plan| (plan.why.as_str(), plan.line))
    }

    /// Rows by the claim they test, in the order claims first come.
    pub fn by_claim(&self) -> Vec<(&str, Vec<&Score>)> {
        let mut claims: Vec<(&str, Vec<&Score>)> = Vec::new();
        for score in &self.scores {
            match claims.iter_mut().find(|(claim, _)| *claim == score.claim) {
                Some((_, rows)) => rows.push(score),
                None => claims.push((&score.claim, vec![score])),
            }
        }
        claims
    }

    /// Seconds of the load.
    pub fn length_s(&self) -> u32 {
        let ns = self.header().phases.last().map_or(0, |phase| phase.start_ns + phase.length_ns);
        u32::try_from(ns.div_ceil(SECOND)).unwrap_or(u32::MAX)
    }

    /// A latency of ok journeys, milliseconds: the median of each second, or the 99th percentile of the last five.
    pub fn latency_ms(&self, arm: char, q: f64) -> Series {
        let back = if q >= 0.99 { P99_OVER_S } else { 1 };
        self.each(1, |second| {
            // Nothing answered in this second: a gap, although its neighbours have values.
            if self.latencies(arm, second..second + 1).is_empty() {
                return None;
            }
            let from = (second + 1).saturating_sub(back);
            let latencies = self.latencies(arm, from..second + 1);
            latencies.quantile(q).map(|us| us as f64 / 1e3)
        })
    }

    /// Latencies of ok journeys from the intended start over some seconds, of all rounds.
    fn latencies(&self, arm: char, seconds: std::ops::Range<u32>) -> Latencies {
        self.tally.merged(arm, &Stretch { round: 0, seconds }, "all", |window| &window.intended)
    }

    /// Latencies of ok journeys over the measured phases.
    pub fn all_latencies(&self, arm: char) -> Latencies {
        self.tally.merged(arm, &self.tally.whole(&Window::Whole), "all", |window| &window.intended)
    }

    /// Good journeys per second, of one round.
    pub fn good(&self, arm: char) -> Series {
        self.per_second(arm, |window| window.good)
    }

    /// Journeys per second that failed, were dropped or came too late.
    pub fn failed(&self, arm: char) -> Series {
        self.per_second(arm, |window| window.offered.saturating_sub(window.good))
    }

    fn per_second(&self, arm: char, which: impl Fn(&record::Window) -> u64 + Copy) -> Series {
        let rounds = f64::from(self.header().rounds.max(1));
        self.each(1, |second| {
            let stretch = Stretch { round: 0, seconds: second..second + 1 };
            let offered = self.tally.sum(arm, &stretch, "all", |window| window.offered);
            (offered > 0).then(|| self.tally.sum(arm, &stretch, "all", which) as f64 / rounds)
        })
    }

    /// CPU of the arm's processes, cores, every two seconds.
    pub fn cpu_cores(&self, arm: char) -> Series {
        let rounds = f64::from(self.header().rounds.max(1));
        self.each(SAMPLED_S, |second| {
            let stretch = Stretch { round: 0, seconds: second..second + SAMPLED_S };
            let ns = self.tally.cpu_ns(arm, &stretch)?;
            Some(ns as f64 / SECOND as f64 / f64::from(SAMPLED_S) / rounds)
        })
    }

    /// A point every `step` seconds; in between nothing is known.
    fn each(&self, step: u32, figure: impl Fn(u32) -> Option<f64>) -> Series {
        (0..self.length_s()).step_by(step as usize).map(figure).collect()
    }

    /// Calls of each edge that crosses processes over the measured phases: per second, tries per call,
    /// failed share, and the worst p99 of a second, ms.
    pub fn edges(&self, arm: char) -> Vec<EdgeRow> {
        let whole = self.tally.whole(&Window::Whole);
        let mut rows: BTreeMap<(&str, &str), EdgeRow> = BTreeMap::new();
        for edge in self.tally.edges(arm, &whole).filter(|edge| !edge.caller.is_empty()) {
            let row = rows.entry((&edge.caller, &edge.callee)).or_insert_with(|| EdgeRow::new(edge));
            row.add(edge);
        }
        rows.into_values().filter(|row| row.tries > 0.0).collect()
    }
}

/// An edge over a stretch.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeRow {
    /// Who asks.
    pub caller: String,
    /// Who answers.
    pub callee: String,
    /// Logical calls.
    pub calls: f64,
    /// Tries.
    pub tries: f64,
    /// Failed tries.
    pub failed: f64,
    /// The worst 99th percentile of a second, ms.
    pub worst_p99_ms: Option<f64>,
    /// Seconds its breaker was open.
    pub open_s: u64,
}

impl EdgeRow {
    fn new(edge: &Edge) -> Self {
        let (caller, callee) = (edge.caller.clone(), edge.callee.clone());
        Self { caller, callee, calls: 0.0, tries: 0.0, failed: 0.0, worst_p99_ms: None, open_s: 0 }
    }

    /// A second of it.
    fn add(&mut self, edge: &Edge) {
        self.calls += edge.effective_rps;
        self.tries += edge.actual_rps;
        self.failed += edge.errors_rps;
        self.worst_p99_ms = self.worst_p99_ms.into_iter().chain(edge.p99_ms).reduce(f64::max);
        self.open_s += u64::from(edge.breaker == 2);
    }
}
