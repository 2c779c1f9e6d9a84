//! The fold of a record's lines, and its questions over a window.

use std::collections::BTreeMap;
use std::ops::Range;

use record::{
    Audit, Cost, Edge, Entry, Event, Header, Host, Latencies, Line, PhasePlan, Proc, Split, Window,
};

use crate::SECOND;
use crate::window::{self, Seconds, TimeRange};
/// An interval comes from at most this many stretches of a phase.
const BLOCKS: u32 = 10;

/// Where a window of one journey belongs.
type Slot = (char, u32, u32, String);

/// A run, as far as its record has come.
#[derive(Clone, Debug)]
pub struct Run {
    /// What does not change.
    pub header: Header,
    windows: BTreeMap<Slot, Window>,
    starts: Vec<(u32, u32, String, u64)>,
    procs: BTreeMap<(char, String), Vec<(u64, Proc)>>,
    edges: BTreeMap<(char, String, String), Vec<(u64, Edge)>>,
    hosts: Vec<(u64, Host)>,
    costs: Vec<Cost>,
    audits: BTreeMap<(char, u32), Audit>,
    events: Vec<(u64, Event)>,
    splits: Vec<Split>,
}

impl Run {
    /// A run of which only the header is known.
    pub fn new(header: Header) -> Self {
        Self {
            header,
            windows: BTreeMap::new(),
            starts: Vec::new(),
            procs: BTreeMap::new(),
            edges: BTreeMap::new(),
            hosts: Vec::new(),
            costs: Vec::new(),
            audits: BTreeMap::new(),
            events: Vec::new(),
            splits: Vec::new(),
        }
    }

    /// A whole record; `None` when it has no header.
    pub fn of(lines: &[Line]) -> Option<Self> {
        let mut lines = lines.iter();
        let Entry::Header(header) = &lines.next()?.entry else { return None };
        let mut run = Self::new((**header).clone());
        lines.for_each(|line| run.add(line));
        Some(run)
    }

    /// Takes a line in. Windows may come again with more in them; the last counts.
    pub fn add(&mut self, line: &Line) {
        match &line.entry {
            Entry::Window(window) => {
                let slot = (window.arm, window.round, window.second, window.journey.clone());
                self.windows.insert(slot, (**window).clone());
            }
            Entry::Phase(phase) => {
                self.starts.push((phase.index, phase.round, phase.arms.clone(), line.t));
            }
            Entry::Proc(proc) => {
                let key = (proc.arm, proc.instance.clone());
                self.procs.entry(key).or_default().push((line.t, proc.clone()));
            }
            Entry::Edge(edge) => {
                let key = (edge.arm, edge.caller.clone(), edge.callee.clone());
                self.edges.entry(key).or_default().push((line.t, edge.clone()));
            }
            Entry::Host(host) => self.hosts.push((line.t, host.clone())),
            Entry::Cost(cost) => self.costs.push((**cost).clone()),
            Entry::Audit(audit) => {
                self.audits.insert((audit.arm, audit.round), audit.clone());
            }
            Entry::Event(event) => self.events.push((line.t, event.clone())),
            Entry::Split(split) => self.splits.push((**split).clone()),
            Entry::Header(_) | Entry::Check(_) | Entry::Score(_) | Entry::Trace(_) | Entry::End(_) => {}
        }
    }

    /// Arm letters, A first.
    pub fn letters(&self) -> Vec<char> {
        self.header.arms.iter().map(|arm| arm.letter).collect()
    }

    /// Where the time of traces went, by arm, round, phase and journey.
    pub fn splits(&self) -> impl Iterator<Item = &Split> {
        self.splits.iter()
    }

    /// Spans of an arm that no collector took, as its processes count them. What a killed process had not sent
    /// yet is not among them: that is lost by nature.
    pub fn spans_lost(&self, arm: char) -> u64 {
        let last = |samples: &[(u64, Proc)]| samples.last().map(|(_, proc)| proc.spans[2] + proc.spans[3]);
        self.procs(arm).filter_map(|(_, samples)| last(samples)).sum()
    }

    /// A phase of the plan.
    pub fn phase(&self, name: &str) -> Option<&PhasePlan> {
        self.header.phases.iter().find(|phase| phase.name == name)
    }

    /// Whether a journey is meant: by its name, by a group it belongs to, or by `all`.
    pub fn selects(&self, selector: &str, journey: &str) -> bool {
        selector == "all"
            || selector == journey
            || self
                .header
                .journeys
                .iter()
                .any(|j| j.name == journey && j.groups.iter().any(|g| g == selector))
    }

