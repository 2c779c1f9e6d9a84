//! Stations with exponential times.

/// Probability that an arrival waits in M/M/c (Erlang 1917), by the recurrence of Erlang's loss formula.
pub fn erlang_c(lambda: f64, mu: f64, servers: u32) -> f64 {
    let (offered, c) = (lambda / mu, f64::from(servers));
    let loss = (1..=servers).fold(1.0, |loss, n| offered * loss / (f64::from(n) + offered * loss));
    c * loss / (c - offered * (1.0 - loss))
}

/// Mean wait in the queue of M/M/c.
pub fn mmc_wait(lambda: f64, mu: f64, servers: u32) -> f64 {
    erlang_c(lambda, mu, servers) / (f64::from(servers) * mu - lambda)
}

/// Mean time in M/M/c, and in M/G/c that shares its servers evenly: processor sharing does not see the distribution.
pub fn mmc_time(lambda: f64, mu: f64, servers: u32) -> f64 {
    mmc_wait(lambda, mu, servers) + 1.0 / mu
}

/// The quantile `q` of the time in M/M/c, first come first served: a service, and before it, with Erlang's probability, an
/// exponential wait of the rate by which the servers are faster than the arrivals. `None` where they are not.
pub fn mmc_time_quantile(q: f64, lambda: f64, mu: f64, servers: u32) -> Option<f64> {
    let spare = f64::from(servers) * mu - lambda;
    if spare <= 0.0 {
        return None;
    }
    let waits = erlang_c(lambda, mu, servers);
    let beyond = |t: f64| {
        let (service, wait) = (libm::exp(-mu * t), libm::exp(-spare * t));
        // Of two equal rates the sum is Erlang-2.
        let both = if (spare - mu).abs() < 1e-9 * mu {
            (1.0 + mu * t) * service
        } else {
            (spare * service - mu * wait) / (spare - mu)
        };
        (1.0 - waits) * service + waits * both
    };
    let (mut low, mut high) = (0.0, 1.0 / mu);
    while beyond(high) > 1.0 - q {
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if beyond(middle) > 1.0 - q { low = middle } else { high = middle }
    }
    Some(high)
}

/// Stationary distribution of a birth-death process on 0 to `last`.
fn birth_death(last: u32, birth: impl Fn(u32) -> f64, death: impl Fn(u32) -> f64) -> Vec<f64> {
    let mut weights = vec![1.0];
    for n in 1..=last {
        let weight = weights[n as usize - 1] * birth(n - 1) / death(n);
        weights.push(weight);
    }
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// Share of arrivals that M/M/c/K turns away: `places` is K, those in service included.
pub fn loss(lambda: f64, mu: f64, servers: u32, places: u32) -> f64 {
    let states = birth_death(places, |_| lambda, |n| f64::from(n.min(servers)) * mu);
    states[places as usize]
}

/// Share of customers that leave M/M/c unserved, each after an exponential patience of rate `theta` that runs from its
/// arrival to its departure: Palm's model (1957), with patience that does not end when service begins.
pub fn abandonment(lambda: f64, mu: f64, servers: u32, theta: f64) -> f64 {
    // Beyond ten times the load the probabilities are below any number.
    let last = (10.0 * (lambda / mu + f64::from(servers) + lambda / theta)).ceil() as u32;
    let states = birth_death(last, |_| lambda, |n| f64::from(n.min(servers)) * mu + f64::from(n) * theta);
    let present: f64 = states.iter().zip(0..).map(|(p, n)| p * f64::from(n)).sum();
    theta * present / lambda
}

/// A Markov-modulated Poisson process of two states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mmpp2 {
    /// Arrivals in each state.
    pub rates: [f64; 2],
    /// How often each state is left.
    pub leave: [f64; 2],
}

impl Mmpp2 {
    /// Arrivals in the long run.
    pub fn mean_rate(&self) -> f64 {
        let [a, b] = self.leave;
        (self.rates[0] * b + self.rates[1] * a) / (a + b)
    }
}

type Matrix = [[f64; 2]; 2];

const IDENTITY: Matrix = [[1.0, 0.0], [0.0, 1.0]];

fn add(a: Matrix, b: Matrix, scale: f64) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| a[i][j] + scale * b[i][j]))
}

fn times(a: Matrix, b: Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| a[i][0] * b[0][j] + a[i][1] * b[1][j]))
}

fn inverse(a: Matrix) -> Matrix {
    let det = a[0][0] * a[1][1] - a[0][1] * a[1][0];
    [[a[1][1] / det, -a[0][1] / det], [-a[1][0] / det, a[0][0] / det]]
}

