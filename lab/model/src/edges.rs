//! Edges between components: how each stood at a moment, and its calls over a window.

use std::collections::BTreeMap;

use record::Edge;

use crate::history::{History, STALE_NS, between, newest, of_seconds_inside};
use crate::run::Run;
use crate::window::TimeRange;
use crate::{SECOND, Window};

/// A displayed queue is the longest of this time, ns: edges are sampled once a second, and a second may miss its sample.
pub const QUEUE_NS: u64 = 2 * SECOND;

/// A breaker that lets nothing through, as the record has it.
pub const BREAKER_OPEN: u8 = 2;

/// Tries per call; `None` without calls.
pub fn tries_per_call(tries: f64, calls: f64) -> Option<f64> {
    (calls > 0.0).then(|| tries / calls)
}

/// Failed tries over tries; `None` without tries.
pub fn error_ratio(edge: &Edge) -> Option<f64> {
    (edge.actual_rps > 0.0).then(|| edge.errors_rps / edge.actual_rps)
}

/// The 99th percentile of an edge's tries in a second, seconds; `None` without tries.
pub fn p99_seconds(edge: &Edge) -> Option<f64> {
    edge.p99_ms.map(|ms| ms / 1e3)
}

/// The 99th percentile of the slowest edge below the users' own, ms.
pub fn slowest_p99<'a>(edges: impl IntoIterator<Item = &'a Edge>) -> Option<f64> {
    let inner = edges.into_iter().filter(|edge| edge.caller != record::CLIENT);
    inner.filter_map(|edge| edge.p99_ms).reduce(f64::max)
}

/// Whether an edge carries requests, rather than fetching events: consumers ask for those and wait by nature.
pub fn is_of_requests(edge: &Edge) -> bool {
    !edge.caller.is_empty()
}

/// An edge over a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EdgeRow {
    /// The component that calls.
    pub caller: String,
    /// The component that is called.
    pub callee: String,
    /// Seconds with figures.
    pub seconds: u32,
    /// Logical calls.
    pub calls: f64,
    /// Tries.
    pub tries: f64,
    /// Failed tries.
    pub failed: f64,
    /// Tries beyond the first.
    pub retries: f64,
    /// The worst 99th percentile of a second, ms.
    pub worst_p99_ms: Option<f64>,
    /// Seconds its breaker was open.
    pub open_s: u64,
    /// Most calls that waited.
    pub queue: u64,
}

impl EdgeRow {
    fn add(&mut self, edge: &Edge) {
        self.seconds += 1;
        self.calls += edge.effective_rps;
        self.tries += edge.actual_rps;
        self.failed += edge.errors_rps;
        self.retries += edge.retries_rps;
        self.worst_p99_ms = self.worst_p99_ms.into_iter().chain(edge.p99_ms).reduce(f64::max);
        self.open_s += u64::from(edge.breaker == BREAKER_OPEN);
        self.queue = self.queue.max(edge.queue);
    }

    /// Tries per call; `None` without calls.
    pub fn tries_per_call(&self) -> Option<f64> {
        tries_per_call(self.tries, self.calls)
    }

    /// Failed tries over tries; `None` without tries.
    pub fn error_ratio(&self) -> Option<f64> {
        (self.tries > 0.0).then(|| self.failed / self.tries)
    }

    /// Calls per second.
    pub fn rate(&self) -> Option<f64> {
        self.per_second(self.calls)
    }

    /// Tries beyond the first, per second.
    pub fn retry_rate(&self) -> Option<f64> {
        self.per_second(self.retries)
    }

    fn per_second(&self, count: f64) -> Option<f64> {
        (self.seconds > 0).then(|| count / f64::from(self.seconds))
    }

    /// The worst 99th percentile of a second, seconds; `None` without tries.
    pub fn worst_p99_seconds(&self) -> Option<f64> {
        self.worst_p99_ms.map(|ms| ms / 1e3)
    }
}

impl Run {
    /// What copies of a caller report of one edge in the same moment is one sample.
    pub(crate) fn add_edge(&mut self, edge: &Edge, t: u64) {
        let key = (edge.arm, edge.caller.clone(), edge.callee.clone());
        let samples = self.edges.entry(key).or_default();
        match samples.last_mut() {
            Some((at, known)) if *at == t => join(known, edge),
            _ => samples.push((t, edge.clone())),
        }
    }

    /// Every edge of an arm as it stood at `t`; after its load as it was at the end of it.
    pub fn edges_at(&self, arm: char, t: u64) -> impl Iterator<Item = &Edge> {
        let t = self.loaded_until(arm, t);
        self.edge_histories(arm).filter_map(move |samples| newest(samples, t))
    }

    /// An edge's samples from one moment to another, oldest first; none of after the load.
    pub fn edge_between(&self, arm: char, caller: &str, callee: &str, from: u64, to: u64) -> &[(u64, Edge)] {
        let to = self.loaded_until(arm, to);
        let key = (arm, caller.to_owned(), callee.to_owned());
        self.edges.get(&key).map_or(&[], |samples| between(samples, from, to))
    }

    /// Calls that wait at the edge where most do, the most of the last [`QUEUE_NS`]; `None` where no edge that crosses
    /// processes was sampled.
    pub fn longest_queue_at(&self, arm: char, t: u64) -> Option<u64> {
        let from = t.saturating_sub(QUEUE_NS);
        let recent = self.edge_histories(arm).flat_map(|samples| between(samples, from + 1, t));
        let crossing = recent.filter(|(_, edge)| !edge.local && is_of_requests(edge));
        crossing.map(|(_, edge)| edge.queue).max()
    }

