//! The universal scalability law (Gunther, Guerrilla Capacity Planning, 2007): what a journey takes grows with those that are in
//! the system, by a part in proportion to them, for what is done one at a time, and by one in proportion to their pairs, for what
//! has to be agreed on.

/// `R(N) = alone + contention N + coherence N (N - 1)`, seconds with N journeys in the system: N over the throughput
/// `N / (base (1 + alpha (N - 1) + beta N (N - 1)))`, with `alone = base (1 - alpha)`, `contention = base alpha` and
/// `coherence = base beta`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScalabilityLaw {
    /// What takes as long however many there are, seconds.
    pub alone_s: f64,
    /// What each of those in the system adds, seconds.
    pub contention_s: f64,
    /// What each pair of them adds, seconds.
    pub coherence_s: f64,
}

/// A pivot below this share of the largest is a row that another one says already.
const SINGULAR: f64 = 1e-9;

impl ScalabilityLaw {
    /// The law through rates a second and the times there, seconds, with as many in the system as Little's law has it: the least
    /// squares of the shares by which times are off, none of its parts below 0. `None` of fewer than three rates.
    pub fn fit(levels: &[(f64, f64)]) -> Option<Self> {
        let is_measured = levels.iter().all(|(rate, time_s)| *rate > 0.0 && *time_s > 0.0);
        if levels.len() < 3 || !is_measured {
            return None;
        }
        let rows: Vec<[f64; 3]> = levels
            .iter()
            .map(|(rate, time_s)| {
                let inside = rate * time_s;
                [1.0, inside, inside * (inside - 1.0)].map(|part| part / time_s)
            })
            .collect();
        let squares = |of: &[f64; 3]| {
            let off = |row: &[f64; 3]| row.iter().zip(of).map(|(part, of)| part * of).sum::<f64>() - 1.0;
            rows.iter().map(|row| off(row) * off(row)).sum::<f64>()
        };
        // The best without a part below 0 is the best of some of the parts alone.
        let subsets = (1_u8..8).map(|bits| [0, 1, 2].map(|part| bits & (1 << part) != 0));
        let possible = subsets.filter_map(|parts| least_squares(&rows, parts));
        let possible = possible.filter(|of| of.iter().all(|part| *part >= 0.0));
        let [alone_s, contention_s, coherence_s] =
            possible.min_by(|a, b| squares(a).total_cmp(&squares(b)))?;
        Some(Self { alone_s, contention_s, coherence_s })
    }

    /// What a journey takes at a rate a second, seconds; `None` where it is more than the law lets through.
    pub fn time_s(&self, rate: f64) -> Option<f64> {
        // Little: N = rate R(N), of whose two solutions the system comes to the lower.
        let a = self.coherence_s * rate;
        let b = (self.contention_s - self.coherence_s) * rate - 1.0;
        let c = self.alone_s * rate;
        let discriminant = b * b - 4.0 * a * c;
        if b >= 0.0 || discriminant < 0.0 {
            return None;
        }
        let inside = 2.0 * c / (libm::sqrt(discriminant) - b);
        (inside > 0.0).then(|| inside / rate)
    }
}

/// The least squares of `rows of = 1` by some of the parts, the others 0: Gauss's normal equations. `None` where they are not
/// determined.
fn least_squares(rows: &[[f64; 3]], parts: [bool; 3]) -> Option<[f64; 3]> {
    let used: Vec<usize> = (0..3).filter(|part| parts[*part]).collect();
    let sum = |of: &dyn Fn(&[f64; 3]) -> f64| rows.iter().map(of).sum::<f64>();
    let equation = |one: &usize| {
        let mut equation: Vec<f64> = used.iter().map(|other| sum(&|row| row[*one] * row[*other])).collect();
        equation.push(sum(&|row| row[*one]));
        equation
    };
    let mut equations: Vec<Vec<f64>> = used.iter().map(equation).collect();
    let scale: Vec<f64> = (0..used.len()).map(|at| equations[at][at]).collect();
    for (at, scale) in scale.into_iter().enumerate() {
        let pivot = equations[at].clone();
        // Normal equations are positive definite: no row has to be exchanged for a larger pivot.
        if pivot[at] <= SINGULAR * scale {
            return None;
        }
        for (other, equation) in equations.iter_mut().enumerate() {
            if other != at {
                let factor = equation[at] / pivot[at];
                equation.iter_mut().zip(&pivot).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
    }
    let mut solution = [0.0; 3];
    for (at, part) in used.iter().enumerate() {
        solution[*part] = equations[at][used.len()] / equations[at][at];
    }
    Some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rates and times of a law.
    fn levels(law: ScalabilityLaw, rates: &[f64]) -> Vec<(f64, f64)> {
        rates.iter().map(|rate| (*rate, law.time_s(*rate).expect("below its capacity"))).collect()
    }

    fn is_close(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-6 * other.abs().max(1e-6)
    }

    #[test]
    fn a_planted_law_is_found_and_carries_to_another_rate() {
        let planted = ScalabilityLaw { alone_s: 0.004, contention_s: 0.001, coherence_s: 1e-6 };
        let found = ScalabilityLaw::fit(&levels(planted, &[100.0, 300.0, 500.0, 700.0])).expect("four rates");
        assert!(is_close(found.alone_s, 0.004) && is_close(found.contention_s, 0.001), "{found:?}");
        assert!((found.coherence_s / 1e-6 - 1.0).abs() < 1e-3, "{found:?}");
        let (own, known) = (found.time_s(800.0), planted.time_s(800.0));
        assert!(own.zip(known).is_some_and(|(own, known)| is_close(own, known)), "{own:?} {known:?}");
        assert_eq!(planted.time_s(1_000.0), None, "one at a time takes 1 ms");
    }

    #[test]
    fn a_system_of_one_station_has_the_times_of_one() {
        // Without pairs it is M/M/1: S / (1 - rate S), with S all of it done one at a time.
        let law = ScalabilityLaw { alone_s: 0.002, contention_s: 0.002, coherence_s: 0.0 };
        assert!(law.time_s(250.0).is_some_and(|time_s| is_close(time_s, 0.004)));
    }

    #[test]
    fn no_part_is_below_zero_and_two_rates_are_too_few() {
        // Times that fall are of no law: the flattest is closest.
        let law = ScalabilityLaw::fit(&[(100.0, 0.006), (200.0, 0.005), (300.0, 0.004)]).expect("three");
        assert!(law.alone_s > 0.0 && law.contention_s >= 0.0 && law.coherence_s >= 0.0, "{law:?}");
        assert_eq!(ScalabilityLaw::fit(&[(100.0, 0.006), (200.0, 0.007)]), None);
        assert_eq!(ScalabilityLaw::fit(&[(100.0, 0.006), (200.0, 0.0), (300.0, 0.006)]), None);
    }
}
