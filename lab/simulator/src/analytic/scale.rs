//! Very many servers, wide fan-out, and retries.

/// Mean time in units of the mean service at infinitely many exponential servers of load `rho`, each arrival joining the
/// shortest of `d` queues drawn at random (Mitzenmacher, IEEE TPDS 2001; Vvedenskaya et al. 1996).
pub fn power_of_d_time(rho: f64, d: u32) -> f64 {
    if d == 1 {
        return 1.0 / (1.0 - rho);
    }
    let d = f64::from(d);
    // T = sum over k >= 1 of rho^((d^k - d) / (d - 1)); terms fall doubly exponentially.
    (1..200).map(|k| rho.powf((d.powi(k) - d) / (d - 1.0))).take_while(|term| *term > 1e-15).sum()
}

/// Share of requests hit by a tail of share `p` when each waits for `k` independent calls (Dean & Barroso, CACM 2013).
pub fn tail_of_fan_out(p: f64, k: u32) -> f64 {
    1.0 - (1.0 - p).powi(k.cast_signed())
}

/// Tries for each call, of which a share `p` fails independently and at most `attempts` are made.
pub fn tries_per_call(p: f64, attempts: u32) -> f64 {
    (0..attempts.cast_signed()).map(|n| p.powi(n)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_cases() {
        assert!((power_of_d_time(0.9, 1) - 10.0).abs() < 1e-12);
        // Mitzenmacher's table: rho 0.9, d 2 gives 2.6141; 0.99 gives 5.4320.
        assert!((power_of_d_time(0.9, 2) - 2.6141).abs() < 1e-3, "{}", power_of_d_time(0.9, 2));
        assert!((power_of_d_time(0.99, 2) - 5.4320).abs() < 1e-3, "{}", power_of_d_time(0.99, 2));
        assert!((tail_of_fan_out(0.01, 100) - 0.634).abs() < 1e-3);
        assert!((tries_per_call(0.5, 3) - 1.75).abs() < 1e-12);
    }
}