    /// Edge seconds of an arm in a range.
    pub fn edges<'a>(&'a self, arm: char, range: &TimeRange) -> impl Iterator<Item = &'a Edge> + 'a {
        let ranges = self.run_time(arm, range);
        let mut found = Vec::new();
        for samples in self.edge_histories(arm) {
            found.extend(of_seconds_inside(samples, &ranges));
        }
        found.into_iter()
    }

    /// Calls of each edge of an arm over a window, those of events left out.
    pub fn edge_rows(&self, arm: char, window: &Window) -> Vec<EdgeRow> {
        let mut rows: BTreeMap<(&str, &str), EdgeRow> = BTreeMap::new();
        let range = self.whole(window);
        for edge in self.edges(arm, &range).filter(|edge| is_of_requests(edge)) {
            let row = rows.entry((&edge.caller, &edge.callee)).or_insert_with(|| EdgeRow {
                caller: edge.caller.clone(),
                callee: edge.callee.clone(),
                ..EdgeRow::default()
            });
            row.add(edge);
        }
        rows.into_values().filter(|row| row.tries > 0.0 || row.queue > 0).collect()
    }

    /// The samples of each edge of an arm, oldest first.
    pub(crate) fn edge_histories(&self, arm: char) -> impl Iterator<Item = &History<Edge>> {
        let of = self.edges.range((arm, String::new(), String::new())..);
        of.take_while(move |((a, ..), _)| *a == arm).map(|(_, samples)| samples)
    }

    /// `t`, or the end of an arm's load where that was a moment before: what is on its edges then is the audit's.
    pub(crate) fn loaded_until(&self, arm: char, t: u64) -> u64 {
        let t = self.sampled_until(t);
        let end = self.position_at(arm, t).map(|position| position.start + self.length_ns());
        end.filter(|end| *end < t && t - end <= STALE_NS).unwrap_or(t)
    }

    /// After a run's end nothing is sampled while it is judged: what was last stays visible.
    pub(crate) fn sampled_until(&self, t: u64) -> u64 {
        let last = self.hosts.last().map(|(at, _)| *at).filter(|_| self.end.is_some());
        last.map_or(t, |last| t.min(last))
    }
}

/// Rates and queues add up; of latencies and breakers the worst counts.
fn join(known: &mut Edge, other: &Edge) {
    known.effective_rps += other.effective_rps;
    known.actual_rps += other.actual_rps;
    known.errors_rps += other.errors_rps;
    known.retries_rps += other.retries_rps;
    known.queue += other.queue;
    known.breaker = known.breaker.max(other.breaker);
    known.local &= other.local;
    known.p50_ms = known.p50_ms.into_iter().chain(other.p50_ms).reduce(f64::max);
    known.p99_ms = known.p99_ms.into_iter().chain(other.p99_ms).reduce(f64::max);
}

#[cfg(test)]
mod tests {
    use record::{Entry, Line};

    use super::*;

    fn run(edges: Vec<(u64, Edge)>) -> Run {
        let mut run = Run::default();
        let lines: Vec<Line> =
            edges.into_iter().map(|(t, edge)| Line { t, entry: Entry::Edge(edge) }).collect();
        run.take(&lines);
        run
    }

    fn edge(caller: &str, callee: &str, queue: u64) -> Edge {
        Edge { arm: 'B', caller: caller.into(), callee: callee.into(), queue, ..Edge::default() }
    }

    #[test]
    fn the_longest_queue_is_an_edges_and_not_that_of_events() {
        let run = run(vec![
            (SECOND, edge("feed", "photo", 3)),
            (SECOND, edge("feed", "profile", 7)),
            (SECOND, edge("", "feed", 40)),
        ]);
        assert_eq!((run.longest_queue_at('B', SECOND), run.longest_queue_at('A', SECOND)), (Some(7), None));
        assert_eq!(run.longest_queue_at('B', 4 * SECOND), None, "that was three seconds ago");
    }

    #[test]
    fn after_the_load_an_edge_is_as_it_was_at_its_end() {
        let plan = record::PhasePlan { name: "p".into(), start_ns: 0, length_ns: 10 * SECOND, measure: true };
        let arms = vec![record::Arm { letter: 'B', ..record::Arm::default() }];
        let mut run = Run::new(record::Header { arms, phases: vec![plan], ..record::Header::default() });
        let phase = record::Phase { index: 0, name: "p".into(), round: 1, arms: "B".into() };
        run.add(&Line { t: 0, entry: Entry::Phase(phase) });
        for (second, tries) in [(9, 50.0), (11, 900.0)] {
            let edge = Edge { actual_rps: tries, ..edge("gateway", "photo", 0) };
            run.add(&Line { t: second * SECOND, entry: Entry::Edge(edge) });
        }
        let at = |t| run.edges_at('B', t).map(|edge| edge.actual_rps).collect::<Vec<_>>();
        assert_eq!((at(9 * SECOND), at(12 * SECOND)), (vec![50.0], vec![50.0]), "900/s are the audit's");
        assert!(at(20 * SECOND).is_empty(), "that was long ago");
        assert_eq!(run.edge_between('B', "gateway", "photo", 0, 12 * SECOND).len(), 1);
    }

    #[test]
    fn copies_of_a_caller_are_one_sample() {
        let copy = |tries, p99| Edge { actual_rps: tries, p99_ms: Some(p99), ..edge("feed", "photo", 1) };
        let run = run(vec![(SECOND, copy(10.0, 5.0)), (SECOND, copy(20.0, 4.0))]);
        let joined: Vec<&Edge> = run.edges_at('B', SECOND).collect();
        assert_eq!(
            (joined.len(), joined[0].actual_rps, joined[0].p99_ms, joined[0].queue),
            (1, 30.0, Some(5.0), 2)
        );
    }
}
