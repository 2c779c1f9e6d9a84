//! What one arm against itself says of a machine: how often something was called different, how much of what was planted
//! was found, and by how much starts of one program differ.

use statrs::function::beta::beta_reg;

/// Runs in which something differs, of one program against itself, happen this often.
const FALSE_RUNS: f64 = 0.05;
/// Less likely than this by chance is too much.
const TOO_UNLIKELY: f64 = 0.01;
/// Level of the lower bound of power.
const LEVEL: f64 = 0.05;
/// Starts from which their variance is used.
const MIN_STARTS: usize = 6;

/// Probability of `k` or more successes of `n`, each with probability `p`.
fn at_least(k: u32, n: u32, p: f64) -> f64 {
    match k {
        0 => 1.0,
        k if k > n => 0.0,
        k => beta_reg(f64::from(k), f64::from(n - k + 1), p),
    }
}

/// Probability of `k` or fewer successes of `n`.
pub(super) fn at_most(k: u64, n: u64, p: f64) -> f64 {
    if k >= n { 1.0 } else { 1.0 - beta_reg(k as f64 + 1.0, (n - k) as f64, p) }
}

/// The smallest number of false runs that is too many: 4 of 10, 5 of 20, 6 of 30.
pub fn too_many_false(runs: u32) -> u32 {
    (1..=runs).find(|k| at_least(*k, runs, FALSE_RUNS) <= TOO_UNLIKELY).unwrap_or(runs + 1)
}

/// The exact lower 95 % bound of the probability to find what was planted, found in `found` of `runs` (Clopper & Pearson
/// 1934, one-sided).
pub fn power_at_least(found: u32, runs: u32) -> f64 {
    if found == 0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if at_least(found, runs, middle) < LEVEL { low = middle } else { high = middle }
    }
    low
}

/// Whether so few findings contradict a predicted power.
pub fn contradicts(found: u32, runs: u32, predicted: f64) -> bool {
    at_most(u64::from(found), u64::from(runs), predicted.clamp(0.0, 1.0)) < TOO_UNLIKELY
}

/// By how much two starts of one program differ in a row, from runs of an arm against itself.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredStart {
    /// Logarithm of the second arm over the first, run by run.
    log_ratios: Vec<f64>,
    /// Mean of the squared standard errors within the runs.
    within: f64,
    /// Seconds of the window they were measured over.
    seconds: f64,
}

impl StoredStart {
    /// From each run's log ratio, the mean square of their standard errors within a run, and the seconds of their window.
    /// `None` with too few runs to say.
    pub fn new(log_ratios: Vec<f64>, within: f64, seconds: f64) -> Option<Self> {
        (log_ratios.len() >= MIN_STARTS).then_some(Self { log_ratios, within, seconds })
    }

    /// Variance of the stored log ratios.
    pub(super) fn spread(&self) -> f64 {
        let n = self.log_ratios.len() as f64;
        let mean = self.log_ratios.iter().sum::<f64>() / n;
        self.log_ratios.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)
    }

    /// Variance between starts: that of the log ratios less what single runs explain.
    pub fn variance(&self) -> f64 {
        (self.spread() - self.within).max(0.0)
    }

    /// Degrees of freedom of their spread.
    pub(super) fn degrees_of_freedom(&self) -> f64 {
        self.log_ratios.len() as f64 - 1.0
    }

    /// Variance within a run of one second.
    pub(super) fn of_seconds(&self) -> f64 {
        self.within * self.seconds
    }

    /// With these variances between starts and within a second.
    #[cfg(test)]
    pub(super) fn of_parts(between: f64, of_second: f64) -> Self {
        let x = (between + of_second).sqrt();
        // Variance of one low and one high: 2 x^2 / 1, halved.
        let log_ratios = vec![-x / 2.0_f64.sqrt(), x / 2.0_f64.sqrt()];
        Self { log_ratios, within: of_second, seconds: 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_false_runs_are_too_many() {
        assert_eq!([10, 20, 30].map(too_many_false), [4, 5, 6]);
    }

    #[test]
    fn lower_bounds_of_power() {
        for (found, bound) in [(18, 0.72), (19, 0.78), (20, 0.86)] {
            assert!(
                (power_at_least(found, 20) - bound).abs() < 5e-3,
                "{found}: {}",
                power_at_least(found, 20)
            );
        }
        assert!(!contradicts(18, 20, 0.97) && contradicts(15, 20, 0.97));
    }

    #[test]
    fn starts_explain_what_single_runs_do_not() {
        // Variance 0.0004 of six; half of it was seen within runs.
        let x = 0.02 * (5.0_f64 / 6.0).sqrt();
        let stored = StoredStart::new(vec![x, -x, x, -x, x, -x], 0.0002, 60.0).expect("six runs");
        assert!((stored.spread() - 0.0004).abs() < 1e-12 && (stored.variance() - 0.0002).abs() < 1e-12);
        assert!((stored.of_seconds() - 0.012).abs() < 1e-12);
        assert_eq!(StoredStart::new(vec![0.0; 5], 0.0, 60.0), None);
    }
}
