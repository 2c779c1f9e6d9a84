//! Waits of all units of a window, sorted once: their quantiles over any resample, and which units their tail is from.

use std::sync::OnceLock;

use super::resampling::Resampling;
use super::statistic::Arrivals;
use super::units::Units;

/// The unit's length of an index into a unit list, at least: waits between two columns of the table.
const MIN_STRIDE: usize = 64;

/// The `ceil(q n)`-th of `n` is meant where rounding makes of 63 what is a hair above it.
const ROUNDING: f64 = 1e-9;

/// Waits that took as long, in one unit.
#[derive(Clone, Copy, Debug)]
struct Wait {
    us: u64,
    unit: u32,
    count: u32,
}

/// Waits of a window with their units.
#[derive(Clone, Debug)]
pub(super) struct PooledWaits {
    /// By rising length.
    waits: Vec<Wait>,
    /// Waits up to each index.
    up_to: Vec<u64>,
    /// Arrivals of each unit, with those whose wait did not end.
    arrivals: Vec<u64>,
    /// Those.
    censored: Vec<u64>,
    table: OnceLock<Table>,
}

/// Counts of every unit up to each `stride`-th wait, so that a resample's rank is found without adding up all waits.
#[derive(Clone, Debug)]
struct Table {
    stride: usize,
    columns: Vec<u32>,
}

impl PooledWaits {
    pub(super) fn new(seconds: &[Option<Arrivals>], units: &Units) -> Self {
        let (mut arrivals, mut censored) = (vec![0; units.count], vec![0; units.count]);
        let mut waits = Vec::new();
        for (second, of_second) in seconds.iter().enumerate() {
            let Some(of_second) = of_second else { continue };
            let unit = units.of(second);
            censored[unit] += of_second.censored;
            arrivals[unit] += of_second.censored;
            for (us, count) in of_second.waits.iter() {
                arrivals[unit] += count;
                // Units and counts of a second are both far below 2^32.
                waits.push(Wait { us, unit: unit as u32, count: count as u32 });
            }
        }
        // Stable: each second comes sorted, and runs are merged.
        waits.sort_by_key(|wait| wait.us);
        let sums = waits.iter().scan(0, |sum, wait| {
            *sum += u64::from(wait.count);
            Some(*sum)
        });
        let up_to = sums.collect();
        Self { waits, up_to, arrivals, censored, table: OnceLock::new() }
    }

    /// All arrivals.
    pub(super) fn len(&self) -> u64 {
        self.arrivals.iter().sum()
    }

    /// Arrivals by unit.
    pub(super) fn arrivals(&self) -> &[u64] {
        &self.arrivals
    }

    /// The wait of a rank from 1; `None` beyond those that ended.
    pub(super) fn at(&self, rank: u64) -> Option<u64> {
        let index = self.up_to.partition_point(|up_to| *up_to < rank);
        self.waits.get(index).map(|wait| wait.us)
    }

    /// The quantile as seen; `None` beyond the waits that ended.
    pub(super) fn quantile(&self, q: f64) -> Option<u64> {
        self.at(rank(q, self.len()))
    }

    /// The longest wait that ended.
    pub(super) fn longest(&self) -> Option<u64> {
        self.waits.last().map(|wait| wait.us)
    }

    /// Arrivals that waited longer than `us`, by unit.
    pub(super) fn slower_than(&self, us: u64) -> Vec<u64> {
        let mut slower = self.censored.clone();
        for wait in &self.waits[self.waits.partition_point(|wait| wait.us <= us)..] {
            slower[wait.unit as usize] += u64::from(wait.count);
        }
        slower
    }

    /// Design effect of the arrivals that are slower than the quantile.
    pub(super) fn clustering(&self, q: f64, units: &Units, present: usize) -> f64 {
        let Some(us) = self.quantile(q) else { return 0.0 };
        units.design_effect(&self.slower_than(us), &self.arrivals, present)
    }

