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
}

/// An edge with all copies of its caller.
#[derive(Default)]
struct Together {
    edge: Edge,
    buckets: Buckets,
}

impl Together {
    /// Takes in what a copy did in so many seconds: rates and queues add up, of breakers the one that is furthest open
    /// is told.
    fn add(&mut self, side: &Side, seconds: f64) {
        let edge = &mut self.edge;
        edge.effective_rps += (side.tries - side.retries).max(0.0) / seconds;
        edge.actual_rps += side.tries / seconds;
        edge.errors_rps += side.errors / seconds;
        edge.retries_rps += side.retries / seconds;
        edge.breaker = edge.breaker.max(side.breaker as u8);
        edge.queue += side.queue as u64;
        self.buckets.join(&side.buckets);
    }

    /// As the record has it.
    fn line(self, arm: char, (caller, callee): Ends) -> Edge {
        let ms = |q| self.buckets.quantile(q).map(|s| s * 1e3);
        Edge { arm, caller, callee, p50_ms: ms(0.5), p99_ms: ms(0.99), ..self.edge }
    }
}

/// What a copy had counted when it was last asked.
#[derive(Debug)]
struct Known {
    at_ns: u64,
    sides: BTreeMap<Ends, Side>,
}

/// What every copy of every caller had counted, by arm and instance. One that could not be asked for a while is asked
/// what it did in all of it.
#[derive(Debug, Default)]
pub struct Ledger(BTreeMap<(char, String), Known>);

impl Ledger {
    /// What later figures of a copy are counted from, where nothing is known of it yet.
    pub fn begin(&mut self, arm: char, instance: &str, sides: BTreeMap<Ends, Side>, now_ns: u64) {
        let unknown = || Known { at_ns: now_ns, sides: BTreeMap::new() };
        let known = self.0.entry((arm, instance.to_owned())).or_insert_with(unknown);
        for (ends, side) in sides {
            known.sides.entry(ends).or_insert(side);
        }
    }

    /// The edges of an arm since its copies were last asked; for whoever was not, since `before_ns`.
    pub fn lines(
        &mut self,
        arm: char,
        copies: Vec<(String, BTreeMap<Ends, Side>)>,
        before_ns: u64,
        now_ns: u64,
    ) -> Vec<Edge> {
        let mut edges: BTreeMap<Ends, Together> = BTreeMap::new();
        for (instance, sides) in copies {
            let unknown = || Known { at_ns: before_ns, sides: BTreeMap::new() };
            let known = self.0.entry((arm, instance)).or_insert_with(unknown);
            let seconds = now_ns.saturating_sub(known.at_ns).max(1) as f64 / 1e9;
            known.at_ns = now_ns;
            for (ends, side) in sides {
                let before = known.sides.insert(ends.clone(), side.clone()).unwrap_or_default();
                edges.entry(ends).or_default().add(&side.since(&before), seconds);
            }
        }
        edges.into_iter().map(|(ends, edge)| edge.line(arm, ends)).collect()
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

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn copies_of_a_caller_are_one_edge_and_a_restart_counts_anew() {
        let mut ledger = Ledger::default();
        ledger.begin('B', "feed#0", side(100.0, 100.0, 0.0), 0);
        ledger.begin('B', "feed#1", side(500.0, 0.0, 0.0), 0);
        // 90 fast tries of one copy, 10 slow ones of the other, in two seconds.
        let copies = |slow| {
            vec![("feed#0".to_owned(), side(190.0, 190.0, 3.0)), ("feed#1".to_owned(), side(slow, 0.0, 4.0))]
        };
        let [edge] = &ledger.lines('B', copies(510.0), 0, 2 * SECOND)[..] else { panic!("one edge") };
        assert_eq!((edge.actual_rps, edge.queue), (50.0, 7));
        let (p50, p99) = (edge.p50_ms.expect("tries"), edge.p99_ms.expect("tries"));
        assert!(p50 < 10.0 && p99 > 90.0, "of all tries, not of one copy's: {p50} {p99}");
        let [edge] = &ledger.lines('B', copies(8.0), 0, 4 * SECOND)[..] else { panic!("one edge") };
        assert_eq!(edge.actual_rps, 4.0, "feed#1 was killed and has made eight tries since");
    }

    #[test]
    fn who_did_not_answer_once_did_it_in_two_seconds() {
        let mut ledger = Ledger::default();
        ledger.begin('B', "feed#0", side(0.0, 0.0, 0.0), 0);
        assert!(ledger.lines('B', Vec::new(), 0, SECOND).is_empty());
        let copies = vec![("feed#0".to_owned(), side(80.0, 80.0, 0.0))];
        let [edge] = &ledger.lines('B', copies, SECOND, 2 * SECOND)[..] else { panic!("one edge") };
        assert_eq!(edge.actual_rps, 40.0);
    }
}
