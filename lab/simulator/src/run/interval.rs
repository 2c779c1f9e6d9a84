//! The mean of a figure over replications, with its interval.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean over replications.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// Half the width of its 95 % interval, by Student's t: replications are independent and alike.
    pub half_width: f64,
}

impl Interval {
    /// The mean of values of independent replications; `None` of fewer than two.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.len() < 2 {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let student = StudentsT::new(0.0, 1.0, n - 1.0).ok()?;
        Some(Self { mean, half_width: student.inverse_cdf(0.975) * (variance / n).sqrt() })
    }

    /// The ends of the 95 % interval of a share, of `of` independent replications in which `held` had what is counted, by Wilson's
    /// method (JASA 1927), which has a width even at 0 of n. `None` of none.
    pub fn of_share(held: u32, of: u32) -> Option<(f64, f64)> {
        const Z: f64 = 1.959_964;
        if of == 0 {
            return None;
        }
        let n = f64::from(of);
        let share = f64::from(held) / n;
        let denominator = 1.0 + Z * Z / n;
        let middle = (share + Z * Z / (2.0 * n)) / denominator;
        let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt() / denominator;
        Some(((middle - half).max(0.0), (middle + half).min(1.0)))
    }

    /// Half its width, as a share of the mean.
    pub fn relative(&self) -> f64 {
        self.half_width / self.mean.abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_the_textbook_interval() {
        assert!(Interval::of_share(0, 0).is_none());
        for (held, of, low, high) in [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)] {
            let seen = Interval::of_share(held, of).expect("some");
            assert!((seen.0 - low).abs() < 1e-4 && (seen.1 - high).abs() < 1e-4, "{held} of {of}: {seen:?}");
        }
    }

    #[test]
    fn it_is_students() {
        assert!(Interval::of(&[1.0]).is_none());
        // t of 4 degrees of freedom is 2.776 at 97.5 %; the deviation of 1 to 5 is sqrt(2.5).
        let interval = Interval::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).expect("five values");
        assert!((interval.mean - 3.0).abs() < 1e-12);
        assert!((interval.half_width - 2.776 * (2.5_f64 / 5.0).sqrt()).abs() < 1e-3, "{interval:?}");
    }
}
