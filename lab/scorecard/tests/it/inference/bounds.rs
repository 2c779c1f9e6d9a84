//! How often something has to happen among replicas if it does with a given probability: the 0.0005 quantile of the
//! binomial distribution, and its other end.

/// What chance is allowed to bring.
const CHANCE: f64 = 0.0005;

/// Fewer than this is a defect: `P(X < at_least) <= 0.0005`, or just above.
pub(super) fn at_least(n: u64, p: f64) -> u64 {
    let mut below = 0.0;
    for k in 0..=n {
        below += probability(k, n, p);
        if below > CHANCE {
            return k;
        }
    }
    n
}

/// More than this is a defect.
pub(super) fn at_most(n: u64, p: f64) -> u64 {
    n - at_least(n, 1.0 - p)
}

fn probability(k: u64, n: u64, p: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return f64::from(u8::from((p <= 0.0 && k == 0) || (p >= 1.0 && k == n)));
    }
    let log_choose: f64 = (1..=k).map(|i| (((n - k + i) as f64) / i as f64).ln()).sum();
    (log_choose + k as f64 * p.ln() + (n - k) as f64 * (1.0 - p).ln()).exp()
}

#[test]
fn the_bounds_the_handbook_names() {
    assert_eq!(at_least(400, 0.95), 364);
    assert_eq!(at_most(400, 0.05), 36);
}
