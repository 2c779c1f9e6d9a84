//! One load second of one arm: what its users saw, and the percentiles views draw of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use record::{Latencies, Window};

use crate::failures::{error_ratio, failed, timeouts};
use crate::latency::{P99_SECONDS, P999_SECONDS, PackedQuantile, Quantile, Rolling};

/// One load second of one arm, all journeys together.
#[derive(Clone, Debug, Default)]
pub struct Second {
    /// By the names of their journeys; none where they have gone to their segments.
    journeys: Vec<Arc<Window>>,
    /// Whether its histograms have gone to its segment; its percentiles are as they were.
    pub(crate) is_thinned: bool,
    /// Arrivals due.
    pub offered: u64,
    /// Answered ok and in time.
    pub good: u64,
    /// Failed, as [`crate::journeys::failed`] counts.
    pub failed: u64,
    /// Not answered before the user gave up.
    pub timeouts: u64,
    /// Arrivals sent.
    pub sent: u64,
    /// Answered as asked.
    pub ok: u64,
    /// Reads that should have seen an acknowledged write.
    pub probes: u64,
    /// How many of them did not.
    pub stale: u64,
    /// Whether late answers can no longer change it.
    pub closed: bool,
    p50: PackedQuantile,
    p99: PackedQuantile,
    p999: PackedQuantile,
    staleness_p50: PackedQuantile,
    staleness_p99: PackedQuantile,
    lag_p50: PackedQuantile,
    lag_p99: PackedQuantile,
}

impl Second {
    /// Its windows, one for each journey.
    pub fn windows(&self) -> impl Iterator<Item = &Window> {
        self.journeys.iter().map(Arc::as_ref)
    }

    /// Median latency of this second.
    pub fn p50(&self) -> Quantile {
        self.p50.unpacked(0.5)
    }

    /// p99 of the latency of the last [`P99_SECONDS`].
    pub fn p99(&self) -> Quantile {
        self.p99.unpacked(0.99)
    }

    /// p99.9 of the latency of the last [`P999_SECONDS`].
    pub fn p999(&self) -> Quantile {
        self.p999.unpacked(0.999)
    }

    /// Staleness, median of the last [`P999_SECONDS`].
    pub fn staleness_p50(&self) -> Quantile {
        self.staleness_p50.unpacked(0.5)
    }

    /// Staleness, p99 of the last [`P999_SECONDS`].
    pub fn staleness_p99(&self) -> Quantile {
        self.staleness_p99.unpacked(0.99)
    }

    /// The generator's own lateness, median: what decides whether it keeps up.
    pub fn lag_p50(&self) -> Quantile {
        self.lag_p50.unpacked(0.5)
    }

    /// The generator's own lateness, p99.
    pub fn lag_p99(&self) -> Quantile {
        self.lag_p99.unpacked(0.99)
    }

    /// Failed over offered; `None` where nothing was offered.
    pub fn error_ratio(&self) -> Option<f64> {
        error_ratio(self.failed, self.offered)
    }

    /// Whether arrivals were due and none was answered ok: late answers can no longer change it.
    pub fn has_no_success(&self) -> bool {
        self.closed && self.offered > 0 && self.ok == 0
    }

    /// Journeys that ended in it; `None` where a window does not say.
    pub(crate) fn finished(&self) -> Option<u64> {
        self.windows().map(|window| window.finished).sum()
    }

    /// The window of a journey.
    pub fn window(&self, journey: &str) -> Option<&Window> {
        self.place(journey).ok().map(|at| &*self.journeys[at])
    }

    /// Where the window of a journey is, or would be.
    fn place(&self, journey: &str) -> Result<usize, usize> {
        self.journeys.binary_search_by(|window| window.journey.as_str().cmp(journey))
    }

    /// A window that comes again replaces the one before; returns whether that one was closed.
    pub(crate) fn replace(&mut self, window: &Arc<Window>) -> bool {
        let before = match self.place(&window.journey) {
            Ok(at) => Some(std::mem::replace(&mut self.journeys[at], window.clone())),
            Err(at) => {
                self.journeys.insert(at, window.clone());
                None
            }
        };
        let sum = |of: fn(&Window) -> u64| self.windows().map(of).sum::<u64>();
        let (offered, good, sent) = (sum(|w| w.offered), sum(|w| w.good), sum(|w| w.sent));
        let ok = sum(|w| w.ok);
        let (failed, timeouts) = (sum(failed), sum(timeouts));
        let (probes, stale) = (sum(|w| w.probes), sum(|w| w.stale));
        self.closed = self.journeys.iter().all(|window| window.closed);
        (self.offered, self.good, self.sent, self.ok) = (offered, good, sent, ok);
        (self.failed, self.timeouts) = (failed, timeouts);
        (self.probes, self.stale) = (probes, stale);
        before.is_some_and(|window| window.closed)
    }

