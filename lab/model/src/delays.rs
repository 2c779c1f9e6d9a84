//! What injected delays asked for, and what they took.

use crate::run::Run;

/// The step of the declared network, which no step asks for.
pub const OF_NETWORK: u32 = 0;

/// Delays of one step, or of the declared network, in one arm, over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeliveredDelay {
    /// Delays that calls waited for to their end.
    pub n: u64,
    /// Median of what was asked for, seconds.
    pub asked_s: f64,
    /// Median of how much longer it took, seconds.
    pub late_s: f64,
}

impl DeliveredDelay {
    /// What it took at the median, seconds.
    pub fn delivered_s(&self) -> f64 {
        self.asked_s + self.late_s
    }
}

impl Run {
    /// Delays of a step by its number, or [`OF_NETWORK`]; `None` where none has passed. Of several rounds, the mean of
    /// their medians, each with its weight.
    pub fn delivered_delay(&self, arm: char, step: u32) -> Option<DeliveredDelay> {
        let (mut n, mut asked, mut late) = (0, 0.0, 0.0);
        for delay in self.delays.iter().filter(|delay| delay.arm == arm && delay.step == step) {
            n += delay.n;
            asked += delay.n as f64 * delay.asked_us as f64;
            late += delay.n as f64 * delay.late_us as f64;
        }
        let seconds = |us: f64| us / n as f64 / 1e6;
        (n > 0).then(|| DeliveredDelay { n, asked_s: seconds(asked), late_s: seconds(late) })
    }
}

#[cfg(test)]
mod tests {
    use record::{Delay, Entry, Header, Line};

    use super::*;

    #[test]
    fn rounds_count_by_how_many_delays_they_had() {
        let mut run = Run::new(Header::default());
        for (round, n, late_us) in [(1, 300, 40), (2, 100, 80)] {
            let delay = Delay { arm: 'A', round, step: 2, n, asked_us: 300, late_us };
            run.add(&Line { t: 0, entry: Entry::Delay(delay) });
        }
        let delivered = run.delivered_delay('A', 2).expect("two rounds");
        // 300 of 40 us and 100 of 80 us: 50 us late.
        assert_eq!((delivered.n, (delivered.delivered_s() * 1e6).round()), (400, 350.0));
        assert_eq!((delivered.asked_s * 1e6).round(), 300.0);
        assert_eq!((run.delivered_delay('B', 2), run.delivered_delay('A', OF_NETWORK)), (None, None));
    }
}
