//! The fold of a record's lines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use record::{
    Arm, Audit, Check, Cost, Delay, Edge, End, Entry, Event, Header, Host, Line, Phase, PhasePlan, Proc,
    Score, Split, Trace,
};

use crate::SECOND;
use crate::block::{Block, Turn};
use crate::cpu_samples::CpuSamples;
use crate::history::History;
use crate::known_quantiles::KnownQuantiles;
use crate::second::{self, Second};
use crate::segments::{Retention, Segments};
use crate::totals::WindowTotals;
use crate::trace_seconds::TraceSeconds;

/// A record that does not begin with its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record has no header: expected one as its first line")]
pub struct NoHeader;

/// Seconds that may be out of date: a judge only adds lines and needs no percentile of a second.
const MAX_CHANGED: usize = 256;
/// The same while a run goes on: what is out of date also keeps what is too old in memory, and with two arms 256 are two minutes.
const MAX_CHANGED_LIVE: usize = 32;

/// A run, as far as its record has come.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What does not change; empty before the first line.
    pub header: Header,
    /// How it ended; `None` while it goes on, and where its record was cut short.
    pub end: Option<End>,
    /// The newest line's moment, ns since the run's start.
    pub now: u64,
    pub(crate) has_begun: bool,
    pub(crate) retention: Retention,
    pub(crate) blocks: Vec<Block>,
    pub(crate) phases: History<Phase>,
    /// Boxed: a node of a tree has room for eleven values, of which half are there.
    pub(crate) seconds: BTreeMap<Turn, BTreeMap<u32, Box<Second>>>,
    /// Seconds whose percentiles are out of date.
    pub(crate) changed: BTreeMap<Turn, BTreeSet<u32>>,
    pub(crate) counted: WindowTotals,
    pub(crate) segments: Segments,
    pub(crate) edges: BTreeMap<(char, String, String), History<Edge>>,
    pub(crate) processes: BTreeMap<(char, String), History<Arc<Proc>>>,
    /// By arm.
    pub(crate) cpu_samples: BTreeMap<char, CpuSamples>,
    /// Journeys that ended in each second.
    pub(crate) finished: BTreeMap<Turn, BTreeMap<u32, u64>>,
    pub(crate) hosts: History<Host>,
    pub(crate) events: History<Event>,
    /// Events that are known no longer.
    pub(crate) events_dropped: usize,
    pub(crate) checks: History<Check>,
    pub(crate) scores: History<Score>,
    pub(crate) traces: History<Arc<Trace>>,
    pub(crate) splits: History<Arc<Split>>,
    pub(crate) trace_seconds: TraceSeconds,
    pub(crate) costs: Vec<Cost>,
    /// One for each step and the network, by arm and round.
    pub(crate) delays: Vec<Delay>,
    /// The last of each arm and round.
    pub(crate) audits: BTreeMap<Turn, Audit>,
    pub(crate) known_quantiles: KnownQuantiles,
}

impl Run {
    /// A run of which only the header is known.
    pub fn new(header: Header) -> Self {
        let segments = Segments::new(&header, Retention::default());
        Self { header, has_begun: true, segments, ..Self::default() }
    }

    /// The same run, keeping what is asked for while it goes on. For one of which nothing was measured yet.
    pub fn live(self) -> Self {
        let retention = Retention::Live;
        Self { retention, segments: Segments::new(&self.header, retention), ..self }
    }

    /// The same run before anything was measured: its header and the phases begun, for lines read back from the middle
    /// of its record.
    pub fn without_samples(&self) -> Self {
        let mut run = Self { has_begun: self.has_begun, ..Self::new(self.header.clone()) };
        self.phases.iter().for_each(|(t, phase)| run.begin_phase(phase, *t));
        run
    }

    /// A whole record.
    ///
    /// # Errors
    /// When it has no header.
    pub fn of(lines: &[Line]) -> Result<Self, NoHeader> {
        let mut run = Self::default();
        run.take(lines);
        if run.has_begun { Ok(run) } else { Err(NoHeader) }
    }

    /// A record as it is read, line by line: a long one does not fit into memory at once.
    ///
    /// # Errors
    /// The first line's that could not be read.
    pub fn read<E>(lines: impl IntoIterator<Item = Result<Line, E>>) -> Result<Self, E> {
        let mut run = Self::default();
        for line in lines {
            run.add(&line?);
        }
        run.settle();
        Ok(run)
    }