    /// The seconds of a window; `whole` is all measured phases, from the first
    /// to the end of the last.
    pub fn seconds(&self, window: &window::Window) -> Seconds {
        let of = |phase: &PhasePlan| {
            let start = second(phase.start_ns);
            start..second(phase.start_ns + phase.length_ns)
        };
        let measured = || self.header.phases.iter().filter(|phase| phase.measure).map(of);
        let end = measured().map(|seconds| seconds.end).max().unwrap_or(0);
        match window {
            window::Window::Phase(name) => self.phase(name).map_or(0..0, of),
            window::Window::Whole => measured().map(|seconds| seconds.start).min().unwrap_or(0)..end,
            window::Window::Seconds(from, to) => *from..*to,
            window::Window::Last(ns) => end.saturating_sub(second(*ns))..end,
        }
    }

    /// A window cut into stretches of their own, for intervals: by round where
    /// the run had at least three, else by time.
    pub fn blocks(&self, window: &window::Window) -> Vec<TimeRange> {
        let seconds = self.seconds(window);
        if self.header.rounds >= 3 {
            return (1..=self.header.rounds)
                .map(|round| TimeRange { round, seconds: seconds.clone() })
                .collect();
        }
        let length = seconds.end - seconds.start;
        let count = length.min(BLOCKS);
        let cut = |i: u32| seconds.start + length * i / count.max(1);
        (0..count).map(|i| TimeRange { round: 0, seconds: cut(i)..cut(i + 1) }).collect()
    }

    /// All rounds of a window.
    pub fn whole(&self, window: &window::Window) -> TimeRange {
        TimeRange { round: 0, seconds: self.seconds(window) }
    }

    /// The windows of an arm in a stretch whose journeys are selected.
    pub fn windows<'a>(
        &'a self,
        arm: char,
        stretch: &'a TimeRange,
        selected: impl Fn(&str) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Window> + 'a {
        self.windows.values().filter(move |window| {
            window.arm == arm
                && (stretch.round == 0 || window.round == stretch.round)
                && stretch.seconds.contains(&window.second)
                && selected(&window.journey)
        })
    }

    /// One of a window's histograms, merged over a stretch.
    pub fn merged(
        &self,
        arm: char,
        stretch: &TimeRange,
        selector: &str,
        which: impl Fn(&Window) -> &Latencies,
    ) -> Latencies {
        Latencies::merged(self.windows(arm, stretch, |journey| self.selects(selector, journey)).map(which))
    }

    /// One of a window's counts, summed over a stretch.
    pub fn sum(&self, arm: char, stretch: &TimeRange, selector: &str, which: impl Fn(&Window) -> u64) -> u64 {
        self.windows(arm, stretch, |journey| self.selects(selector, journey)).map(which).sum()
    }

    /// Stretches of run time, ns, that phase seconds fall on for an arm: one a
    /// round, since interleaved arms take turns.
    pub fn run_time(&self, arm: char, stretch: &TimeRange) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for (index, round, arms, t) in &self.starts {
            let Some(phase) = self.header.phases.get(*index as usize) else { continue };
            let meant =
                (arms.is_empty() || arms.contains(arm)) && (stretch.round == 0 || stretch.round == *round);
            let from = (u64::from(stretch.seconds.start) * SECOND).max(phase.start_ns);
            let to = (u64::from(stretch.seconds.end) * SECOND).min(phase.start_ns + phase.length_ns);
            if meant && from < to {
                ranges.push(t + (from - phase.start_ns)..t + (to - phase.start_ns));
            }
        }
        ranges
    }

    /// CPU an arm's processes spent in a stretch, ns; `None` when they were not sampled in it.
    pub fn cpu_ns(&self, arm: char, stretch: &TimeRange) -> Option<u64> {
        self.grown(arm, stretch, |proc| proc.cpu_ns)
    }

    /// How much a cumulative figure of an arm's processes grew in a stretch; `None`
    /// when they were not sampled in it.
    pub fn grown(&self, arm: char, stretch: &TimeRange, figure: impl Fn(&Proc) -> u64 + Copy) -> Option<u64> {
        let ranges = self.run_time(arm, stretch);
        let mut total = 0;
        let mut sampled = false;
        for ((owner, _), samples) in &self.procs {
            if *owner != arm {
                continue;
            }
            for range in &ranges {
                if let Some(spent) = spent(samples, range, figure) {
                    total += spent;
                    sampled = true;
                }
            }
        }
        sampled.then_some(total)
    }

    /// Samples of an arm's processes.
    pub fn procs(&self, arm: char) -> impl Iterator<Item = (&str, &[(u64, Proc)])> {
        self.procs
            .iter()
            .filter(move |((owner, _), _)| *owner == arm)
            .map(|((_, instance), samples)| (instance.as_str(), samples.as_slice()))
    }

    /// Edge seconds in a stretch.
    pub fn edges<'a>(&'a self, arm: char, stretch: &TimeRange) -> impl Iterator<Item = &'a Edge> + 'a {
        let ranges = self.run_time(arm, stretch);
        self.edge_histories(arm)
            .flatten()
            .filter(move |(t, _)| ranges.iter().any(|range| range.contains(t)))
            .map(|(_, edge)| edge)
    }

    /// The seconds of each edge of an arm, oldest first.
    pub fn edge_histories(&self, arm: char) -> impl Iterator<Item = &[(u64, Edge)]> {
        self.edges.iter().filter(move |((owner, ..), _)| *owner == arm).map(|(_, seconds)| seconds.as_slice())
    }

    /// Host seconds in a stretch of any arm.
    pub fn hosts<'a>(&'a self, stretch: &TimeRange) -> impl Iterator<Item = &'a Host> + 'a {
        let ranges: Vec<_> = self.letters().iter().flat_map(|arm| self.run_time(*arm, stretch)).collect();
        self.hosts
            .iter()
            .filter(move |(t, _)| ranges.iter().any(|range| range.contains(t)))
            .map(|(_, host)| host)
    }

    /// All host seconds of the run.
    pub fn all_hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().map(|(_, host)| host)
    }

    /// Cost figures of an arm over the phases of a window.
    pub fn costs<'a>(&'a self, arm: char, window: &'a window::Window) -> impl Iterator<Item = &'a Cost> + 'a {
        self.costs.iter().filter(move |cost| {
            cost.arm == arm
                && match window {
                    window::Window::Phase(name) => cost.phase == *name,
                    window::Window::Whole | window::Window::Last(_) | window::Window::Seconds(..) => {
                        self.phase(&cost.phase).is_some_and(|phase| phase.measure)
                    }
                }
        })
    }

    /// What the audits found in an arm, rounds added up.
    pub fn audit(&self, arm: char) -> Option<Audit> {
        Audit::added_up(self.audits.values().filter(|audit| audit.arm == arm)).pop()
    }

    /// What the audit of one round found in an arm.
    pub fn audit_of(&self, arm: char, round: u32) -> Option<&Audit> {
        self.audits.get(&(arm, round))
    }

    /// What happened, in order.
    pub fn events(&self) -> &[(u64, Event)] {
        &self.events
    }
}

