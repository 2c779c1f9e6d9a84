//! Which arms no other beats in everything, and how surely.
//!
//! Pareto: an arm is on the front when no other is at least as good in everything and better in something. In each resample
//! the front is found anew; how often an arm is on it is its membership.

use super::figure::Figure;

/// From here an arm is on the front; as far from the other end it is off.
const MEMBER_SHARE: f64 = 0.9;

/// What an arm is compared by; less is better.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its value.
    pub value: f64,
    /// Its value in each resample, its spread as wide as its error; empty where it is exact.
    pub replicates: Vec<f64>,
}

impl Axis {
    /// A value without chance.
    pub const fn exact(value: f64) -> Self {
        Self { value, replicates: Vec::new() }
    }

    /// A figure, the deviations of its logarithm stretched by what resampling misses. `None` without a value.
    pub fn of(figure: &Figure) -> Option<Self> {
        let value = super::estimate(figure).value.filter(|value| *value > 0.0)?;
        let (scale, correction) = (figure.statistic.scale, figure.freedom().correction);
        let stretched = |replicate: f64| {
            let known = replicate * scale;
            if known > 0.0 { value * (known / value).powf(correction) } else { value }
        };
        let replicates = if figure.has_intervals() {
            figure.resampling.each_draw(figure.replicates()).map(stretched).collect()
        } else {
            Vec::new()
        };
        Some(Self { value, replicates })
    }

    fn at(&self, resample: usize) -> f64 {
        self.replicates.get(resample).copied().unwrap_or(self.value)
    }
}

/// How an arm stands to the front.
#[derive(Clone, Debug, PartialEq)]
pub struct Membership {
    /// Share of resamples in which it is on the front.
    pub share: f64,
    /// On it, off it, or neither for sure.
    pub status: FrontStatus,
    /// Arms that beat it in any resample, the most frequent first.
    pub beaten_by: Vec<usize>,
}

/// Whether an arm is on the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontStatus {
    /// In nine of ten resamples or more.
    On,
    /// In between.
    Tied,
    /// In one of ten or fewer.
    Off,
}

/// Membership of each arm, by its axes: the same ones in the same order for all.
pub fn memberships(arms: &[Vec<Axis>]) -> Vec<Membership> {
    let resamples = arms.iter().flatten().map(|axis| axis.replicates.len()).max().unwrap_or(0).max(1);
    let mut on = vec![0_u32; arms.len()];
    let mut beats_whom = vec![vec![0_u32; arms.len()]; arms.len()];
    for resample in 0..resamples {
        let points: Vec<Vec<f64>> =
            arms.iter().map(|axes| axes.iter().map(|axis| axis.at(resample)).collect()).collect();
        for (arm, point) in points.iter().enumerate() {
            let mut is_beaten = false;
            for (other, _) in points.iter().enumerate().filter(|(_, other)| beats(other, point)) {
                beats_whom[arm][other] += 1;
                is_beaten = true;
            }
            on[arm] += u32::from(!is_beaten);
        }
    }
    on.iter()
        .zip(&beats_whom)
        .map(|(on, by)| {
            let share = f64::from(*on) / resamples as f64;
            let status = match share {
                share if share >= MEMBER_SHARE => FrontStatus::On,
                // As far from 0, but for rounding.
                share if share <= 1.0 - MEMBER_SHARE + 1e-12 => FrontStatus::Off,
                _ => FrontStatus::Tied,
            };
            let mut beaten_by: Vec<usize> = (0..by.len()).filter(|other| by[*other] > 0).collect();
            beaten_by.sort_by_key(|other| std::cmp::Reverse(by[*other]));
            Membership { share, status, beaten_by }
        })
        .collect()
}

/// Whether one is at least as good in everything and better in something.
fn beats(one: &[f64], other: &[f64]) -> bool {
    one.iter().zip(other).all(|(a, b)| a <= b) && one.iter().zip(other).any(|(a, b)| a < b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_beats_another_only_if_it_is_nowhere_worse() {
        assert!(beats(&[1.0, 1.0, 1.0, 0.0], &[1.0, 1.0, 2.0, 0.0]));
        assert!(!beats(&[1.0, 1.0, 1.0, 0.5], &[2.0, 2.0, 2.0, 0.0]), "better in three, worse in one");
        assert!(!beats(&[1.0; 4], &[1.0; 4]), "equals stand side by side");
    }

    #[test]
    fn ties_are_named_by_who_beats_them() {
        let drawn = |value: f64, replicates: [f64; 4]| Axis { value, replicates: replicates.to_vec() };
        let arms = [
            vec![drawn(1.0, [1.0, 1.2, 1.0, 1.2]), Axis::exact(1.0)],
            vec![drawn(1.1, [1.1, 1.1, 1.1, 1.1]), Axis::exact(1.0)],
            vec![drawn(9.0, [9.0, 9.0, 9.0, 9.0]), Axis::exact(1.0)],
        ];
        let found = memberships(&arms);
        assert_eq!(found[0], Membership { share: 0.5, status: FrontStatus::Tied, beaten_by: vec![1] });
        assert_eq!(found[1].status, FrontStatus::Tied);
        assert_eq!((found[2].status, found[2].beaten_by.len()), (FrontStatus::Off, 2));
        let equal = memberships(&[vec![Axis::exact(1.0)], vec![Axis::exact(1.0)]]);
        assert!(equal.iter().all(|arm| arm.status == FrontStatus::On));
    }
}
