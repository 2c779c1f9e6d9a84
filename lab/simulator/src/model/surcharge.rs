//! What circumstances add to CPU.

/// CPU that something takes by itself, and what circumstances add: a process that has cooled, neighbours on the cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surcharge {
    /// By itself, ns.
    pub base_ns: u64,
    /// More, ns.
    pub more_ns: u64,
}

impl Surcharge {
    /// Adds another.
    pub const fn add(&mut self, other: Self) {
        self.base_ns += other.base_ns;
        self.more_ns += other.more_ns;
    }

    /// What was added since an earlier one of the same.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self { base_ns: self.base_ns - earlier.base_ns, more_ns: self.more_ns - earlier.more_ns }
    }

    /// How many times as much it took.
    pub fn factor(self) -> f64 {
        if self.base_ns == 0 { 1.0 } else { 1.0 + self.more_ns as f64 / self.base_ns as f64 }
    }
}
