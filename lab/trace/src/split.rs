//! Where the time of all traces of a journey went: means with their spread, and the slowest hundredth.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use record::{Class, Part, Split, Trace};

/// Of the slowest at most so many are looked at: a hundredth of 6,400 traces.
const SLOWEST: usize = 64;

/// A place and what its time is spent on, in order of place.
type Parts = Vec<((String, Class), u64)>;

/// The traces of one journey, arm and phase, added up.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    n: u64,
    length: f64,
    parts: BTreeMap<(String, Class), Moments>,
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
        let owned = |((place, class), ns): ((&str, Class), u64)| ((place.to_owned(), class), ns);
        let parts: Parts = trace.by_place().into_iter().map(owned).collect();
        self.n += 1;
        self.length += trace.length() as f64;
        for (part, ns) in &parts {
            let moments = self.parts.entry(part.clone()).or_default();
            moments.sum += *ns as f64;
            moments.squares += (*ns as f64).powi(2);
        }
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
        let of_slowest = |part: &(String, Class)| {
            let of = |parts: &[((String, Class), u64)]| {
                parts.iter().find(|(known, _)| known == part).map_or(0, |(_, ns)| *ns)
            };
            slowest.iter().map(|(_, parts)| of(parts) as f64).sum::<f64>() / slowest.len().max(1) as f64
        };
        let mut parts: Vec<Part> = self
            .parts
            .iter()
            .map(|(part, moments)| {
                let mean = moments.sum / n;
                // Sample variance; traces without the part count with 0.
                let variance =
                    if self.n > 1 { (moments.squares - n * mean * mean).max(0.0) / (n - 1.0) } else { 0.0 };
                Part { place: part.0.clone(), class: part.1, mean, variance, slowest: of_slowest(part) }
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
