//! Where the start of a run ends: MSER-5 (White, Cobb & Spratt, WSC 2000).

/// Values of a batch.
const BATCH: usize = 5;

/// How many of the first values to leave out, so that the standard error of the mean of the rest is smallest. At most half
/// of them: a run of which more looks like its start is too short.
pub fn warm_up(values: &[f64]) -> usize {
    let means: Vec<f64> =
        values.chunks_exact(BATCH).map(|batch| batch.iter().sum::<f64>() / BATCH as f64).collect();
    let error = |cut: usize| {
        let rest = &means[cut..];
        let n = rest.len() as f64;
        let mean = rest.iter().sum::<f64>() / n;
        rest.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n * n)
    };
    let cut =
        (0..=means.len() / 2).filter(|cut| *cut < means.len()).min_by(|a, b| error(*a).total_cmp(&error(*b)));
    cut.unwrap_or(0) * BATCH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Rng;

    #[test]
    fn a_ramp_is_cut_and_noise_is_not() {
        let mut rng = Rng::new(1, "noise");
        let noise: Vec<f64> = (0..1_000).map(|_| rng.unit()).collect();
        let ramp: Vec<f64> =
            noise.iter().zip(0..).map(|(x, n)| x + 20.0 * (1.0 - f64::from(n) / 200.0).max(0.0)).collect();
        assert!((180..=260).contains(&warm_up(&ramp)), "{}", warm_up(&ramp));
        assert!(warm_up(&noise) < 300, "{}", warm_up(&noise));
        assert_eq!(warm_up(&[]), 0);
        assert_eq!(warm_up(&[1.0, 2.0]), 0);
    }
}
