//! Where the time of all traces of a journey went: means with their spread, and the slowest hundredth.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use record::{Class, Part, Split, Trace};

/// Of the slowest at most so many are looked at: a hundredth of 6,400 traces.
const SLOWEST: usize = 64;

/// Time by part, each by its number in [`Sum::parts`]: there are as many of these as traces are looked at, in each journey, arm
/// and phase, and their names would be most of them.
type Parts = Box<[(usize, u64)]>;

/// The traces of one journey, arm and phase, added up.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    n: u64,
    length: f64,
    /// By place and what its time is spent on, with a number each in the order in which they came.
    parts: BTreeMap<(String, Class), (usize, Moments)>,
    /// The slowest, the fastest of them on top.
    slowest: BinaryHeap<Reverse<(u64, Parts)>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    sum: f64,
    squares: f64,
}

impl Sum {
    /// Takes a trace in.
    pub fn add(&mut self, trace: &Trace) {
        let parts: Parts = trace
            .by_place()
            .into_iter()
            .map(|((place, class), ns)| {
                let next = self.parts.len();
                let (number, moments) =
                    self.parts.entry((place.to_owned(), class)).or_insert((next, Moments::default()));
                moments.sum += ns as f64;
                moments.squares += (ns as f64).powi(2);
                (*number, ns)
            })
            .collect();
        self.n += 1;
        self.length += trace.length() as f64;
        self.slowest.push(Reverse((trace.length(), parts)));
        if self.slowest.len() > SLOWEST {
            self.slowest.pop();
        }
    }

    /// Their sum.
    pub fn split(&self, arm: char, round: u32, phase: u32, journey: &str) -> Split {
        let n = self.n.max(1) as f64;
        let many = usize::try_from(self.n.div_ceil(100)).unwrap_or(SLOWEST).clamp(1, SLOWEST);
        let mut slowest: Vec<_> = self.slowest.iter().map(|Reverse(one)| one).collect();
        slowest.sort_by_key(|(length, _)| Reverse(*length));
        slowest.truncate(many);
        let of_slowest = |number: usize| {
            let of = |parts: &[(usize, u64)]| {
                parts.iter().find(|(known, _)| *known == number).map_or(0, |(_, ns)| *ns)
            };
            slowest.iter().map(|(_, parts)| of(parts) as f64).sum::<f64>() / slowest.len().max(1) as f64
        };
        let mut parts: Vec<Part> = self
            .parts
            .iter()
            .map(|(part, (number, moments))| {
                let mean = moments.sum / n;
                // Sample variance; traces without the part count with 0.
                let variance =
                    if self.n > 1 { (moments.squares - n * mean * mean).max(0.0) / (n - 1.0) } else { 0.0 };
                Part { place: part.0.clone(), class: part.1, mean, variance, slowest: of_slowest(*number) }
            })
            .collect();
        parts.sort_by(|a, b| b.mean.total_cmp(&a.mean));
        Split {
            arm,
            round,
            phase,
            journey: journey.to_owned(),
            n: self.n,
            mean: self.length / n,
            slowest: slowest.iter().map(|(length, _)| *length as f64).sum::<f64>()
                / slowest.len().max(1) as f64,
            parts,
        }
    }
}

#[cfg(test)]
mod tests {
    use record::{KeepReason, Segment, Span};

    use super::*;

    /// A request of some ns, a tenth of which are business.
    fn trace(length: u64) -> Trace {
        let work = length / 10;
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
            arm: 'A',
            round: 1,
            phase: 0,
            journey: "like".into(),
            request: length,
            trace_id: String::new(),
            kept: KeepReason::Pair,
            error: String::new(),
            due: 0,
            user_latency: length,
            start: 0,
            spans: vec![
                span(None, "client->gateway", 0, length, Class::Network),
                span(Some(0), "photo", length - work, work, Class::Work),
            ],
            path: vec![
                Segment { span: 0, start: 0, length: length - work },
                Segment { span: 1, start: length - work, length: work },
            ],
            clipped: 0,
            orphans: 0,
        }
    }

    #[test]
    fn of_many_traces_parts_are_named_once_and_the_slowest_few_are_held() {
        let mut sum = Sum::default();
        (1..=1_000).for_each(|i| sum.add(&trace(10 * i)));
        assert_eq!((sum.parts.len(), sum.slowest.len()), (2, SLOWEST));
        assert!(sum.slowest.iter().all(|Reverse((_, parts))| parts.len() == 2));
        let split = sum.split('A', 1, 0, "like");
        // The slowest hundredth are ten, of 9,910 to 10,000 ns.
        assert_eq!((split.n, split.mean, split.slowest), (1_000, 5_005.0, 9_955.0));
        let work = split.parts.iter().find(|part| part.class == Class::Work).expect("it has a part");
        assert_eq!((work.place.as_str(), work.mean, work.slowest), ("photo", 500.5, 995.5));
    }
}
