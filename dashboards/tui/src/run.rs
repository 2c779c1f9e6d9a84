//! What is known of the run: lines folded so that any past second can be shown again.

use std::collections::BTreeMap;

use record::{Edge, End, Entry, Event, Header, Host, Latencies, Line, Proc, Window};

/// Nanoseconds of a second.
pub(crate) const SECOND: u64 = 1_000_000_000;
/// Seconds a p99 is taken over: one second has too few samples for it.
pub(crate) const P99_SECONDS: u32 = 5;
/// Seconds a p99.9 is taken over.
pub(crate) const P999_SECONDS: u32 = 30;
/// An edge or process not heard of for so long is shown as unknown.
const STALE_NS: u64 = 5 * SECOND;

/// Whether a quantile stands on enough samples: at least five beyond it.
pub(crate) fn believable(n: u64, q: f64) -> bool {
    // 500 x 0.01 is a hair below 5 in binary.
    n as f64 * (1.0 - q) >= 5.0 - 1e-9
}

/// A percentile with the samples behind it, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Quantile {
    /// Milliseconds; `None` without samples.
    pub ms: Option<f64>,
    /// Samples.
    pub n: u64,
    /// Its `q`.
    pub q: f64,
}

impl Quantile {
    pub(crate) fn of(latencies: &Latencies, q: f64) -> Self {
        Self { ms: latencies.quantile(q).map(|us| us as f64 / 1e3), n: latencies.len(), q }
    }

    pub(crate) fn believable(self) -> bool {
        believable(self.n, self.q)
    }
}

/// One load second of one arm, all journeys together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Second {
    journeys: BTreeMap<String, Window>,
    /// Ok latencies of all journeys.
    pub latencies: Latencies,
    pub offered: u64,
    pub good: u64,
    pub failed: u64,
    pub timeouts: u64,
    pub finished: u64,
    pub probes: u64,
    pub stale: u64,
    /// Whether late answers can no longer change it.
    pub closed: bool,
    /// Of this second.
    pub p50: Quantile,
    /// Of the last five.
    pub p99: Quantile,
    /// Of the last thirty.
    pub p999: Quantile,
    /// The generator's own lateness, p99.
    pub lag: Quantile,
}

impl Second {
    fn sum(&mut self) {
        let all = || self.journeys.values();
        let sum = |of: fn(&Window) -> u64| all().map(of).sum::<u64>();
        let (offered, good) = (sum(|w| w.offered), sum(|w| w.good));
        let failed = sum(|w| w.errors.values().sum::<u64>() + w.dropped);
        let timeouts = sum(|w| w.errors.get("timeout").copied().unwrap_or(0));
        let finished = sum(|w| w.ok + w.errors.values().sum::<u64>());
        let (probes, stale) = (sum(|w| w.probes), sum(|w| w.stale));
        let latencies = Latencies::merged(all().map(|w| &w.intended));
        let lag = Latencies::merged(all().flat_map(|w| [&w.pace_lag, &w.own_wait]));
        let closed = all().all(|w| w.closed);
        (self.offered, self.good, self.failed, self.timeouts) = (offered, good, failed, timeouts);
        (self.finished, self.probes, self.stale, self.closed) = (finished, probes, stale, closed);
        self.p50 = Quantile::of(&latencies, 0.5);
        self.lag = Quantile::of(&lag, 0.99);
        self.latencies = latencies;
    }
}

/// A stretch of load: all arms side by side, or one arm's turn.
#[derive(Clone, Debug)]
struct Block {
    t: u64,
    round: u32,
    arms: String,
}

/// Where an arm stands at a moment of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub round: u32,
    /// Load seconds begun, past the end included.
    pub seconds: u32,
    /// When its load began, ns of the run.
    pub start: u64,
}

/// The run so far.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The first line; nothing is drawn without.
    pub(crate) header: Option<Box<Header>>,
    /// The newest line's time, ns.
    pub(crate) now: u64,
    blocks: Vec<Block>,
    seconds: BTreeMap<(char, u32), BTreeMap<u32, Second>>,
    /// Seconds whose sums are out of date.
    dirty: BTreeMap<(char, u32), Vec<u32>>,
    edges: BTreeMap<(char, String, String), Vec<(u64, Edge)>>,
    procs: BTreeMap<(char, String), Vec<(u64, Proc)>>,
    hosts: Vec<(u64, Host)>,
    events: Vec<(u64, Event)>,
    /// The last line.
    pub(crate) end: Option<Box<End>>,
}

