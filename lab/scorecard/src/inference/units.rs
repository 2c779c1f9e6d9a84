//! The units of a window and how they are drawn: what that makes of a standard deviation, and how far events cluster in
//! them.

use super::statistic::Frame;
use super::student;

/// From so many rounds on rounds are the units.
pub(super) const MIN_ROUNDS: u32 = 3;
/// Units below which a window has no interval, if they are seconds.
pub(super) const MIN_SECONDS: usize = 8;

/// Units of a window.
#[derive(Clone, Debug)]
pub(super) struct Units {
    /// Rounds are drawn, rather than seconds.
    pub(super) are_rounds: bool,
    pub(super) count: usize,
    /// Units that follow each other in a circle: a round's seconds, or all rounds.
    pub(super) circle: usize,
    /// Units drawn together.
    pub(super) block: usize,
    /// Seconds of a round.
    seconds: usize,
}

/// What the number of units makes of a standard deviation over resamples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct DegreesOfFreedom {
    /// Degrees of freedom.
    pub(super) nu: f64,
    /// What resampling misses, as a factor of a standard error.
    pub(super) correction: f64,
}

impl DegreesOfFreedom {
    /// Half the width of an interval at a level, in standard deviations over resamples.
    pub(super) fn stretch(&self, level: f64) -> f64 {
        student::critical(level, self.nu) * self.correction
    }
}

impl Units {
    pub(super) fn new(frame: &Frame) -> Self {
        if frame.rounds < MIN_ROUNDS {
            return Self { circle: frame.seconds as usize, ..Self::seconds(frame.units()) };
        }
        let rounds = frame.rounds as usize;
        Self { are_rounds: true, count: rounds, circle: rounds, block: 1, seconds: frame.seconds as usize }
    }

    /// Seconds in one circle.
    pub(super) fn seconds(count: usize) -> Self {
        Self { are_rounds: false, count, circle: count, block: block_length(count), seconds: count }
    }

    /// The unit that a second belongs to, counted round by round.
    pub(super) fn of(&self, second: usize) -> usize {
        if self.are_rounds { second / self.seconds.max(1) } else { second }
    }

    /// Whether so many units that have data bound anything.
    pub(super) fn have_intervals(&self, present: usize) -> bool {
        let least = if self.are_rounds { MIN_ROUNDS as usize } else { MIN_SECONDS.max(2 * self.block) };
        present >= least
    }

    /// Degrees of freedom and correction where so many units have data.
    pub(super) fn freedom(&self, present: usize) -> DegreesOfFreedom {
        let (t, l) = (present as f64, self.block as f64);
        let variance = t * (2.0 * l * l + 1.0) / (3.0 * l) - l * l;
        // Drawn one by one, as rounds are, it is T - 1.
        let nu = if self.are_rounds { t - 1.0 } else { (t - l).powi(2) / variance };
        DegreesOfFreedom { nu: nu.max(1.0), correction: (t / (t - l)).sqrt() }
    }

    /// How many binomial trials one of these counts for, the variance of a share against that of independent trials:
    /// events among trials of each unit, of which so many have data. 0 without an event or with nothing else.
    pub(super) fn design_effect(&self, events: &[u64], trials: &[u64], present: usize) -> f64 {
        let deviations = deviations(events, trials);
        let total = trials.iter().sum::<u64>() as f64;
        let share = events.iter().sum::<u64>() as f64 / total;
        if !(share > 0.0 && share < 1.0) {
            return 0.0;
        }
        let mut variance: f64 = deviations.iter().map(|e| e * e).sum();
        for lag in 1..self.block {
            let weight = 1.0 - lag as f64 / self.block as f64;
            for circle in deviations.chunks(self.circle) {
                let next = circle.iter().cycle().skip(lag);
                variance += 2.0 * weight * circle.iter().zip(next).map(|(a, b)| a * b).sum::<f64>();
            }
        }
        let correction = self.freedom(present).correction;
        variance.max(0.0) * correction * correction * total / (share * (1.0 - share))
    }
}

/// How far each unit's events are from their share of its trials, over all trials.
pub(super) fn deviations(events: &[u64], trials: &[u64]) -> Vec<f64> {
    let total = trials.iter().sum::<u64>() as f64;
    let share = events.iter().sum::<u64>() as f64 / total;
    events.iter().zip(trials).map(|(y, n)| (*y as f64 - share * *n as f64) / total).collect()
}

/// `ceil(T^(1/3))`.
fn block_length(units: usize) -> usize {
    (1..).find(|length: &usize| length.pow(3) >= units).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rounds: u32, seconds: u32) -> Units {
        Units::new(&Frame { seed: 42, window: "steady".into(), rounds, seconds })
    }

    #[test]
    fn what_a_standard_deviation_is_stretched_by() {
        for (seconds, k, nu) in [(8, 3.070, 4.50), (12, 2.976, 4.96), (20, 2.467, 8.70), (60, 2.152, 21.05)] {
            let freedom = of(1, seconds).freedom(seconds as usize);
            assert!((freedom.stretch(0.05) - k).abs() < 6e-4, "{seconds} s: {freedom:?}");
            assert!((freedom.nu - nu).abs() < 6e-3, "{seconds} s: {freedom:?}");
        }
        let rounds = of(6, 10).freedom(6);
        assert_eq!((rounds.nu, rounds.correction), (5.0, 1.2_f64.sqrt()));
    }

    #[test]
    fn events_one_by_one_count_once_and_whole_seconds_for_all_their_trials() {
        // Sixty seconds of 100: one event in each second spreads more evenly than chance, all events in one second
        // cluster.
        let units = of(1, 60);
        let trials = vec![100; 60];
        assert!(units.design_effect(&[1; 60], &trials, 60) < 1e-9);
        let mut burst = vec![0; 60];
        burst[7] = 100;
        let clustered = units.design_effect(&burst, &trials, 60);
        assert!((90.0..110.0).contains(&clustered), "{clustered}");
        assert_eq!(units.design_effect(&[0; 60], &trials, 60), 0.0);
    }
}
