//! What the dashboard's thread takes, and how often the wheel counts.

use std::time::{Duration, Instant};

use crate::state::Overhead;

/// Between two steps of the wheel: touchpads send hundreds a second.
const WHEEL_INTERVAL: Duration = Duration::from_millis(20);
/// Time over which the overhead is measured.
const METER_INTERVAL: Duration = Duration::from_secs(1);

/// Lets one through now and then.
#[derive(Default)]
pub(super) struct Throttle(Option<Instant>);

impl Throttle {
    pub(super) fn passes(&mut self, now: Instant) -> bool {
        let passes = self.0.is_none_or(|last| now.saturating_duration_since(last) >= WHEEL_INTERVAL);
        if passes {
            self.0 = Some(now);
        }
        passes
    }
}

/// What this thread takes.
pub(super) struct Meter {
    since: Instant,
    cpu_ns: u64,
    frames: u32,
    bytes: u64,
}

impl Meter {
    pub(super) fn since(now: Instant) -> Self {
        Self { since: now, cpu_ns: runtime::clock::thread_cpu_ns(), frames: 0, bytes: 0 }
    }

    pub(super) fn frame(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes as u64;
    }

    /// Once a second, what it was.
    pub(super) fn last_second(&mut self, now: Instant) -> Option<Overhead> {
        let over = now.saturating_duration_since(self.since);
        if over < METER_INTERVAL {
            return None;
        }
        let before = std::mem::replace(self, Self::since(now));
        let cpu_ns = self.cpu_ns.saturating_sub(before.cpu_ns);
        Some(Overhead {
            cpu: Some(cpu_ns as f64 / over.as_nanos() as f64),
            frames: before.frames,
            bytes_per_frame: before.bytes.checked_div(before.frames.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wheel_counts_every_twenty_milliseconds() {
        let start = runtime::clock::now();
        let mut wheel = Throttle::default();
        let passed = (0..100).filter(|ms| wheel.passes(start + Duration::from_millis(*ms))).count();
        assert_eq!(passed, 5, "at 0, 20, 40, 60 and 80 ms");
    }

    #[test]
    fn the_overhead_of_a_second_is_known_once_it_is_over() {
        let start = runtime::clock::now();
        let mut meter = Meter::since(start);
        meter.frame(1_000);
        meter.frame(3_000);
        assert_eq!(meter.last_second(start + Duration::from_millis(999)), None);
        let own = meter.last_second(start + METER_INTERVAL).expect("a second is over");
        assert_eq!((own.frames, own.bytes_per_frame), (2, Some(2_000)));
        let idle = meter.last_second(start + 2 * METER_INTERVAL).expect("another one");
        assert_eq!((idle.frames, idle.bytes_per_frame), (0, None), "no frame is not a frame of nothing");
    }
}