    /// Whether the header is known: nothing can be shown before.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Adds lines, then brings the percentiles that views draw up to date once.
    pub fn take<'a>(&mut self, lines: impl IntoIterator<Item = &'a Line>) {
        lines.into_iter().for_each(|line| self.add(line));
        self.settle();
    }

    /// Adds a line. Windows may come again with more in them; the last counts. Percentiles of seconds are as of the
    /// last [`Run::settle`]; everything else is up to date at once.
    pub fn add(&mut self, line: &Line) {
        let t = line.t;
        self.now = self.now.max(t);
        match &line.entry {
            Entry::Header(header) => {
                self.header = (**header).clone();
                self.segments = Segments::new(header, self.retention);
                self.has_begun = true;
            }
            Entry::Start(start) => {
                // The first of its starts, as for arms that start before the header.
                let unknown = |arm: &&mut Arm| arm.letter == start.arm && arm.ready_ms == 0;
                if let Some(arm) = self.header.arms.iter_mut().find(unknown) {
                    (arm.ready_ms, arm.server_ready_ms) = (start.ready_ms, start.server_ready_ms);
                }
            }
            Entry::Phase(phase) => self.begin_phase(phase, t),
            Entry::Window(window) => {
                let turn = (window.arm, window.round);
                if self.segments.is_past(turn, window.second) {
                    return;
                }
                let second = self.seconds.entry(turn).or_default().entry(window.second).or_default();
                let was_closed = second.replace(window);
                if let Some(finished) = second.finished() {
                    self.finished.entry(turn).or_default().insert(window.second, finished);
                }
                self.counted.window(window, was_closed);
                self.changed.entry(turn).or_default().insert(window.second);
                let max_changed = match self.retention {
                    Retention::Judged => MAX_CHANGED,
                    Retention::Live => MAX_CHANGED_LIVE,
                };
                if self.changed.values().map(BTreeSet::len).sum::<usize>() >= max_changed {
                    self.settle();
                }
            }
            Entry::Edge(edge) => self.add_edge(edge, t),
            Entry::Proc(proc) => {
                self.cpu_samples.entry(proc.arm).or_default().add(t, proc);
                self.processes.entry((proc.arm, proc.instance.clone())).or_default().push((t, proc.clone()));
            }
            Entry::Host(host) => self.hosts.push((t, host.clone())),
            Entry::Event(event) => self.add_event(event, t),
            Entry::Check(check) => self.checks.push((t, check.clone())),
            Entry::Score(score) => self.scores.push((t, (**score).clone())),
            Entry::Trace(trace) => self.traces.push((t, trace.clone())),
            Entry::Split(split) => self.splits.push((t, Arc::new((**split).clone()))),
            Entry::TraceSecond(line) => self.trace_seconds.add(line),
            Entry::Cost(cost) => self.costs.push((**cost).clone()),
            Entry::Delay(delay) => self.delays.push(delay.clone()),
            Entry::Audit(audit) => {
                self.audits.insert((audit.arm, audit.round), audit.clone());
            }
            Entry::End(end) => self.end = Some((**end).clone()),
        }
    }

    /// Brings the rolling percentiles of changed seconds up to date, and takes what is too old out of memory.
    pub fn settle(&mut self) {
        for (turn, changed) in std::mem::take(&mut self.changed) {
            if let Some(known) = self.seconds.get_mut(&turn) {
                second::roll(known, &changed);
            }
        }
        self.apply_limits();
    }

    /// Arm letters, A first.
    pub fn letters(&self) -> Vec<char> {
        self.header.arms.iter().map(|arm| arm.letter).collect()
    }

    /// The plan of an arm.
    pub fn arm(&self, letter: char) -> Option<&Arm> {
        self.header.arms.iter().find(|arm| arm.letter == letter)
    }

    /// The name of an arm; its letter where the header does not know it.
    pub fn arm_name(&self, letter: char) -> String {
        self.arm(letter).map_or_else(|| letter.to_string(), |arm| arm.name.clone())
    }

    /// A phase of the plan.
    pub fn phase(&self, name: &str) -> Option<&PhasePlan> {
        self.header.phases.iter().find(|phase| phase.name == name)
    }

    /// Length of one block's load, ns.
    pub fn length_ns(&self) -> u64 {
        self.header.phases.iter().map(|phase| phase.start_ns + phase.length_ns).max().unwrap_or(0)
    }

    /// Length of one block's load, seconds begun.
    pub fn length_s(&self) -> u32 {
        u32::try_from(self.length_ns().div_ceil(SECOND)).unwrap_or(u32::MAX)
    }

    /// When the load starts, ns since the run's start.
    pub fn load_start(&self) -> u64 {
        self.header.load_start_ns
    }

    /// Cost figures of an arm over the phases of a window.
    pub fn costs<'a>(&'a self, arm: char, window: &'a crate::Window) -> impl Iterator<Item = &'a Cost> + 'a {
        use crate::Window::{Last, Phase, Seconds, Whole};
        self.costs.iter().filter(move |cost| {
            cost.arm == arm
                && match window {
                    Phase(name) => cost.phase == *name,
                    Whole | Last(_) | Seconds(..) => {
                        self.phase(&cost.phase).is_some_and(|phase| phase.measure)
                    }
                }
        })
    }
}
