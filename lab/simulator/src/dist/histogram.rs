//! A measured distribution: bins, chosen in constant time, and uniform inside each.

use contract::hash::mix;
use traffic::distributions::WeightedChoice;

use crate::engine::random::unit;

/// Bins of measured times. A few hundred are needed, and the last one's true end, or far quantiles are fiction.
#[derive(Clone, Debug)]
pub struct Histogram {
    choice: WeightedChoice,
    /// Start and width of each, ns.
    bins: Vec<(u64, u64)>,
}

impl Histogram {
    /// From bins: start and end in ns, and how many values lay there. `None` where nothing was measured, or a bin ends
    /// before it begins.
    pub fn new(bins: &[(u64, u64, u64)]) -> Option<Self> {
        let weights: Vec<f64> = bins.iter().map(|(.., count)| *count as f64).collect();
        if weights.iter().sum::<f64>() <= 0.0 {
            return None;
        }
        let widths = bins.iter().map(|(start, end, _)| Some((*start, end.checked_sub(*start)?)));
        Some(Self { bins: widths.collect::<Option<_>>()?, choice: WeightedChoice::new(&weights) })
    }

    /// The sample of 64 random bits, ns.
    pub fn sample(&self, bits: u64) -> u64 {
        let (start, width) = self.bins[self.choice.index(unit(bits))];
        start + ((u128::from(mix(bits)) * u128::from(width)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Rng;

    #[test]
    fn samples_fall_into_bins_by_weight() {
        assert!(Histogram::new(&[]).is_none() && Histogram::new(&[(0, 1, 0)]).is_none());
        assert!(Histogram::new(&[(5, 4, 1)]).is_none());
        let bins = [(0, 100, 70), (100, 100, 20), (1_000, 5_000_000_000, 10)];
        let histogram = Histogram::new(&bins).expect("bins");
        let mut rng = Rng::new(1, "bins");
        let mut counts = [0_u32; 3];
        for _ in 0..100_000 {
            let sample = histogram.sample(rng.bits());
            let bin =
                bins.iter().position(|(start, end, _)| (*start..*end.max(&(start + 1))).contains(&sample));
            counts[bin.expect("in a bin")] += 1;
        }
        // Five standard deviations are at most 730.
        for (count, expected) in counts.into_iter().zip([70_000, 20_000, 10_000_u32]) {
            assert!(count.abs_diff(expected) < 730, "{counts:?}");
        }
    }
}
