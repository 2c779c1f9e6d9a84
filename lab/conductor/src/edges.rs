//! Calls along edges as their callers count them: one line an edge and second, all copies of the caller together.

use std::collections::BTreeMap;

use record::Edge;

use crate::exposition::Buckets;

/// Who calls whom.
pub type Ends = (String, String);

/// What one copy of a caller counts on an edge. Tries and times have added up since it started; its breaker and its
/// queue are as they are now.
#[derive(Clone, Debug, Default)]
pub struct Side {
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

impl Side {
    /// What came since `earlier`. Whoever counts less than then has started anew: all of it came since.
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

    /// Takes another copy's side in: counts and queues add up, of breakers the one that is furthest open is told.
    fn join(&mut self, other: &Self) {
        self.tries += other.tries;
        self.errors += other.errors;
        self.retries += other.retries;
        self.buckets.join(&other.buckets);
        self.breaker = self.breaker.max(other.breaker);
        self.queue += other.queue;
    }

    /// As the record has it, after so many seconds.
    fn line(&self, arm: char, (caller, callee): Ends, seconds: f64) -> Edge {
        Edge {
            arm,
            caller,
            callee,
            local: false,
            effective_rps: (self.tries - self.retries).max(0.0) / seconds,
            actual_rps: self.tries / seconds,
            errors_rps: self.errors / seconds,
            retries_rps: self.retries / seconds,
            p50_ms: self.buckets.quantile(0.5).map(|s| s * 1e3),
            p99_ms: self.buckets.quantile(0.99).map(|s| s * 1e3),
            breaker: self.breaker as u8,
            queue: self.queue as u64,
        }
    }
}

/// What every copy of every caller had counted when it was last asked.
#[derive(Debug, Default)]
pub struct Ledger(BTreeMap<(char, String), BTreeMap<Ends, Side>>);

impl Ledger {
    /// What later figures of a copy are counted from, where nothing is known of it yet.
    pub fn begin(&mut self, arm: char, instance: &str, sides: BTreeMap<Ends, Side>) {
        let known = self.0.entry((arm, instance.to_owned())).or_default();
        for (ends, side) in sides {
            known.entry(ends).or_insert(side);
        }
    }

    /// The edges of an arm over the seconds since its copies were last asked.
    pub fn lines(
        &mut self,
        arm: char,
        copies: Vec<(String, BTreeMap<Ends, Side>)>,
        seconds: f64,
    ) -> Vec<Edge> {
        let mut edges: BTreeMap<Ends, Side> = BTreeMap::new();
        for (instance, sides) in copies {
            let known = self.0.entry((arm, instance)).or_default();
            for (ends, side) in sides {
                let before = known.insert(ends.clone(), side.clone()).unwrap_or_default();
                edges.entry(ends).or_default().join(&side.since(&before));
            }
        }
        edges.into_iter().map(|(ends, side)| side.line(arm, ends, seconds)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(tries: f64, fast: f64, queue: f64) -> BTreeMap<Ends, Side> {
        let mut side = Side { tries, queue, ..Side::default() };
        side.buckets.add("0.01", fast);
        side.buckets.add("0.1", tries);
        side.buckets.add("+Inf", tries);
        [(("feed".to_owned(), "photo".to_owned()), side)].into()
    }

    #[test]
    fn copies_of_a_caller_are_one_edge_and_a_restart_counts_anew() {
        let mut ledger = Ledger::default();
        ledger.begin('B', "feed#0", side(100.0, 100.0, 0.0));
        ledger.begin('B', "feed#1", side(500.0, 0.0, 0.0));
        // 90 fast tries of one copy, 10 slow ones of the other, in two seconds.
        let copies = |slow| {
            vec![("feed#0".to_owned(), side(190.0, 190.0, 3.0)), ("feed#1".to_owned(), side(slow, 0.0, 4.0))]
        };
        let [edge] = &ledger.lines('B', copies(510.0), 2.0)[..] else { panic!("one edge") };
        assert_eq!((edge.actual_rps, edge.queue), (50.0, 7));
        let (p50, p99) = (edge.p50_ms.expect("tries"), edge.p99_ms.expect("tries"));
        assert!(p50 < 10.0 && p99 > 90.0, "of all tries, not of one copy's: {p50} {p99}");
        let [edge] = &ledger.lines('B', copies(8.0), 2.0)[..] else { panic!("one edge") };
        assert_eq!(edge.actual_rps, 4.0, "feed#1 was killed and has made eight tries since");
    }
}
