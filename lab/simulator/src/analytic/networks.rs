//! Several stations.

/// Mean time in an open network of M/M/1 stations (Jackson 1957): of each, arrivals from all sides and rate of service.
/// `arrivals` is how many customers come from outside.
pub fn jackson_time(arrivals: f64, stations: &[(f64, f64)]) -> f64 {
    let present: f64 = stations.iter().map(|(lambda, mu)| lambda / (mu - lambda)).sum();
    present / arrivals
}

/// Throughput and mean time at the stations of a closed network of single servers, by exact mean value analysis (Reiser &
/// Lavenberg, JACM 1980): `demands` are mean times of service for each passage, `think` the time between two.
pub fn closed_network(customers: u32, think: f64, demands: &[f64]) -> (f64, f64) {
    let mut present = vec![0.0; demands.len()];
    let (mut throughput, mut time) = (0.0, 0.0);
    for n in 1..=customers {
        let times: Vec<f64> = demands.iter().zip(&present).map(|(demand, q)| demand * (1.0 + q)).collect();
        time = times.iter().sum();
        throughput = f64::from(n) / (think + time);
        present = times.iter().map(|time| throughput * time).collect();
    }
    (throughput, time)
}

/// Mean of the longest of `k` exponential times: the k-th harmonic number over mu.
pub fn longest_of(k: u32, mu: f64) -> f64 {
    (1..=k).map(|n| 1.0 / f64::from(n)).sum::<f64>() / mu
}

/// Mean time until both halves of a customer are done, each at an M/M/1 of its own (Flatto & Hahn 1984; Nelson & Tantawi,
/// IEEE TC 1988).
pub fn fork_join_of_two(lambda: f64, mu: f64) -> f64 {
    (12.0 - lambda / mu) / 8.0 / (mu - lambda)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_cases() {
        // One station is M/M/1.
        assert!((jackson_time(0.5, &[(0.5, 1.0)]) - 2.0).abs() < 1e-12);
        // Balanced stations: X = n / (n + k - 1) / demand (Little's law and symmetry).
        let (throughput, time) = closed_network(5, 0.0, &[2.0, 2.0, 2.0]);
        assert!((throughput - 5.0 / 7.0 / 2.0).abs() < 1e-12 && (time - 14.0).abs() < 1e-12);
        // One customer meets no other.
        assert_eq!(closed_network(1, 3.0, &[1.0, 1.0]), (0.2, 2.0));
        assert!((longest_of(3, 2.0) - (1.0 + 0.5 + 1.0 / 3.0) / 2.0).abs() < 1e-12);
        // Without load both halves are alone: 3/2 of one.
        assert!((fork_join_of_two(1e-9, 1.0) - 1.5).abs() < 1e-6);
    }
}