    /// The quantile in each resample, microseconds: infinite where it is beyond the waits that ended, no number where
    /// nothing arrived.
    pub(super) fn replicates(&self, q: f64, resampling: &Resampling) -> Vec<f64> {
        let table = self.table.get_or_init(|| self.table());
        let quantile = |weights: &[u16]| {
            let n = weighted(weights, &self.arrivals);
            if n == 0 { f64::NAN } else { self.weighted_at(rank(q, n), weights, table) }
        };
        resampling.resamples().map(quantile).collect()
    }

    fn weighted_at(&self, rank: u64, weights: &[u16], table: &Table) -> f64 {
        let column = |index: usize| &table.columns[index * weights.len()..(index + 1) * weights.len()];
        // The last column before which fewer than `rank` waits lie.
        let (mut low, mut high) = (0, table.columns.len() / weights.len().max(1));
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if weighted(weights, column(middle)) < rank { low = middle } else { high = middle }
        }
        let mut seen = weighted(weights, column(low));
        for wait in &self.waits[low * table.stride..] {
            seen += u64::from(wait.count) * u64::from(weights[wait.unit as usize]);
            if seen >= rank {
                return wait.us as f64;
            }
        }
        f64::INFINITY
    }

    fn table(&self) -> Table {
        let stride = self.arrivals.len().max(MIN_STRIDE);
        let mut columns = Vec::with_capacity((self.waits.len() / stride + 1) * self.arrivals.len());
        let mut counts = vec![0_u32; self.arrivals.len()];
        columns.extend_from_slice(&counts);
        for chunk in self.waits.chunks_exact(stride) {
            for wait in chunk {
                counts[wait.unit as usize] += wait.count;
            }
            columns.extend_from_slice(&counts);
        }
        Table { stride, columns }
    }
}

/// The rank of a quantile among `n`.
pub(super) fn rank(q: f64, n: u64) -> u64 {
    ((q * n as f64 - ROUNDING).ceil() as u64).clamp(1, n.max(1))
}

fn weighted<N: Copy + Into<u64>>(weights: &[u16], counts: &[N]) -> u64 {
    weights.iter().zip(counts).map(|(weight, count)| u64::from(*weight) * (*count).into()).sum()
}

/// How many units carry events: the square of their sum over the sum of their squares.
pub(super) fn carrying(events: &[u64]) -> f64 {
    carrying_of(events.iter().map(|events| *events as f64))
}

/// The same of anything that units have so much of.
pub(super) fn carrying_of(parts: impl Iterator<Item = f64>) -> f64 {
    let (sum, squares) = parts.fold((0.0, 0.0), |(sum, squares), y| (sum + y, squares + y * y));
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use record::Latencies;

    use super::super::statistic::Frame;
    use super::*;

    #[test]
    fn a_quantile_of_a_resample_is_that_of_the_merged_histograms() {
        let resampling = Resampling::new(&Frame { seed: 7, window: "w".into(), rounds: 1, seconds: 12 });
        let of_second = |second: u64| Arrivals {
            waits: (0..40 + second).map(|i| 100 + (i * 7_919 + second * 104_729) % 3_000).collect(),
            censored: second % 3,
        };
        let seconds: Vec<Option<Arrivals>> = (0..12).map(|second| Some(of_second(second))).collect();
        let pooled = PooledWaits::new(&seconds, &resampling.units);
        for q in [0.5, 0.9, 0.99] {
            let replicates = pooled.replicates(q, &resampling);
            for (weights, found) in resampling.resamples().zip(replicates) {
                let drawn = weights.iter().zip(&seconds).flat_map(|(weight, second)| {
                    std::iter::repeat_n(second.as_ref().expect("present"), usize::from(*weight))
                });
                let waits = Latencies::merged(drawn.clone().map(|second| &second.waits));
                let n = drawn.map(Arrivals::len).sum();
                let all: Vec<u64> =
                    waits.iter().flat_map(|(us, n)| std::iter::repeat_n(us, n as usize)).collect();
                let expected = all.get(rank(q, n) as usize - 1).map_or(f64::INFINITY, |us| *us as f64);
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn a_rank_is_not_moved_by_rounding() {
        assert_eq!((rank(0.55, 100), rank(0.9, 70), rank(0.99, 100), rank(0.5, 1)), (55, 63, 99, 1));
    }
}
