//! The retry budget: retries are a share of first tries, or they make an outage of a hiccup.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{HumanDuration, Rate, Ratio};

/// `{ ratio = "10%", min = "1/s", window = "10s" }`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetOptions {
    /// Retries per first try (Google SRE book, chapter 21).
    pub ratio: Ratio,
    /// Retries always allowed, so that a quiet edge may retry at all.
    pub min: Rate,
    /// What is not used within it is lost.
    pub window: HumanDuration,
}

impl Default for BudgetOptions {
    fn default() -> Self {
        Self {
            ratio: Ratio::new(0.1),
            min: Rate::per_second(1.0),
            window: HumanDuration::from_millis(10_000),
        }
    }
}

impl BudgetOptions {
    /// Whether it never holds a retry: first tries earn nothing, and what is always allowed comes to less than one.
    pub fn pays_for_none(&self) -> bool {
        self.ratio.get() <= 0.0 && self.floor() < 1.0 - ROUNDING
    }

    /// Retries that are always allowed within its window.
    fn floor(&self) -> f64 {
        self.min.get() * self.window.duration().as_secs_f64()
    }
}

/// Ten deposits of a tenth add up to a little less than one in binary.
const ROUNDING: f64 = 1e-9;
/// Slots of the window; a deposit lives until its slot comes round again.
const SLOTS: usize = 10;

/// Tokens earned by first tries and spent by retries.
#[derive(Debug)]
pub struct RetryBudget {
    options: BudgetOptions,
    /// Length of a slot, ns.
    slot_ns: u64,
    /// Earned minus spent, by slot of the window.
    slots: [f64; SLOTS],
    /// Number of the slot written last, counted from the clock's origin.
    current: u64,
}

impl RetryBudget {
    /// A budget with nothing earned yet: the floor alone allows retries.
    pub const fn new(options: BudgetOptions) -> Self {
        let slot_ns = options.window.nanos() / SLOTS as u64;
        Self { options, slot_ns: if slot_ns > 0 { slot_ns } else { 1 }, slots: [0.0; SLOTS], current: 0 }
    }

    /// A request began. Once per request, not per try.
    pub fn deposit(&mut self, now_ns: u64) {
        self.advance(now_ns);
        self.slots[self.index()] += self.options.ratio.get();
    }

    /// Whether a retry may be made; it is paid for if so.
    pub fn withdraw(&mut self, now_ns: u64) -> bool {
        self.advance(now_ns);
        let allowed = self.balance() >= 1.0 - ROUNDING;
        if allowed {
            let index = self.index();
            self.slots[index] -= 1.0;
        }
        allowed
    }

    /// Retries that could be made now.
    pub fn balance(&self) -> f64 {
        self.options.floor() + self.slots.iter().sum::<f64>()
    }

    fn index(&self) -> usize {
        (self.current % SLOTS as u64) as usize
    }

    fn advance(&mut self, now_ns: u64) {
        let slot = now_ns / self.slot_ns;
        let passed = slot.saturating_sub(self.current).min(SLOTS as u64);
        for step in 1..=passed {
            self.slots[((self.current + step) % SLOTS as u64) as usize] = 0.0;
        }
        self.current = self.current.max(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn when_everything_fails_retries_stay_a_share() {
        let mut budget = RetryBudget::new(BudgetOptions::default());
        let (mut requests, mut retries) = (0_u32, 0_u32);
        // 300 a second for a minute, each wanting three retries.
        for tick in 0..18_000_u64 {
            let now = tick * SECOND / 300;
            requests += 1;
            budget.deposit(now);
            retries += (0..3).filter(|_| budget.withdraw(now)).count() as u32;
        }
        let amplification = 1.0 + f64::from(retries) / f64::from(requests);
        // 1 + ratio + min / rate, and the floor of the first window on top: 1.1 + 1/300 + 10/18000.
        assert!(amplification < 1.1 + 1.0 / 300.0 + 0.002, "{amplification}");
        assert!(amplification > 1.09);
    }

    #[test]
    fn a_quiet_edge_may_retry() {
        let mut budget = RetryBudget::new(BudgetOptions::default());
        budget.deposit(0);
        assert!(budget.withdraw(0));
    }

    #[test]
    fn what_is_not_used_is_lost() {
        let options = BudgetOptions { min: Rate::per_second(0.0), ..BudgetOptions::default() };
        let mut budget = RetryBudget::new(options);
        (0..100).for_each(|_| budget.deposit(0));
        assert!((budget.balance() - 10.0).abs() < 1e-9);
        assert!(!budget.withdraw(11 * SECOND), "earned more than a window ago");
    }
}
