//! Calls along edges as their callers count them: one line an edge and second, all copies of the caller together.

use std::collections::BTreeMap;

use record::Edge;

use crate::observe::exposition::Buckets;

/// Caller and callee.
pub type EdgeKey = (String, String);

/// What one copy of a caller counts on an edge. Tries and times have added up since it started; its breaker and its queue
/// are as they are now.
#[derive(Clone, Debug, Default)]
pub struct CallerStats {
    /// Tries.
    pub tries: f64,
    /// Of them failed.
    pub errors: f64,
    /// Of them beyond the first of a call.
    pub retries: f64,
    /// How long tries took.
    pub buckets: Buckets,
    /// 0 closed, 1 half-open, 2 open.
    pub breaker: f64,
    /// Calls that wait.
    pub queue: f64,
}

impl CallerStats {
    /// What was added since `earlier`. A copy that counts less than then has restarted: all of it was added since.
    fn since(&self, earlier: &Self) -> Self {
        if self.tries < earlier.tries {
            return self.clone();
        }
        Self {
            tries: self.tries - earlier.tries,
            errors: (self.errors - earlier.errors).max(0.0),
            retries: (self.retries - earlier.retries).max(0.0),
            buckets: self.buckets.since(&earlier.buckets),
            ..*self
        }
    }
}

/// An edge with all copies of its caller.
#[derive(Default)]
struct EdgeAggregate {
    edge: Edge,
    buckets: Buckets,
}

impl EdgeAggregate {
    /// Adds what a copy did in so many seconds: rates and queues add up, of breakers the one that is furthest open
    /// counts.
    fn add(&mut self, stats: &CallerStats, seconds: f64) {
        let edge = &mut self.edge;
        edge.effective_rps += (stats.tries - stats.retries).max(0.0) / seconds;
        edge.actual_rps += stats.tries / seconds;
        edge.errors_rps += stats.errors / seconds;
        edge.retries_rps += stats.retries / seconds;
        edge.breaker = edge.breaker.max(stats.breaker as u8);
        edge.queue += stats.queue as u64;
        self.buckets.merge(&stats.buckets);
    }

    /// As the record has it.
    fn into_edge(self, arm: char, (caller, callee): EdgeKey) -> Edge {
        let ms = |q| self.buckets.quantile(q).map(|s| s * 1e3);
        Edge { arm, caller, callee, p50_ms: ms(0.5), p99_ms: ms(0.99), ..self.edge }
    }
}

/// What a copy had counted when it was last asked.
#[derive(Debug)]
struct Baseline {
    at_ns: u64,
    stats_by_edge: BTreeMap<EdgeKey, CallerStats>,
}

/// What every copy of every caller had counted, by arm and instance. For one that did not answer for a while, the next
/// answer covers all of that time.
#[derive(Debug, Default)]
pub struct EdgeCounters(BTreeMap<(char, String), Baseline>);

impl EdgeCounters {
    /// What later figures of a copy are counted from, where nothing is known of it yet.
    pub fn set_baseline(
        &mut self,
        arm: char,
        instance: &str,
        stats_by_edge: BTreeMap<EdgeKey, CallerStats>,
        now_ns: u64,
    ) {
        let unknown = || Baseline { at_ns: now_ns, stats_by_edge: BTreeMap::new() };
        let known = self.0.entry((arm, instance.to_owned())).or_insert_with(unknown);
        for (key, stats) in stats_by_edge {
            known.stats_by_edge.entry(key).or_insert(stats);
        }
    }

    /// The edges of an arm since its copies were last asked; for a copy that never was, since `before_ns`.
    pub fn edges_since(
        &mut self,
        arm: char,
        copies: Vec<(String, BTreeMap<EdgeKey, CallerStats>)>,
        before_ns: u64,
        now_ns: u64,
    ) -> Vec<Edge> {
        let mut edges: BTreeMap<EdgeKey, EdgeAggregate> = BTreeMap::new();
        for (instance, stats_by_edge) in copies {
            let unknown = || Baseline { at_ns: before_ns, stats_by_edge: BTreeMap::new() };
            let known = self.0.entry((arm, instance)).or_insert_with(unknown);
            let seconds = now_ns.saturating_sub(known.at_ns).max(1) as f64 / 1e9;
            known.at_ns = now_ns;
            for (key, stats) in stats_by_edge {
                let before = known.stats_by_edge.insert(key.clone(), stats.clone()).unwrap_or_default();
                edges.entry(key).or_default().add(&stats.since(&before), seconds);
            }
        }
        edges.into_iter().map(|(key, edge)| edge.into_edge(arm, key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(tries: f64, fast: f64, queue: f64) -> BTreeMap<EdgeKey, CallerStats> {
        let mut stats = CallerStats { tries, queue, ..CallerStats::default() };
        stats.buckets.add("0.01", fast);
        stats.buckets.add("0.1", tries);
        stats.buckets.add("+Inf", tries);
        [(("feed".to_owned(), "photo".to_owned()), stats)].into()
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn copies_of_a_caller_are_one_edge_and_a_restart_counts_anew() {
        let mut counters = EdgeCounters::default();
        counters.set_baseline('B', "feed#0", stats(100.0, 100.0, 0.0), 0);
        counters.set_baseline('B', "feed#1", stats(500.0, 0.0, 0.0), 0);
        // 90 fast tries of one copy, 10 slow ones of the other, in two seconds.
        let copies = |slow| {
            vec![
                ("feed#0".to_owned(), stats(190.0, 190.0, 3.0)),
                ("feed#1".to_owned(), stats(slow, 0.0, 4.0)),
            ]
        };
        let [edge] = &counters.edges_since('B', copies(510.0), 0, 2 * SECOND)[..] else { panic!("one edge") };
        assert_eq!((edge.actual_rps, edge.queue), (50.0, 7));
        let (p50, p99) = (edge.p50_ms.expect("tries"), edge.p99_ms.expect("tries"));
        assert!(p50 < 10.0 && p99 > 90.0, "of all tries, not of one copy's: {p50} {p99}");
        let [edge] = &counters.edges_since('B', copies(8.0), 0, 4 * SECOND)[..] else { panic!("one edge") };
        assert_eq!(edge.actual_rps, 4.0, "feed#1 was killed and has made eight tries since");
    }

    #[test]
    fn a_copy_that_did_not_answer_once_did_it_in_two_seconds() {
        let mut counters = EdgeCounters::default();
        counters.set_baseline('B', "feed#0", stats(0.0, 0.0, 0.0), 0);
        assert!(counters.edges_since('B', Vec::new(), 0, SECOND).is_empty());
        let copies = vec![("feed#0".to_owned(), stats(80.0, 80.0, 0.0))];
        let [edge] = &counters.edges_since('B', copies, SECOND, 2 * SECOND)[..] else { panic!("one edge") };
        assert_eq!(edge.actual_rps, 40.0);
    }
}
