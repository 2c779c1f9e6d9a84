//! One set of resamples of a window's units, for every row, arm and claim: what hit all of them cancels, and parts sum
//! to their total in each resample.
//!
//! Below three rounds units are seconds, drawn in circular moving blocks (Kuensch 1989; Politis & Romano 1994). From three
//! rounds on units are rounds, and only they are drawn: their spread contains that of the seconds (Kalibera & Jones
//! 2013). Up to five rounds every draw is taken once, as a multiset with its multiplicity.

use std::sync::OnceLock;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

use super::statistic::Frame;
use super::units::Units;

/// Resamples: the error of a standard error is `1 / sqrt(2 x 1,000)`, 2.2 %.
const RESAMPLES: usize = 1_000;
/// Up to so many rounds all draws are taken: `5^5` are 126 multisets.
const MAX_ENUMERATED: usize = 5;

/// Resamples of a window's units. They are drawn when the first figure needs them: shares, counts and values as seen do
/// not.
#[derive(Clone, Debug)]
pub struct Resampling {
    frame: Frame,
    pub(super) units: Units,
    drawn: OnceLock<ResampleWeights>,
}

/// The resamples.
#[derive(Clone, Debug, Default)]
struct ResampleWeights {
    /// How often each unit was drawn, resample by resample.
    weights: Vec<u16>,
    /// How often each resample occurs.
    multiplicities: Vec<f64>,
}

impl Resampling {
    /// The resamples of a window: the same for the same seed, name, rounds and seconds.
    pub fn new(frame: &Frame) -> Self {
        Self { frame: frame.clone(), units: Units::new(frame), drawn: OnceLock::new() }
    }

    fn drawn(&self) -> &ResampleWeights {
        self.drawn.get_or_init(|| {
            let mut drawn = ResampleWeights::default();
            if self.is_by_rounds() && self.units.count <= MAX_ENUMERATED {
                drawn.enumerate(self.units.count, &mut Vec::new());
            } else if self.units.have_intervals(self.units.count) {
                drawn.draw(&self.frame, &self.units);
            }
            drawn
        })
    }

    /// The window it is of.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Whether rounds are drawn, rather than seconds.
    pub fn is_by_rounds(&self) -> bool {
        self.units.are_rounds
    }

    /// Resamples, each with how often every unit occurs in it.
    pub(super) fn resamples(&self) -> impl Iterator<Item = &[u16]> {
        self.drawn().weights.chunks_exact(self.units.count.max(1))
    }

    /// A figure in every draw: one that a multiset stands for is repeated as often as it is drawn.
    pub(super) fn each_draw(&self, replicates: &[f64]) -> impl Iterator<Item = f64> {
        let times = self.drawn().multiplicities.iter().map(|times| *times as usize);
        replicates.iter().zip(times).flat_map(|(value, times)| std::iter::repeat_n(*value, times))
    }

    /// Standard deviation of a figure over the resamples; those without a number are left out.
    pub(super) fn deviation(&self, replicates: impl Iterator<Item = f64> + Clone) -> f64 {
        let known = replicates.zip(&self.drawn().multiplicities).filter(|(value, _)| value.is_finite());
        let Some((first, _)) = known.clone().next() else { return 0.0 };
        // From the first on, so that what never changes has no deviation at all.
        let (mut weight, mut sum) = (0.0, 0.0);
        for (value, times) in known.clone() {
            weight += times;
            sum += times * (value - first);
        }
        let mean = sum / weight;
        let squares: f64 = known.map(|(value, times)| times * (value - first - mean).powi(2)).sum();
        (squares / weight).sqrt()
    }
}

impl ResampleWeights {
    fn draw(&mut self, frame: &Frame, units: &Units) {
        let name = format!("{}/{}/{}", frame.window, frame.rounds, units.count);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(frame.seed ^ fnv1a(name.as_bytes()));
        self.weights = vec![0; RESAMPLES * units.count];
        self.multiplicities = vec![1.0; RESAMPLES];
        for weights in self.weights.chunks_exact_mut(units.count) {
            for circle in weights.chunks_exact_mut(units.circle) {
                let mut left = circle.len();
                while left > 0 {
                    let start = ((u128::from(random.next_u64()) * circle.len() as u128) >> 64) as usize;
                    let length = units.block.min(left);
                    for unit in start..start + length {
                        circle[unit % circle.len()] += 1;
                    }
                    left -= length;
                }
            }
        }
    }

    /// All multisets of as many units as there are, with the number of draws that give each.
    fn enumerate(&mut self, count: usize, chosen: &mut Vec<u16>) {
        let left = count - chosen.iter().map(|n| usize::from(*n)).sum::<usize>();
        if chosen.len() + 1 < count {
            for times in 0..=left {
                chosen.push(times as u16);
                self.enumerate(count, chosen);
                chosen.pop();
            }
            return;
        }
        chosen.push(left as u16);
        let factorial = |n: usize| (1..=n).map(|i| i as f64).product::<f64>();
        let repeats: f64 = chosen.iter().map(|n| factorial(usize::from(*n))).product();
        self.multiplicities.push(factorial(count) / repeats);
        self.weights.extend_from_slice(chosen);
        chosen.pop();
    }
}

/// FNV-1a, 64 bits (Fowler, Noll & Vo).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::statistic::{Statistic, Terms, Trials};
    use super::super::{Figure, estimate};
    use super::*;

    fn of(rounds: u32, seconds: u32) -> Resampling {
        Resampling::new(&Frame { seed: 42, window: "steady".into(), rounds, seconds })
    }

    #[test]
    fn every_resample_has_as_many_units_as_the_window() {
        for (rounds, seconds) in [(1, 8), (1, 60), (2, 7), (3, 20), (5, 12), (6, 10)] {
            let resampling = of(rounds, seconds);
            for weights in resampling.resamples() {
                let drawn: usize = weights.iter().map(|weight| usize::from(*weight)).sum();
                assert_eq!(drawn, resampling.units.count, "{rounds} x {seconds}");
            }
        }
        // Two rounds: as many seconds of each.
        let two = of(2, 10);
        assert!(two.resamples().all(|w| w[..10].iter().map(|n| u32::from(*n)).sum::<u32>() == 10));
    }

    #[test]
    fn five_rounds_are_drawn_in_every_way() {
        let resampling = of(5, 12);
        assert_eq!(resampling.drawn().multiplicities.len(), 126);
        assert_eq!(resampling.drawn().multiplicities.iter().sum::<f64>(), 3_125.0);
        // The standard deviation of a mean of five drawn from 0 to 4, variance 2: sqrt(2 / 5), without error.
        let mean = |w: &[u16]| w.iter().enumerate().map(|(i, n)| i as f64 * f64::from(*n)).sum::<f64>() / 5.0;
        let means: Vec<f64> = resampling.resamples().map(mean).collect();
        assert!((resampling.deviation(means.into_iter()) - 0.4_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_drawn_before_a_figure_needs_it() {
        let resampling = Arc::new(of(1, 20));
        let trials = vec![Some(Trials { events: 1, trials: 100 }); 20];
        let share = Figure::new(Statistic::share(trials, Vec::new(), true), &resampling);
        assert!(estimate(&share).interval.is_some() && resampling.drawn.get().is_none(), "a share");
        let terms = vec![Some(Terms { numerator: 2.0, denominator: 1.0 }); 20];
        let quotient = Figure::new(Statistic::quotient(terms, 20, 1.0), &resampling);
        assert!(resampling.drawn.get().is_none());
        assert!(estimate(&quotient).interval.is_some() && resampling.drawn.get().is_some());
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b"foobar"), 0x85944171f73967e8);
    }
}
