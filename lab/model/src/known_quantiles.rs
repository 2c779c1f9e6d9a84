//! Quantiles of a phase so far, kept until another of its seconds is closed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use record::Latencies;

use crate::latency::Quantile;

/// The closed seconds of a phase. A window that is closed does not change any more, but those of a second come one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClosedSeconds {
    pub(crate) round: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) count: usize,
    pub(crate) sent: u64,
    pub(crate) ok: u64,
}

/// p50 and p99 of each arm's phase so far, as they were when they were last asked for: a screen is drawn many times before
/// another second is closed, and merging the histograms of a long phase takes longer than all the rest of drawing it.
#[derive(Debug, Default)]
pub(crate) struct KnownQuantiles(Mutex<BTreeMap<char, (ClosedSeconds, [Quantile; 2])>>);

impl KnownQuantiles {
    /// Those of these seconds, which are merged where they are not the ones that were asked for before.
    pub(crate) fn of(
        &self,
        arm: char,
        seconds: ClosedSeconds,
        merged: impl FnOnce() -> Latencies,
    ) -> [Quantile; 2] {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, quantiles)) = known.get(&arm).filter(|(before, _)| *before == seconds) {
            return *quantiles;
        }
        let latencies = merged();
        let quantiles = [0.5, 0.99].map(|q| Quantile::of(&latencies, q));
        known.insert(arm, (seconds, quantiles));
        quantiles
    }
}

/// A copy of a run goes its own way.
impl Clone for KnownQuantiles {
    fn clone(&self) -> Self {
        Self::default()
    }
}
