//! The one place that reads clocks.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

static ORIGIN: LazyLock<Instant> = LazyLock::new(now);

/// Now, monotonic.
#[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
pub fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds since the process first asked, monotonic; what policies are given.
pub fn now_ns() -> u64 {
    ns_at(now())
}

/// [`now_ns`] as it was at `instant`: for what has read the clock already.
pub fn ns_at(instant: Instant) -> u64 {
    u64::try_from(instant.saturating_duration_since(*ORIGIN).as_nanos()).unwrap_or(u64::MAX)
}

/// How far the wall clock is off on purpose, microseconds.
static WALL_OFFSET_US: AtomicI64 = AtomicI64::new(0);

/// Sets the wall clock of this process ahead, or behind where negative, by milliseconds.
/// A fault; the monotonic clock, and so every timeout and lease, stays as it is.
pub fn shift_wall(by_ms: i64) {
    WALL_OFFSET_US.store(by_ms.saturating_mul(1_000), Ordering::Relaxed);
}

/// Microseconds since the Unix epoch; for stamps, never for durations.
#[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
pub fn wall_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros())
        .unwrap_or(i64::MAX)
        .saturating_add(WALL_OFFSET_US.load(Ordering::Relaxed))
}

/// Nanoseconds of CLOCK_MONOTONIC: comparable between processes of one host.
pub fn mono_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// CPU time of the calling thread, ns. A read costs about 250 ns.
pub fn thread_cpu_ns() -> u64 {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time of the whole process, ns. A read costs about 700 ns.
pub fn process_cpu_ns() -> u64 {
    read(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

fn read(clock: ClockId) -> u64 {
    // These clocks exist on every Linux; a kernel without one measures nothing.
    clock_gettime(clock).map_or(0, |time| {
        u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run_forward_and_work_costs_cpu() {
        let (now, mono, cpu) = (now_ns(), mono_ns(), thread_cpu_ns());
        let mut sum = 0_u64;
        while thread_cpu_ns() < cpu + 1_000_000 {
            sum = std::hint::black_box(sum.wrapping_mul(31) + 1);
        }
        assert!(now_ns() > now && mono_ns() > mono && process_cpu_ns() >= 1_000_000);
        assert!(wall_us() > 1_700_000_000_000_000, "after 2023");
    }
}
