//! Admission: so many at once, a short queue, and an immediate refusal for the rest.

use serde::{Deserialize, Serialize};

use crate::units::HumanDuration;

/// `{ limit = 512, queue = 128, target = "5ms", interval = "100ms" }`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdmissionOptions {
    /// Requests served at once.
    pub limit: u32,
    /// Requests that may wait.
    pub queue: u32,
    /// Waiting longer than this all the time means the queue stands, not drains.
    pub target: HumanDuration,
    /// How long it must have stood.
    pub interval: HumanDuration,
}

impl Default for AdmissionOptions {
    fn default() -> Self {
        Self {
            limit: 512,
            queue: 128,
            target: HumanDuration::from_millis(5),
            interval: HumanDuration::from_millis(100),
        }
    }
}

/// What becomes of a request that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionDecision {
    /// It is served.
    Serve,
    /// It waits.
    Wait,
    /// It is refused: a late answer costs as much as none.
    Shed,
}

/// The counts behind admission, and CoDel's memory (Nichols & Jacobson 2012).
#[derive(Debug)]
pub struct AdmissionControl {
    options: AdmissionOptions,
    serving: u32,
    waiting: u32,
    /// When the shortest wait first stayed above the target; 0 while it has not.
    standing_since_ns: u64,
}

impl AdmissionControl {
    /// Nothing served, nothing waiting.
    pub const fn new(options: AdmissionOptions) -> Self {
        Self { options, serving: 0, waiting: 0, standing_since_ns: 0 }
    }

    /// A request arrives.
    pub fn on_arrival(&mut self) -> AdmissionDecision {
        if self.serving < self.options.limit && self.waiting == 0 {
            self.serving += 1;
            // No request waits, so the queue has drained.
            self.standing_since_ns = 0;
            AdmissionDecision::Serve
        } else if self.waiting < self.options.queue {
            self.waiting += 1;
            AdmissionDecision::Wait
        } else {
            AdmissionDecision::Shed
        }
    }

    /// A request at the head of the queue has waited `waited_ns` and a place is
    /// free: it is served, or dropped because the queue has been standing.
    pub fn on_dequeue(&mut self, waited_ns: u64, now_ns: u64) -> AdmissionDecision {
        self.waiting = self.waiting.saturating_sub(1);
        if waited_ns <= self.options.target.nanos() {
            self.standing_since_ns = 0;
        } else if self.standing_since_ns == 0 {
            self.standing_since_ns = now_ns.max(1);
        } else if now_ns.saturating_sub(self.standing_since_ns) >= self.options.interval.nanos() {
            // Drop one and look again an interval later.
            self.standing_since_ns = now_ns;
            return AdmissionDecision::Shed;
        }
        self.serving += 1;
        AdmissionDecision::Serve
    }

    /// A waiting request gave up.
    pub fn on_abandoned(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// A request was answered. True when a request waits for the place.
    pub fn on_done(&mut self) -> bool {
        self.serving = self.serving.saturating_sub(1);
        self.waiting > 0
    }

    /// Served and waiting now.
    pub const fn counts(&self) -> (u32, u32) {
        (self.serving, self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn places_then_queue_then_no() {
        let mut admission =
            AdmissionControl::new(AdmissionOptions { limit: 1, queue: 1, ..AdmissionOptions::default() });
        let entries = [admission.on_arrival(), admission.on_arrival(), admission.on_arrival()];
        assert_eq!(entries, [AdmissionDecision::Serve, AdmissionDecision::Wait, AdmissionDecision::Shed]);
        assert!(admission.on_done(), "a request waits");
        assert_eq!(admission.on_dequeue(MS, 0), AdmissionDecision::Serve);
        assert_eq!(admission.counts(), (1, 0));
    }

    #[test]
    fn a_standing_queue_is_thinned_and_a_draining_one_is_not() {
        let mut admission = AdmissionControl::new(AdmissionOptions {
            limit: 1_000,
            queue: 1_000,
            ..AdmissionOptions::default()
        });
        let mut shed = |waited: u64, now: u64| admission.on_dequeue(waited, now) == AdmissionDecision::Shed;
        assert!(!shed(50 * MS, MS), "the first long wait");
        assert!(!shed(50 * MS, 100 * MS), "not yet an interval");
        assert!(shed(50 * MS, 101 * MS), "an interval of nothing but long waits");
        assert!(!shed(50 * MS, 150 * MS), "one an interval");
        assert!(!shed(2 * MS, 160 * MS), "a short wait: it drains");
        assert!(!shed(50 * MS, 205 * MS), "and counting starts anew");
    }
}
