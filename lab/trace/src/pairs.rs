//! The same requests in all arms, second by second: where their time went.
//!
//! The load generator traces the same arrivals in every arm, and only those whose traces are complete in all arms count:
//! what a request asks for is then the same on both sides, and cancels. Arms side by side complete a request within
//! moments of each other; arms in turns do so in their own turns, and until the last of them a request is held.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use record::{Class, Entry, PartSum, Trace, TraceSecond};

/// Arms' parts of requests held until the other arms complete them, about 0.4 KB each: 25 MiB where arms take turns, a
/// hundredth of that where they run at once. The oldest go first, as not paired.
const MAX_HELD: usize = 65_536;

/// Where a request's time went in one arm.
#[derive(Debug)]
struct OneSide {
    arm: char,
    second: u32,
    journey: Arc<str>,
    /// By its place among [`Pairs::names`].
    parts: Box<[(usize, u64)]>,
}

/// One journey of one arm in a second of a round, in the order of the record.
type Cell = (u32, u32, char, Arc<str>);

#[derive(Debug, Default)]
struct CellSum {
    pairs: u64,
    unpaired: u64,
    parts: BTreeMap<usize, u64>,
}

/// Names of parts and journeys: few, and each is in every request.
#[derive(Debug, Default)]
struct Names {
    parts: Vec<(String, Class)>,
    journeys: BTreeSet<Arc<str>>,
}

impl Names {
    fn part(&mut self, place: &str, class: Class) -> usize {
        let known = self.parts.iter().position(|(known, of)| known == place && *of == class);
        known.unwrap_or_else(|| {
            self.parts.push((place.to_owned(), class));
            self.parts.len() - 1
        })
    }

    fn journey(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.journeys.get(name) {
            return known.clone();
        }
        let new: Arc<str> = name.into();
        self.journeys.insert(new.clone());
        new
    }
}

/// Requests by what is known of them in each arm.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    /// The arms that trace.
    arms: BTreeSet<char>,
    names: Names,
    open: BTreeMap<(u32, u64), Vec<OneSide>>,
    /// Open ones in the order in which they came; some are paired by now.
    order: VecDeque<(u32, u64)>,
    held: usize,
    sums: BTreeMap<Cell, CellSum>,
    /// Arms that have ended, by round.
    ended: BTreeMap<u32, BTreeSet<char>>,
}

impl Pairs {
    /// The arms that trace: a request counts where it is complete in all of them.
    pub fn set_arms(&mut self, arms: impl IntoIterator<Item = char>) {
        self.arms = arms.into_iter().collect();
    }

    /// Parts of requests and sums of seconds that are held.
    pub fn held(&self) -> usize {
        self.held + self.open.len() + self.sums.len()
    }

    /// Whether a request that is whole in so many arms is so in all that trace.
    pub fn is_in_all(&self, arms: usize) -> bool {
        !self.arms.is_empty() && arms >= self.arms.len()
    }

    /// Whether these are all arms that trace.
    pub fn are_all(&self, arms: &[char]) -> bool {
        self.arms.iter().all(|arm| arms.contains(arm))
    }

    /// A request that was due in a second is whole in one arm. A trace with spans whose parents are missing does not count.
    pub fn add(&mut self, trace: &Trace, second: u32) {
        if trace.orphans > 0 || !self.arms.contains(&trace.arm) {
            return;
        }
        let key = (trace.round, trace.request);
        let parts = trace.by_place().into_iter();
        let one = OneSide {
            arm: trace.arm,
            second,
            journey: self.names.journey(&trace.journey),
            parts: parts.map(|((place, class), ns)| (self.names.part(place, class), ns)).collect(),
        };
        let sides = self.open.entry(key).or_insert_with(|| {
            self.order.push_back(key);
            Vec::new()
        });
        if sides.iter().any(|side| side.arm == one.arm) {
            return;
        }
        sides.push(one);
        self.held += 1;
        if sides.len() == self.arms.len() {
            self.close(key);
        }
        while self.held > MAX_HELD {
            let Some(oldest) = self.order.pop_front() else { break };
            self.close(oldest);
        }
        if self.order.len() > 2 * self.open.len() + 1_024 {
            let open = &self.open;
            self.order.retain(|key| open.contains_key(key));
        }
    }

