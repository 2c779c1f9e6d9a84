//! One load second of one arm, and percentiles with the samples they stand on.

use std::collections::BTreeMap;

use record::{Latencies, Window};

/// Seconds a p99 is taken over: one second has too few samples for it.
pub(crate) const P99_SECONDS: u32 = 5;
/// Seconds a p99.9 is taken over; staleness as well, which few reads tell of.
pub(crate) const P999_SECONDS: u32 = 30;

/// Whether a quantile stands on enough samples: at least five beyond it.
pub(crate) fn believable(n: u64, q: f64) -> bool {
    // 500 x 0.01 is a hair below 5 in binary.
    n as f64 * (1.0 - q) >= 5.0 - 1e-9
}

/// A percentile with the samples behind it, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Quantile {
    /// Milliseconds; `None` without samples.
    pub ms: Option<f64>,
    /// Samples.
    pub n: u64,
    /// Its `q`.
    pub q: f64,
}

impl Quantile {
    pub(crate) fn of(latencies: &Latencies, q: f64) -> Self {
        Self { ms: latencies.quantile(q).map(|us| us as f64 / 1e3), n: latencies.len(), q }
    }

    pub(crate) fn believable(self) -> bool {
        believable(self.n, self.q)
    }
}

/// One load second of one arm, all journeys together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Second {
    journeys: BTreeMap<String, Window>,
    /// Ok latencies of all journeys.
    pub latencies: Latencies,
    /// From acknowledged to seen, of all journeys.
    pub staleness: Latencies,
    pub offered: u64,
    pub good: u64,
    pub failed: u64,
    pub timeouts: u64,
    pub finished: u64,
    pub probes: u64,
    pub stale: u64,
    /// Whether late answers can no longer change it.
    pub closed: bool,
    /// Of this second.
    pub p50: Quantile,
    /// Of the last five.
    pub p99: Quantile,
    /// Of the last thirty.
    pub p999: Quantile,
    /// Staleness of the last thirty, p99.
    pub staleness_p99: Quantile,
    /// The generator's own lateness, p99.
    pub lag: Quantile,
}

impl Second {
    /// A window said again replaces the one before.
    pub(super) fn take(&mut self, window: &Window) {
        // Only what is shown is kept: a long run has many seconds.
        let none = Latencies::default;
        let kept = Window { service: none(), failed: none(), slot_wait: none(), ..window.clone() };
        self.journeys.insert(window.journey.clone(), kept);
    }

    pub(super) fn sum(&mut self) {
        let all = || self.journeys.values();
        let sum = |of: fn(&Window) -> u64| all().map(of).sum::<u64>();
        let (offered, good) = (sum(|w| w.offered), sum(|w| w.good));
        let failed = sum(|w| w.errors.values().sum::<u64>() + w.dropped);
        let timeouts = sum(|w| w.errors.get("timeout").copied().unwrap_or(0));
        let finished = sum(|w| w.ok + w.errors.values().sum::<u64>());
        let (probes, stale) = (sum(|w| w.probes), sum(|w| w.stale));
        let latencies = Latencies::merged(all().map(|w| &w.intended));
        let staleness = Latencies::merged(all().map(|w| &w.staleness));
        let lag = Latencies::merged(all().flat_map(|w| [&w.pace_lag, &w.own_wait]));
        let closed = all().all(|w| w.closed);
        (self.offered, self.good, self.failed, self.timeouts) = (offered, good, failed, timeouts);
        (self.finished, self.probes, self.stale, self.closed) = (finished, probes, stale, closed);
        self.p50 = Quantile::of(&latencies, 0.5);
        self.lag = Quantile::of(&lag, 0.99);
        (self.latencies, self.staleness) = (latencies, staleness);
    }
}

/// Brings the rolling percentiles up to date that the seconds `changed` count in.
pub(super) fn roll(known: &mut BTreeMap<u32, Second>, changed: &[u32]) {
    let (Some(first), Some(last)) = (changed.first(), changed.last()) else { return };
    // A second counts in the percentiles of the thirty that end with or after it.
    let reached: Vec<u32> = known.range(first..&last.saturating_add(P999_SECONDS)).map(|(s, _)| *s).collect();
    for at in reached {
        let rolled = |length: u32, of: fn(&Second) -> &Latencies, q: f64| {
            let from = at.saturating_sub(length - 1);
            Quantile::of(&Latencies::merged(known.range(from..=at).map(|(_, s)| of(s))), q)
        };
        let p99 = rolled(P99_SECONDS, |s| &s.latencies, 0.99);
        let p999 = rolled(P999_SECONDS, |s| &s.latencies, 0.999);
        let staleness = rolled(P999_SECONDS, |s| &s.staleness, 0.99);
        if let Some(second) = known.get_mut(&at) {
            // Nothing answered in this second: a gap, although its neighbours have values.
            let dead = second.latencies.is_empty();
            second.p99 = Quantile { ms: p99.ms.filter(|_| !dead), ..p99 };
            second.p999 = Quantile { ms: p999.ms.filter(|_| !dead), ..p999 };
            second.staleness_p99 = staleness;
        }
    }
}
