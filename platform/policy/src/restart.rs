//! Restarts of a process that dies again and again: a delay that grows, and an end.

use std::time::Duration;

/// A process that served this long has recovered: its next death is a first one.
pub const RECOVERED_AFTER: Duration = Duration::from_secs(60);
/// Delays double up to this where nothing else is set, or to the first where that is longer: a cause that goes away by itself is
/// worth a look twice a minute.
pub const MAX_DELAY: Duration = Duration::from_secs(30);

/// Delays before the restarts of one process.
#[derive(Clone, Debug)]
pub struct RestartBackoff {
    first: Duration,
    longest: Duration,
    max: u32,
    deaths: u32,
}

impl RestartBackoff {
    /// A process that is restarted `first` after its death, and at most `max` times in succession.
    pub const fn new(first: Duration, max: u32) -> Self {
        let longest = if first.as_nanos() > MAX_DELAY.as_nanos() { first } else { MAX_DELAY };
        Self { first, longest, max, deaths: 0 }
    }

    /// With delays that double up to `longest`, or to the first where that is longer.
    #[must_use]
    pub fn with_max_delay(self, longest: Duration) -> Self {
        Self { longest: longest.max(self.first), ..self }
    }

    /// The delay before the restart of a process that died after it had served for so long; `None` where it has died too
    /// often in succession.
    pub fn next_delay(&mut self, served: Duration) -> Option<Duration> {
        if served >= RECOVERED_AFTER {
            self.deaths = 0;
        }
        if self.deaths >= self.max {
            return None;
        }
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(self.deaths));
        self.deaths += 1;
        Some(doubled.min(self.longest))
    }

    /// Restarts in succession.
    pub const fn restarts(&self) -> u32 {
        self.deaths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(backoff: &mut RestartBackoff, served: Duration, deaths: usize) -> Vec<Option<u64>> {
        (0..deaths).map(|_| backoff.next_delay(served).map(|delay| delay.as_secs())).collect()
    }

    #[test]
    fn the_delay_doubles_to_its_limit_and_then_there_is_no_restart_any_more() {
        let mut backoff = RestartBackoff::new(Duration::from_secs(1), 7);
        let expected = [Some(1), Some(2), Some(4), Some(8), Some(16), Some(30), Some(30), None, None];
        assert_eq!(delays(&mut backoff, Duration::ZERO, 9), expected);
        assert_eq!(backoff.restarts(), 7);
        let mut slow = RestartBackoff::new(Duration::from_secs(90), 3);
        assert_eq!(delays(&mut slow, Duration::ZERO, 4), [Some(90), Some(90), Some(90), None]);
    }

    #[test]
    fn the_limit_of_the_delay_is_a_setting() {
        let backoff = RestartBackoff::new(Duration::from_secs(2), 4);
        let mut set = backoff.clone().with_max_delay(Duration::from_secs(5));
        assert_eq!(delays(&mut set, Duration::ZERO, 5), [Some(2), Some(4), Some(5), Some(5), None]);
        let mut short = backoff.with_max_delay(Duration::from_millis(1));
        assert_eq!(delays(&mut short, Duration::ZERO, 5), [Some(2), Some(2), Some(2), Some(2), None]);
    }

    #[test]
    fn a_process_that_served_for_a_minute_has_recovered() {
        let mut backoff = RestartBackoff::new(Duration::from_secs(1), 2);
        assert_eq!(delays(&mut backoff, RECOVERED_AFTER - Duration::from_nanos(1), 2), [Some(1), Some(2)]);
        assert_eq!(delays(&mut backoff, RECOVERED_AFTER, 5), [Some(1); 5]);
        assert_eq!(delays(&mut backoff, Duration::ZERO, 2), [Some(2), None]);
    }
}
