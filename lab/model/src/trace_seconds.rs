//! Traced requests of a load second, paired by request: only those whose traces are complete in all arms.

use std::collections::BTreeMap;
use std::ops::Range;

use record::{Class, TraceSecond};

use crate::block::Turn;
use crate::history::join;

/// Where the time of an arm's paired requests that were due in one load second went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TracesOfSecond {
    /// Requests: the same in every arm, where arms are offered their arrivals at the same times.
    pub n: u64,
    /// Length of their roots together, ns.
    pub total_ns: u64,
    /// On the critical path by class, ns: every class, and they add up to the total.
    pub classes: BTreeMap<Class, u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    pairs: u64,
    unpaired: u64,
    /// By class, in the order of [`Class::ALL`].
    ns: [u64; Class::ALL.len()],
}

impl Sums {
    fn add(&mut self, more: &Self) {
        self.pairs += more.pairs;
        self.unpaired += more.unpaired;
        self.ns.iter_mut().zip(more.ns).for_each(|(sum, ns)| *sum += ns);
    }
}

/// By turn, journey and second; where a run goes on, old seconds by step.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceSeconds(BTreeMap<Turn, BTreeMap<String, BTreeMap<u32, Sums>>>);

impl TraceSeconds {
    /// Takes a line in; lines of the same second add up.
    pub fn add(&mut self, line: &TraceSecond) {
        let journeys = self.0.entry((line.arm, line.round)).or_default();
        if !journeys.contains_key(&line.journey) {
            journeys.insert(line.journey.clone(), BTreeMap::new());
        }
        let Some(seconds) = journeys.get_mut(&line.journey) else { return };
        let sums = seconds.entry(line.second).or_default();
        sums.pairs += line.pairs;
        sums.unpaired += line.unpaired;
        for part in &line.parts {
            sums.ns[part.class as usize] += part.ns;
        }
    }

    /// Joins seconds before one into steps, at the first second of each, in turns that are meant.
    pub fn join_before(&mut self, second: u32, step: u32, is_meant: impl Fn(Turn) -> bool) {
        let meant = self.0.iter_mut().filter(|(turn, _)| is_meant(**turn));
        for seconds in meant.flat_map(|(_, journeys)| journeys.values_mut()) {
            join(seconds, second, step, |sum, more| sum.add(&more));
        }
    }

    /// Of the journeys that are meant, in one second; `None` where nothing of the turn was traced.
    pub fn of_second(
        &self,
        turn: Turn,
        second: u32,
        is_meant: impl Fn(&str) -> bool,
    ) -> Option<TracesOfSecond> {
        let journeys = self.0.get(&turn)?;
        let mut sum = Sums::default();
        let meant = journeys.iter().filter(|(journey, _)| is_meant(journey));
        for of in meant.filter_map(|(_, seconds)| seconds.get(&second)) {
            sum.pairs += of.pairs;
            sum.ns.iter_mut().zip(of.ns).for_each(|(sum, ns)| *sum += ns);
        }
        let classes = Class::ALL.into_iter().zip(sum.ns).collect();
        Some(TracesOfSecond { n: sum.pairs, total_ns: sum.ns.iter().sum(), classes })
    }

    /// Of an arm in some seconds of each round: requests complete in all arms, and those complete here and not in all.
    pub fn paired(&self, arm: char, seconds: &Range<u32>) -> (u64, u64) {
        let turns = self.0.iter().filter(|((of, _), _)| *of == arm);
        let journeys = turns.flat_map(|(_, journeys)| journeys.values());
        let sums = journeys.flat_map(|of| of.range(seconds.clone()).map(|(_, sums)| sums));
        sums.fold((0, 0), |(pairs, unpaired), sums| (pairs + sums.pairs, unpaired + sums.unpaired))
    }
}

#[cfg(test)]
mod tests {
    use record::{Entry, Header, Line, PartSum, PhasePlan};

    use super::*;
    use crate::{Run, SECOND, Window};

    fn line(arm: char, second: u32, journey: &str, pairs: u64, parts: &[(Class, u64)]) -> Line {
        let part = |(class, ns): &(Class, u64)| PartSum { place: "feed".into(), class: *class, ns: *ns };
        let (journey, parts) = (journey.to_owned(), parts.iter().map(part).collect());
        let line = TraceSecond { arm, round: 1, second, journey, pairs, unpaired: 1, parts };
        Line { t: 9 * SECOND, entry: Entry::TraceSecond(Box::new(line)) }
    }

    fn run(lines: &[Line]) -> Run {
        let steady = PhasePlan { name: "steady".into(), start_ns: 0, length_ns: 3 * SECOND, measure: true };
        let mut run = Run::new(Header { phases: vec![steady], ..Header::default() });
        run.take(lines);
        run
    }

    #[test]
    fn classes_fill_the_requests_of_a_second() {
        let run = run(&[
            line('A', 0, "like", 2, &[(Class::Work, 30), (Class::Queue, 4), (Class::Work, 1)]),
            line('A', 0, "search", 1, &[(Class::Database, 7)]),
            // What came whole late.
            line('A', 0, "search", 1, &[(Class::Database, 5)]),
            line('A', 1, "like", 1, &[(Class::Injected, 9)]),
        ]);
        let first = run.unit_trace('A', 1, 0).expect("traced");
        assert_eq!((first.n, first.total_ns, first.classes.len()), (4, 47, Class::ALL.len()));
        assert_eq!((first.classes[&Class::Work], first.classes[&Class::Database]), (31, 12));
        assert_eq!(first.classes.values().sum::<u64>(), first.total_ns);
        let search = run.unit_trace_of('A', 1, 0, |journey| journey == "search").expect("traced");
        assert_eq!((search.n, search.total_ns), (2, 12));
        assert_eq!(run.paired_traces('A', &Window::Whole), (5, 4));
        assert_eq!(run.paired_traces('A', &Window::Seconds(1, 3)), (1, 1));
    }

    #[test]
    fn a_second_without_requests_stays_and_a_round_without_traces_is_missing() {
        let run = run(&[line('A', 0, "like", 2, &[(Class::Work, 30)])]);
        assert_eq!(run.unit_trace('A', 1, 2).map(|traces| (traces.n, traces.total_ns)), Some((0, 0)));
        assert_eq!(run.unit_trace('A', 1, 3), None, "the load has three seconds");
        assert_eq!((run.unit_trace('B', 1, 0), run.unit_trace('A', 2, 0)), (None, None));
        assert_eq!(run.paired_traces('B', &Window::Whole), (0, 0));
    }
}
