//! Adaptive throttling: callers hold back in proportion to what the callee turns away.
//!
//! Site Reliability Engineering, chapter 21, "Client-Side Throttling".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{HumanDuration, MAX_LENGTH, Ratio};

/// Slots of the window.
const SLOTS: usize = 20;

/// `{ k = 2.0, window = "120s", probe = "1%" }`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ThrottleOptions {
    /// Requests let through for each that is accepted.
    pub k: f64,
    /// How far back it looks.
    pub window: HumanDuration,
    /// Share let through whatever is turned away: after a blackout nothing has been
    /// accepted, and without a floor nothing would ever be sent again.
    pub probe: Ratio,
}

impl Default for ThrottleOptions {
    fn default() -> Self {
        Self { k: 2.0, window: HumanDuration::from_millis(120_000), probe: Ratio::new(0.01) }
    }
}

impl ThrottleOptions {
    /// What is wrong with them, each sentence with the key of the policy first.
    pub fn diagnostics(&self) -> Vec<String> {
        let mut diagnostics = Vec::new();
        // Below 1 calls are held back although all are accepted. Negated, so that NaN is refused as well.
        if !(1.0..=MAX_K).contains(&self.k) {
            diagnostics
                .push(format!("throttle: k = {} is out of range; write 1 to {MAX_K}, e.g. k = 2", self.k));
        }
        if self.probe.get() >= 1.0 {
            diagnostics.push(format!(
                "throttle: probe = {} lets every call through; write less, e.g. probe = \"1%\"",
                self.probe
            ));
        }
        if self.window == HumanDuration::default() {
            diagnostics.push("throttle: its window is 0s; write for example window = \"2m\"".to_owned());
        }
        if self.window > MAX_LENGTH {
            diagnostics.push(format!(
                "throttle: a window of {} is out of range; write at most {MAX_LENGTH}",
                self.window
            ));
        }
        diagnostics
    }
}

/// From here on a throttle never holds a call back.
const MAX_K: f64 = 1_000.0;

/// What was asked and what was accepted lately.
#[derive(Debug)]
pub struct Throttle {
    options: ThrottleOptions,
    slots: [(f64, f64); SLOTS],
    current: u64,
}

impl Throttle {
    /// A throttle that has seen nothing, and lets everything through.
    pub const fn new(options: ThrottleOptions) -> Self {
        Self { options, slots: [(0.0, 0.0); SLOTS], current: 0 }
    }

    /// Whether a call may be made; `unit` in [0, 1) is the caller's die.
    pub fn admits(&mut self, now_ns: u64, unit: f64) -> bool {
        let rejected = self.rejection(now_ns);
        self.slots[self.index()].0 += 1.0;
        unit >= rejected
    }

    /// The callee accepted a call: it answered, whatever the answer.
    pub fn accepted(&mut self, now_ns: u64) {
        self.advance(now_ns);
        self.slots[self.index()].1 += 1.0;
    }

    /// Share of calls that is held back now: max(0, (requests - K accepts) / (requests + 1)).
    pub fn rejection(&mut self, now_ns: u64) -> f64 {
        self.advance(now_ns);
        let (requests, accepts) =
            self.slots.iter().fold((0.0, 0.0), |sum, slot| (sum.0 + slot.0, sum.1 + slot.1));
        let share = (requests - self.options.k * accepts) / (requests + 1.0);
        share.clamp(0.0, 1.0 - self.options.probe.get())
    }

    const fn index(&self) -> usize {
        (self.current % SLOTS as u64) as usize
    }

    fn advance(&mut self, now_ns: u64) {
        let width = (self.options.window.nanos() / SLOTS as u64).max(1);
        let slot = now_ns / width;
        let passed = slot.saturating_sub(self.current).min(SLOTS as u64);
        for _ in 0..passed {
            self.current += 1;
            self.slots[(self.current % SLOTS as u64) as usize] = (0.0, 0.0);
        }
        self.current = self.current.max(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_healthy_callee_is_not_throttled() {
        let mut throttle = Throttle::new(ThrottleOptions::default());
        for i in 0..100 {
            assert!(throttle.admits(i * SECOND / 100, 0.0));
            throttle.accepted(i * SECOND / 100);
        }
    }

    #[test]
    fn a_dead_callee_is_asked_by_the_probes_alone_and_forgiven_when_the_window_has_passed() {
        let options =
            ThrottleOptions { window: "10s".parse().expect("a span"), ..ThrottleOptions::default() };
        let mut throttle = Throttle::new(options);
        for i in 0..1_000 {
            let _ = throttle.admits(i * SECOND / 1_000, 0.5);
        }
        // 1,000 asked and none accepted: 1000/1001, cut to 99 %.
        assert!((throttle.rejection(SECOND) - 0.99).abs() < 1e-9);
        assert!(throttle.admits(SECOND, 0.995) && !throttle.admits(SECOND, 0.9));
        assert_eq!(throttle.rejection(12 * SECOND), 0.0);
    }
}