    /// Seconds of a round before this one are decided: their lines. A request that becomes whole after that adds a line.
    pub fn until(&mut self, round: u32, second: u32) -> Vec<Entry> {
        let is_due = |(of, _): &(u32, u64), sides: &[OneSide]| {
            *of == round && sides.iter().all(|side| side.second < second)
        };
        let due: Vec<_> =
            self.open.iter().filter(|(key, sides)| is_due(key, sides)).map(|(key, _)| *key).collect();
        due.into_iter().for_each(|key| self.close(key));
        let decided = self.sums.extract_if(.., |(of, at, ..), _| *of == round && *at < second);
        decided.map(|(cell, sum)| Entry::TraceSecond(Box::new(sum.line(cell, &self.names.parts)))).collect()
    }

    /// Arms have ended in a round: its lines, once all have.
    pub fn end(&mut self, round: u32, arms: &[char]) -> Vec<Entry> {
        let ended = self.ended.entry(round).or_default();
        ended.extend(arms);
        if self.arms.is_subset(ended) { self.until(round, u32::MAX) } else { Vec::new() }
    }

    /// Books what is known of a request, as paired or not.
    fn close(&mut self, key: (u32, u64)) {
        let Some(sides) = self.open.remove(&key) else { return };
        self.held -= sides.len();
        let is_paired = sides.len() == self.arms.len();
        for side in sides {
            let sum = self.sums.entry((key.0, side.second, side.arm, side.journey)).or_default();
            if is_paired {
                sum.pairs += 1;
                side.parts.iter().for_each(|(part, ns)| *sum.parts.entry(*part).or_default() += ns);
            } else {
                sum.unpaired += 1;
            }
        }
    }
}

impl CellSum {
    fn line(self, (round, second, arm, journey): Cell, names: &[(String, Class)]) -> TraceSecond {
        let named = self.parts.into_iter().map(|(part, ns)| (&names[part], ns));
        let mut parts: Vec<PartSum> =
            named.map(|((place, class), ns)| PartSum { place: place.clone(), class: *class, ns }).collect();
        parts.sort_by(|a, b| (&a.place, a.class).cmp(&(&b.place, b.class)));
        let journey = journey.to_string();
        TraceSecond { arm, round, second, journey, pairs: self.pairs, unpaired: self.unpaired, parts }
    }
}

#[cfg(test)]
mod tests {
    use record::{KeepReason, Segment, Span};

    use super::*;

    /// A request of 10 ns, of which `work` are business.
    fn trace(arm: char, round: u32, request: u64, work: u64) -> Trace {
        let span = |parent, place: &str, start, length, class| Span {
            parent,
            of: place.into(),
            at: String::new(),
            name: String::new(),
            place: place.into(),
            start,
            length,
            class,
            error: String::new(),
        };
        Trace {
            arm,
            round,
            phase: 0,
            journey: "like".into(),
            request,
            trace_id: String::new(),
            kept: KeepReason::Pair,
            error: String::new(),
            due: 0,
            user_latency: 10,
            start: 0,
            spans: vec![
                span(None, "client->gateway", 0, 10, Class::Network),
                span(Some(0), "photo", 10 - work, work, Class::Work),
            ],
            path: vec![
                Segment { span: 0, start: 0, length: 10 - work },
                Segment { span: 1, start: 10 - work, length: work },
            ],
            clipped: 0,
            orphans: 0,
        }
    }

    fn pairs(arms: &str) -> Pairs {
        let mut pairs = Pairs::default();
        pairs.set_arms(arms.chars());
        pairs
    }

    /// Arm, second, pairs, unpaired and the sum of business work of each line.
    fn lines(entries: &[Entry]) -> Vec<(char, u32, u64, u64, u64)> {
        let line = |entry: &Entry| {
            let Entry::TraceSecond(line) = entry else { panic!("only such lines") };
            let work = line.parts.iter().filter(|part| part.class == Class::Work).map(|part| part.ns).sum();
            let all: u64 = line.parts.iter().map(|part| part.ns).sum();
            assert_eq!(all, 10 * line.pairs, "classes fill the requests");
            (line.arm, line.second, line.pairs, line.unpaired, work)
        };
        entries.iter().map(line).collect()
    }

