//! The traces of an arm, added up: time on the critical path by place and class.

use std::collections::BTreeMap;

use model::{Run, Window};
use record::{Class, Split};

/// A place and what its time is spent on.
pub(super) type Part<'a> = (&'a str, Class);

/// The traces of an arm over some phases, all journeys together.
#[derive(Debug, Default)]
pub(super) struct TraceSums<'a> {
    /// How many.
    pub n: u64,
    /// Sums over all traces, ns.
    parts: BTreeMap<Part<'a>, f64>,
}

impl<'a> TraceSums<'a> {
    /// Of all rounds.
    pub fn of(run: &'a Run, arm: char, window: &Window) -> Self {
        let mut sums = Self::default();
        let is_meant = |split: &&Split| split.arm == arm && is_within(run, split, window);
        for split in run.splits().filter(is_meant) {
            sums.n += split.n;
            let n = split.n as f64;
            for part in &split.parts {
                *sums.parts.entry((part.place.as_str(), part.class)).or_default() += n * part.mean;
            }
        }
        sums
    }

    /// Mean of every part, ns.
    pub fn means(&self) -> BTreeMap<Part<'a>, f64> {
        self.parts.iter().map(|(part, sum)| (*part, sum / self.n.max(1) as f64)).collect()
    }
}

fn is_within(run: &Run, split: &Split, window: &Window) -> bool {
    let Some(phase) = run.header.phases.get(split.phase as usize) else { return false };
    match window {
        Window::Phase(name) => phase.name == *name,
        _ => phase.measure,
    }
}
