//! The traces of an arm, added up: time on the critical path by place and class.

use std::collections::BTreeMap;

use model::{Run, Window};
use record::{Class, Measured, Split};

use crate::stats::{self, Interval};

/// Nanoseconds in a second.
const NS: f64 = 1e9;

/// A place and what its time is spent on.
pub(super) type Part<'a> = (&'a str, Class);

/// The traces of an arm over some phases, all journeys together.
#[derive(Debug, Default)]
pub(super) struct TraceSums<'a> {
    /// How many.
    pub n: u64,
    /// Sums over all traces, ns and ns².
    parts: BTreeMap<Part<'a>, (f64, f64)>,
}

impl<'a> TraceSums<'a> {
    /// Of one round, or of all.
    pub fn of(run: &'a Run, arm: char, window: &Window, round: Option<u32>) -> Self {
        let mut sums = Self::default();
        let is_meant = |split: &&Split| {
            split.arm == arm
                && round.is_none_or(|round| round == split.round)
                && is_within(run, split, window)
        };
        for split in run.splits().filter(is_meant) {
            sums.n += split.n;
            let n = split.n as f64;
            for part in &split.parts {
                let (sum, squares) = sums.parts.entry((part.place.as_str(), part.class)).or_default();
                *sum += n * part.mean;
                // What a sample variance was made from.
                *squares += (n - 1.0).max(0.0) * part.variance + n * part.mean.powi(2);
            }
        }
        sums
    }

    /// Mean of one class over all traces with its interval, seconds. Places of one trace are taken to vary
    /// independently: a trace that is slow in one of them need not be in another.
    pub fn class(&self, class: Class) -> Measured {
        if self.n == 0 {
            return Measured::default();
        }
        let n = self.n as f64;
        let (mut mean, mut variance) = (0.0, 0.0);
        for ((_, of), (sum, squares)) in &self.parts {
            if *of == class {
                mean += sum / n;
                variance += (squares / n - (sum / n).powi(2)).max(0.0);
            }
        }
        let half = stats::Z * (variance / n).sqrt();
        let interval: Interval = ((mean - half).max(0.0) / NS, (mean + half) / NS);
        Measured { value: Some(mean / NS), n: self.n, interval: (self.n > 1).then_some(interval) }
    }

    /// Mean of every part, ns.
    pub fn means(&self) -> BTreeMap<Part<'a>, f64> {
        self.parts.iter().map(|(part, (sum, _))| (*part, sum / self.n.max(1) as f64)).collect()
    }
}

fn is_within(run: &Run, split: &Split, window: &Window) -> bool {
    let Some(phase) = run.header.phases.get(split.phase as usize) else { return false };
    match window {
        Window::Phase(name) => phase.name == *name,
        _ => phase.measure,
    }
}