impl Run {
    /// Takes lines in, then brings sums and rolling percentiles up to date once.
    pub(crate) fn take<'a>(&mut self, lines: impl IntoIterator<Item = &'a Line>) {
        for line in lines {
            self.line(line);
        }
        self.settle();
    }

    fn line(&mut self, line: &Line) {
        self.now = self.now.max(line.t);
        match &line.entry {
            Entry::Header(header) => self.header = Some(header.clone()),
            Entry::Phase(phase) if phase.index == 0 => {
                self.blocks.push(Block { t: line.t, round: phase.round, arms: phase.arms.clone() });
            }
            Entry::Window(window) => {
                let key = (window.arm, window.round);
                let second = self.seconds.entry(key).or_default().entry(window.second).or_default();
                // Only what is shown is kept: a long run has many seconds.
                let none = Latencies::default;
                let kept = Window {
                    service: none(),
                    failed: none(),
                    slot_wait: none(),
                    staleness: none(),
                    ..(**window).clone()
                };
                second.journeys.insert(window.journey.clone(), kept);
                self.dirty.entry(key).or_default().push(window.second);
            }
            Entry::Edge(edge) => {
                let key = (edge.arm, edge.caller.clone(), edge.callee.clone());
                self.edges.entry(key).or_default().push((line.t, edge.clone()));
            }
            Entry::Proc(proc) => {
                self.procs.entry((proc.arm, proc.instance.clone())).or_default().push((line.t, proc.clone()));
            }
            Entry::Host(host) => self.hosts.push((line.t, host.clone())),
            Entry::Event(event) => self.events.push((line.t, event.clone())),
            Entry::End(end) => self.end = Some(end.clone()),
            // Later tabs show these; the scorecard prints them when the run is over.
            Entry::Phase(_)
            | Entry::Check(_)
            | Entry::Score(_)
            | Entry::Cost(_)
            | Entry::Trace(_)
            | Entry::Split(_)
            | Entry::Audit(_) => {}
        }
    }

    fn settle(&mut self) {
        for (key, mut seconds) in std::mem::take(&mut self.dirty) {
            seconds.sort_unstable();
            seconds.dedup();
            let Some(known) = self.seconds.get_mut(&key) else { continue };
            for second in &seconds {
                if let Some(second) = known.get_mut(second) {
                    second.sum();
                }
            }
            // A second counts in the percentiles of the thirty that end with or after it.
            let (Some(first), Some(last)) = (seconds.first(), seconds.last()) else { continue };
            let reached: Vec<u32> =
                known.range(first..&last.saturating_add(P999_SECONDS)).map(|(s, _)| *s).collect();
            for at in reached {
                let rolled = |length: u32, q: f64| {
                    let from = at.saturating_sub(length - 1);
                    Quantile::of(&Latencies::merged(known.range(from..=at).map(|(_, s)| &s.latencies)), q)
                };
                let (p99, p999) = (rolled(P99_SECONDS, 0.99), rolled(P999_SECONDS, 0.999));
                if let Some(second) = known.get_mut(&at) {
                    // Nothing answered in this second: a gap, although its neighbours have values.
                    let dead = second.latencies.is_empty();
                    second.p99 = Quantile { ms: p99.ms.filter(|_| !dead), ..p99 };
                    second.p999 = Quantile { ms: p999.ms.filter(|_| !dead), ..p999 };
                }
            }
        }
    }

    /// Length of one block's load, ns.
    pub(crate) fn length_ns(&self) -> u64 {
        let phases = self.header.as_deref().map_or(&[][..], |header| &header.phases);
        phases.iter().map(|phase| phase.start_ns + phase.length_ns).max().unwrap_or(0)
    }

    /// Where an arm stands at `t`; `None` before its first load.
    pub(crate) fn place(&self, arm: char, t: u64) -> Option<Place> {
        let header = self.header.as_deref()?;
        let concerns = |block: &&Block| block.t <= t && (block.arms.is_empty() || block.arms.contains(arm));
        let block = self.blocks.iter().rev().find(concerns)?;
        // The phase line comes a moment after the load's start, which the header knows for the first block.
        let first = self.blocks.first().is_some_and(|first| first.t == block.t);
        let start = if first { header.load_start_ns.min(block.t) } else { block.t };
        let seconds = t.saturating_sub(start).min(self.length_ns()).div_ceil(SECOND);
        Some(Place { round: block.round, seconds: u32::try_from(seconds).unwrap_or(u32::MAX), start })
    }

    /// The block's load second at `t`, whichever arm it concerns, with its phase's index.
    pub(crate) fn progress(&self, t: u64) -> Option<(u64, usize)> {
        let header = self.header.as_deref()?;
        let block = self.blocks.iter().rev().find(|block| block.t <= t)?;
        let letter = block.arms.chars().next().or_else(|| header.arms.first().map(|arm| arm.letter))?;
        let start = self.place(letter, t)?.start;
        let at = t.saturating_sub(start).min(self.length_ns());
        let index = header.phases.iter().rposition(|phase| phase.start_ns <= at)?;
        Some((at, index))
    }

    /// A load second of an arm.
    pub(crate) fn second(&self, arm: char, round: u32, second: u32) -> Option<&Second> {
        self.seconds.get(&(arm, round))?.get(&second)
    }

    /// Load seconds `from..to` of an arm, those known.
    pub(crate) fn seconds(&self, arm: char, round: u32, from: u32, to: u32) -> impl Iterator<Item = &Second> {
        let known = self.seconds.get(&(arm, round));
        known.into_iter().flat_map(move |known| known.range(from..to.max(from)).map(|(_, second)| second))
    }

    /// The newest load second of an arm that lies before `t` and has been heard of.
    pub(crate) fn newest(&self, arm: char, t: u64) -> Option<(u32, &Second)> {
        let place = self.place(arm, t)?;
        let known = self.seconds.get(&(arm, place.round))?;
        known.range(..place.seconds).next_back().map(|(second, of)| (*second, of))
    }

    /// Every edge of an arm as it stood at `t`.
    pub(crate) fn edges(&self, arm: char, t: u64) -> impl Iterator<Item = &Edge> {
        let of =
            self.edges.range((arm, String::new(), String::new())..).take_while(move |((a, ..), _)| *a == arm);
        of.filter_map(move |(_, said)| recent(said, t))
    }

    /// Every process of an arm as it stood at `t`.
    pub(crate) fn procs(&self, arm: char, t: u64) -> impl Iterator<Item = &Proc> {
        self.proc_lines(arm).filter_map(move |said| recent(said, t))
    }

    fn proc_lines(&self, arm: char) -> impl Iterator<Item = &Vec<(u64, Proc)>> {
        let of = self.procs.range((arm, String::new())..).take_while(move |((a, _), _)| *a == arm);
        of.map(|(_, said)| said)
    }

    /// CPU an arm used between two moments, ns; `None` without samples on both sides.
    /// A restarted process counts from zero again.
    pub(crate) fn cpu_ns(&self, arm: char, from: u64, to: u64) -> Option<u64> {
        let mut total = None;
        for said in self.proc_lines(arm) {
            let first = said.partition_point(|(t, _)| *t < from).saturating_sub(1);
            let inside = &said[first..said.partition_point(|(t, _)| *t <= to).max(first)];
            for pair in inside.windows(2) {
                let ((_, before), (_, after)) = (&pair[0], &pair[1]);
                let same = before.pid == after.pid && after.cpu_ns >= before.cpu_ns;
                let used = if same { after.cpu_ns - before.cpu_ns } else { after.cpu_ns };
                *total.get_or_insert(0) += used;
            }
        }
        total
    }

    /// The host as it was at `t`.
    pub(crate) fn host(&self, t: u64) -> Option<&Host> {
        recent(&self.hosts, t)
    }

    /// Events up to `t`, oldest first.
    pub(crate) fn events(&self, t: u64) -> &[(u64, Event)] {
        &self.events[..self.events.partition_point(|(at, _)| *at <= t)]
    }

    /// The arms' letters, A first.
    pub(crate) fn letters(&self) -> Vec<char> {
        self.header
            .as_deref()
            .map_or_else(Vec::new, |header| header.arms.iter().map(|arm| arm.letter).collect())
    }
}

fn recent<T>(said: &[(u64, T)], t: u64) -> Option<&T> {
    let (at, what) = said[..said.partition_point(|(at, _)| *at <= t)].last()?;
    (t - at <= STALE_NS).then_some(what)
}
