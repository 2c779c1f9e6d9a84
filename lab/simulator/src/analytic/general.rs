//! One server and any service time.

/// Mean wait in the queue of M/G/1, first come first served (Pollaczek 1930, Khinchine 1932): `mean` and `cv` of the
/// service time.
pub fn mg1_wait(lambda: f64, mean: f64, cv: f64) -> f64 {
    let second_moment = mean * mean * (1.0 + cv * cv);
    lambda * second_moment / (2.0 * (1.0 - lambda * mean))
}

/// Mean time in M/G/1 with processor sharing of a job that needs `x`: all are slowed alike (Kleinrock 1967).
pub fn shared_time(x: f64, rho: f64) -> f64 {
    x / (1.0 - rho)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_cases() {
        // M/M/1 is M/G/1 with cv 1: rho / (mu - lambda). Constant times wait half as long.
        assert!((mg1_wait(0.7, 1.0, 1.0) - 0.7 / 0.3).abs() < 1e-12);
        assert!((mg1_wait(0.7, 1.0, 0.0) - 0.35 / 0.3).abs() < 1e-12);
        assert!((shared_time(2.0, 0.75) - 8.0).abs() < 1e-12);
    }
}
