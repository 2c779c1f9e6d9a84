//! The machine, once a second: stalls, memory, and what the run holds of it.

use record::Host;

use crate::history::{newest, of_seconds_inside};
use crate::processes::MIB;
use crate::run::Run;
use crate::window::TimeRange;

/// Share of a second in which tasks waited for a CPU (PSI `some`), 0 to 1; `None` where the kernel does not report it.
pub fn stall_share(host: &Host) -> Option<f64> {
    host.cpu_stall.map(|percent| percent / 100.0)
}

/// CPU of processes outside the run, cores.
pub fn other_cores(host: &Host) -> f64 {
    host.other_cpu / 100.0
}

/// Memory the machine has left, bytes.
pub fn memory_available(host: &Host) -> f64 {
    host.memory_available_mib as f64 * MIB
}

impl Run {
    /// The host as it was at `t`.
    pub fn host_at(&self, t: u64) -> Option<&Host> {
        newest(&self.hosts, self.sampled_until(t))
    }

    /// Host seconds in a range of any arm.
    pub fn hosts<'a>(&'a self, range: &TimeRange) -> impl Iterator<Item = &'a Host> + 'a {
        let mut ranges: Vec<_> = self.letters().iter().flat_map(|arm| self.run_time(*arm, range)).collect();
        ranges.sort_by_key(|range| (range.start, range.end));
        // Arms side by side share their seconds.
        ranges.dedup();
        let found: Vec<&Host> = of_seconds_inside(&self.hosts, &ranges).collect();
        found.into_iter()
    }

    /// All host seconds of the run.
    pub fn all_hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().map(|(_, host)| host)
    }
}