/// Mean time in MMPP/M/1, by the matrix-geometric method (Neuts 1981): the levels of the queue are geometric in a matrix R
/// with R^2 A2 + R A1 + A0 = 0.
pub fn mmpp_time(arrivals: Mmpp2, mu: f64) -> f64 {
    let Mmpp2 { rates: [fast, slow], leave: [a, b] } = arrivals;
    let up: Matrix = [[fast, 0.0], [0.0, slow]];
    let switching: Matrix = [[-a, a], [b, -b]];
    let down: Matrix = [[mu, 0.0], [0.0, mu]];
    let stay = add(add(switching, up, -1.0), down, -1.0);
    let left = inverse(stay);
    let mut r: Matrix = [[0.0; 2]; 2];
    // The fixed point is approached from below, and geometrically.
    for _ in 0..100_000 {
        let next = times(add(up, times(times(r, r), down), 1.0), left).map(|row| row.map(|x| -x));
        let change: f64 = (0..4).map(|at| (next[at / 2][at % 2] - r[at / 2][at % 2]).abs()).sum();
        r = next;
        if change < 1e-14 {
            break;
        }
    }
    // An empty queue: x (B + R A2) = 0, where B is what stays there; the two equations say the same.
    let empty = add(add(switching, up, -1.0), times(r, down), 1.0);
    let x = [empty[1][0], -empty[0][0]];
    let sums = inverse(add(IDENTITY, r, -1.0));
    let row_times =
        |row: [f64; 2], m: Matrix| [row[0] * m[0][0] + row[1] * m[1][0], row[0] * m[0][1] + row[1] * m[1][1]];
    let total: f64 = row_times(x, sums).iter().sum();
    let present: f64 = row_times(x, times(r, times(sums, sums))).iter().sum();
    present / total / arrivals.mean_rate()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(seen: f64, expected: f64) {
        assert!((seen - expected).abs() < 1e-9 * expected.abs().max(1.0), "{seen} is not {expected}");
    }

    #[test]
    fn known_cases() {
        // M/M/1: an arrival waits when the server is busy, and T = 1 / (mu - lambda).
        close(erlang_c(0.7, 1.0, 1), 0.7);
        close(mmc_time(0.7, 1.0, 1), 1.0 / 0.3);
        // M/M/2: C = 2 rho^2 / (1 + rho).
        close(erlang_c(1.6, 1.0, 2), 2.0 * 0.64 / 1.8);
        // M/M/1/1 is Erlang's loss system: a / (1 + a).
        close(loss(2.0, 1.0, 1, 1), 2.0 / 3.0);
        // M/M/1/K: rho^K (1 - rho) / (1 - rho^(K + 1)).
        close(loss(0.8, 1.0, 1, 5), 0.8_f64.powi(5) * 0.2 / (1.0 - 0.8_f64.powi(6)));
        // With as many servers as customers, patience races service: theta / (mu + theta).
        close(abandonment(5.0, 1.0, 200, 0.25), 0.2);
    }

    #[test]
    fn bursts_of_one_rate_are_none() {
        let steady = Mmpp2 { rates: [0.7, 0.7], leave: [0.1, 0.3] };
        assert!((mmpp_time(steady, 1.0) - 1.0 / 0.3).abs() < 1e-6, "{}", mmpp_time(steady, 1.0));
        let bursty = Mmpp2 { rates: [1.2, 0.2], leave: [0.01, 0.01] };
        assert!((bursty.mean_rate() - 0.7).abs() < 1e-12);
        assert!(mmpp_time(bursty, 1.0) > 5.0 / 0.3, "bursts of a hundred services fill the queue");
    }

    #[test]
    fn quantiles_of_the_time_are_those_of_closed_forms() {
        // M/M/1: exponential with the rate by which the server is faster.
        for (q, expected) in [(0.5, 2.0_f64.ln() / 0.3), (0.99, 100.0_f64.ln() / 0.3)] {
            let found = mmc_time_quantile(q, 0.7, 1.0, 1).expect("stable");
            assert!((found / expected - 1.0).abs() < 1e-9, "{q}: {found} {expected}");
        }
        // Servers without end: the service alone. As many as make both rates equal: between that and its double.
        let alone = mmc_time_quantile(0.9, 1.0, 1.0, 60).expect("stable");
        assert!((alone / 10.0_f64.ln() - 1.0).abs() < 1e-9, "{alone}");
        let equal = mmc_time_quantile(0.9, 1.0, 1.0, 2).expect("stable");
        assert!(equal > alone && equal < 2.0 * alone, "{equal}");
        assert_eq!(mmc_time_quantile(0.5, 2.0, 1.0, 2), None);
    }
}