    /// Takes the histograms out, one window a journey; counts and percentiles stay.
    pub(crate) fn thin(&mut self) -> Vec<Arc<Window>> {
        self.is_thinned = true;
        let counts = self.journeys.iter().map(|window| Arc::new(window.counts())).collect();
        std::mem::replace(&mut self.journeys, counts)
    }

    /// Takes the windows out, one a journey; the sums of their counts and the percentiles stay.
    pub(crate) fn fold(&mut self) -> Vec<Arc<Window>> {
        self.is_thinned = true;
        std::mem::take(&mut self.journeys)
    }

    /// Whether its windows were taken out: its counts are in its segment as well.
    pub(crate) fn is_folded(&self) -> bool {
        self.journeys.is_empty()
    }

    /// Whether nothing was answered ok: a gap, although its neighbours have values.
    fn is_dead(&self) -> bool {
        self.windows().all(|window| window.intended.is_empty())
    }

    fn own_quantiles(&mut self) {
        let merged = |of: fn(&Window) -> &Latencies| Latencies::merged(self.windows().map(of));
        let lag = Latencies::merged(self.windows().flat_map(|w| [&w.pace_lag, &w.own_wait]));
        let packed = |latencies: &Latencies, q: f64| PackedQuantile::of(Quantile::of(latencies, q));
        self.p50 = packed(&merged(|w| &w.intended), 0.5);
        (self.lag_p50, self.lag_p99) = (packed(&lag, 0.5), packed(&lag, 0.99));
    }
}

/// Brings the percentiles up to date that the seconds `changed` count in: a second counts in those of the
/// [`P999_SECONDS`] that end with or after it.
pub(crate) fn roll(known: &mut BTreeMap<u32, Box<Second>>, changed: &BTreeSet<u32>) {
    let (Some(first), Some(last)) = (changed.first(), changed.last()) else { return };
    for second in changed {
        if let Some(second) = known.get_mut(second) {
            second.own_quantiles();
        }
    }
    let [mut p99, mut p999, mut staleness] = [P99_SECONDS, P999_SECONDS, P999_SECONDS].map(Rolling::over);
    let from = first.saturating_sub(P999_SECONDS - 1);
    let reached: Vec<u32> = known.range(from..last.saturating_add(P999_SECONDS)).map(|(s, _)| *s).collect();
    for at in reached {
        let second = &known[&at];
        for window in second.windows() {
            p99.add(at, &window.intended);
            p999.add(at, &window.intended);
            staleness.add(at, &window.staleness);
        }
        for rolling in [&mut p99, &mut p999, &mut staleness] {
            rolling.end_with(at);
        }
        if at < *first {
            continue;
        }
        let is_dead = second.is_dead();
        let of_answers = |quantile: Quantile| Quantile { ms: quantile.ms.filter(|_| !is_dead), ..quantile };
        let quantiles = [
            of_answers(p99.quantile(0.99)),
            of_answers(p999.quantile(0.999)),
            staleness.quantile(0.5),
            staleness.quantile(0.99),
        ];
        if let Some(second) = known.get_mut(&at) {
            [second.p99, second.p999, second.staleness_p50, second.staleness_p99] =
                quantiles.map(PackedQuantile::of);
        }
    }
}

/// Counts of some load seconds of an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Arrivals due.
    pub offered: u64,
    /// Answered ok and in time.
    pub good: u64,
    /// Failed, as [`crate::journeys::failed`] counts.
    pub failed: u64,
    /// Whether late answers can no longer change any of them.
    pub closed: bool,
}

impl Counts {
    /// Good over offered; `None` where nothing was offered.
    pub fn goodput(&self) -> Option<f64> {
        error_ratio(self.good, self.offered)
    }

    /// Failed over offered; `None` where nothing was offered.
    pub fn error_ratio(&self) -> Option<f64> {
        error_ratio(self.failed, self.offered)
    }
}
