//! What a record says, sorted for pages: no figure is made here that another view lacks.
//!
//! - [`series`]: second by second, for charts.
//! - [`tables`]: edges, journeys and traces over a stretch.
//! - [`spells`]: what was wrong, and for how long.

pub mod series;
pub mod spells;
pub mod tables;

use std::collections::BTreeMap;

use model::{Run, Window, format};
use record::{Audit, Check, End, Entry, Event, Header, Line, Score, Split, Trace, Verdict};
use scorecard::Expectation;

pub use series::Series;

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

/// A run, ready to be told.
pub struct Story {
    /// Everything measured, for questions.
    pub run: Run,
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
    /// Requests that were kept.
    pub traces: Vec<Trace>,
    /// Where the time of all traces went, by arm, round, phase and journey: the last word of each.
    pub splits: Vec<Split>,
}

/// A moment of the run whose topology is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// `baseline`, `fault`, `recovery`.
    pub name: &'static str,
    /// The phase it is.
    pub phase: String,
}

impl Story {
    /// The story of a record.
    ///
    /// # Errors
    /// When it does not begin with a header.
    pub fn of(lines: &[Line]) -> Result<Self, NoHeader> {
        let run = Run::of(lines).ok_or(NoHeader)?;
        let mut story = Self {
            run,
            end: None,
            checks: Vec::new(),
            scores: Vec::new(),
            audits: Vec::new(),
            events: Vec::new(),
            traces: Vec::new(),
            splits: Vec::new(),
        };
        // Said again when it changes: the last word counts.
        let mut checks: BTreeMap<(u32, char), &Check> = BTreeMap::new();
        let mut splits: BTreeMap<(char, u32, u32, &str), &Split> = BTreeMap::new();
        let mut audits = Vec::new();
        for line in lines {
            match &line.entry {
                Entry::End(end) => story.end = Some((**end).clone()),
                Entry::Check(check) => {
                    checks.insert((check.id, check.arm), check);
                }
                Entry::Score(score) => story.scores.push((**score).clone()),
                Entry::Audit(audit) => audits.push(audit),
                Entry::Event(event) => story.events.push((line.t, event.clone())),
                Entry::Trace(trace) => story.traces.push((**trace).clone()),
                Entry::Split(split) => {
                    splits.insert((split.arm, split.round, split.phase, &split.journey), split);
                }
                Entry::Header(_)
                | Entry::Phase(_)
                | Entry::Window(_)
                | Entry::Edge(_)
                | Entry::Proc(_)
                | Entry::Host(_)
                | Entry::Cost(_) => {}
            }
        }
        story.checks = checks.into_values().cloned().collect();
        story.splits = splits.into_values().cloned().collect();
        story.audits = Audit::added_up(audits);
        Ok(story)
    }

    /// What does not change in the run.
    pub fn header(&self) -> &Header {
        &self.run.header
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

    /// How a check stands for a collector of tests: where the run, or the premise it is, cannot be believed, what does
    /// not hold is invalid rather than failed.
    pub fn standing(&self, check: &Check) -> Verdict {
        let plan = self.header().expectations.iter().find(|plan| plan.id == check.id);
        let is_premise = plan.is_some_and(|plan| plan.list == "valid");
        let is_void = self.verdict() == Verdict::Invalid.word();
        if check.verdict == Verdict::Fail && (is_premise || is_void) {
            Verdict::Invalid
        } else {
            check.verdict
        }
    }

    /// `violated since 00:12.5`, on the load's clock as the charts have it; empty where it is not known.
    pub fn since(&self, check: &Check) -> String {
        check.since_ns.map_or_else(String::new, |ns| {
            format!("violated since {}", format::load_clock(ns, self.header().load_start_ns, 1))
        })
    }

    /// What a check found, in a sentence: `187.0ms where the limit is 150.0ms (n=4812)`.
    pub fn found(&self, check: &Check) -> String {
        let mut found = format!(
            "{} where the limit is {} (n={})",
            format::value(check.value, &check.unit),
            format::value(check.limit, &check.unit),
            format::count(Some(check.n as f64)),
        );
        for more in [&self.since(check), &check.reason] {
            if !more.is_empty() {
                found += &format!("; {more}");
            }
        }
        found
    }

    /// The name of an arm; its letter where the header does not know it.
    pub fn arm_name(&self, letter: char) -> String {
        let arm = self.header().arms.iter().find(|arm| arm.letter == letter);
        arm.map_or_else(|| letter.to_string(), |arm| arm.name.clone())
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

    /// Seconds an expectation looks at: of its phases, or of the whole load.
    pub fn seconds_of(&self, check: &Check) -> f64 {
        let phases = check.text.parse::<Expectation>();
        let named = phases.iter().flat_map(Expectation::phases).filter_map(|name| self.run.phase(name));
        let ns: u64 = named.map(|phase| phase.length_ns).max().unwrap_or(0);
        if ns > 0 { ns as f64 / 1e9 } else { f64::from(self.length_s()) }
    }

    /// The first moments worth comparing: before anything was done, while the first fault lasts, and at the end.
    pub fn moments(&self) -> Vec<Moment> {
        let header = self.header();
        let steady = header.phases.iter().find(|phase| phase.name == "steady" && phase.measure);
        let Some(baseline) = steady.or_else(|| header.phases.iter().find(|phase| phase.measure)) else {
            return Vec::new();
        };
        let mut moments = vec![Moment { name: "baseline", phase: baseline.name.clone() }];
        let first = header.steps.iter().find(|step| step.is_fault).or_else(|| header.steps.first());
        let within = |ns: u64| {
            header
                .phases
                .iter()
                .position(|phase| (phase.start_ns..phase.start_ns + phase.length_ns).contains(&ns))
        };
        let Some((step, at)) = first.and_then(|step| Some((step, within(step.start_ns)?))) else {
            return moments;
        };
        let mut add = |name, phase: &str| {
            if moments.iter().all(|moment| moment.phase != phase) {
                moments.push(Moment { name, phase: phase.to_owned() });
            }
        };
        add(if step.is_fault { "fault" } else { "change" }, &header.phases[at].name);
        if let Some(last) = header.phases.last().filter(|_| at + 1 < header.phases.len()) {
            add("recovery", &last.name);
        }
        moments
    }

    /// Windows whose latencies are drawn: all that is measured, and each measured phase where there are several.
    pub fn windows(&self) -> Vec<(String, Window)> {
        let measured = self.header().phases.iter().filter(|phase| phase.measure);
        let mut windows = vec![("measured phases".to_owned(), Window::Whole)];
        windows.extend(measured.map(|phase| (phase.name.clone(), Window::Phase(phase.name.clone()))));
        if windows.len() == 2 {
            windows.truncate(1);
        }
        windows
    }
}
