//! How long threads wait for cores.

/// Time of cores that a thread waited for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stall {
    /// Added up over cores, ns, until `since_ns`.
    sum_ns: u64,
    since_ns: u64,
    /// Cores that a thread has waited for since then.
    cores: u64,
}

impl Stall {
    /// From now on a thread waits for so many cores.
    pub fn becomes(&mut self, cores: u64, now_ns: u64) {
        if cores != self.cores {
            *self = Self { sum_ns: self.until(now_ns), since_ns: now_ns, cores };
        }
    }

    /// Added up over cores until now, ns.
    pub const fn until(&self, now_ns: u64) -> u64 {
        self.sum_ns + self.cores * now_ns.saturating_sub(self.since_ns)
    }
}