/// Whole seconds, rounded to the nearest: phase lengths are whole seconds.
fn second(ns: u64) -> u32 {
    u32::try_from((ns + SECOND / 2) / SECOND).unwrap_or(u32::MAX)
}

/// How much a cumulative figure grew in a range, interpolated at its ends; a
/// figure that fell belongs to a restarted process and counts from 0.
fn spent(samples: &[(u64, Proc)], range: &Range<u64>, figure: impl Fn(&Proc) -> u64) -> Option<u64> {
    let mut total = 0.0;
    let mut covered = false;
    for pair in samples.windows(2) {
        let ((t0, a), (t1, b)) = (&pair[0], &pair[1]);
        let (from, to) = (range.start.max(*t0), range.end.min(*t1));
        if from >= to || t1 == t0 {
            continue;
        }
        let grown = if b.pid == a.pid { figure(b).saturating_sub(figure(a)) } else { figure(b) };
        total += grown as f64 * (to - from) as f64 / (t1 - t0) as f64;
        covered = true;
    }
    covered.then_some(total as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(t: u64, pid: u32, cpu_ns: u64) -> (u64, Proc) {
        (t, Proc { pid, cpu_ns, ..Proc::default() })
    }

    #[test]
    fn cpu_of_a_range_is_interpolated_and_survives_a_restart() {
        let samples = [sample(0, 1, 0), sample(100, 1, 50), sample(200, 2, 30), sample(300, 2, 40)];
        // Half of the first 50.
        assert_eq!(spent(&samples, &(50..100), |p| p.cpu_ns), Some(25));
        // The second process starts from nothing: 30, then 10 more.
        assert_eq!(spent(&samples, &(100..300), |p| p.cpu_ns), Some(40));
        assert_eq!(spent(&samples, &(400..500), |p| p.cpu_ns), None);
    }
}