    #[test]
    fn only_requests_that_are_complete_in_all_arms_count() {
        let mut pairs = pairs("AB");
        for (arm, request, second, work) in
            [('A', 1, 0, 4), ('B', 1, 0, 7), ('A', 2, 0, 9), ('B', 3, 1, 9), ('B', 2, 0, 1), ('A', 4, 2, 9)]
        {
            pairs.add(&trace(arm, 1, request, work), second);
        }
        let torn = Trace { orphans: 1, ..trace('B', 1, 4, 9) };
        pairs.add(&torn, 2);
        pairs.add(&trace('C', 1, 1, 9), 0);
        let expected = [('A', 0, 2, 0, 13), ('B', 0, 2, 0, 8), ('B', 1, 0, 1, 0), ('A', 2, 0, 1, 0)];
        assert_eq!(lines(&pairs.end(1, &['A', 'B'])), expected);
        assert_eq!((pairs.open.len(), pairs.held, pairs.sums.len()), (0, 0, 0));
    }

    #[test]
    fn arms_in_turns_are_paired_when_the_last_of_the_round_has_ended() {
        let mut pairs = pairs("AB");
        pairs.add(&trace('A', 1, 1, 4), 0);
        pairs.add(&trace('A', 1, 2, 4), 0);
        assert!(pairs.end(1, &['A']).is_empty());
        // The second round begins with the other arm; its request 1 is another one.
        pairs.add(&trace('B', 2, 1, 5), 0);
        pairs.add(&trace('B', 1, 1, 6), 0);
        assert_eq!(lines(&pairs.end(1, &['B'])), [('A', 0, 1, 1, 4), ('B', 0, 1, 0, 6)]);
        pairs.add(&trace('A', 2, 1, 8), 0);
        assert_eq!(lines(&pairs.end(2, &['B', 'A'])), [('A', 0, 1, 0, 8), ('B', 0, 1, 0, 5)]);
    }

    #[test]
    fn in_a_long_run_old_seconds_are_written_and_what_comes_late_adds_a_line() {
        let mut pairs = pairs("AB");
        for second in [0, 1, 2] {
            pairs.add(&trace('A', 1, second.into(), 4), second);
        }
        pairs.add(&trace('B', 1, 0, 4), 0);
        assert_eq!(lines(&pairs.until(1, 2)), [('A', 0, 1, 0, 4), ('B', 0, 1, 0, 4), ('A', 1, 0, 1, 0)]);
        pairs.add(&trace('B', 1, 1, 4), 1);
        pairs.add(&trace('B', 1, 2, 4), 2);
        assert_eq!(
            lines(&pairs.end(1, &['A', 'B'])),
            [('B', 1, 0, 1, 0), ('A', 2, 1, 0, 4), ('B', 2, 1, 0, 4)]
        );
    }

    #[test]
    fn what_is_held_is_bounded_and_the_oldest_go_as_not_paired() {
        let mut pairs = pairs("AB");
        for request in 0..=MAX_HELD as u64 {
            pairs.add(&trace('A', 1, request, 4), 0);
        }
        assert_eq!((pairs.held, pairs.open.len()), (MAX_HELD, MAX_HELD));
        pairs.add(&trace('B', 1, 0, 4), 0);
        pairs.add(&trace('B', 1, 9, 4), 0);
        let entries = pairs.end(1, &['A', 'B']);
        // Of request 0 the one side went before the other came; every other has one side only, but for request 9.
        assert_eq!(lines(&entries), [('A', 0, 1, MAX_HELD as u64, 4), ('B', 0, 1, 1, 4)]);
    }

    #[test]
    fn one_arm_alone_is_complete_by_itself() {
        let mut pairs = pairs("B");
        assert!(pairs.are_all(&['A', 'B']) && !pairs.are_all(&['A']));
        pairs.add(&trace('B', 1, 1, 4), 0);
        assert_eq!(lines(&pairs.end(1, &['A', 'B'])), [('B', 0, 1, 0, 4)]);
    }
}
